"""The truth about each specimen of `form`, written down from its construction. Only the check opens the file of truths:
what loads, asks or judges a specimen cannot see it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tellapart.errors import UserMistake

_FILE = Path(__file__).parent / "truth.json"


@dataclass(frozen=True)
class FormTruth:
    """What a right verdict on a specimen says; whether its score `falls` once form and substance are destroyed (it
    `stays` where nothing that is shown matters to it); and how the specimen was made so that this is true."""

    name: str
    verdict: Literal["substance", "form"]
    destroyed: Literal["falls", "stays"]
    construction: str


def judged_names(names: list[str]) -> list[str]:
    """Return those of `names` that there is a truth about: the others are only compared with."""
    return [name for name in names if _kind(name) in _read()]


def read_truth(name: str) -> FormTruth:
    """Return the truth about the specimen `name`. Raises UserMistake where there is none."""
    told = _read().get(_kind(name))
    if told is None:
        raise UserMistake(f"no truth about specimen {name!r}; there is one about: {', '.join(_read())}")
    return FormTruth(name, told["truth"], told["destroyed"], told["construction"])


def _kind(name: str) -> str:
    return name.rpartition("-")[0]


def _read() -> dict[str, dict[str, Any]]:
    return json.loads(_FILE.read_text(encoding="utf-8"))
