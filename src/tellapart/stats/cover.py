"""cover@tau: the share of items answered right in at least a share tau of the samples (breadth at a depth).

Dragoi et al. 2025 (arXiv 2510.08325): G(tau) = mean over items of [p_i >= tau], and
pass@k = integral_0^1 k (1-tau)^(k-1) G(tau) dtau. Small tau: breadth. Large tau: reliability.

    cover(Counts(n, c), (0.5, 0.9))[0.5]
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, cluster_codes
from tellapart.stats.coverage import Counts, checked_counts
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score, wilson
from tellapart.stats.resampling import RESAMPLES, percentile_bounds, resample_sums

ROUNDING = 1e-9


def covered(counts: Counts, taus: Sequence[float]) -> Floats:
    """Return 1.0 where an item's share of right samples c/n is at least tau, else 0.0: (items, len(taus))."""
    n, c = checked_counts(counts)
    wanted = np.asarray(taus, dtype=np.float64)
    if wanted.size == 0 or not ((wanted > 0) & (wanted <= 1)).all():
        raise UserMistake(f"tau = {list(taus)} given: each must lie above 0 and at most at 1")
    return (c[:, None] >= wanted * n[:, None] - ROUNDING).astype(np.float64)


def cover(counts: Counts, taus: Sequence[float], clusters: ArrayLike | None = None) -> dict[float, Estimate]:
    """Return cover@tau for every tau: Wilson intervals, clustered t where clusters are given."""
    columns = covered(counts, taus)
    if columns.shape[0] == 0:
        return {float(tau): missing("share", "no items") for tau in taus}
    if clusters is not None:
        return {float(tau): mean_score(columns[:, at], clusters, unit="share") for at, tau in enumerate(taus)}
    return {float(tau): wilson(float(columns[:, at].sum()), columns.shape[0]) for at, tau in enumerate(taus)}


def cover_curve(counts: Counts) -> tuple[Floats, Floats]:
    """Return the steps of G exactly: the taus at which it falls (ascending) and G at each of them."""
    n, c = checked_counts(counts)
    rates = c / n
    taus = np.unique(rates[rates > 0])
    return taus, np.array([(rates >= tau - ROUNDING).mean() for tau in taus])


def crossing_tau(
    base: Counts,
    tuned: Counts,
    clusters: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the tau (a share of samples) at which tuned first covers as many items again as base.

    Below it base was broader, from it on tuned is at least as reliable. Missing where base is broader nowhere,
    or where tuned never catches up. The interval is the central 95 % of a paired bootstrap;
    a resample without a crossing counts as 0 (base never broader) or 1 (never caught up).
    """
    taus = np.unique(np.concatenate([cover_curve(base)[0], cover_curve(tuned)[0]]))
    if taus.size == 0:
        return missing("share of samples", "neither side has a right answer")
    gaps = covered(tuned, taus.tolist()) - covered(base, taus.tolist())
    value = float(_first_crossing(gaps.mean(axis=0)[None], taus)[0])
    if value == 0:
        return missing("share of samples", "base covers more items than tuned at no tau", len(gaps))
    if np.isnan(value):
        return missing("share of samples", "tuned never covers as many items again as base", len(gaps))
    codes = cluster_codes(clusters, len(gaps))
    sums = np.zeros((int(codes.max()) + 1, taus.size))
    np.add.at(sums, codes, gaps)
    crossings = [_first_crossing(totals, taus) for totals in resample_sums(sums, resamples, seed)]
    low, high = percentile_bounds(np.nan_to_num(np.concatenate(crossings), nan=1.0))
    method = f"first crossing of cover@tau, paired bootstrap, {resamples} resamples"
    return Estimate(value, float(low), float(high), len(gaps), "share of samples", method)


def _first_crossing(gaps: Floats, taus: Floats) -> Floats:
    """Return per row the first tau with gap >= 0 after base led: 0 where it never led, NaN where none follows."""
    led = np.cumsum(gaps < -ROUNDING, axis=1) > 0
    back = led & (gaps >= -ROUNDING)
    return np.where(~led.any(axis=1), 0.0, np.where(back.any(axis=1), taus[np.argmax(back, axis=1)], np.nan))
