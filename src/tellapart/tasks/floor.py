"""The guess floor: the score of a random guesser that answers in the right form."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.tasks.choice import choice_letter
from tellapart.tasks.item import Item

PAIRS = (("true", "false"), ("yes", "no"), ("valid", "invalid"))


class Floor(NamedTuple):
    """The floor in [0, 1] (None where it is not known), and how it was had."""

    value: float | None
    method: str


def derived_floor(items: Sequence[Item]) -> Floor:
    """Return the floor where the space of answers is known: listed choices, or two opposite words.

    With choices it is the mean over items of accepted choices / all choices. Two opposite words (yes and no, true
    and false, valid and invalid) count only where both occur among the targets.
    """
    if items and all(item.choices for item in items):
        shares = [
            len({choice_letter(item.choices, target) for target in item.target}) / len(item.choices)
            for item in items
        ]
        return Floor(math.fsum(shares) / len(shares), "accepted choices / choices, mean over items")
    words = {target.strip().lower() for item in items for target in item.target}
    for pair in PAIRS:
        if words == set(pair):
            return Floor(0.5, f"two possible answers: {pair[0]} and {pair[1]}")
    return Floor(None, "not known: the space of answers is open; give guess_floor if you know it")


def given_floor(value: Json) -> Floor:
    """Return the floor that the user gave. Raises UserMistake unless it is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserMistake(f"guess_floor = {value!r}: give a number from 0 to 1")
    return Floor(float(value), "given")
