"""Slices of the items, declared beforehand: is the gain elicited in one and acquired in another?

One test of heterogeneity over the slices' shares comes first. Each slice then has bounds of its own, and earns a word
by them at the level that Holm's procedure leaves it: the surest slice at 1 / k of the error, then 1 / (k - 1) ...
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from tellapart.findings.gain import SliceLine
from tellapart.stats.arrays import Integers, cluster_codes
from tellapart.stats.bounds import CONFIDENCE, Gain, Method, baseline, cross_fitted, risen, share_above
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.paired import paired_difference
from tellapart.stats.share_band import HIGH, LOW
from tellapart.stats.slices import Heterogeneity, heterogeneity
from tellapart.stats.wording import whole
from tellapart.studies.gain.evidence import Evidence
from tellapart.studies.gain.held import Held
from tellapart.tasks.item import Item

HALF = 0.5
FEWEST_IN_A_SLICE = 20
"""Distinct clusters below which a slice earns no word."""
MOST_SLICES = 12
SliceWord = Literal["elicited", "acquired", ""]


class Slice(NamedTuple):
    """One slice: its items and independent questions, its gain, the part of the whole gain that it carries, its two
    bounds at the level that Holm left it, and the word that they earn ("" for none)."""

    name: str
    items: int
    questions: int
    gain: Estimate
    carries: float
    low: Estimate
    low_by: str
    high: Estimate
    word: SliceWord


class Slices(NamedTuple):
    """The field, the test over its slices, and the slices."""

    field: str
    test: Heterogeneity
    slices: tuple[Slice, ...]

    def carried(self, word: SliceWord) -> float:
        """Return the part of the gain that slices of a word carry."""
        return math.fsum(part.carries for part in self.slices if part.word == word)

    def contradicts(self, word: str) -> bool:
        """Return whether the slices differ and one of them by its own bounds is not what `word` says of the whole."""
        if not self.test.differs:
            return False
        if word == "elicited":
            return any(part.word == "acquired" or part.low.high < HALF for part in self.slices)
        return any(part.word == "elicited" or part.low.low > LOW for part in self.slices)

    @property
    def mixed(self) -> bool:
        """Whether one slice is elicited and another acquired, and the lesser of both carries enough of the gain."""
        return self.test.differs and min(self.carried("elicited"), self.carried("acquired")) >= LOW

    def said(self) -> str:
        """Return the slices in words."""
        return "; ".join(
            f"{part.name!r} {part.word or 'open'} "
            f"(held at least {_share(part.low)}, {whole(part.carries)} % of the gain)"
            for part in self.slices
        )


def _share(share: Estimate) -> str:
    if math.isnan(share.value):
        return "not known"
    return f"{whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"


def slices_of(evidence: Evidence, held: Held) -> Slices | None:
    """Return the slices with their bounds; None where none were declared, or no share can be given."""
    names = slice_names(evidence)
    if names is None or held.gain is None:
        return None
    labels = sorted(set(names))
    codes = np.array([labels.index(name) for name in names], dtype=np.int64)
    if len(labels) < 2:
        return None
    test = _test(held, held.gain, codes)
    total = float((held.gain.tuned - held.gain.base).sum())
    order = sorted(range(len(labels)), key=lambda code: _doubt(_slice(held, codes == code, CONFIDENCE)))
    by_code: dict[int, Slice] = {}
    stopped = False
    for rank, code in enumerate(order):
        # Holm: once a slice fails at its level, no later one earns a word.
        level = 1 - (1 - CONFIDENCE) / (len(labels) - rank)
        part = _slice(held, codes == code, level)
        stopped = stopped or not part.word
        carries = float((held.gain.tuned - held.gain.base)[codes == code].sum()) / total
        by_code[code] = part._replace(name=labels[code], carries=carries, word="" if stopped else part.word)
    return Slices(evidence.facts.slice, test, tuple(by_code[code] for code in range(len(labels))))


def slice_names(evidence: Evidence) -> list[str] | None:
    """Return the slice of each shared item; None where no field was declared, or an item has none."""
    facts = evidence.facts
    if not facts.slice:
        return None
    if facts.slice == "cluster" and not facts.asked_models:
        return [str(cluster) for cluster in evidence.base.cluster]
    names = [facts.items.get(str(item), {}).get("slice") for item in evidence.questions.names]
    return None if any(name is None for name in names) else [str(name) for name in names]


def _test(held: Held, gain: Gain, codes: Integers) -> Heterogeneity:
    """Test the share that sets the lower bound: the claims that it took, the best of them on each half."""
    level = baseline(gain)
    taken = [claim.method for claim in held.methods if claim.name in held.low_by.split(" and ")]
    taken = taken or [Method(arm.means, gain.chance) for arm in held.arms if arm.means is not None]
    if not taken:
        return Heterogeneity(math.nan, 0, 0, math.nan)
    best = max(taken, key=lambda method: float(method.means.mean()))
    return heterogeneity(risen(gain, best, level), gain.tuned - level, gain.clusters, codes)


def _slice(held: Held, mine: np.ndarray, confidence: float) -> Slice:
    """Return a slice with its bounds and the word that it would earn at `confidence`."""
    assert held.gain is not None
    part = held.gain.at(mine)
    gain = part._replace(clusters=cluster_codes(part.clusters, int(mine.sum())))
    level = baseline(gain)
    low, taken = cross_fitted(
        gain, [Method(method.method.means[mine], method.method.chance) for method in held.methods], confidence
    )
    high = _upper(held, gain, level, mine, confidence)
    questions = int(gain.clusters.max()) + 1
    names = " and ".join(held.methods[at].name for at in taken)
    rise = paired_difference(gain.base, gain.tuned, gain.clusters, CONFIDENCE)
    word: SliceWord = ""
    if questions >= FEWEST_IN_A_SLICE:
        if low.low > HALF and low.value > HIGH:
            word = "elicited"
        elif high.high < HALF and high.value < LOW and not low.low > LOW:
            word = "acquired"
    return Slice("", int(mine.sum()), questions, rise, math.nan, low, names, high, word)


def _upper(held: Held, gain: Gain, level: np.ndarray, mine: np.ndarray, confidence: float) -> Estimate:
    """Return the most that the slice could have held: 1 while an arm is open."""
    n = int(mine.sum())
    shares = [
        share_above(gain, Method(arm.means[mine], gain.chance), level, confidence)
        for arm in held.arms
        if arm.means is not None and not arm.obstacle
    ]
    if len(shares) < len(held.arms):
        return Estimate(1.0, 1.0, 1.0, n, "share", "open: an arm is")
    if any(math.isnan(share.high) for share in shares):
        return missing("share", "no share of the slice's gain", n)
    return max(shares, key=lambda share: share.high)


def _doubt(part: Slice) -> float:
    """Return how near a slice's bound comes to the wrong side of one half; slices in least doubt come first."""
    if part.word == "elicited":
        return HALF - part.low.low
    if part.word == "acquired":
        return part.high.high - HALF
    return math.inf


def slice_table(slices: Slices) -> list[SliceLine]:
    """Return a line for each slice; the test over all of them stands in each."""
    return [
        SliceLine(
            field=slices.field,
            slice=part.name,
            items=part.items,
            questions=part.questions,
            gain=part.gain.value,
            carries=part.carries,
            held_at_least=part.low.value,
            held_at_least_low=part.low.low,
            held_at_least_high=part.low.high,
            by=part.low_by,
            held_at_most=part.high.value,
            held_at_most_high=part.high.high,
            word=part.word,
            p=slices.test.p,
        )
        for part in slices.slices
    ]


def slice_values(items: Sequence[Item], field: str) -> dict[str, str]:
    """Return the slice of each item by id. Raises UserMistake where the field is not theirs, or has too many values."""
    from tellapart.errors import UserMistake

    result: dict[str, str] = {}
    for item in items:
        value = item.cluster if field == "cluster" else item.fields.get(field)
        if value is None:
            names = ", ".join(sorted({name for item in items for name in item.fields}))
            raise UserMistake(
                f"--slice {field}: item {item.id} has no such field; there are: {names}, cluster"
            )
        result[item.id] = str(value)
    distinct = len(set(result.values()))
    if not 2 <= distinct <= MOST_SLICES:
        raise UserMistake(f"--slice {field}: it has {distinct} values, give a field with 2 to {MOST_SLICES}")
    return result
