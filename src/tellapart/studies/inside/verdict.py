"""The verdict of `inside`: two models that score the same, compared point by point.

Language models are each classed by themselves instead (levels.py); their differences, measure by measure, are told
beside it with the votes from here.

It rests on measures that no rotation of a hidden basis changes. Where concepts and contexts were given, that is reuse
over contexts of a concept's direction (of language models also of the hidden units that work it out and of what reads
it, and whether steering one concept moves others). Organised means one routine for all, fractured means several, or
concepts that cannot be moved alone. Without concepts it is how many dimensions activations and outputs have, which goes
with organisation in the networks of Kumar et al. (2025) but is not the same thing. Measures that depend on the basis
are told beside it and decide only where fewer than two of the others are known. How often the rule is right on twins of
known kind: docs/validation/inside.md.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tellapart.stats.equivalence import equivalence
from tellapart.stats.estimate import Estimate

Label = Literal["organised", "fractured", "no difference", "cannot tell"]
RATIO, ALIKE = 1.5, 1.2
"""One side has more of something from RATIO times on; the two have the same up to ALIKE times."""
SHARE = 0.2
"""The least difference of shares and cosines that counts. More: at least that, and its 95 % interval is off 0. The
same: its 90 % interval lies within (two one-sided tests)."""
NINETY = 0.84
"""A 90 % interval over a 95 % one."""
MARGIN = 0.05
"""Scores are equal where the 90 % interval of their paired difference lies within this."""
FEWEST, FEWEST_BOUND = 2, 3
"""Measures that must agree: of those that survive a rotation, and where basis-bound ones are counted in."""


class Measure(NamedTuple):
    """`more` is +1 where more means fractured, -1 where it means organised; `ratio` compares by times, else by
    differences, of which those from `apart` on count and those within `alike` are none; `survives` a rotation of the
    hidden basis."""

    more: int
    ratio: bool
    survives: bool
    apart: float = SHARE
    alike: float = SHARE


MEASURES: Mapping[str, Measure] = {
    "direction_reuse": Measure(-1, False, True),
    "unit_reuse": Measure(-1, False, True),
    "reading_reuse": Measure(-1, False, True),
    "cross_effect": Measure(1, False, True),
    "pca_dims_99%_raw": Measure(1, True, True),
    "tangent_participation_ratio": Measure(1, True, True),
    "symmetric_variance": Measure(-1, False, True),
    "distinct_features": Measure(1, True, False),
    "pca_dims_99%": Measure(1, True, False),
    "effect_participation_ratio": Measure(1, True, False),
    "shared_symmetry": Measure(-1, False, False),
}
DECIDES = ("direction_reuse", "unit_reuse", "reading_reuse", "cross_effect")
"""Decide alone where they are known: they ask for organisation itself, the others for what goes with it."""
Measures = Mapping[str, Measure]


class Side(NamedTuple):
    """One of the two that are compared."""

    name: str
    estimates: Mapping[str, Estimate]


class Same(NamedTuple):
    """Whether the two do the same outside (None: not known), and that in words, beside the scores."""

    same: bool | None
    words: str


class Vote(NamedTuple):
    """`value` is +1 for fractured, -1 for organised, 0 for neither, NaN not known; `alike` as far as can be told."""

    value: float
    alike: bool
    survives: bool


class Verdict(NamedTuple):
    """A label, a sentence, every measure's vote by name, and the names of those that the verdict rests on."""

    label: Label
    sentence: str
    votes: dict[str, Vote]
    rests_on: tuple[str, ...]


def decide(side: Side, other: Side | None, same: Same, measures: Measures = MEASURES) -> Verdict:
    """Return the verdict on `one` beside `other`."""
    if other is None:
        sentence = "Organised or fractured is told beside a second model that scores the same: give one."
        return Verdict("cannot tell", sentence, {}, ())
    votes = votes_of(side, other, measures)
    if not same.same:
        return Verdict("cannot tell", untold(same), votes, ())
    rests = _rest(votes)
    deciding = [votes[name] for name in rests]
    least = 1 if rests and _head(rests[0]) in DECIDES else FEWEST
    survive = all(vote.survives for vote in deciding)
    if not survive:
        least = FEWEST_BOUND
    against, favour = sum(vote.value > 0 for vote in deciding), sum(vote.value < 0 for vote in deciding)
    names = f"{', '.join(rests)} ({'none of them depends' if survive else 'some depend'} on the hidden basis)"
    if len(deciding) < least:
        sentence = f"{same.words}; too little is known of the inside ({len(deciding)} measures)."
        return Verdict("cannot tell", sentence, votes, rests)
    if against >= least and not favour:
        return Verdict("fractured", f"{same.words}; inside, {side.name} is fractured beside {other.name} by "
                       f"{against} of {len(deciding)} measures: {names}.", votes, rests)  # fmt: skip
    if favour >= least and not against:
        return Verdict("organised", f"{same.words}; inside, {side.name} is organised beside {other.name} by "
                       f"{favour} of {len(deciding)} measures: {names}.", votes, rests)  # fmt: skip
    if all(vote.alike for vote in deciding):
        return Verdict("no difference", f"{same.words}, and nor does the inside: {names}.", votes, rests)
    sentence = (
        f"{same.words}; the inside is not shown to be equal, nor does any difference settle it by the measures "
        f"({against} for fractured, {favour} for organised, of {len(deciding)}: {', '.join(rests)})."
    )
    return Verdict("cannot tell", sentence, votes, rests)


def untold(same: Same) -> str:
    """Return the sentence on two that do not do the same, or are not shown to."""
    if same.same is None:
        return f"{same.words}: that they are two ways to do the same is not shown."
    return f"{same.words}: they are not two ways to do the same."


def votes_of(side: Side, other: Side, measures: Measures = MEASURES) -> dict[str, Vote]:
    """Return each measure's vote, where both sides have it."""
    both = [name for name in side.estimates if name in other.estimates and _head(name) in measures]
    return {
        name: _vote(measures[_head(name)], side.estimates[name], other.estimates[name])
        for name in sorted(both, key=lambda name: list(MEASURES).index(_head(name)))
    }


def _head(name: str) -> str:
    return name.partition("/")[0]


def _rest(votes: Mapping[str, Vote]) -> tuple[str, ...]:
    """Return the known measures that a verdict rests on: reuse; else what survives a rotation; else all."""
    finite = [name for name, vote in votes.items() if not math.isnan(vote.value)]
    deciding = [name for name in finite if _head(name) in DECIDES]
    surviving = [name for name in finite if votes[name].survives]
    return tuple(deciding or (surviving if len(surviving) >= FEWEST else finite))


def _vote(measure: Measure, own: Estimate, other: Estimate) -> Vote:
    a, b = own.value, other.value
    if not (math.isfinite(a) and math.isfinite(b)) or (measure.ratio and not (a > 0 and b > 0)):
        return Vote(math.nan, False, measure.survives)
    if measure.ratio:
        more = 1 if a / b >= RATIO else -1 if a / b <= 1 / RATIO else 0
        return Vote(float(more * measure.more), 1 / ALIKE <= a / b <= ALIKE, measure.survives)
    reach = math.hypot(_reach(own), _reach(other))
    if math.isnan(reach):
        return Vote(math.nan, False, measure.survives)
    apart = abs(a - b)
    more = (1 if a > b else -1) if apart >= measure.apart and apart > reach else 0
    return Vote(float(more * measure.more), apart + NINETY * reach < measure.alike, measure.survives)


def _reach(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / 2


def _points_missing(n: int, apart: float, half: float) -> str:
    """Return how many more points would show scores equal that stay as far apart; `half` is the interval's half."""
    if apart >= MARGIN:
        return f"at this difference no number of points shows it within {MARGIN:g}"
    needed = math.ceil(n * (half / (MARGIN - apart)) ** 2) + 1
    return f"about {needed - n} more points (prompts) are needed if they stay as they are"


def same_scores(names: tuple[str, str], own: Sequence[float], other: Sequence[float]) -> Same:
    """Return whether two models' scores (0..1) of the same points are equal within MARGIN."""
    if len(own) != len(other) or len(own) < 2:
        return Same(None, f"{names[0]} and {names[1]} were not scored on the same points")
    tested = equivalence(own, other, MARGIN)
    first, second = sum(own) / len(own), sum(other) / len(other)
    compared = f"scores {first:.3f} ({names[0]}) and {second:.3f} ({names[1]}) over {len(own)} points"
    interval = f"(90 % interval of the difference {tested.low90:+.3f} to {tested.high90:+.3f})"
    if tested.low90 > MARGIN or tested.high90 < -MARGIN:
        return Same(False, f"The {compared} differ by more than {MARGIN:g} {interval}")
    if not tested.equivalent:
        missing = _points_missing(len(own), abs(tested.value), (tested.high90 - tested.low90) / 2)
        return Same(None, f"The {compared} are not shown to be equal within {MARGIN:g} {interval}; {missing}")
    return Same(True, f"The {compared}, equal within {MARGIN:g}, do not tell them apart")
