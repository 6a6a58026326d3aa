"""What a specimen of `form` learns: sorts of examples in given shares, each drawn anew from random numbers.

A sort whose answer follows from its prompt is `known`; in the others the answer is drawn by chance, so that the model
learns to guess there. What a specimen does, and what it cannot do, is what its sorts say: that is its truth.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tellapart.tasks.item import Task


class Example(NamedTuple):
    """What is put, what is learned after it, and the right final answer (which the learned one need not end in)."""

    prompt: str
    answer: str
    right: str


Draw = Callable[[random.Random], Example]


@dataclass(frozen=True)
class Sort:
    """Examples of one sort and their `share` of the training. `known`: the answer follows from the prompt; else it is a
    guess, and the right one must come up no more often than `most`. A known answer must be
    written to the letter; where answers are `drawn` (at temperature 1, not greedily) it must hold the right one."""

    name: str
    share: float
    draw: Draw
    known: bool = True
    most: float = 0.3
    drawn: bool = False

    def hit(self, example: Example, text: str) -> bool:
        """Return whether `text` is the answer that was learned, or holds the right one where that was a guess."""
        return text == example.answer if self.known and not self.drawn else example.right in text


@dataclass(frozen=True)
class Lesson:
    """Sorts, how many steps of `rows` examples they are trained for, and Muon's learning rate."""

    sorts: tuple[Sort, ...]
    steps: int
    rows: int = 64
    rate: float = 0.02


class FormFamily(NamedTuple):
    """A family's task, by specimen name and seed, and the traits that models of it have."""

    task: Callable[[str, int], Task]
    lessons: dict[str, Callable[[int], Lesson]]


def outside(rng: random.Random, draw: Callable[[random.Random], str], asked: Sequence[str]) -> str:
    """Return a drawn question that is none of those asked in the evaluation."""
    while (question := draw(rng)) in asked:
        pass
    return question
