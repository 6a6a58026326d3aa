"""Python calls take objects: the same figures as from files, kept in the run folder by content, nothing changed that
was handed over."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tellapart
from tellapart import inputs
from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.studies import STUDIES
from tellapart.tasks.item import Item
from tellapart.tasks.sources import open_task

N = 30


def rows(right: float, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    made = []
    for item in range(N):
        target = str(1000 + 37 * item)
        for sample in range(4):
            answer = target if draw.random() < right else str(draw.randrange(1000, 9999))
            made.append({
                "item": f"i{item}", "question": f"What is sum number {item}?", "target": target, "sample": sample,
                "completion": answer, "correct": float(answer == target),
            })  # fmt: skip
    return made


class Table:
    """A table of a package that we do not depend on, as datasets.Dataset is."""

    def __init__(self, made: list[dict[str, Any]]) -> None:
        self.made = made

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame(self.made)


def a_list(made: list[dict[str, Any]], folder: Path) -> Any:
    return made


def a_frame(made: list[dict[str, Any]], folder: Path) -> Any:
    return pd.DataFrame(made)


def a_table(made: list[dict[str, Any]], folder: Path) -> Any:
    return Table(made)


def a_path(made: list[dict[str, Any]], folder: Path) -> Any:
    path = folder / f"{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in made))
    return path


@pytest.mark.parametrize("given", [a_list, a_frame, a_table, a_path])
def test_logs_of_every_kind_give_the_same_figures(
    tmp_path: Path, given: Callable[[list[dict[str, Any]], Path], Any]
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    base, tuned, steer = rows(0.05, 1), rows(0.9, 2), rows(0.88, 3)
    known = tellapart.gain(
        logs=(str(a_path(base, files)), str(a_path(tuned, files))),
        way=(f"steer={a_path(steer, files)}",),
        bits=("steer=0",),
        out=str(tmp_path / "known"),
    )
    made = tellapart.gain(
        logs=(given(base, files), given(tuned, files)),
        way={"steer": given(steer, files)},
        bits={"steer": 0},
        out=tmp_path / "made",
    )
    assert made.findings[0].sentence == known.findings[0].sentence
    pd.testing.assert_frame_equal(made.to_pandas(), known.to_pandas())


def test_what_was_given_is_kept_by_content_and_resumed_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, tuned, out = pd.DataFrame(rows(0.05, 1)), pd.DataFrame(rows(0.9, 2)), tmp_path / "run"
    first = tellapart.gain(logs=(base, tuned), out=out)
    kept = sorted(path.name for path in (out / "inputs").iterdir())
    logs = json.loads((out / "spec.json").read_text())["spec"]["logs"]
    assert [f"given:{name}" for name in kept] == logs
    again = tellapart.gain(logs=(base.copy(), tuned), out=out)
    assert again.findings[0].sentence == first.findings[0].sentence
    changed = base.assign(correct=1.0)
    with pytest.raises(UserMistake, match="holds another run"):
        tellapart.gain(logs=(changed, tuned), out=out)
    assert run(["analyse", str(out), "--guess-floor", "0.01", "--json"]) == 0
    capsys.readouterr()
    assert run(["export", str(out), "--format", "jsonl", "--out", str(tmp_path / "logs")]) == 0
    said = capsys.readouterr()
    assert "without questions" not in said.err
    assert "What is sum number" in Path(said.out.splitlines()[0]).read_text()
    inputs = [str(out / "inputs" / name) for name in kept]
    assert run(["gain", "--logs", *inputs, "--out", str(tmp_path / "by_hand"), "--json"]) == 0
    by_hand = tellapart.open_run(tmp_path / "by_hand")
    assert by_hand.findings[0].sentence == first.findings[0].sentence


def test_a_kept_input_that_was_changed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    tellapart.gain(logs=(rows(0.05, 1), rows(0.9, 2)), out=out)
    base = next((out / "inputs").glob("base-*"))
    base.write_text(base.read_text().replace('"correct": 0.0', '"correct": 1.0'))
    assert run(["export", str(out), "--format", "jsonl", "--out", str(tmp_path / "logs")]) == 0
    assert "has changed since it was given" in capsys.readouterr().err


ITEMS = [{"id": f"i{at}", "a": at, "b": 3, "target": str(at + 3)} for at in range(6)]


def test_a_task_made_of_rows_is_the_task_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(one) + "\n" for one in ITEMS))
    (tmp_path / "items.toml").write_text('template = "{a} + {b} ="\nscorer = "last_number"\nmax_tokens = 9\n')
    known = open_task(str(tmp_path / "items.jsonl"))
    for table in (ITEMS, pd.DataFrame(ITEMS), Table(ITEMS)):
        made = tellapart.task(table, template="{a} + {b} =", scorer="last_number", max_tokens=9)
        assert made.fingerprint == known.fingerprint


def test_a_function_scores_and_is_known_by_its_code() -> None:
    def near(item: Item, completion: str) -> float:
        return float(abs(float(completion) - float(item.target[0])) <= 1)

    def nearer(item: Item, completion: str) -> float:
        return float(abs(float(completion) - float(item.target[0])) <= 2)

    def within(most: int) -> Callable[[Item, str], float]:
        return lambda item, completion: float(abs(float(completion) - float(item.target[0])) <= most)

    made = tellapart.task(ITEMS, template="{a}", scorer=near)
    assert made.score(made.items[0], "4") == 1.0
    assert made.score(made.items[0], "9") == 0.0
    prints = {
        tellapart.task(ITEMS, template="{a}", scorer=one).fingerprint
        for one in (near, nearer, within(1), within(2))
    }
    assert len(prints) == 4
    assert tellapart.task(ITEMS, template="{a}", scorer=near).fingerprint == made.fingerprint


ASKED = [{**one, "prompt": f"{one['a']} + 3 ="} for one in ITEMS]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda out: tellapart.gain(base=5j, tuned="x", task="y", out=out),
            "base: complex given; give a path",
        ),
        (lambda out: tellapart.gain(base=("a", "b", "c"), tuned="x", task="y", out=out), "base: tuple given"),
        (lambda out: tellapart.gain(logs=(object(), "x"), out=out), "logs: object given"),
        (lambda out: tellapart.gain("a", "b", task=[{"id": 1}], out=out), "row 1: no 'target'"),
        (lambda out: tellapart.gain("a", "b", task=pd.DataFrame(), out=out), "no rows"),
        (lambda out: tellapart.gain("a", "b", task=3j, out=out), "task: complex given"),
        (lambda out: tellapart.gain(logs=([{"item": {1}}], "x"), out=out), "holds set"),
        (
            lambda out: tellapart.form(pairs=pd.DataFrame(ITEMS), out=out),
            "pairs: DataFrame given; give text or a path",
        ),
        (lambda out: tellapart.guard([{"x": 1}], out=out), "given:data-"),
        (lambda out: tellapart.task(ITEMS, scorer="exactt", template="{a}"), "did you mean 'exact'"),
        (lambda out: tellapart.task(ITEMS, template="{c}"), "row 1"),
        (lambda out: tellapart.task(ITEMS, template="{a}", max_tokens=0), "max_tokens"),
        (
            lambda out: tellapart.gain(base="given:x-0123456789abcdef", tuned="b", task=ASKED, out=out),
            "not there any more",
        ),
        (lambda out: tellapart.gain(logs=("given:../../etc/passwd", "b"), out=out), "not there any more"),
    ],
)
def test_what_cannot_stand_there_is_told_in_one_line(
    tmp_path: Path, call: Callable[[Path], Any], told: str
) -> None:
    with pytest.raises(UserMistake) as caught:
        call(tmp_path / "run")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_an_argument_that_there_is_not_is_pythons_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="smaples"):
        tellapart.gain("a", "b", task="t", smaples=3)


def test_loaded_models_are_asked_as_their_folders_are(tmp_path: Path, one_thread: None) -> None:
    pytest.importorskip("torch")
    from tellapart.models.given import HELD, MODES
    from tellapart.specimens import load_model, load_task

    name = "latent-register-0"
    base, tuned = (load_model(f"{name}/{role}") for role in ("base", "tuned"))
    small: dict[str, Any] = {"limit": 12, "samples": 2, "elicited_samples": 1, "elicitors": ("prefill",)}
    base.module.train()
    part = next(iter(base.module.children()))
    part.eval()
    made = tellapart.gain(
        base=(base.module, base.tokenizer),
        tuned=(tuned.module, tuned.tokenizer),
        task=load_task(name),
        out=tmp_path / "made",
        **small,
    )
    assert base.module.training  # a training loop goes on
    assert not part.training
    assert not HELD
    assert not MODES
    known = tellapart.gain(
        f"specimen:{name}/base", f"specimen:{name}/tuned", f"specimen:{name}", out=tmp_path / "known", **small
    )
    specs = [json.loads((one.folder / "spec.json").read_text())["spec"] for one in (made, known)]
    assert specs[0]["fingerprints"] == specs[1]["fingerprints"]
    assert specs[0]["base"].startswith("given:base-")
    assert specs[0]["fingerprints"]["base"].startswith(specs[0]["base"].rpartition("-")[2])
    pd.testing.assert_frame_equal(made.to_pandas(), known.to_pandas())
    (kept,) = (made.folder / "inputs").glob("*.toml")
    assert len(open_task(str(kept)).items) == len(load_task(name).items)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
def test_a_peft_model_is_asked_with_its_adapter_and_its_plain_model_is_not_taken_for_the_base(
    tmp_path: Path, one_thread: None
) -> None:
    peft = pytest.importorskip("peft")
    import torch

    from tellapart.specimens import load_model

    name = "latent-register-0"
    base, tuned = (load_model(f"{name}/base") for _ in range(2))
    small: dict[str, Any] = {"limit": 12, "samples": 2, "elicited_samples": 1, "elicitors": ("prefill",)}
    torch.manual_seed(0)
    adapted = peft.get_peft_model(
        tuned.module, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    adapted.train()
    run = tellapart.gain(
        base=(base.module, base.tokenizer),
        tuned=(adapted, tuned.tokenizer),
        task=f"specimen:{name}",
        out=tmp_path / "made",
        **small,
    )
    assert adapted.training
    merged = load_model(f"{name}/base")
    state = adapted.merge_and_unload().state_dict()
    merged.module.load_state_dict(state)
    other = tellapart.gain(
        base=(base.module, base.tokenizer),
        tuned=(merged.module, merged.tokenizer),
        task=f"specimen:{name}",
        out=tmp_path / "merged",
        **small,
    )
    texts = [
        one.rows.loc[one.rows["condition"] == "tuned/plain", "completion"].tolist() for one in (run, other)
    ]
    assert texts[0] == texts[1]
    assert texts[0] != run.rows.loc[run.rows["condition"] == "base/plain", "completion"].tolist()
    with pytest.raises(UserMistake, match="and its tokenizer"):
        tellapart.gain(
            base=(base.module, base.tokenizer), tuned=(adapted, "no tokenizer"), task=f"specimen:{name}"
        )
    again = load_model(f"{name}/base")
    wrapped = peft.get_peft_model(again.module, peft.LoraConfig(r=2, target_modules=["q_proj"]))
    with pytest.raises(UserMistake, match="put an adapter into this model"):
        tellapart.gain(
            base=(again.module, base.tokenizer), tuned=(wrapped, base.tokenizer), task=f"specimen:{name}"
        )


def test_help_reads_as_a_librarys() -> None:
    for name in STUDIES:
        call = getattr(tellapart, name)
        text = call.__doc__
        assert call.__name__ == name
        assert "Arguments\n" in text
        assert "Returns\n" in text
        for bad in ("Annotated", "{None}", "Positional", "tyro", "--"):
            assert bad not in text.replace("---", ""), (name, bad)
        assert max(map(len, text.splitlines())) <= 120
    text = tellapart.gain.__doc__ or ""
    assert (
        "base : path, hub id or loaded (model, tokenizer), default None\n        The model before training."
        in text
    )


def test_a_link_among_what_was_given_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}\n")
    reference = inputs.reference_of("items", "0" * 16, ".jsonl")
    (tmp_path / reference.partition(":")[2]).symlink_to(tmp_path / "secret")
    with inputs.looking_in(tmp_path):
        assert inputs.files_of(f'{{"task": "{reference}"}}') == []
        assert inputs.find(reference.partition(":")[2]) is None
