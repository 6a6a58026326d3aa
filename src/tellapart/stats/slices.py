"""Do the slices of one set of items have different shares of their gains?

One score test of equality over all slices (each share linearised as a ratio of means), with the covariance summed over
clusters, so that a cluster may lie in several slices; an F distribution stands in for chi-squared, since clusters are
few. Where a slice does not vary, a success and a failure cluster are added to it, as for a single share.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.arrays import Floats, Integers, cluster_codes, cluster_sums

DIFFERS = 0.05


class Heterogeneity(NamedTuple):
    """The F statistic on `df` and `units` - `df` - 1 degrees of freedom, and p; NaN where it cannot be tested."""

    statistic: float
    df: int
    units: int
    p: float

    @property
    def differs(self) -> bool:
        return self.p < DIFFERS


def heterogeneity(over: Floats, under: Floats, clusters: Integers, slices: Integers) -> Heterogeneity:
    """Test whether mean(over) / mean(under) is the same in every slice (codes 0..k-1, all arrays (n,))."""
    k = int(slices.max()) + 1
    over, under, clusters, slices = _spread(over, under, clusters, slices)
    inside = slices[:, None] == np.arange(k)
    total = (inside * under[:, None]).sum(axis=0)
    units = len(np.unique(clusters))
    df = k - 1
    if df < 1 or units - df - 1 < 1 or not (total > 0).all():
        return Heterogeneity(math.nan, df, units, math.nan)
    share = (inside * over[:, None]).sum(axis=0) / total
    # Scored about the common share, as Pearson does: about each slice's own the test rejects too often.
    off = inside * (over - over.sum() / under.sum() * under)[:, None] / total
    sums = cluster_sums(off, cluster_codes(clusters, len(clusters)))
    cov = units / (units - df) * sums.T @ sums
    apart = np.eye(df, k) - np.eye(df, k, 1)
    gap = apart @ share
    statistic = float(gap @ np.linalg.pinv(apart @ cov @ apart.T) @ gap) / df
    return Heterogeneity(statistic, df, units, float(stats.f.sf(statistic, df, units - df)))


def _spread(
    over: Floats, under: Floats, clusters: Integers, slices: Integers
) -> tuple[Floats, Floats, Integers, Integers]:
    """Return the items with a success and a failure cluster added to each slice that does not vary."""
    added: list[tuple[float, float, int]] = []
    for code in range(int(slices.max()) + 1):
        mine = slices == code
        most = float(under[mine].mean())
        off = over[mine] - over[mine].mean() / most * under[mine] if most > 0 else np.zeros(1)
        if np.ptp(off) < 1e-9 or np.ptp(over[mine]) < 1e-9:
            added += [(most, most, code), (0.0, most, code)]
    if not added:
        return over, under, clusters, slices
    more = np.array(added)
    own = clusters.max() + 1 + np.arange(len(more))
    return (
        np.concatenate([over, more[:, 0]]),
        np.concatenate([under, more[:, 1]]),
        np.concatenate([clusters, own]),
        np.concatenate([slices, more[:, 2].astype(np.int64)]),
    )
