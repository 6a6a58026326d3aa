"""Tasks: items, how they are put, how answers are scored, and where they come from."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tellapart.tasks.item import Task

OPENERS: "dict[str, Callable[[str, int], Task]]" = {}
"""Tasks that a higher room opens, by what stands before the colon of a reference: (name, seed) -> Task. Filled in
tellapart/wiring.py."""
