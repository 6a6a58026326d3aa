"""Task files: what a right one gives, and that every wrong one is refused with its place and the way out."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tellapart.errors import UserMistake
from tellapart.tasks.item import Task
from tellapart.tasks.sources import open_task

ROWS = [
    {"id": "a", "prompt": "2+2=", "target": "4"},
    {"id": "b", "prompt": "2+3=", "target": ["5", "five"], "cluster": "plus"},
    {"id": "c", "prompt": "2+4=", "target": "6", "cluster": "plus"},
]


def write(folder: Path, rows: list | str | bytes, settings: str = "", name: str = "items.jsonl") -> str:
    """Write an item file (and its .toml) and return the item file's path."""
    path = folder / name
    if isinstance(rows, list):
        rows = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    if settings:
        path.with_suffix(".toml").write_text(settings)
    return str(path)


def test_a_file_alone_is_a_task(tmp_path: Path) -> None:
    task = open_task(write(tmp_path, ROWS))
    assert (task.name, len(task.items), task.scorer.name) == ("items", 3, "exact")
    assert task.prompt(task.items[0]) == "2+2="
    assert task.items[1].target == ("5", "five")
    assert task.items[1].cluster == "plus"
    assert task.score(task.items[1], " five\n") == 1.0
    assert task.guess_floor is None
    assert len(task.fingerprint) == 32


def test_every_setting_arrives(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def score(item, completion):\n    return 0.5, completion[:1]\n"
        "def steps(item, completion):\n    return 'valid' if '=' in completion else 'absent'\n"
    )
    task = open_task(
        write(
            tmp_path,
            ROWS,
            'name = "sums"\ntemplate = "Q: {prompt}\\nA:"\nscorer = "python:own:score"\nguess_floor = 0.1\n'
            'max_tokens = 7\nstop = ["\\n"]\nsteps = "python:own:steps"\nanswer = " is {target}"\n'
            'worked = " {prompt}{target}"\ndemonstrations_from = 1\n',
        )
    )
    assert (task.name, task.guess_floor, task.max_tokens, task.stop) == ("sums", 0.1, 7, ("\n",))
    assert task.scorer.answer(task.items[0], "4!") == "4"
    assert task.score(task.items[0], "4!") == 0.5
    assert task.steps is not None
    assert task.steps(task.items[0], "2+2=4") == "valid"
    assert len(task.items) == 2
    assert len(task.demonstrations) == len(task.step_demonstrations) == 1
    shown = next(row for row in ROWS if row["id"] not in {item.id for item in task.items})
    target = shown["target"] if isinstance(shown["target"], str) else shown["target"][0]
    assert task.demonstrations[0] == (f"Q: {shown['prompt']}\nA:", f" is {target}")
    assert task.step_demonstrations[0][1] == f" {shown['prompt']}{target}"


def test_a_toml_names_its_items_or_has_them_beside(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS, 'scorer = "normalised"\n')
    beside = open_task(str(tmp_path / "items.toml"))
    assert beside.fingerprint == open_task(path).fingerprint
    (tmp_path / "other.toml").write_text('items = "items.jsonl"\nscorer = "normalised"\nname = "other"\n')
    assert open_task(str(tmp_path / "other.toml")).fingerprint == beside.fingerprint


def test_three_formats_give_the_same_task(tmp_path: Path) -> None:
    rows = [{**row, "choices": ["4", "5", "6"], "target": row["target"][0], "cluster": "x"} for row in ROWS]
    jsonl = open_task(write(tmp_path, rows))
    csv = "id,prompt,target,choices,cluster\n" + "".join(
        f'{row["id"]},{row["prompt"]},{row["target"]},"[""4"",""5"",""6""]",x\n' for row in rows
    )
    in_csv = open_task(write(tmp_path, csv, name="items.csv"))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "items.parquet")
    in_parquet = open_task(str(tmp_path / "items.parquet"))
    assert jsonl.fingerprint == in_csv.fingerprint == in_parquet.fingerprint
    assert jsonl.scorer.name == "choice"
    assert jsonl.guess_floor == pytest.approx(1 / 3)


def test_integers_are_read_as_text_and_noted(tmp_path: Path) -> None:
    task = open_task(write(tmp_path, [{"id": 7, "prompt": "x", "target": 4}]))
    assert (task.items[0].id, task.items[0].target) == ("7", ("4",))
    assert any("1 ids are integers" in note for note in task.notes)
    assert any("1 targets are numbers" in note for note in task.notes)


def test_ids_like_paths_are_only_names(tmp_path: Path) -> None:
    assert (
        open_task(write(tmp_path, [{"id": "../../etc/x", "prompt": "x", "target": "y"}])).items[0].id
        == "../../etc/x"
    )


@pytest.mark.parametrize(
    ("targets", "choices", "floor"),
    [
        (["yes", "No"], None, 0.5),
        (["yes", "yes"], None, None),
        (["true", "false"], None, 0.5),
        (["1", "0"], None, None),
        (["A", "B"], ["x", "y", "z", "w"], 0.25),
        ([["A", "C"], "B"], ["x", "y", "z", "w"], 0.375),
    ],
)
def test_the_guess_floor_is_derived_where_it_is_known(tmp_path: Path, targets, choices, floor) -> None:
    rows = [{"id": i, "prompt": "x", "target": t} for i, t in enumerate(targets)]
    task = open_task(write(tmp_path, [{**row, "choices": choices} if choices else row for row in rows]))
    assert task.guess_floor == floor


CHOICE = {"id": "a", "prompt": "x", "target": "B", "choices": ["u", "v"]}
MISTAKES = {
    "no id": ([ROWS[0], {"prompt": "x", "target": "y"}], "", "items.jsonl, line 2: no 'id'"),
    "no target": ([{"id": "a", "prompt": "x"}], "", "line 1: no 'target': every item needs id and target"),
    "null target": (
        [{"id": "a", "prompt": "x", "target": None}],
        "",
        "line 1: target is null: give the accepted answer",
    ),
    "twice the same id": ([ROWS[0], ROWS[1], ROWS[0]], "", "line 3: id 'a' stands already in line 1"),
    "ids 1 and '1'": (
        [{"id": 1, "prompt": "x", "target": "y"}, {"id": "1", "prompt": "x", "target": "y"}],
        "",
        "line 2: id '1' stands already",
    ),
    "empty id": ([{**ROWS[0], "id": " "}], "", "line 1: id is empty"),
    "id of another type": ([{**ROWS[0], "id": 1.5}], "", "line 1: id is float"),
    "empty target": ([{**ROWS[0], "target": ""}], "", "line 1: target is empty"),
    "blank target": ([{**ROWS[0], "target": ["4", " "]}], "", "line 1: target is empty"),
    "no accepted target": ([{**ROWS[0], "target": []}], "", "line 1: target is an empty list"),
    "boolean target": ([{**ROWS[0], "target": True}], "", "line 1: target is bool True"),
    "object target": ([{**ROWS[0], "target": {}}], "", "line 1: target is dict"),
    "NaN": ('{"id": "a", "prompt": "x", "target": NaN}', "", "line 1: NaN is not allowed"),
    "infinite number": ('{"id": "a", "prompt": "x", "target": 1e999}', "", "line 1: target is inf"),
    "endless number": (
        '{"id": "a", "prompt": "x", "target": ' + "9" * 5000 + "}",
        "",
        "line 1: Exceeds the limit",
    ),
    "a key twice": (
        '{"id": "a", "id": "b", "prompt": "x", "target": "y"}',
        "",
        "line 1: key 'id' is given twice",
    ),
    "half a character": ('{"id": "a", "prompt": "\\ud800", "target": "y"}', "", "line 1: half a surrogate"),
    "bad JSON": ('{"id": "a", "prompt": "x", "target": "y"}\n{"id": ', "", "line 2: not JSON"),
    "not an object": ("[1]\n", "", "line 1: not an object"),
    "deep JSON": ("[" * 100_000, "", "line 1: nested too deeply"),
    "not UTF-8": (b'{"id": "a"}\n{"id": "\xff"}', "", "line 2: byte 0xff is not UTF-8"),
    "empty file": (" \n", "", "the file is empty"),
    "too few choices": ([{**CHOICE, "choices": ["u"]}], "", "line 1: choices must be a list of 2 to 26"),
    "choices as text": ([{**CHOICE, "choices": "uv"}], "", "line 1: choices must be a list"),
    "a choice twice": ([{**CHOICE, "choices": ["u", "u"]}], "", "line 1: a choice stands twice"),
    "empty choice": ([{**CHOICE, "choices": ["u", ""]}], "", "line 1: a choice is empty"),
    "no choice is the target": ([{**CHOICE, "target": "C"}], "", "line 1: target 'C' is none of the choices"),
    "letters out of order": ([{**CHOICE, "choices": ["B", "A"]}], "", "would name two choices"),
    "field missing": (ROWS, 'template = "{question}"', "line 1: item 'a' has no field 'question'"),
    "field not text": ([{**ROWS[0], "prompt": ["x"]}], "", "line 1: item 'a': field 'prompt' is list"),
    "empty prompt": ([{**ROWS[0], "prompt": ""}], "", "line 1: the prompt is empty"),
    "the answer in the prompt": (
        ROWS,
        '\ntemplate = "{prompt}{target}"',
        "items.toml, line 2: the template names {target}",
    ),
    "hostile template": (ROWS, 'template = "{prompt.__class__}"', "items.toml, line 1: template field"),
    "unknown scorer": (
        ROWS,
        '\n\nscorer = "exat"',
        "items.toml, line 3: unknown scorer 'exat' (did you mean 'exact'?)",
    ),
    "no pattern": (ROWS, 'scorer = "regex"', "items.toml, line 1: scorer 'regex' needs 'pattern'"),
    "bad pattern": (ROWS, 'scorer = "regex"\npattern = "("', "items.toml, line 2: pattern '('"),
    "pattern for nothing": (
        ROWS,
        'scorer = "exact"\npattern = "(a)"',
        "items.toml, line 2: scorer 'exact' takes no",
    ),
    "target that is no number": (
        [{**ROWS[0], "target": "four"}],
        'scorer = "numeric"',
        "line 1: target 'four' can never",
    ),
    "target of nothing": (
        [{**ROWS[0], "target": "(("}],
        'scorer = "normalised"',
        "line 1: target '((' can never",
    ),
    "choice without choices": (ROWS, 'scorer = "choice_logprob"', "line 1: no 'choices'"),
    "floor above 1": (ROWS, 'name = "x"\nguess_floor = 1.5', "items.toml, line 2: guess_floor = 1.5"),
    "floor nan": (ROWS, "guess_floor = nan", "items.toml, line 1: guess_floor = nan"),
    "floor as text": (ROWS, 'guess_floor = "0.5"', "items.toml, line 1: guess_floor = '0.5'"),
    "unknown key": (
        ROWS,
        'tempalte = "x"',
        "items.toml, line 1: unknown key 'tempalte' (did you mean 'template'?)",
    ),
    "a table": (ROWS, '\n[scoring]\nname = "x"', "items.toml, line 2: unknown key 'scoring'"),
    "bad TOML": (ROWS, "a = 1\nb = ", "items.toml: not TOML: Invalid value (at "),
    "wrong type": (ROWS, "name = 3", "items.toml, line 1: name = 3: give text in quotes"),
    "stop as text": (ROWS, 'stop = "x"', "items.toml, line 1: stop = 'x': give a list"),
    "no tokens": (
        ROWS,
        "max_tokens = 0",
        "items.toml, line 1: max_tokens = 0: give a whole number from 1 up",
    ),
    "tokens as boolean": (ROWS, "max_tokens = true", "max_tokens = True"),
    "all set apart": (ROWS, "demonstrations_from = 3", "the task has 3 items: leave some to ask"),
    "demonstrations asked": (ROWS, 'demonstrations = "items.jsonl"', "is also asked"),
    "answer without field": (ROWS, 'answer = "{way}"\ndemonstrations_from = 1', "no field 'way'"),
    "bad steps": (ROWS, 'steps = "python:nosuchmodule:f"', "'nosuchmodule' cannot be loaded"),
    "other items": (
        ROWS,
        'items = "else.jsonl"',
        "items.toml, line 1: items = 'else.jsonl', not 'items.jsonl'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    rows, settings, message = MISTAKES[case]
    with pytest.raises(UserMistake) as caught:
        open_task(write(tmp_path, rows, settings))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,prompt,target\na,x\n", "items.csv, line 2: 2 cells under 3 columns"),
        ("id,id,target\na,x,y\n", "line 1: a column is named twice"),
        ("id,prompt,target\na,x,\n", "line 2: target is empty"),
        ('id,prompt,target\na,"x,y\n', "not CSV"),
        ("id,prompt,target\n", "holds no items"),
        ("id,prompt,target,choices\na,x,y,u|v\n", "line 2: not JSON"),
    ],
)
def test_mistakes_in_csv(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        open_task(write(tmp_path, text, name="items.csv"))


def test_mistakes_in_parquet(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="not a readable Parquet file"):
        open_task(write(tmp_path, b"PAR1 rubbish PAR1", name="items.parquet"))
    parquet.write_table(
        pa.table({"id": ["a", "b"], "prompt": ["x", "y"], "target": ["u", None]}), tmp_path / "p.parquet"
    )
    with pytest.raises(UserMistake, match="row 2: no 'target'"):
        open_task(str(tmp_path / "p.parquet"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing.jsonl", "cannot read 'nothing.jsonl'"),
        ("x" * 5000 + ".jsonl", "cannot read"),
        ("a\0b.jsonl", "cannot read"),
        ("nothing", "is no task: give a file"),
        ("bhb:navigate", "did you mean 'bbh'"),
        ("bbh:", "names no task"),
        ("gsm8k:nothing.jsonl", "cannot read"),
        ("bbh:/nothing/x.json", "cannot read"),
        ("inspect:nothing.py@x", "give inspect:FILE.py@TASK"),
        ("inspect:nothing", "give inspect:FILE.py@TASK"),
    ],
)
def test_bad_references_are_refused(reference: str, message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        open_task(reference)


def test_a_toml_without_items_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text('name = "x"')
    with pytest.raises(UserMistake, match='names no items: add items = "FILE"'):
        open_task(str(tmp_path / "alone.toml"))


def test_bare_bbh_names_need_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELLAPART_BBH", raising=False)
    with pytest.raises(UserMistake, match="set TELLAPART_BBH"):
        open_task("bbh:navigate")
    (tmp_path / "navigate.json").write_text('{"examples": [{"input": "left?", "target": "Yes"}]}')
    monkeypatch.setenv("TELLAPART_BBH", str(tmp_path))
    assert open_task("bbh:navigate").prompt(open_task("bbh:navigate").items[0]) == "Q: left?\nA:"
    with pytest.raises(UserMistake, match="it has navigate"):
        open_task("bbh:else")


def test_the_fingerprint_follows_the_content_and_only_it(tmp_path: Path) -> None:
    def made(rows: list, settings: str) -> Task:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return open_task(write(folder, rows, settings))

    base = made(ROWS, 'scorer = "exact"')
    same = [made(ROWS, 'scorer = "exact"\nname = "other"'), made(ROWS, 'scorer = "exact"\nguess_floor = 0.0')]
    other = [
        made(ROWS[:2], 'scorer = "exact"'),
        made([{**ROWS[0], "target": "5"}, *ROWS[1:]], 'scorer = "exact"'),
        made([{**ROWS[0], "extra": 1}, *ROWS[1:]], 'scorer = "exact"'),
        made(ROWS, 'scorer = "exact"\nmax_tokens = 3'),
        made(ROWS, 'scorer = "exact"\nstop = ["x"]'),
        made(ROWS, 'scorer = "exact"\ntemplate = "{prompt} "'),
        made(ROWS, 'scorer = "after_marker"\nmarker = ">"'),
        made(ROWS, 'scorer = "after_marker"\nmarker = "<"'),
        made(ROWS, 'scorer = "exact"\ndemonstrations_from = 1'),
    ]
    assert {task.fingerprint for task in same} == {base.fingerprint}
    assert len({task.fingerprint for task in (base, *other)}) == len(other) + 1


def test_the_fingerprint_follows_the_source_of_a_python_scorer(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS, 'scorer = "python:own:score"')
    prints = set()
    for value in ("0.0", "1.0"):
        (tmp_path / "own.py").write_text(f"def score(item, completion):\n    return {value}  # {value * 3}\n")
        prints.add(open_task(path).fingerprint)
    assert len(prints) == 2


@pytest.mark.parametrize("returned", ["2", "'x'", "float('nan')", "(1, 2)", "(1, 'a', 3)", "None", "1/0"])
def test_a_python_scorer_that_misbehaves_is_told(tmp_path: Path, returned: str) -> None:
    (tmp_path / "own.py").write_text(f"def score(item, completion):\n    return {returned}\n")
    task = open_task(write(tmp_path, ROWS, 'scorer = "python:own:score"'))
    with pytest.raises(UserMistake, match="python:own:score"):
        task.score(task.items[0], "x")
