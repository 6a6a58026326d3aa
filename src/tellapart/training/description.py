"""How a description length is measured on a model, and what comes of it. No torch here."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.stats.edl import Signature
from tellapart.stats.estimate import Estimate
from tellapart.training.settings import Example


@dataclass(frozen=True)
class PassSettings:
    """One first pass a seed over the largest of `sizes` examples, in an order drawn by the seed.

    The answers of `batch` examples are told at once; then come one update on them and `replays` updates on as many
    drawn from all told so far. Replays keep the code valid (each answer is told before it is learned from) and let a
    model use what it was told; without them few examples measure the optimiser's slowness. `rate` is AdamW's
    (None: by the model's width, the change and the batch); it stays the same throughout.
    """

    sizes: tuple[int, ...] = (4, 8, 16, 32, 40)
    seeds: tuple[int, ...] = (0, 1, 2)
    batch: int = 4
    replays: int = 8
    rate: float | None = None
    quiet: bool = False

    def checked(self, examples: int, held_out: int) -> "PassSettings":
        """Return self. Raises UserMistake for settings that cannot be, or too few examples for them."""
        if not self.sizes or tuple(sorted(set(self.sizes))) != self.sizes or self.sizes[0] < 2:
            raise UserMistake(f"sizes {self.sizes}: give different numbers of examples, ascending, from 2")
        if self.sizes[-1] > examples or held_out < 2:
            raise UserMistake(
                f"{examples} examples and {held_out} held out, sizes up to {self.sizes[-1]} asked: give as many "
                "examples as the largest size, and at least 2 held out"
            )
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UserMistake(f"seeds {self.seeds}: give different ones, at least one")
        if self.batch < 1 or self.replays < 0 or (self.rate is not None and self.rate <= 0):
            raise UserMistake(
                f"batch {self.batch}, replays {self.replays}, rate {self.rate}: give at least 1, 0, and above 0"
            )
        return self


@dataclass(frozen=True)
class Measured:
    """The pass of one seed, after `size` examples.

    `code_bits` is L; `test_bits` what a held-out answer costs the model now, `plain_bits` what it cost before, both
    means in bits; `tokens` are the answer tokens of the examples told; `edl` is in bits. `content` is how many bits
    less a held-out answer costs after its own prompt than after another's (stats/content.py).
    """

    seed: int
    size: int
    code_bits: float
    test_bits: float
    plain_bits: float
    tokens: int
    edl: Estimate
    content: Estimate

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {**asdict(self), "edl": self.edl.as_json(), "content": self.content.as_json()}


@dataclass(frozen=True)
class DescriptionLength:
    """What a model took up from examples, over sizes and seeds; `signature` is of EDL per answer token.

    The signature alone is no verdict: where the answers are not `learned` at the largest size it speaks of their form
    only, and form elicits fast even where the skill would have to be taught. `plain_content` is `content` before
    training: what of the answers, beyond their form, the model held already.
    """

    change: JsonObject
    settings: PassSettings
    measured: tuple[Measured, ...]
    signature: Signature
    plain_content: Estimate

    def at(self, size: int) -> tuple[Measured, ...]:
        """Return what was measured at `size`, one a seed."""
        return tuple(one for one in self.measured if one.size == size)

    @property
    def learned(self) -> bool:
        """Whether at the largest size, in every seed, the prompt explains at least half of an answer: content is as
        large as what the answer still costs."""
        return all(one.content.value >= one.test_bits for one in self.at(self.settings.sizes[-1]))

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {
            "change": dict(self.change),
            "settings": asdict(self.settings),
            "measured": [one.as_json() for one in self.measured],
            "signature": self.signature.as_json(),
            "learned": self.learned,
            "plain_content": self.plain_content.as_json(),
        }


def shuffled_answers(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return the null control: every prompt with the answer of another, so that form stays and content goes.

    Raises UserMistake for fewer than two examples.
    """
    others = _exchanged(len(examples), seed)
    return [one._replace(answer=examples[other].answer) for one, other in zip(examples, others, strict=True)]


def other_prompts(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return every answer after the prompt of another example: the null control in the order of the answers."""
    others = _exchanged(len(examples), seed)
    return [one._replace(prompt=examples[other].prompt) for one, other in zip(examples, others, strict=True)]


def _exchanged(n: int, seed: int) -> list[int]:
    """Return for each of n its other: they stand in a ring of random order, so nobody is its own."""
    if n < 2:
        raise UserMistake(f"{n} examples: at least 2 are needed to exchange answers")
    ring = random.Random(seed).sample(range(n), n)
    others = [0] * n
    for place, other in zip(ring, ring[1:] + ring[:1], strict=True):
        others[place] = other
    return others
