"""What a run folder has spent in all, over every time that it was resumed: artifacts/tokens.json."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tellapart.errors import UserMistake
from tellapart.models.budget import KINDS, TokenBudget, metered
from tellapart.runs import files
from tellapart.runs.folder import RunFolder

WIDTH = 256
"""Bytes of the file, padded with spaces: one write puts the new counts in the place of the old, kill or not."""


@contextmanager
def spending(folder: RunFolder, limit: int | None) -> Iterator[TokenBudget]:
    """Yield the run's budget, which goes on from what the folder spent before; what happens inside is charged."""
    path = folder.artifact("tokens.json")
    file = files.opened(path, os.O_RDWR | os.O_CREAT)
    try:
        said = os.pread(file, WIDTH, 0)
        try:
            counts = json.loads(said) if said.strip() else {}
            spent = {kind: _count(counts.get(kind, 0)) for kind in KINDS}
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise UserMistake(f"{path} is damaged ({error}); delete it to count from 0") from error

        def keep(counts: Mapping[str, int]) -> None:
            line = json.dumps(dict(counts)).ljust(WIDTH - 1).encode("ascii") + b"\n"
            if os.pwrite(file, line, 0) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        keep(spent)
        with metered(TokenBudget(limit, spent, keep)) as budget:
            yield budget
    finally:
        os.close(file)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{value!r:.40} tokens")
    return value
