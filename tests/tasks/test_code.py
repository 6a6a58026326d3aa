"""`python:` code of a task file: said before it runs, and run from elsewhere only where that was allowed."""

import sys
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.tasks import python_code
from tellapart.tasks.python_code import code_allowed
from tellapart.tasks.sources import open_task

CODE = "from helper_of_test import worth\n\ndef score(item, completion):\n    return worth(completion)\n"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task whose scorer lies beside it and imports a helper there."""
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "own.py").write_text(CODE)
    (folder / "helper_of_test.py").write_text("def worth(text):\n    return 1.0\n")
    (folder / "t.jsonl").write_text('{"id": "1", "prompt": "x", "target": "y"}\n')
    (folder / "t.toml").write_text('scorer = "python:own:score"\n')
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(python_code, "_SAID", set())
    yield folder / "t.jsonl"
    sys.modules.pop("helper_of_test", None)


def test_code_is_said_once_before_it_runs(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (task.parent / "own.py").write_text("raise RuntimeError('ran')\n")
    for _ in range(2):
        with pytest.raises(UserMistake, match="ran"):
            open_task(str(task))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"runs the code of {task.parent / 'own.py'}" in said


@pytest.mark.parametrize("reference", ["elsewhere:score", "os:getcwd", "sys:exit", "json.decoder:scanstring"])
def test_code_from_elsewhere_needs_permission(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    (tmp_path / "elsewhere.py").write_text("ran = True\ndef score(item, completion):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    task.with_suffix(".toml").write_text(f'scorer = "python:{reference}"\n')
    with pytest.raises(UserMistake, match="--allow-code"):
        open_task(str(task))
    assert "elsewhere" not in sys.modules
    with code_allowed("all"):
        assert open_task(str(task)).scorer.name == f"python:{reference}"
    sys.modules.pop("elsewhere", None)


def test_a_link_out_of_the_folder_is_elsewhere(task: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden.py").write_text("def score(item, completion):\n    return 1.0\n")
    (task.parent / "own.py").unlink()
    (task.parent / "own.py").symlink_to(tmp_path / "hidden.py")
    with pytest.raises(UserMistake, match="--allow-code"):
        open_task(str(task))


def test_a_run_that_is_analysed_runs_no_code(task: Path) -> None:
    with code_allowed("none"), pytest.raises(UserMistake, match="--allow-code"):
        open_task(str(task))


def test_what_the_scorer_imports_is_part_of_the_task(task: Path) -> None:
    before = open_task(str(task)).fingerprint
    assert open_task(str(task)).fingerprint == before
    (task.parent / "helper_of_test.py").write_text("def worth(text):\n    return 0.0\n")
    sys.modules.pop("helper_of_test", None)
    assert open_task(str(task)).fingerprint != before


def test_a_module_with_a_name_longer_than_a_file_system_takes(tmp_path: Path) -> None:
    """Found by fuzzing: looking for its file raised OSError."""
    for name in ("os" + "9" * 250, "o" + "\u00e9" * 130):
        task = tmp_path / "t.jsonl"
        task.write_text('{"id": "a", "prompt": "p", "target": "t"}\n')
        task.with_suffix(".toml").write_text(f'scorer = "python:{name}:score"\n')
        with pytest.raises(UserMistake, match="more than 200 bytes"):
            open_task(str(task))
