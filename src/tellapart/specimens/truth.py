"""The truth about each specimen, written down from its construction. Nothing else opens the files of truths:
what loads, asks or judges a specimen cannot see it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tellapart.errors import UserMistake
from tellapart.specimens import real

Verdict = Literal["elicited", "mixed", "acquired", "no gain"]
_FOLDER = Path(__file__).parent
_FILES = (_FOLDER / "truth.json", _FOLDER / "adversarial" / "truth.json")
_REAL = (_FOLDER / "real" / "truth.json",)
"""Kinds on real models, some of which are named as small ones are."""


@dataclass(frozen=True)
class Truth:
    """What is true of a specimen, and how it was made so that this is true.

    `right` are the words that say it: the truth itself, unless what the task shows cannot bear it (eight questions).
    `accept` are words that are not wrong beside it; `reason` is the reason to be given with the word ("": any).
    """

    name: str
    kind: str
    verdict: Verdict
    construction: str
    reason: str
    right: tuple[str, ...]
    accept: tuple[str, ...]

    @property
    def not_wrong(self) -> tuple[str, ...]:
        """Return the words that no reader is misled by."""
        return (*self.right, *self.accept)


def read_truth(name: str) -> Truth:
    """Return the truth about the specimen `name`. Raises UserMistake where there is no such kind."""
    kind = name.partition("-")[0]
    kinds = {
        key: row
        for file in (_REAL if real.is_name(name) else _FILES)
        for key, row in json.loads(file.read_text(encoding="utf-8")).items()
    }
    if kind not in kinds:
        raise UserMistake(f"no specimen {name!r}; kinds: {', '.join(kinds)}")
    row = kinds[kind]
    return Truth(
        name=name,
        kind=kind,
        verdict=row["truth"],
        construction=row["construction"],
        reason=row.get("reason", ""),
        right=tuple(row.get("right", (row["truth"],))),
        accept=tuple(row.get("accept", ("cannot tell",))),
    )
