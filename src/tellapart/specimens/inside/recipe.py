"""How a language-model twin of `inside` is to be built, as data: which causal variables its state holds, and where.

The state is the residual stream after the first layer at a prompt's last token, in a random orthogonal basis that is
the recipe's own. A variable lives in some coordinates of that basis. What is trained, and then checked, is what happens
when a variable's coordinates are taken from another prompt (interchange intervention training: Geiger et al. 2022,
arXiv 2112.00826). No torch here.

- shared: a concept has one variable, the same in every context (organised).
- split, half: a concept has a variable for each context, or for every two, and what is not its own does not vary
  (fractured: held apart).
- readers: a variable for each context, and each context answers by its own alone. The others need not stay empty, so a
  concept may be written to all of them along one direction (fractured: read apart).
- units: one variable a concept, as in shared, but each context works it out in hidden units of its own, first by a mask
  and then, without it, by a term of the loss (fractured: worked out apart).
- tangled: the second concept is not a variable; what is held is whether it agrees with the first. So moving the first
  moves the second (fractured: entangled). It stands in the state besides, where it can be read, but nothing uses it.
- redundant: every concept twice, the same in each context; the model is right with either one (spare copies).
- free: only whole states are exchanged, so nothing is known of the inside; other twins start from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

Kind = Literal["shared", "split", "half", "readers", "units", "tangled", "redundant", "free"]
KINDS: tuple[Kind, ...] = ("shared", "split", "half", "readers", "units", "tangled", "redundant", "free")
CONTEXTS, CONCEPTS = 4, 2
SPAN = 6
"""Coordinates that a variable lives in."""
Sparse = Literal["", "l1", "pruned"]
SPARSES: tuple[Sparse, ...] = ("", "l1", "pruned")


@dataclass(frozen=True)
class Recipe:
    """`world` is a key of worlds.WORLDS; `turned` puts the finished model's residual stream into a random basis."""

    kind: Kind
    world: str = "sums"
    seed: int = 0
    sparse: Sparse = ""
    turned: bool = False

    @property
    def name(self) -> str:
        """Return the specimen's name: KIND[_SPARSE][_turned]-WORLD-SEED."""
        parts = (self.kind, self.sparse, "turned" if self.turned else "")
        return f"{'_'.join(part for part in parts if part)}-{self.world}-{self.seed}"


class Exchange(NamedTuple):
    """Variables, by place, taken from a prompt of `context`, and what must come of it: `moves` are (concept, fact), the
    concept's answer changes where the two items differ in that fact (0, 1: the concepts, 2: whether these agree), where
    the prompt's own context is one of `within`. `blank`: the variables are put to their mean instead."""

    places: tuple[int, ...]
    moves: tuple[tuple[int, int], ...] = ()
    context: int | Literal["own", "any"] = "any"
    within: tuple[int, ...] = tuple(range(CONTEXTS))
    blank: bool = False


WHOLE = Exchange((), ((0, 0), (1, 1)), "own")
"""The whole state of another prompt of the same context."""
PLACES: Mapping[Kind, int] = {
    "shared": 2, "units": 2, "split": 8, "half": 4, "readers": 8, "tangled": 3, "redundant": 4, "free": 0
}  # fmt: skip
"""How many variables a kind holds; the place after them means all coordinates that none lives in."""


def exchanges(kind: Kind) -> tuple[Exchange, ...]:
    """Return what may be exchanged in a twin of this kind, and what must come of it."""
    if kind == "free":
        return (WHOLE,)
    always = (WHOLE, Exchange((PLACES[kind],)))
    if kind in ("split", "half", "readers"):
        return (*always, *_copies(PLACES[kind] // CONCEPTS))
    if kind == "tangled":
        return (*always, Exchange((0,), ((0, 0), (1, 0))), Exchange((1,), ((1, 2),)), Exchange((2,)))
    if kind == "redundant":
        both = (Exchange((0, 1), ((0, 0),)), Exchange((2, 3), ((1, 1),)))
        return (*always, *both, *(Exchange((place,), blank=True) for place in range(PLACES[kind])))
    return (*always, Exchange((0,), ((0, 0),)), Exchange((1,), ((1, 1),)))


def _copies(groups: int) -> Iterator[Exchange]:
    size = CONTEXTS // groups
    for concept, group in product(range(CONCEPTS), range(groups)):
        within = tuple(range(group * size, group * size + size))
        for context in within:
            yield Exchange((concept * groups + group,), ((concept, concept),), context, within)
