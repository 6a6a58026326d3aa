"""A study's options from a file (`tellapart run.toml`), and positionals behind an option of several values."""

import json
import sys
from pathlib import Path

import pytest

from tellapart.cli import run
from tellapart.cli.parsing import parse, spec_of
from tellapart.cli.run_file import expanded
from tellapart.cli.trailing import positionals_first


def log(path: Path, right: int) -> str:
    path.write_text(
        "item,question,correct\n" + "".join(f"{i},what is {i}?,{int(i < right)}\n" for i in range(40))
    )
    return str(path)


def test_a_file_is_the_command_line_that_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        'study = "gain"\nbase = "b"\ntuned = "t"\ntask = "x.jsonl"\nelicited-samples = 2\nchat = true\n'
        "no_chat = false\n"
        'elicitors = ["few_shot", "prefill"]\n'
    )
    (tmp_path / "run.yaml").write_text(
        "study: gain\nbase: b\ntuned: t\ntask: x.jsonl\nelicited_samples: 2\nchat: true\nreference: null\n"
        "elicitors: [few_shot, prefill]\n"
    )
    words = [
        "gain",
        "b",
        "t",
        "--task=x.jsonl",
        "--elicited-samples=2",
        "--chat",
        "--elicitors",
        "few_shot",
        "prefill",
    ]
    for name in ("run.toml", "run.yaml"):
        if name.endswith("yaml"):
            pytest.importorskip("yaml")
        line = expanded([str(tmp_path / name), "--seed", "3"])
        assert line == [*words, "--seed", "3"]
        assert parse(line).seed == 3


def test_pairs_and_repeated_options(tmp_path: Path) -> None:
    (tmp_path / "way.toml").write_text(
        'study = "gain"\nlogs = ["a", "b"]\n[way]\nsteer = "s"\n[bits]\nsteer = 0\n'
    )
    assert expanded([str(tmp_path / "way.toml")]) == [
        "gain", "--logs", "a", "b", "--way", "steer=s", "--bits", "steer=0",
    ]  # fmt: skip
    (tmp_path / "skills.toml").write_text('study = "skills"\nmodel = "m"\ntask = ["a", "b"]\n')
    assert expanded([str(tmp_path / "skills.toml")]) == ["skills", "train", "m", "--task", "a", "--task", "b"]


def test_a_run_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, tuned = log(tmp_path / "base.csv", 10), log(tmp_path / "tuned.csv", 30)
    (tmp_path / "run.toml").write_text(f'study = "gain"\nlogs = {json.dumps([base, tuned])}\n')
    assert run([str(tmp_path / "run.toml"), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out/spec.json").read_text())["spec"]["logs"] == [base, tuned]
    assert "Gain" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no study: give study = one of gain,"),
        ('study = "gian"', "study is 'gian' (did you mean 'gain'?)"),
        ('study = "gain"\nbse = "x"', "gain has no option 'bse' (did you mean 'base'?)"),
        ('study = "gain"\ntuned = "x"', "tuned is given, base is not"),
        ('study = "gain"\nlogs = [{a = 1}]', "logs holds {'a': 1}"),
        ('study = "gain"\nseed = "x"\nlogs = ["a", "b"]', "--seed takes a whole number, not 'x'"),
        ("study = ", "is no TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    assert run([str(tmp_path / "run.toml")]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert said in told.err


@pytest.mark.parametrize(("name", "text"), [("a.yaml", "- a\n"), ("b.yml", "study: [}\n"), ("c.yaml", None)])
def test_yaml_that_cannot_be_used_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None
) -> None:
    pytest.importorskip("yaml")
    if text is not None:
        (tmp_path / name).write_text(text)
    assert run([str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_yaml_without_its_package_names_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.yaml").write_text("study: gain\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setattr("tellapart.extras.find_spec", lambda name: None)
    assert run([str(tmp_path / "run.yaml")]) == 2
    assert "pip install 'tellapart[yaml]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "words", "first"),
    [
        ("gain", "--elicitors few_shot prefill base tuned --task t", ["base", "tuned"]),
        ("gain", "base --elicitors few_shot tuned --task t", ["base", "tuned"]),
        ("gain", "--task t --json base --fail-on acquired tuned", ["base", "tuned"]),
        ("guard", "--healthy a b c logs", ["logs"]),
        ("scale", "--tasks a b results", ["results"]),
        ("export", "--condition base/plain tuned/plain run", ["run"]),
    ],
)
def test_list_options_leave_positionals_alone(verb: str, words: str, first: list[str]) -> None:
    moved = positionals_first(words.split(), spec_of(verb))
    assert moved[: len(first)] == first
    assert sorted(moved) == sorted(words.split())
    assert moved[len(first)].startswith("--")


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("gain", "base tuned --elicitors a b --task t"),
        ("gain", "--logs a b --fail-on acquired mixed"),
        ("gain", "--fail-on acquired"),  # a list keeps a word: what is missing is told as missing
        ("guard", "--before a --after b --fail-on x y"),
        ("runs", "--json"),
    ],
)
def test_words_that_are_in_order_stay(verb: str, words: str) -> None:
    assert positionals_first(words.split(), spec_of(verb)) == words.split()


def test_a_list_before_the_models_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command itself: without the order mended, both models are taken for verdicts."""
    words = ["--fail-on", "acquired", "mixed", "no/base", "no/tuned", "--task", "nowhere.jsonl"]
    assert run(["gain", *words, "--out", str(tmp_path / "run")]) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err
