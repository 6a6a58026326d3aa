"""What of a gain is form, and what is content: being readable, and being right where one is readable.

With R the share of readable answers and A the share of right ones among them, score = R A, and

    gain = (R_t - R_b) A_b + R_t (A_t - A_b) = form part + content part:

the form part is what a base as readable as tuned would gain with what it holds. Where the base was hardly ever
readable, A_b is hardly known: it ranges over its exact interval and both parts are bounds.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.estimate import Estimate
from tellapart.stats.resampling import bootstrap_means, percentile_bounds

CONFIDENCE = 0.90
FEWEST_READABLE = 20
"""Clusters with a readable answer of the base, below which A_b ranges over its exact interval."""
RESAMPLES = 2000


class Read(NamedTuple):
    """Per item (n,): the share of answers that are readable, and the mean score (unreadable answers score 0)."""

    readable: Floats
    score: Floats


class Parts(NamedTuple):
    """Readable shares, right among readable ones (A), and the two parts of the gain; 90 % intervals."""

    readable_base: Estimate
    readable_tuned: Estimate
    right_base: Estimate
    right_tuned: Estimate
    form: Estimate
    content: Estimate


def form_parts(base: Read, tuned: Read, clusters: Integers, seed: int = 0) -> Parts:
    """Return the parts of the gain from base to tuned over the same items (n,); clusters are resampled whole."""
    columns = np.column_stack([base.readable, base.score, tuned.readable, tuned.score])
    draws = np.vstack([columns.mean(axis=0), _widened(columns, clusters, seed)])
    r_b, s_b, r_t, s_t = draws.T
    with np.errstate(divide="ignore", invalid="ignore"):
        a_t, a_b = s_t / r_t, s_b / r_b
    count = len(np.unique(clusters[base.readable > 0]))
    low_b, high_b = a_b, a_b
    method = f"bootstrap over {len(np.unique(clusters))} clusters"
    if count < FEWEST_READABLE:
        bounds = _exact(float(a_b[0]) if r_b[0] > 0 else 0.5, count)
        low_b, high_b = np.full(len(draws), bounds[0]), np.full(len(draws), bounds[1])
        a_b = np.concatenate([[s_b[0] / r_b[0] if r_b[0] > 0 else np.nan], a_b[1:]])
        method += (
            f"; the base is readable in {count} of them: its accuracy there ranges over its exact interval"
        )
    a_t, a_b = np.nan_to_num(a_t, nan=0.0), a_b
    forms = ((r_t - r_b) * low_b, (r_t - r_b) * high_b)
    contents = (r_t * (a_t - high_b), r_t * (a_t - low_b))
    n = len(columns)
    right_base = Estimate(float(a_b[0]), *_central(low_b, high_b), n, "share", method)
    return Parts(
        _single(r_b, n, method),
        _single(r_t, n, method),
        right_base,
        _single(a_t, n, method),
        _between((r_t[0] - r_b[0]) * a_b[0], forms, n, method),
        _between(r_t[0] * (a_t[0] - a_b[0]), contents, n, method),
    )


def _widened(columns: Floats, clusters: Integers, seed: int) -> Floats:
    """Return bootstrap means (r, m), spread about the means as far as Student's t asks: few clusters resampled vary
    less than they did."""
    draws, mean = bootstrap_means(columns, clusters, RESAMPLES, seed), columns.mean(axis=0)
    count = len(np.unique(clusters))
    if count < 2:
        return draws
    tail = (1 - CONFIDENCE) / 2
    wider = float(stats.t.isf(tail, count - 1) / stats.norm.isf(tail)) * (count / (count - 1)) ** 0.5
    return np.clip(mean + wider * (draws - mean), 0.0, 1.0)


def _exact(share: float, n: int) -> tuple[float, float]:
    """Return Clopper and Pearson's bounds for one answer a cluster: answers of one cluster are not independent."""
    if n == 0:
        return 0.0, 1.0
    k, tail = share * n, (1 - CONFIDENCE) / 2
    low = 0.0 if k <= 0 else float(stats.beta.ppf(tail, k, n - k + 1))
    high = 1.0 if k >= n else float(stats.beta.ppf(1 - tail, k + 1, n - k))
    return low, high


def _central(low: Floats, high: Floats) -> tuple[float, float]:
    measured = ~np.isnan(low) & ~np.isnan(high)
    if not measured[1:].any():
        return float("nan"), float("nan")
    return (
        float(percentile_bounds(low[1:][measured[1:]], CONFIDENCE)[0]),
        float(percentile_bounds(high[1:][measured[1:]], CONFIDENCE)[1]),
    )


def _single(draws: Floats, n: int, method: str) -> Estimate:
    return Estimate(float(draws[0]), *_central(draws, draws), n, "share", method)


def _between(value: float, sides: tuple[Floats, Floats], n: int, method: str) -> Estimate:
    low = np.minimum(*sides)
    high = np.maximum(*sides)
    return Estimate(float(value), *_central(low, high), n, "score", method)
