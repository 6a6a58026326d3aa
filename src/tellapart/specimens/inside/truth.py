"""The truth about two twins of `inside`, from their construction. Only the check opens the file of truths: what loads,
asks or judges a twin cannot see it."""

import json
from pathlib import Path
from typing import Any, Literal

from tellapart.errors import UserMistake
from tellapart.specimens.inside import read_name

Truth = Literal["organised", "fractured", "no difference"]
_FILE = Path(__file__).parent / "truth.json"


def read_truth(one: str, other: str) -> Truth:
    """Return what a right verdict says of `one` beside `other`. UserMistake where both are fractured, each in its own
    way, or nothing is known of one."""
    known: dict[str, dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    kinds = [read_name(name).kind for name in (one, other)]
    if all(kind in known for kind in kinds):
        first, second = (bool(known[kind]["organised"]) for kind in kinds)
        if kinds[0] == kinds[1]:
            return "no difference"
        if first != second:
            return "organised" if first else "fractured"
    raise UserMistake(f"no truth about {one} beside {other}: give two of one kind, or one of them shared")
