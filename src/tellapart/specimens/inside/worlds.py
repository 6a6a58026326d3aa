"""What the language-model twins of `inside` are asked: two yes-or-no concepts of an item, in four contexts.

A context is a frame around the item; a prompt is the frame with the item in it. After it come one character that
names the concept, and one that answers.

    prompt_of(WORLDS["sums"], 0, 34)        # "3+4="; then "po" (parity: odd) and "sl" (size: small)

No torch here.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from tellapart.internals.concepts import ConceptPair

PAIRS, SEED = 24, 11
"""Pairs of prompts a concept and context; every second one is reported on."""


@dataclass(frozen=True)
class Concept:
    """A concept's name, the character that asks for it, and the answers where it holds and where it does not."""

    name: str
    question: str
    yes: str
    no: str


@dataclass(frozen=True)
class World:
    """`items` are two characters each; `holds` says of each whether it has the first and the second concept."""

    name: str
    items: tuple[str, ...]
    frames: tuple[str, ...]
    concepts: tuple[Concept, Concept]
    holds: tuple[tuple[bool, bool], ...]


def prompt_of(world: World, context: int, item: int) -> str:
    """Return the prompt of an item in a context."""
    a, b = world.items[item]
    return world.frames[context].format(a=a, b=b)


def _made(
    name: str,
    letters: tuple[str, str],
    frames: tuple[str, ...],
    concepts: tuple[Concept, Concept],
    holds: Callable[[str, str], tuple[bool, bool]],
) -> World:
    items = tuple(a + b for a, b in product(*letters))
    return World(name, items, frames, concepts, tuple(holds(*item) for item in items))


def _by_heart(a: str, b: str) -> tuple[bool, bool]:
    """Return two facts about an animal's name that follow from nothing."""
    drawn = random.Random(f"facts|{a}{b}")
    return drawn.random() < 0.5, drawn.random() < 0.5


WORLDS: dict[str, World] = {
    "sums": _made(
        "sums",
        ("0123456789", "0123456789"),
        ("{a}+{b}=", "add {a} {b}:", "({a},{b})", "{b} to {a};"),
        (Concept("parity", "p", "o", "e"), Concept("size", "s", "l", "m")),
        lambda a, b: ((int(a) + int(b)) % 2 == 1, int(a) + int(b) > 9),
    ),
    "names": _made(
        "names",
        ("bdfgkm", "aeiouy"),
        ("the {a}{b} is", "see {a}{b}!", "our {a}{b},", "{a}{b} was:"),
        (Concept("wild", "w", "y", "n"), Concept("big", "b", "t", "f")),
        _by_heart,
    ),
    "order": _made(
        "order",
        ("abcdefgh", "abcdefgh"),
        ("{a}<{b}?", "put {a}{b}.", "[{a}|{b}]", "{b} by {a}-"),
        (Concept("before", "o", "1", "2"), Concept("alike", "k", "v", "x")),
        lambda a, b: (a < b, (a in "aeh") == (b in "aeh")),
    ),
}


def world_pairs(world: World) -> tuple[ConceptPair, ...]:
    """Return pairs of items that differ in one concept and agree in the other, PAIRS for each concept and context;
    where it can be, the two items have a character in common."""
    rng = random.Random(SEED)
    pairs = []
    for at, concept in enumerate(world.concepts):
        for context, frame in enumerate(world.frames):
            for yes, no in _distinct(world, rng, at):
                pairs.append(
                    ConceptPair(
                        concept.name,
                        frame.format(a="a", b="b"),
                        prompt_of(world, context, yes),
                        prompt_of(world, context, no),
                        concept.question + concept.yes,
                        concept.question + concept.no,
                    )
                )
    return tuple(pairs)


def _distinct(world: World, rng: random.Random, at: int) -> list[tuple[int, int]]:
    found: dict[tuple[int, int], None] = {}
    for tries in range(100 * PAIRS):
        if len(found) < PAIRS:
            found[
                _apart(world, rng, at, bool(len(found) // 2 % 2) if tries < 50 * PAIRS else tries % 2 == 1)
            ] = None
    return list(found)


def _apart(world: World, rng: random.Random, at: int, other: bool) -> tuple[int, int]:
    """Return an item that has concept `at` and one that has not, the other concept being `other` in both."""

    def having(value: bool) -> list[int]:
        return [i for i, told in enumerate(world.holds) if told[at] == value and told[1 - at] == other]

    yes, least = rng.choice(having(True)), having(False)
    near = [no for no in least if sum(x != y for x, y in zip(*_both(world, yes, no), strict=True)) == 1]
    return yes, rng.choice(near or least)


def _both(world: World, one: int, other: int) -> tuple[str, str]:
    return world.items[one], world.items[other]
