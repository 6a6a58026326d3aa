"""Values that cost something (a judge's answers), kept in a run folder the moment each is there.

`artifacts/NAME.jsonl` holds a line [key, value] for each; a line torn by a kill is dropped and its value asked again.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.runs import files
from tellapart.runs.folder import LONGEST_ROW, RunFolder

ValueT = TypeVar("ValueT")


class Kept(Generic[ValueT]):
    """Values by key, and a file to which more is appended."""

    def __init__(self, entries: dict[str, ValueT], lines: files.Lines) -> None:
        self.values = entries
        self._lines = lines

    def add(self, key: str, value: ValueT) -> None:
        """Keep a JSON value. A kill leaves the whole line or a torn last one; where the disk is full nothing of it."""
        self._lines.append(json.dumps([key, value]))
        self.values[key] = value


@contextmanager
def keeping(folder: RunFolder, name: str) -> Iterator[Kept[Any]]:
    """Yield what the folder keeps under a name, open for more. Raises UserMistake for a line that is none."""
    path = folder.artifact(f"{name}.jsonl")
    entries = dict(_entry(line, path) for line in files.whole_lines(path, LONGEST_ROW) if line)
    with files.appending(path) as lines:
        yield Kept(entries, lines)


def _entry(line: bytes, path: Path) -> tuple[str, Json]:
    try:
        entry = json.loads(line)
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
            raise ValueError("not [key, value]")
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{path} is damaged ({error}); delete it to have it asked again") from error
    return entry[0], entry[1]
