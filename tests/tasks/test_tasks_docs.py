"""The examples of docs/tasks.md run, and its tables name what there is."""

import re
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.tasks.scorers import SCORERS, SETTINGS
from tellapart.tasks.settings import KEYS
from tellapart.tasks.sources import SOURCES, open_task

DOC = (Path(__file__).parents[2] / "docs/tasks.md").read_text()
BLOCKS = re.findall(r"^```(\w+) ?([\w.]*)\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = 0
    for kind, name, text in BLOCKS:
        if name and kind != "text":
            (tmp_path / name).write_text(text)
        elif kind == "python":
            exec(compile(text, "docs/tasks.md", "exec"), {})
            ran += 1
    assert ran == 3


def test_the_mistakes_are_told_as_written(tmp_path: Path) -> None:
    text = next(text for _, name, text in BLOCKS if name == "mistakes")
    for number, line in enumerate(text.splitlines()):
        row, message = line.split(" | ")
        (tmp_path / f"{number}.jsonl").write_text(row.strip())
        with pytest.raises(UserMistake) as caught:
            open_task(str(tmp_path / f"{number}.jsonl"))
        assert message in str(caught.value)


def test_the_tables_name_everything() -> None:
    named = set(re.findall(r"`([\w:./-]+)", DOC))
    assert set(SCORERS) | set(SETTINGS) | set(KEYS) <= named
    assert set(SOURCES) <= {name.partition(":")[0] for name in named}
