"""Where a share lies against two thresholds that were set beforehand: below LOW, above HIGH, or between them.

The share's own error is normal, with MODEL_ERROR added: no elicitor and no control is exact.
"""

import math
from typing import NamedTuple

from scipy import stats

from tellapart.stats.estimate import Estimate

LOW, HIGH = 0.25, 0.75
"""Set before any specimen was seen, not fitted."""
MODEL_ERROR = 0.05
"""Standard deviation added to the share's own."""
LAPSE = 0.02
"""Share of verdicts that are wrong for reasons no term sees."""


class Band(NamedTuple):
    """The chances that a share lies below LOW, between the two, and above HIGH; they add up to 1."""

    below: float
    between: float
    above: float


def band_of(share: float, error: float) -> Band:
    """Return the chances from a share and its standard error (1 where it is not known).

    >>> [round(chance, 2) for chance in band_of(1.0, 0.02)]
    [0.01, 0.01, 0.99]
    """
    spread = math.hypot(error if math.isfinite(error) else 1.0, MODEL_ERROR)
    below = float(stats.norm.cdf((LOW - share) / spread))
    above = float(stats.norm.sf((HIGH - share) / spread))
    return Band(*(with_lapse(chance, 3) for chance in (below, 1 - above - below, above)))


def standard_error(share: Estimate) -> float:
    """Return the standard error that a share's 95 % interval stands for."""
    return (share.high - share.low) / (2 * float(stats.norm.ppf(0.975)))


def with_lapse(chance: float, labels: int = 3) -> float:
    """Return a chance among `labels`, as far as LAPSE lets it be from 0 and 1."""
    return LAPSE / labels + (1 - LAPSE) * chance
