"""Shares of a gain above chance, with intervals that hold where nothing varies, and cross-fitting by cluster.

A share is (e - max(b, f)) / (t - max(b, f)): e the base under a method, b and t base and tuned, f the chance level. It
is never clamped. It is refused where t - max(b, f) is under three standard errors.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tellapart.stats.arrays import Floats, Integers, cluster_codes
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import standard_error
from tellapart.stats.shares import mean_covariance

CONFIDENCE = 0.90
"""Of the two bounds: 5 % beyond each end."""
FEWEST_ERRORS = 3.0
"""t - max(b, f) in standard errors, below which no share is given."""


class Gain(NamedTuple):
    """Per-item mean scores of base and tuned (n,), the chance level that both are held against, and clusters (n,)."""

    base: Floats
    tuned: Floats
    chance: float
    clusters: Integers

    def at(self, chosen: np.ndarray) -> "Gain":
        """Return the items `chosen`."""
        return Gain(self.base[chosen], self.tuned[chosen], self.chance, self.clusters[chosen])


class Method(NamedTuple):
    """The base's per-item means under a method (n,), and the method's own chance level."""

    means: Floats
    chance: float


def gain_of(base: Floats, tuned: Floats, chance: float, clusters: ArrayLike | None) -> Gain:
    """Return the sides with clusters as codes; every item is its own where `clusters` is None."""
    return Gain(base, tuned, chance, cluster_codes(clusters, len(base)))


def halves(clusters: Integers, seed: int = 0) -> np.ndarray:
    """Return which items (n,) fall in the first of two halves; whole clusters go to one half."""
    order = np.random.default_rng(seed).permutation(int(clusters.max()) + 1)
    return order[clusters] % 2 == 0


def baseline(gain: Gain, seed: int = 0) -> Floats:
    """Return max(b, f) per item (n,): each half of the clusters takes the base's own scores or the chance level,
    whichever is the larger on the other half, so that the choice and the figure do not share answers."""
    first = halves(gain.clusters, seed)
    level = np.empty(len(gain.base))
    for half, other in ((first, ~first), (~first, first)):
        chosen = other if other.any() else half
        own = bool(gain.base[chosen].mean() >= gain.chance)
        level[half] = gain.base[half] if own else gain.chance
    return level


def refused(gain: Gain, level: Floats) -> str | None:
    """Return why no share of the gain above `level` (n,) can be given; None where one can."""
    rise = gain.tuned - level
    error = standard_error(rise, gain.clusters)
    if error.units < 2:
        return "fewer than two independent questions"
    value = float(rise.mean())
    if not value > 0:
        return f"tuned does not exceed the larger of base and chance ({100 * value:+.1f} points)"
    if value < FEWEST_ERRORS * error.value:
        return (
            f"tuned exceeds the larger of base and chance by {100 * value:.1f} points, "
            f"{value / error.value:.1f} standard errors: {FEWEST_ERRORS:g} are needed"
        )
    return None


def share_above(gain: Gain, method: Method, level: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """Return the share of the gain above `level` (n,) that `method` brings; missing where it is refused."""
    reason = refused(gain, level)
    if reason:
        return missing("share", reason, len(level))
    return _ratio(risen(gain, method, level), gain.tuned - level, gain.clusters, confidence)


def risen(gain: Gain, method: Method, level: Floats, seed: int = 0) -> Floats:
    """Return what a method rises above `level` (n,), or above its own chance level where that is the larger.

    Which is the larger is decided for each half of the clusters on the other half, never item by item: the mean of the
    larger of two numbers is above the larger of their means, which took 3 points off where a base knew 20 %.
    """
    own = np.empty(len(level))
    first = halves(gain.clusters, seed)
    for half, other in ((first, ~first), (~first, first)):
        chosen = other if other.any() else half
        own[half] = level[half] if level[chosen].mean() >= method.chance else method.chance
    return method.means - own


def cross_fitted(
    gain: Gain, methods: Sequence[Method], confidence: float = CONFIDENCE, seed: int = 0
) -> tuple[Estimate, tuple[int, ...]]:
    """Return the share of the best method, chosen for each half of the clusters on the other half, and which methods
    the halves took. The best of many noisy methods looks better than it is; this one does not."""
    if not methods:
        return missing("share", "no method of this sort ran", len(gain.base)), ()
    level = baseline(gain, seed)
    reason = refused(gain, level)
    if reason:
        return missing("share", reason, len(level)), ()
    rises = [risen(gain, method, level, seed) for method in methods]
    first = halves(gain.clusters, seed)
    over = np.empty(len(level))
    taken = []
    for half, other in ((first, ~first), (~first, first)):
        chosen = other if other.any() else half
        best = max(range(len(methods)), key=lambda at: rises[at][chosen].mean())
        over[half] = rises[best][half]
        taken.append(best)
    return _ratio(over, gain.tuned - level, gain.clusters, confidence), tuple(dict.fromkeys(taken))


def _ratio(over: Floats, under: Floats, clusters: Integers, confidence: float) -> Estimate:
    """Return mean(over) / mean(under) with Fieller's interval. A success and a failure cluster are added to it, as
    Agresti and Caffo (2000) do for proportions: equal items do not show that the next one is equal, and where few
    clusters succeed at all the others say too little of how they vary."""
    value = float(over.mean() / under.mean())
    most = float(under.mean()) * len(over) / len(np.unique(clusters))
    sums = np.column_stack([np.bincount(clusters, weights=values) for values in (over, under)])
    sums = np.vstack([sums[np.bincount(clusters) > 0], [[most, most], [0.0, most]]])
    codes = np.arange(len(sums))
    (top, bottom), cov = sums.mean(axis=0), mean_covariance(sums, codes)
    square = float(stats.t.isf((1 - confidence) / 2, len(sums) - 1)) ** 2
    a = bottom**2 - square * cov[1, 1]
    b = top * bottom - square * cov[0, 1]
    c = top**2 - square * cov[0, 0]
    n = len(over)
    method = f"ratio of paired differences, Fieller, a success and a failure added, {100 * confidence:g} % interval"
    if a <= 0:
        return Estimate(value, -math.inf, math.inf, n, "share", f"{method}, unbounded")
    half = math.sqrt(max(b * b - a * c, 0.0))
    low, high = (b - half) / a, (b + half) / a
    return Estimate(value, min(float(low), value), max(float(high), value), n, "share", method)
