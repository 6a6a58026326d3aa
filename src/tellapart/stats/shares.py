"""The share of a gain that comes back: (elicited - base) / (tuned - base), over the same items.

Both differences hold the same base, so the interval is that of a ratio of correlated means: Fieller 1954, or
a paired bootstrap. A share is refused where the interval of the gain includes 0, and it is never clamped: it
may be negative or above 1.

    recovered_share(base, elicited, tuned)      # per-item mean scores, aligned
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tellapart.stats.arrays import Floats, aligned, cluster_codes, cluster_sums
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.paired import paired_difference


def refusal(base: ArrayLike, tuned: ArrayLike, clusters: ArrayLike | None = None) -> str | None:
    """Return why no share of the gain from base to tuned (n,) can be given; None where one can."""
    gain = paired_difference(base, tuned, clusters)
    if math.isnan(gain.low):
        return f"no gain to share out: no interval from {gain.n} items"
    if gain.low <= 0 <= gain.high:
        return f"no gain to share out: {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] includes 0"
    if gain.high < 0:
        return f"no gain to share out: tuned lost {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    return None


def recovered_share(
    base: ArrayLike,
    elicited: ArrayLike,
    tuned: ArrayLike,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Return the recovered share with Fieller's 1 - alpha interval; clustered where clusters are given.

    The interval is the set of r for which mean(e - b) - r mean(t - b) does not differ from 0 (Fieller 1954).
    It is bounded exactly where the gain's interval excludes 0, else the share is refused (missing).
    """
    low_side, between, high_side = aligned("scores", base, elicited, tuned)
    reason = refusal(low_side, high_side, clusters)
    if reason:
        return missing("share", reason, low_side.size)
    parts = np.column_stack([between - low_side, high_side - low_side])
    codes = cluster_codes(clusters, parts.shape[0])
    (over, under), cov = parts.mean(axis=0), mean_covariance(parts, codes)
    square = float(stats.t.isf(alpha / 2, codes.max())) ** 2
    a = under**2 - square * cov[1, 1]
    b = over * under - square * cov[0, 1]
    c = over**2 - square * cov[0, 0]
    value = float(over / under)
    if a <= 0:
        return Estimate(value, -math.inf, math.inf, len(parts), "share", "Fieller, unbounded")
    half = math.sqrt(max(b * b - a * c, 0.0))
    method = "ratio of paired differences, Fieller" + ("" if clusters is None else ", clustered")
    return Estimate(value, float((b - half) / a), float((b + half) / a), len(parts), "share", method)


def divide(over: Floats, gain: Floats) -> Floats:
    """Return over / gain per resample: (r, m) and (r,) -> (r, m); a gain of exactly 0 gives an infinity or 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(over / gain[:, None], nan=0.0, posinf=np.inf, neginf=-np.inf)


def mean_covariance(columns: Floats, codes: np.ndarray) -> Floats:
    """Return the (clustered) covariance of the columns' means: (n, m) and codes (n,) -> (m, m)."""
    residuals = cluster_sums(columns - columns.mean(axis=0), codes)
    units = residuals.shape[0]
    return units / (units - 1) * residuals.T @ residuals / columns.shape[0] ** 2
