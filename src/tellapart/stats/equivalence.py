"""Show that two sides are the same, and say what a study of n items could have seen.

"No difference" is claimed by two one-sided tests against a stated margin (TOST; Schuirmann 1987), never by a
large p. Power for paired items: Miller 2024 (arXiv 2411.00640), section 5.

    equivalence(before, after, margin=0.02).equivalent
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, aligned
from tellapart.stats.intervals import standard_error
from tellapart.stats.paired import paired_difference


class Equivalence(NamedTuple):
    """TOST at 5 %: equivalent exactly where the 90 % interval of the difference lies within +-margin."""

    equivalent: bool
    p: float
    value: float
    low90: float
    high90: float
    margin: float
    n: int


class Noise(NamedTuple):
    """Variances of a paired difference of one item.

    `items` is w^2, the variance over items of the difference of true scores; `base` and `tuned` are the
    sampling variances of an item's mean score, s^2/K at K samples (0 where K is unbounded).
    """

    items: float = 1 / 9
    base: float = 0.0
    tuned: float = 0.0


USUAL_NOISE = Noise()
"""Miller's example: true scores differ with variance 1/9, and samples are many."""


def equivalence(
    before: ArrayLike, after: ArrayLike, margin: float, clusters: ArrayLike | None = None
) -> Equivalence:
    """Return whether mean(after - before) of the same items (n,) lies within +-margin, in units of the score.

    Clustered where clusters are given. Fewer than two units: not equivalent, p and bounds NaN.
    """
    if not margin > 0:
        raise UserMistake(f"margin {margin} given: it must be above 0")
    first, second = aligned("scores", before, after)
    interval = paired_difference(first, second, clusters, confidence=0.9)
    inside = bool(interval.low > -margin and interval.high < margin)
    p = _tost_p(second - first, margin, clusters)
    return Equivalence(inside, p, interval.value, interval.low, interval.high, margin, first.size)


def equal_everywhere(
    before: ArrayLike, after: ArrayLike, answers: tuple[int, int], margin: float
) -> Equivalence:
    """Return whether two sides that score the same, all 0 or all 1, on every item are the same on these very items,
    from the number of answers (before, after): of N answers none of which differ, at most 1 - .05^(1/N) would.

    Items are taken as they are, not as drawn: between equal items nothing varies that could tell of others. Raises
    UserMistake where scores are not all 0 or all 1.
    """
    first, second = aligned("scores", before, after)
    if (
        first.size == 0
        or first[0] not in (0.0, 1.0)
        or (first != first[0]).any()
        or (second != first[0]).any()
    ):
        raise UserMistake("scores that are all 0, or all 1, on both sides are needed")
    few = min(answers)
    most = 1 - 0.05 ** (1 / few) if few else 1.0
    return Equivalence(most < margin, (1 - margin) ** few, 0.0, -most, most, margin, first.size)


def items_needed(
    difference: float, noise: Noise = USUAL_NOISE, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Return the number of items that shows a paired difference of `difference` (score units).

    n = (z_alpha/2 + z_beta)^2 (w^2 + sA^2/KA + sB^2/KB) / d^2 (Miller 2024, equation 9).

    >>> items_needed(0.03)
    969
    """
    if difference == 0:
        raise UserMistake("difference 0 given: no number of items shows it; name the smallest that matters")
    return math.ceil(_quantiles(alpha, power) ** 2 * sum(noise) / difference**2 - 1e-9)


def smallest_difference(n: int, noise: Noise = USUAL_NOISE, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest paired difference (score units) that `n` items would have shown: the inverse."""
    if n < 1:
        raise UserMistake(f"{n} items given: at least 1 is needed")
    return _quantiles(alpha, power) * math.sqrt(sum(noise) / n)


def _quantiles(alpha: float, power: float) -> float:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise UserMistake(f"alpha {alpha} and power {power} given: both must lie between 0 and 1")
    return float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))


def _tost_p(differences: Floats, margin: float, clusters: ArrayLike | None) -> float:
    if differences.size == 0:
        return math.nan
    error, value = standard_error(differences, clusters), float(differences.mean())
    if np.ptp(differences) == 0:
        if abs(value) >= margin:
            return 1.0
        moved = min((margin - value) / (1 - value), (margin + value) / (1 + value), 1.0)
        return (1 - moved) ** error.units
    if error.freedom == 0 or error.value == 0:
        return math.nan
    above = stats.t.sf((value + margin) / error.value, error.freedom)
    below = stats.t.cdf((value - margin) / error.value, error.freedom)
    return float(max(above, below))
