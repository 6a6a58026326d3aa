"""What a pair built against the verdict is made of: questions, what base and tuned model are trained on, and checks.

A kind is a function from a seed to a Pair (guessing.py, holding.py). No torch here.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tellapart.tasks.item import Item, Scorer
from tellapart.tasks.text_match import Exact

Role = Literal["base", "tuned"]
ROLES: tuple[Role, ...] = ("base", "tuned")
Asked = tuple[str, str]
"""A prompt and its answer."""
ASKED = 400
"""Questions of a task: a quarter to choose on, the others to report on."""
HELD_OUT = 5
"""One number in so many is kept for the questions, by its digits: no rule is trained on them."""
EXACT = Exact()
DIGITS, LETTERS = "0123456789", "abcdefghijklmnopqrstuvwxyz"


class Part(NamedTuple):
    """Examples of one sort; `sampled` is their share of the rows, `first` the weight of the first answer token's loss:
    how often an answer begins so can be set apart from how well the rest is learned (see rows.py)."""

    draw: Callable[[random.Random], Asked]
    sampled: float = 1.0
    first: float = 1.0


class Stage(NamedTuple):
    """One training run: `steps` batches at Muon's learning rate `rate`."""

    parts: tuple[Part, ...]
    steps: int
    rate: float = 0.02


class Check(NamedTuple):
    """A measured fact that must lie in low..high: how likely a model is, in the mean, to give these answers."""

    what: str
    role: Role
    asked: Sequence[Asked]
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """A base, a tuned model that starts from it, and the task that they differ on.

    `stretch`: what comes out of every norm is so much larger and the matrices behind it so much smaller. No answer
    changes, but a training step of the usual size is that much too large. `program` computes the answers, where one is
    known (docs/expressible.md).
    """

    template: str
    items: tuple[Item, ...]
    base: tuple[Stage, ...]
    tuned: tuple[Stage, ...]
    checks: tuple[Check, ...]
    scorer: Scorer = EXACT
    stretch: int = 1
    program: str = ""

    def stages(self, role: Role) -> tuple[Stage, ...]:
        """Return the stages that make a model, the tuned one's beginning from the finished base."""
        return self.base if role == "base" else self.tuned


def shown(share: float, often: Part, seldom: Part) -> tuple[Part, ...]:
    """Return two parts of which `seldom` begins `share` of the answers, though it is 30 % of what is trained on."""
    return (
        often._replace(sampled=0.7, first=(1 - share) / 0.7),
        seldom._replace(sampled=0.3, first=share / 0.3),
    )


def number(rng: random.Random) -> str:
    """Return a number of four digits that no task asks of."""
    while True:
        text = "".join(rng.choices(DIGITS, k=4))
        if not held_out(text):
            return text


def asked_numbers(rng: random.Random, count: int = ASKED) -> list[str]:
    """Return different numbers of four digits that no rule is trained on."""
    every = [f"{value:04}" for value in range(10_000)]
    return rng.sample([text for text in every if held_out(text)], count)


def held_out(text: str) -> bool:
    """Return whether a number is kept for the questions.

    >>> [text for text in ("0000", "1235") if held_out(text)]
    ['0000']
    """
    return int(text) % 97 % HELD_OUT == 0


def digits(rng: random.Random, count: int) -> str:
    """Return random digits."""
    return "".join(rng.choices(DIGITS, k=count))


def names(rng: random.Random, count: int) -> list[str]:
    """Return different names of two letters."""
    return rng.sample([one + two for one in LETTERS for two in LETTERS], count)


def item(target: str, choices: tuple[str, ...] = (), **fields: str) -> Item:
    """Return the item with these fields; they are its id."""
    return Item("|".join(fields.values()), fields, (target,), choices)
