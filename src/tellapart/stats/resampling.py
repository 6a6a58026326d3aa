"""Resample items, or whole clusters of items, with replacement (the bootstrap; Efron 1979).

All columns are resampled together, so that a difference of two columns is a paired difference.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from tellapart.stats.arrays import Floats, cluster_codes, cluster_sums

RESAMPLES = 4000
CELLS_AT_ONCE = 4_000_000
"""Weights held at one time: 32 MB."""
MANY = 20_000
FEW_KINDS = 20
"""A kind costs as much to draw as this many units."""


def bootstrap_means(
    columns: Floats, clusters: ArrayLike | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Floats:
    """Return the mean of every column in every resample: (n, m) -> (resamples, m).

    Clusters are drawn whole; the mean is the sum over drawn items divided by their number, so clusters of
    unequal size keep their weight.
    """
    codes = cluster_codes(clusters, columns.shape[0])
    sized = np.column_stack([columns, np.ones(columns.shape[0])])
    sums = sized if clusters is None else cluster_sums(sized, codes)
    totals = np.concatenate(list(resample_sums(sums, resamples, seed)))
    return totals[:, :-1] / totals[:, -1:]


def resample_sums(sums: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield blocks of (rows, m): the column sums of (units, m) over the units of each resample.

    Of MANY units those with equal rows are drawn together: how many of each kind is multinomial, exactly, and a
    million items have few kinds of counts.
    """
    if sums.shape[0] > MANY:
        kinds, times = np.unique(sums, axis=0, return_counts=True)
        if len(kinds) * FEW_KINDS <= sums.shape[0]:
            drawn = np.random.default_rng(seed).multinomial(times.sum(), times / times.sum(), size=resamples)
            yield drawn @ kinds
            return
    for weights in resample_weights(sums.shape[0], resamples, seed):
        yield weights @ sums


def resample_weights(units: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield blocks of (rows, units): how often each unit was drawn. Each row is multinomial and sums to `units`."""
    rng = np.random.default_rng(seed)
    rows = max(1, CELLS_AT_ONCE // max(units, 1))
    for start in range(0, resamples, rows):
        block = min(rows, resamples - start)
        drawn = rng.integers(0, units, size=(block, units))
        drawn += np.arange(block)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=block * units).reshape(block, units).astype(np.float64)


def percentile_bounds(draws: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the central percentile bounds over the first axis."""
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(draws, [tail, 100.0 - tail], axis=0)
    return low, high
