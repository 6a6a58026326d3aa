"""The command line: every mistake is one line on stderr and exit code 2, and leaves nothing half-written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli import run
from tellapart.cli.overview import STUDY_SUMMARIES, first_words, summaries
from tellapart.cli.parsing import COMMANDS, spec_of
from tellapart.studies import OURS

GOOD = '{"id": "a", "prompt": "1+1=", "target": "2"}\n{"id": "b", "prompt": "1+2=", "target": "3"}\n'


def task_file(folder: Path, items: str = GOOD, settings: str = 'scorer = "exact"\n') -> str:
    (folder / "items.jsonl").write_text(items)
    (folder / "items.toml").write_text(settings)
    return str(folder / "items.jsonl")


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    capsys.readouterr()
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tellapart: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "subcommand"),
        (["frobnicate"], "frobnicate"),
        (["gain"], "BASE TUNED --task"),
        (["gain", "a"], "BASE TUNED --task"),
        (["gain", "a", "b"], "BASE TUNED --task"),
        (["gain", "a", "b", "--task", "t", "--samples", "0"], "--samples 0: give 1 or more"),
        (
            ["gain", "a", "b", "--task", "t", "--samples", "many"],
            "--samples takes a whole number, not 'many'; see",
        ),
        (
            ["gain", "a", "b", "--tsk", "t"],
            "not understood: --tsk, t (did you mean --task?); see tellapart gain",
        ),
        (["gain", "a", "b", "--samples"], "--samples needs a value; see tellapart gain --help"),
        (
            ["gain", "a", "b", "--task", "t", "--plan", "x"],
            "--plan takes adaptive, exhaustive, quick, not 'x'; see",
        ),
        (["gain", "--logs", "a"], "--logs takes two texts, not 'a'; see tellapart gain --help"),
        (["gain", "a", "b", "--task", "t", "--correct-at", "?"], "--correct-at takes a number, not '?'; see"),
        (["skills"], "missing subcommand: one of train, mix, serve, export; see tellapart skills --help"),
        (
            ["skills", "x"],
            "not understood: x (there are train, mix, serve, export); see tellapart skills --help",
        ),
        (["skills", "mix", "x", "--how", "y"], "not 'y'; see tellapart skills mix --help"),
        (["view"], "missing: The run folder; see tellapart view --help"),
        (["specimens", "build"], "missing: --out FOLDER; see tellapart specimens build --help"),
        (["gain", "a", "b", "--task", "t", "--max-rows", "0"], "--max-rows 0: give 1 or more"),
        (["form", "a", "--task", "t", "--max-rows", "0"], "--max-rows 0: give 1 or more"),
        (["improve", "a", "--task", "t", "--max-rows", "0"], "--max-rows 0: give 1 or more"),
        (["gain", "a", "b", "--task", "t", "--temperature", "-1"], "--temperature"),
        (["gain", "a", "b", "--task", "t", "--guess-floor", "1.5"], "--guess-floor"),
        (["gain", "a", "b", "--task", "t", "--dtype", "int4"], "float32 or bfloat16 or float16 or auto"),
        (["gain", "a", "b", "--logs", "x", "y"], "--logs replaces"),
        (["gain", "--logs", "nowhere.json", "nowhere2.json"], "nowhere.json"),
        (["gain", "a", "b", "--task", "nowhere.jsonl"], "nowhere.jsonl"),
        (["gain", "a", "b", "--task", "specimen:unheard-of-0"], "unheard"),
        (["view", "no-such-run"], "no-such-run"),
        (["specimens", "check", "--names", "unheard"], "unheard"),
        (["specimens", "check", "--study", "inside", "--plant"], "of gain and hidden"),
        (["specimens", "check", "--study", "hidden", "--references", "folder"], "these are of gain"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, arguments, said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("items", "settings", "said"),
    [
        (GOOD + '{"id": "a", "prompt": "x", "target": "y"}\n', 'scorer = "exact"', "line 3"),
        ('{"id": "a", "prompt": "x"}\n', 'scorer = "exact"', "target"),
        ('{"id": "a", "prompt": "x", "target": ""}\n', 'scorer = "exact"', "target"),
        ('{"id": "a", "target": "y"}\n', 'scorer = "exact"', "prompt"),
        ("{not json\n", 'scorer = "exact"', "line 1"),
        ("", 'scorer = "exact"', "empty"),
        (GOOD, 'scorer = "exakt"', "exact"),
        (GOOD, 'scorer = "regex"\npattern = "("', "pattern"),
        (GOOD, "scorer = [", "items.toml"),
        (GOOD, 'scorer = "exact"\nguess_floor = 7', "guess_floor"),
    ],
)
def test_bad_task_files_are_refused_before_a_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], items: str, settings: str, said: str
) -> None:
    task = task_file(tmp_path, items, settings)
    refused(
        capsys, ["gain", "no/such/model", "none/either", "--task", task, "--out", str(tmp_path / "run")], said
    )
    assert not (tmp_path / "run").exists()


def test_a_missing_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["gain", str(tmp_path / "absent"), str(tmp_path / "absent"), "--task", task_file(tmp_path)]
    refused(capsys, [*arguments, "--out", str(tmp_path / "run")], "absent")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["--version"], 0), ([], 2), (["gian"], 2), (["--loud"], 2)]
)
def test_what_needs_no_spec_is_answered_without_what_reads_one(arguments: list[str], code: int) -> None:
    program = (
        f"import sys\nfrom tellapart.cli import run\nassert run({arguments!r}) == {code}\n"
        "bad = {'tyro', 'numpy', 'rich', 'tellapart.studies'} & set(sys.modules)\nassert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in summaries() if arguments != ["--version"] else ():
        assert verb in done.stdout + done.stderr


def test_the_overview_says_of_each_verb_what_its_own_help_says_first() -> None:
    assert summaries() == {verb: first_words(spec_of(verb)) for verb in summaries()}
    assert {study.name for study in OURS} == set(STUDY_SUMMARIES)
    assert set(COMMANDS) <= set(summaries())


def test_help_answers_without_what_it_needs_not() -> None:
    code = (
        "import sys\nfrom tellapart.cli import run\n"
        "try:\n    run(['gain', '--help'])\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "bad = {'torch', 'transformers', 'pandas', 'scipy', 'plotly', 'typeguard', 'tellapart.cli.dispatch'}\n"
        "bad &= set(sys.modules)\nassert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--guess-floor" in done.stdout
