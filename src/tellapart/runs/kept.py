"""Values that cost something (a judge's answers), kept in a run folder the moment each is there.

`artifacts/NAME.jsonl` holds a line [key, value] for each; a line torn by a kill is cut off and its value is owed again.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tellapart.errors import UserMistake
from tellapart.runs.folder import RunFolder


class Kept:
    """What is known by key, and a file to which more is appended."""

    def __init__(self, known: dict[str, Any], file: IO[bytes]) -> None:
        self.known = known
        self._file = file

    def add(self, key: str, value: Any) -> None:
        """Keep a JSON value. One write call: a kill leaves the whole line or a torn last one."""
        self._file.write((json.dumps([key, value]) + "\n").encode("ascii"))
        self.known[key] = value


@contextmanager
def keeping(folder: RunFolder, name: str) -> Iterator[Kept]:
    """Yield what the folder keeps under a name, open for more. Raises UserMistake for a line that is none."""
    path = folder.path / "artifacts" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        file.seek(0)
        data = file.read()
        whole, _, torn = data.rpartition(b"\n")
        if torn:
            file.truncate(len(data) - len(torn))
        try:
            known = dict(json.loads(line) for line in whole.split(b"\n") if line)
        except (ValueError, TypeError, RecursionError) as error:
            raise UserMistake(f"{path} is damaged ({error}); delete it to have it asked again") from error
        yield Kept(known, file)
