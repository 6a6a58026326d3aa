"""pass@k: the chance that at least one of k samples is right, from c right answers among n samples per item.

Unbiased estimator: Chen et al. 2021 (arXiv 2107.03374), 1 - C(n-c,k)/C(n,k). Base overtaking tuned at large k
means that the support was already there (Yue et al. 2025, arXiv 2504.13837). CoT-pass@k counts only samples
whose steps also check (Wen et al. 2025, arXiv 2506.14245): pass@k of that count.

    compare_coverage(Counts(n, base_right), Counts(n, tuned_right), (1, 8, 64)).difference[8]
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.paired import constant_or
from tellapart.stats.resampling import RESAMPLES, bootstrap_means, percentile_bounds


class Counts(NamedTuple):
    """Per item: `n` samples drawn and `c` of them right (two integer arrays of one length)."""

    n: ArrayLike
    c: ArrayLike


class CoverageComparison(NamedTuple):
    """pass@k of both sides and tuned minus base, keyed by k."""

    base: dict[int, Estimate]
    tuned: dict[int, Estimate]
    difference: dict[int, Estimate]


def checked_counts(counts: Counts) -> tuple[Integers, Integers]:
    """Return n and c as integer arrays. Raises UserMistake unless 0 <= c <= n and n >= 1 for every item."""
    n, c = np.asarray(counts.n), np.asarray(counts.c)
    if n.ndim != 1 or n.shape != c.shape:
        raise UserMistake(f"counts n and c have shapes {n.shape} and {c.shape}: give one of each per item")
    if not (
        np.isfinite(n).all()
        and np.isfinite(c).all()
        and (n == np.floor(n)).all()
        and (c == np.floor(c)).all()
    ):
        raise UserMistake("counts n and c must be whole numbers: leave out items without samples")
    bad = np.flatnonzero((n < 1) | (c < 0) | (c > n))
    if bad.size:
        at = bad[0]
        raise UserMistake(
            f"item {at} has c = {c[at]} right of n = {n[at]}: c must lie in 0..n and n be at least 1"
        )
    return n.astype(np.int64), c.astype(np.int64)


def pass_at_k(counts: Counts, ks: Sequence[int]) -> Floats:
    """Return the unbiased pass@k of every item: (items, len(ks)), NaN where k > n.

    1 - prod_{i<k} (n-c-i)/(n-i), summed as log1p(-c/(n-i)): exact for small c, no binomials that overflow.

    >>> pass_at_k(Counts([4], [1]), [1, 2, 4]).round(12).tolist()
    [[0.25, 0.5, 1.0]]
    """
    n, c = checked_counts(counts)
    wanted = checked_ks(ks)
    pairs, inverse = np.unique(n + 1j * c, return_inverse=True)  # faster than rows of two
    total, right = pairs.real[:, None], pairs.imag[:, None]
    left = total - np.arange(wanted.max())
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(left > right, np.log1p(-right / left), -np.inf)
    terms[np.broadcast_to(right == 0, terms.shape)] = 0.0
    misses = np.cumsum(terms, axis=1)[:, wanted - 1]
    passes = np.where(wanted <= total, -np.expm1(misses), np.nan)
    passes[:, wanted == 1] = right / total
    return passes[inverse.ravel()]


def know_nothing_pass_at_k(floor: float, ks: Sequence[int]) -> Floats:
    """Return pass@k of a random guesser that guesses right at rate `floor`: 1 - (1 - floor)^k, (len(ks),)."""
    if not 0 <= floor <= 1:
        raise UserMistake(f"guess floor {floor} given: it must lie in [0, 1]")
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = checked_ks(ks) * np.log1p(-np.float64(floor))
    return -np.expm1(logs)


def coverage(counts: Counts, ks: Sequence[int], clusters: ArrayLike | None = None) -> dict[int, Estimate]:
    """Return the mean pass@k over items for every k, SE = sd / sqrt(items), clustered where clusters are given.

    Missing for a k that exceeds some item's number of samples.
    """
    return {k: _mean_pass(column, k, clusters) for k, column in _by_k(counts, ks).items()}


def compare_coverage(
    base: Counts,
    tuned: Counts,
    ks: Sequence[int],
    clusters: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> CoverageComparison:
    """Return pass@k of both sides over the same items and the paired bootstrap of tuned minus base.

    Items (or whole clusters) are resampled once for all k, so the differences are joint. The interval is the
    central 95 % of the resamples. Missing for a k that exceeds some item's number of samples on a side.
    """
    left, right = _by_k(base, ks), _by_k(tuned, ks)
    sizes = {column.size for column in (*left.values(), *right.values())}
    if len(sizes) > 1:
        raise UserMistake(f"base and tuned have {sorted(sizes)} items: give the same items on both sides")
    differences = np.column_stack([right[k] - left[k] for k in left])
    finite = np.isfinite(differences).all(axis=0)
    means = bootstrap_means(np.where(finite, differences, 0.0), clusters, resamples, seed)
    low, high = percentile_bounds(means)
    method = f"paired bootstrap over {'items' if clusters is None else 'clusters'}, {resamples} resamples"
    compared: dict[int, Estimate] = {}
    for at, k in enumerate(left):
        column = differences[:, at]
        if not np.isfinite(column).all():
            compared[k] = missing("share", f"k = {k} exceeds the samples of some item", column.size)
            continue
        estimate = Estimate(
            float(column.mean()), float(low[at]), float(high[at]), column.size, "share", method
        )
        compared[k] = constant_or(estimate, column, clusters)
    return CoverageComparison(
        {k: _mean_pass(left[k], k, clusters) for k in left},
        {k: _mean_pass(right[k], k, clusters) for k in right},
        compared,
    )


def checked_ks(ks: Sequence[int]) -> Integers:
    """Return ks as an integer array. Raises UserMistake for none, or for a k below 1."""
    wanted = np.asarray(ks)
    if wanted.ndim != 1 or wanted.size == 0 or (wanted < 1).any() or (wanted != np.floor(wanted)).any():
        raise UserMistake(f"k = {list(ks)} given: name at least one, each a whole number from 1")
    return wanted.astype(np.int64)


def _by_k(counts: Counts, ks: Sequence[int]) -> dict[int, Floats]:
    columns = pass_at_k(counts, ks)
    if columns.shape[0] == 0:
        raise UserMistake("no items with samples: nothing to count")
    return {int(k): columns[:, at] for at, k in enumerate(ks)}


def _mean_pass(column: Floats, k: int, clusters: ArrayLike | None) -> Estimate:
    if not np.isfinite(column).all():
        return missing("share", f"k = {k} exceeds the samples of some item", column.size)
    return mean_score(np.clip(column, 0.0, 1.0), clusters, unit="share")
