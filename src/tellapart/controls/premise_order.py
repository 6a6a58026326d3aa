"""The order of premises (Chen et al. 2024, arXiv 2402.08939): the same sentences in another order, Kendall's tau
from 1 (as written) to -1 (reversed). Reasoning does not depend on it where no sentence refers to another's place.

Items with a sentence whose meaning may lie in its place ("Then ...", "She ...", "the next day") are left out.
"""

import random
import re
from itertools import combinations
from typing import ClassVar, final

from tellapart.controls.audit import Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.exemplars import drawing
from tellapart.controls.premises import Text, rewritten, too_few_able
from tellapart.controls.role import Role
from tellapart.stats.form_share import Keeps
from tellapart.tasks.item import Item

SOURCE = "Chen et al. 2024, arXiv 2402.08939"
DRAWS = 400
_PLACED = re.compile(
    r"^(?:then|next|after|afterwards|later|finally|first|second|third|last|now|so|thus|therefore|however|but|and|also|"
    r"he|she|they|it|his|her|their|its|this|that|these|those|the (?:other|others|rest|remaining|former|latter))\b|"
    r"\b(?:then|after that|next day|the same|each of them|both of them|previous|remaining|rest of)\b",
    re.IGNORECASE,
)


def tau_of(order: tuple[int, ...]) -> float:
    """Return Kendall's tau of an order to 0, 1, 2, ...: 1 the same, -1 reversed.

    >>> tau_of((2, 1, 0)), tau_of((0, 1))
    (-1.0, 1.0)
    """
    pairs = list(combinations(order, 2))
    return sum(1 if first < second else -1 for first, second in pairs) / len(pairs)


def reordered(text: Text, tau: float, rng: random.Random) -> Text | None:
    """Return the premises in an order of about `tau`; None where order carries meaning or none but the own is near."""
    if any(_PLACED.search(premise) for premise in text.premises):
        return None
    own = tuple(range(len(text.premises)))
    if tau == -1:
        best = own[::-1]
    else:
        drawn = {tuple(rng.sample(own, len(own))) for _ in range(DRAWS)} - {own}
        best = min(sorted(drawn), key=lambda order: (abs(tau_of(order) - tau), order))
    return text._replace(premises=tuple(text.premises[at] for at in best))


class _Order(Control):
    """The premises in an order of Kendall's tau `tau` to the one written."""

    family: ClassVar[str] = "knowledge"
    role: ClassVar[Role] = "probe"
    keeps: ClassVar[Keeps] = "substance"
    kept: ClassVar[str] = "every sentence, the question last"
    source: ClassVar[str] = SOURCE
    tau: ClassVar[float]
    ruler: ClassVar[Ruler] = Ruler(exact=("characters", "numbers"), within=())

    def make(self, given: Given) -> Made:
        """Return the task with its premises in another order."""
        rng = drawing(given, self.name)

        def change(item: Item, text: Text) -> Text | None:
            return reordered(text, self.tau, rng)

        return rewritten(given, change)

    def obstacle(self, given: Given) -> str | None:
        """Return why not: too few items whose premises may be put in any order."""
        return too_few_able(given, self.make(given), "have two premises whose order carries no meaning")


@final
class ReversedPremises(_Order):
    """The last premise first."""

    name: ClassVar[str] = "reversed_premises"
    role: ClassVar[Role] = "form"
    removed: ClassVar[str] = "only the order of the premises (tau -1)"
    tau: ClassVar[float] = -1.0


@final
class HalfReversedPremises(_Order):
    """Half way to the reverse."""

    name: ClassVar[str] = "premises_tau_-0.5"
    removed: ClassVar[str] = "only the order of the premises (tau -0.5)"
    tau: ClassVar[float] = -0.5


@final
class MixedPremises(_Order):
    """As far from the order written as from its reverse."""

    name: ClassVar[str] = "premises_tau_0"
    removed: ClassVar[str] = "only the order of the premises (tau 0)"
    tau: ClassVar[float] = 0.0


@final
class NearPremises(_Order):
    """Close to the order written."""

    name: ClassVar[str] = "premises_tau_0.5"
    removed: ClassVar[str] = "only the order of the premises (tau 0.5)"
    tau: ClassVar[float] = 0.5
