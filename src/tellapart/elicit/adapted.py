"""What the trained adapters (svf, lora, masked_adapter) share: what they learn from, their null control, their bits.

All three learn, by cross-entropy, from the base's own right answers on the fit split (own_answers), for as many steps:
so they differ in nothing but what is trained. The null control is the same adapter trained as long on blind picks among
the same draws, and scaled to the same norm. Where the base gave no right answer there is nothing to learn from, and
the model is left as it is: its share is then measured as that of the plain model.

Bits: the smallest of 32 for each trained scalar, the verdicts on all draws under an adaptive code (at most 1 bit each),
and -log2 p of the right answers under the base.
"""

import abc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Switched, null_name
from tellapart.elicit.own_answers import OwnAnswers, own_answers
from tellapart.errors import InvalidInput
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import JsonObject, nested, whole
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests

STEPS = 40
BITS_A_SCALAR = 32.0
AT_ONCE = 512
"""Answers drawn before they are handed on: the adapter is put in place anew for each such block."""


class Learned(NamedTuple):
    """What came of training: the weights on right answers and on blind picks, the scalars trained, the rate, and
    -log2 p of the right answers."""

    right: Weights
    blind: Weights
    scalars: int
    rate: float
    answer_bits: float


@final
@dataclass(frozen=True)
class Adapted(Switched):
    """Answers of the base with a trained adapter in place.

    Setting: `change` (its kind and size), `part` of the weights (right, or blind for the null control), `examples`,
    `draws`, `scalars`, `rate`, `steps`, `codes` in bits, `bits_by`, `label`. The weights hold both parts.
    """

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer asked for; the plain model's where there was nothing to learn from."""
        rows = list(plain_requests(ask))
        if not whole(self.setting, "examples"):
            yield from generate(pair.base, rows)
            return
        from tellapart.elicit.local_adapted import answers_with

        mine = part_of(self.weights, str(self.setting["part"]))
        for begin in range(0, len(rows), AT_ONCE):
            yield from answers_with(
                pair.base, nested(self.setting, "change"), mine, rows[begin : begin + AT_ONCE]
            )


@dataclass(frozen=True)
class Adapting(Elicitor):
    """An adapter of several sizes: `sizes` are the curve (one: no curve), `main` is what `fit` gives."""

    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "logprobs", "weights"})
    value: ClassVar[type[Elicited]] = Adapted
    mechanism: ClassVar[Mechanism] = "training"

    sizes: tuple[int, ...] = (1,)
    main: int = 1
    steps: int = STEPS

    @abc.abstractmethod
    def change(self, size: int) -> JsonObject:
        """Return the change of this size as JSON: its kind and fields."""

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the adapter of the main size."""
        return self.sized(pair, ask, own_answers(pair, ask), self.main)

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return the adapter of each size; the smallest alone where there is nothing to learn from."""
        own = own_answers(pair, ask)
        return tuple(self.sized(pair, ask, own, size) for size in self.sizes[: None if own.right else 1])

    def sized(self, pair: Pair, ask: Ask, own: OwnAnswers, size: int) -> Elicited:
        """Return the adapter of one size, trained on `own.right`, its null control on `own.blind`."""
        name = self.name if len(self.sizes) == 1 else f"{self.name}@{size}"
        change = dict(self.change(size))
        setting = {"change": change, "part": "right", "examples": len(own.right), "draws": own.draws}
        if not own.right:
            label = f"no right answer in {own.draws} draws: nothing to learn from"
            return Adapted(
                name, {**setting, "bits_by": "verdicts on all draws", "label": label}, own.verdict_bits
            )
        from tellapart.elicit.local_adapted import learn

        learned = learn(pair.base, change, own, self.steps, ask)
        codes = {
            "32 bits a scalar": BITS_A_SCALAR * learned.scalars,
            "verdicts on all draws": own.verdict_bits,
            "the base's own code of the right answers": learned.answer_bits,
        }
        by = min(codes, key=lambda code: codes[code])
        described = {
            "scalars": learned.scalars,
            "rate": learned.rate,
            "steps": self.steps,
            "codes": codes,
            "bits_by": by,
            "label": f"{learned.scalars} scalars on {len(own.right)} right answers of its own",
        }
        return Adapted(name, {**setting, **described}, codes[by], weights=both(learned))

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the adapter that was trained on blind picks, at the same norm."""
        setting = {**elicited.setting, "part": "blind"}
        return replace(elicited, name=null_name(elicited.name), setting=setting)


def both(learned: Learned) -> Weights:
    """Return both parts as one set of weights, their names marked."""
    parts = {"right": learned.right, "blind": learned.blind}
    return Weights(
        {f"{part}|{name}": value for part, weights in parts.items() for name, value in weights.items()}
    )


def part_of(weights: Weights, part: str) -> Weights:
    """Return one part of what `both` put together. Raises UserMistake where it is not there."""
    mine = {name.partition("|")[2]: value for name, value in weights.items() if name.startswith(f"{part}|")}
    if not mine:
        raise InvalidInput(f"an adapter without weights of the part {part!r}: fit it anew")
    return Weights(mine)
