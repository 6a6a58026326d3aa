"""Intervals of a proportion and of a mean.

Small counts: Wilson 1927, Clopper & Pearson 1934, and the Beta posterior under a uniform prior (Bowyer,
Aitchison & Ivanova 2025). Means: Student's t, with clustered standard errors (Miller 2024, arXiv 2411.00640).

    wilson(18, 20)      # 0.9 [0.699, 0.972]
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, cluster_codes, cluster_sums, numbers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.resampling import RESAMPLES, bootstrap_means, percentile_bounds


class StandardError(NamedTuple):
    """The standard error of a mean, its degrees of freedom, and the number of independent units."""

    value: float
    freedom: int
    units: int


def wilson(successes: float, n: int, confidence: float = 0.95, unit: str = "share") -> Estimate:
    """Return a proportion with its Wilson score interval (Wilson 1927). Missing where n is 0.

    >>> print("{0.low:.4f} {0.high:.4f}".format(wilson(18, 20)))
    0.6990 0.9721
    """
    if n == 0:
        return missing(unit, "no items")
    share = _share(successes, n)
    low, high = _wilson_bounds(share, n, float(stats.norm.isf((1 - confidence) / 2)))
    low, high = 0.0 if successes == 0 else low, 1.0 if successes == n else high
    return Estimate(share, low, high, n, unit, _named("Wilson", confidence))


def difference_of_shares(first: Estimate, second: Estimate, unit: str = "share") -> Estimate:
    """Return `one` less `other`, shares of different items with Wilson's intervals, with the interval of Newcombe 1998
    (method 10), which is honest at 0 and 1 too.

    >>> print("{0.low:.4f} {0.high:.4f}".format(difference_of_shares(wilson(56, 70), wilson(48, 80))))
    0.0524 0.3339
    """
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    value = first.value - second.value
    return Estimate(value, value - below, value + above, first.n + second.n, unit, "Newcombe, from Wilson's")


def beta_posterior(successes: float, n: int, confidence: float = 0.95, unit: str = "share") -> Estimate:
    """Return a proportion with the central interval of its Beta posterior, uniform prior (Bowyer et al. 2025)."""
    if n == 0:
        return missing(unit, "no items")
    share, tail = _share(successes, n), (1 - confidence) / 2
    low, high = stats.beta.ppf([tail, 1 - tail], 1 + successes, 1 + n - successes)
    return Estimate(
        share, float(low), float(high), n, unit, _named("Beta posterior, uniform prior", confidence)
    )


def clopper_pearson(successes: float, n: int, confidence: float = 0.95, unit: str = "share") -> Estimate:
    """Return a proportion with its exact interval (Clopper & Pearson 1934): covers at least `confidence`."""
    if n == 0:
        return missing(unit, "no items")
    share, tail = _share(successes, n), (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(stats.beta.ppf(1 - tail, successes + 1, n - successes))
    return Estimate(share, low, high, n, unit, _named("Clopper-Pearson", confidence))


def standard_error(
    values: ArrayLike, clusters: ArrayLike | None = None, corrected: bool = True
) -> StandardError:
    """Return the standard error of the mean of `values` (n,): NaN for fewer than two units.

    Without clusters sd/sqrt(n). With clusters (Miller 2024, section 2.2)
    SE^2 = n^-2 sum_c (sum_{i in c} (s_i - mean))^2, which is SE_iid^2 plus the cross terms within clusters;
    `corrected` multiplies by C/(C-1), which few clusters need (BBH by its 27 tasks: 4.31 without, 4.39 with).
    """
    scores = numbers(values)
    n = scores.size
    codes = cluster_codes(clusters, n)
    units = int(codes.max()) + 1 if n else 0
    if units < 2:
        return StandardError(math.nan, 0, units)
    residuals = cluster_sums((scores - scores.mean())[:, None], codes)[:, 0]
    square = float(residuals @ residuals) / n**2 * (units / (units - 1) if corrected else 1.0)
    return StandardError(math.sqrt(square), units - 1, units)


def mean(
    values: ArrayLike, clusters: ArrayLike | None = None, confidence: float = 0.95, unit: str = "score"
) -> Estimate:
    """Return the mean of `values` (n,) with Student's interval; clustered where clusters are given."""
    scores = numbers(values)
    if scores.size == 0:
        return missing(unit, "no items")
    error = standard_error(scores, clusters)
    half = (
        float(stats.t.isf((1 - confidence) / 2, error.freedom)) * error.value if error.freedom else math.nan
    )
    value = float(scores.mean())
    return Estimate(
        value, value - half, value + half, scores.size, unit, _mean_method(clusters, error, confidence)
    )


def mean_score(
    values: ArrayLike, clusters: ArrayLike | None = None, confidence: float = 0.95, unit: str = "score"
) -> Estimate:
    """Return the mean of scores in [0, 1] with an interval that stays within these bounds where it can be known to.

    Scores of 0 and 1 get Wilson's interval, over as many independent items as have the same standard error where there
    are clusters (Korn & Graubard 1998), with Student's quantile of their number. Equal scores have no spread, yet
    the next item may differ: see `constant_interval`. Others are as in `mean`.
    """
    scores = numbers(values)
    if scores.size and (scores.min() < 0 or scores.max() > 1):
        raise UserMistake(f"scores run from {scores.min():g} to {scores.max():g}: give scores in [0, 1]")
    estimate = mean(scores, clusters, confidence, unit)
    if scores.size == 0 or np.ptp(scores) > 0:
        return _of_right_and_wrong(estimate, scores, clusters, confidence) or estimate
    units = standard_error(scores, clusters).units
    low, high = constant_interval(estimate.value, units, (0.0, 1.0), confidence)
    return Estimate(
        estimate.value, low, high, scores.size, unit, _named("all equal, exact bound", confidence)
    )


def _of_right_and_wrong(
    estimate: Estimate, scores: Floats, clusters: ArrayLike | None, confidence: float
) -> Estimate | None:
    """Return `estimate` with Wilson's interval where scores are 0 and 1 in two units or more, else None."""
    error = standard_error(scores, clusters)
    if not np.isin(scores, (0, 1)).all() or not error.value > 0:
        return None
    tail, share = (1 - confidence) / 2, estimate.value
    if clusters is None:
        units, z, method = float(scores.size), float(stats.norm.isf(tail)), "Wilson"
    else:
        units, z = share * (1 - share) / error.value**2, float(stats.t.isf(tail, error.freedom))
        method = f"Wilson, clustered ({error.units} clusters)"
    low, high = _wilson_bounds(share, units, z)
    return replace(estimate, low=low, high=high, method=_named(method, confidence))


def _wilson_bounds(share: float, n: float, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


def constant_interval(
    value: float, units: int, bounds: tuple[float, float], confidence: float = 0.95
) -> tuple[float, float]:
    """Return an interval of the mean where all `units` observations equal `value` and `bounds` are known.

    At most a share u = 1 - (tail)^(1/units) of the population differs (Clopper & Pearson at n of n), and what
    differs lies between the bounds. Equals Clopper-Pearson at 0 of n and n of n.
    """
    differs = 1 - ((1 - confidence) / 2) ** (1 / units)
    return value - differs * (value - bounds[0]), value + differs * (bounds[1] - value)


def bootstrap_mean(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    unit: str = "score",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of `values` (n,) with its 95 % percentile bootstrap over items, or over clusters."""
    scores = numbers(values)
    if scores.size == 0:
        return missing(unit, "no items")
    low, high = percentile_bounds(bootstrap_means(scores[:, None], clusters, resamples, seed))
    method = f"bootstrap over {'items' if clusters is None else 'clusters'}, {resamples} resamples"
    return Estimate(float(scores.mean()), float(low[0]), float(high[0]), scores.size, unit, method)


def _share(successes: float, n: int) -> float:
    if not 0 <= successes <= n:
        raise UserMistake(f"{successes} successes of {n}: give a count between 0 and n")
    return successes / n


def _named(method: str, confidence: float) -> str:
    return method if confidence == 0.95 else f"{method}, {100 * confidence:g} % interval"


def _mean_method(clusters: ArrayLike | None, error: StandardError, confidence: float) -> str:
    if clusters is None:
        return _named("mean, t", confidence)
    return _named(f"mean, clustered t ({error.units} clusters)", confidence)
