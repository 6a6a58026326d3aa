"""Compare two sides, item by item: paired, unpaired and clustered differences, gained and lost items.

Miller 2024 (arXiv 2411.00640): a paired difference is the mean of the items' differences, so what both sides
share (easy and hard items) leaves the error. Gained and lost items: McNemar 1947.

    paired_difference(base_scores, tuned_scores)      # tuned minus base
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.stats.arrays import aligned, numbers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import constant_interval, mean, standard_error
from tellapart.stats.resampling import RESAMPLES, bootstrap_means, percentile_bounds

SCORES = (-1.0, 1.0)
"""The bounds of a difference of two scores in [0, 1]."""
ROUNDING = 1e-12
"""Differences that are equal but for the rounding of sums count as equal."""


class Flips(NamedTuple):
    """Items by what became of them. `p` is McNemar's exact two-sided p; 1 where no item flipped."""

    gained: int
    lost: int
    kept: int
    neither: int
    p: float


def paired_difference(
    before: ArrayLike,
    after: ArrayLike,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    unit: str = "score",
) -> Estimate:
    """Return mean(after - before) over the same items (n,), scores in [0, 1], with Student's interval.

    Clustered where clusters are given (Miller 2024). Where every item differs by the same amount the interval
    is `constant_interval`. Raises UserMistake for missing scores or other lengths.
    """
    first, second = aligned("scores", before, after)
    if first.size == 0:
        return missing(unit, "no items")
    differences = second - first
    return constant_or(mean(differences, clusters, confidence, unit), differences, clusters, confidence)


def paired_bootstrap(
    before: ArrayLike,
    after: ArrayLike,
    clusters: ArrayLike | None = None,
    unit: str = "score",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return mean(after - before) (n,) with the 95 % percentile bootstrap over items, or over clusters."""
    first, second = aligned("scores", before, after)
    if first.size == 0:
        return missing(unit, "no items")
    differences = second - first
    low, high = percentile_bounds(bootstrap_means(differences[:, None], clusters, resamples, seed))
    method = f"paired bootstrap over {'items' if clusters is None else 'clusters'}, {resamples} resamples"
    estimate = Estimate(float(differences.mean()), float(low[0]), float(high[0]), first.size, unit, method)
    return constant_or(estimate, differences, clusters)


def unpaired_difference(
    before: ArrayLike, after: ArrayLike, confidence: float = 0.95, unit: str = "score"
) -> Estimate:
    """Return mean(after) - mean(before) of two independent sets of items, with Welch's interval.

    SE^2 = SE_before^2 + SE_after^2; degrees of freedom after Welch 1947.
    """
    first, second = numbers(before, "scores"), numbers(after, "scores")
    if min(first.size, second.size) < 2:
        return missing(unit, "fewer than two items on one side", min(first.size, second.size))
    errors = [standard_error(first), standard_error(second)]
    square = sum(error.value**2 for error in errors)
    value = float(second.mean() - first.mean())
    if square == 0:
        return Estimate(value, math.nan, math.nan, first.size + second.size, unit, "unpaired, no spread")
    freedom = square**2 / sum(error.value**4 / error.freedom for error in errors)
    half = float(stats.t.isf((1 - confidence) / 2, freedom)) * math.sqrt(square)
    return Estimate(
        value, value - half, value + half, first.size + second.size, unit, "unpaired difference, Welch t"
    )


def flips(before: ArrayLike, after: ArrayLike) -> Flips:
    """Return how many items were gained, lost, kept and never had; scores must be 0 or 1 (McNemar 1947)."""
    first, second = aligned("scores", before, after)
    if not np.isin(np.concatenate([first, second]), (0.0, 1.0)).all():
        raise UserMistake("gained and lost items need scores of 0 or 1: round, or set a threshold, first")
    gained = int(np.count_nonzero(second > first))
    lost = int(np.count_nonzero(second < first))
    kept = int(np.count_nonzero((first == 1) & (second == 1)))
    p = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Flips(gained, lost, kept, first.size - gained - lost - kept, p)


def constant_or(
    estimate: Estimate, differences: ArrayLike, clusters: ArrayLike | None, confidence: float = 0.95
) -> Estimate:
    """Return `estimate`, or the exact bound in its place where all differences of scores are equal."""
    array = np.asarray(differences)
    if array.size == 0 or np.ptp(array) > ROUNDING or array[0] < SCORES[0] or array[0] > SCORES[1]:
        return estimate
    units = standard_error(array, clusters).units
    low, high = constant_interval(estimate.value, units, SCORES, confidence)
    return Estimate(
        estimate.value, low, high, estimate.n, estimate.unit, "all items differ equally, exact bound"
    )
