"""`tellapart export`: a run's answers in other tools' formats, read back as they were."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tellapart.cli import run
from tellapart.logs import read_log
from tellapart.report.log_export import FORMATS


@pytest.fixture
def run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished run of `gain` on two logs of 30 questions, two answers each."""
    for name, modulus in (("base", 5), ("tuned", 2)):
        lines = [
            {
                "item": f"q{item}", "model": name, "sample": sample, "correct": int((item + sample) % modulus == 0),
                "question": f"What is {item}?", "target": str(item), "completion": f"{item}, \u2028 says {name}",
                "status": "cut off" if item == 3 else "ok", "cluster": f"c{item % 10}",
            }
            for item in range(30)
            for sample in range(2)
        ]  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    logs = [str(tmp_path / "base.jsonl"), str(tmp_path / "tuned.jsonl")]
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    return tmp_path / "run"


def exported(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> dict[str, Path]:
    """Run `export` and return the files it printed, by the model that answered."""
    assert run(["export", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return {Path(read_log(line).model).stem: Path(line) for line in captured.out.splitlines()}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_read_back_it_is_the_same(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    paths = exported(capsys, [str(run_folder), "--format", form, "--out", str(tmp_path / "out")])
    assert len(paths) == 2
    names = ["item", "sample", "score", "completion", "status", "question", "target", "cluster"]
    for name, path in paths.items():
        was, read = (
            read_log(str(one)).frame.sort_values(["item", "sample"]).reset_index(drop=True)[names]
            for one in (tmp_path / f"{name}.jsonl", path)
        )
        pd.testing.assert_frame_equal(was, read)


def test_one_condition_and_the_default_place(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = exported(capsys, [str(run_folder), "--condition", "tuned/plain"])
    assert list(paths) == ["tuned"]
    assert paths["tuned"].parent == Path(f"{run_folder}-inspect")


def test_a_changed_log_gives_no_questions(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "base.jsonl").open("a") as file:
        file.write(json.dumps({"item": "q99", "model": "base", "correct": 1, "sample": 0}) + "\n")
    assert run(["export", str(run_folder), "--out", str(tmp_path / "out"), "--format", "jsonl"]) == 0
    captured = capsys.readouterr()
    assert "has changed since the run read it" in captured.err
    assert captured.err.count("\n") == 1
    lines = [json.loads(line) for line in Path(captured.out.splitlines()[0]).read_text().splitlines()]
    assert "question" not in lines[0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format", "inspekt"], "did you mean 'inspect'"),
        (["--condition", "base/plane"], "did you mean 'base/plain'"),
    ],
)
def test_mistakes(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert run(["export", str(run_folder), "--out", str(tmp_path / "out"), *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_place(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert run(["export", str(run_folder), "--out", str(tmp_path / "out")]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"
    assert run(["export", str(tmp_path / "nowhere"), "--out", str(tmp_path / "new")]) == 2
    assert "give the folder of a finished run" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
