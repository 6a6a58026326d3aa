"""The price of teaching: how many labels bring half of a gain, in one model against another.

A dose curve holds the scores after tuning on 1, 2, 4 ... labels, in several draws of labels. Its price is where the
share of the gain first stays above one half, by interpolation in log labels of the rising (isotonic) curve. A price is
interval-censored: below the smallest dose it is "at most" that, above the largest "at least". The interval of a ratio
is over draws (whole curves) and items (whole clusters), resampled together.

    ratio = price_ratio(gain, level, Doses(labels, scores), Doses(labels, other))
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.arrays import Floats, Integers, cluster_sums
from tellapart.stats.bounds import CONFIDENCE, Gain
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.resampling import resample_weights

HALF = 0.5
RESAMPLES = 1000
CENSORED = "; censored: at most this", "; censored: at least this"
"""What the method of an estimate says of a price that is below the smallest dose, or above the largest."""
FEWEST_DRAWS = 2
"""Draws of labels, below which nothing is known of how much they differ."""


class Doses(NamedTuple):
    """Numbers of labels (d,), ascending, and per-item mean scores after each in each draw (d, draws, n)."""

    labels: Integers
    scores: Floats


class Prices(NamedTuple):
    """Labels for half of the gain: of one model, of the other, and the other's over the one's. A censored price has
    the dose that bounds it as its value, and 0 or infinity as its end."""

    base: Estimate
    reference: Estimate
    ratio: Estimate


def price_of(labels: Integers, shares: Floats) -> tuple[Floats, Floats]:
    """Return the least and the greatest that the price can be (r,), of curves of shares (r, d).

    >>> low, high = price_of(np.array([1, 4, 16]), np.array([[0, .25, .75], [.6, .7, .9], [0, .1, .2]]))
    >>> low.tolist(), high.tolist()
    ([8.0, 0.0, 16.0], [8.0, 1.0, inf])
    """
    rising = isotonic(shares)
    above = rising >= HALF
    at = np.where(above.any(axis=1), above.argmax(axis=1), len(labels))
    low, high = np.empty(len(shares)), np.empty(len(shares))
    never, first = at == len(labels), at == 0
    low[never], high[never] = labels[-1], math.inf
    low[first], high[first] = 0.0, labels[0]
    there = ~never & ~first
    rows, after = np.flatnonzero(there), at[there]
    before = after - 1
    part = (HALF - rising[rows, before]) / (rising[rows, after] - rising[rows, before])
    price = labels[before] * (labels[after] / labels[before]) ** part
    low[there] = high[there] = price
    return low, high


def isotonic(values: Floats) -> Floats:
    """Return the nearest curves (r, d) that never fall, by least squares (the max-min formula)."""
    r, d = values.shape
    sums = np.concatenate([np.zeros((r, 1)), np.cumsum(values, axis=1)], axis=1)
    best = np.full((r, d), -math.inf)
    for start in range(d):
        least = np.full(r, math.inf)
        means = [(sums[:, end + 1] - sums[:, start]) / (end + 1 - start) for end in range(start, d)]
        for end in range(d - 1, start - 1, -1):
            least = np.minimum(least, means[end - start])
            best[:, end] = np.maximum(best[:, end], least)
    return best


def price_ratio(
    gain: Gain,
    level: Floats,
    base: Doses,
    reference: Doses,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Prices:
    """Return what half of the gain above `level` (n,) costs in labels, here and in the reference, and the ratio."""
    n = len(level)
    draws = min(base.scores.shape[1], reference.scores.shape[1])
    if draws < FEWEST_DRAWS:
        absent = _too_few(draws, n)
        return Prices(absent, absent, missing("ratio", absent.method.removeprefix("missing: "), n))
    weights = _weights(gain.clusters, resamples, seed)
    rng = np.random.default_rng(seed)
    here, there = (
        price_of(side.labels, _shares(side, gain, level, weights, rng)) for side in (base, reference)
    )
    ratios = _over(there[0], here[1]), _over(there[1], here[0])
    return Prices(
        _estimate(here, confidence, n, "labels"),
        _estimate(there, confidence, n, "labels"),
        _estimate(ratios, confidence, n, "ratio"),
    )


def price(
    gain: Gain,
    level: Floats,
    doses: Doses,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return what half of the gain above `level` (n,) costs in labels, in one model."""
    n, draws = len(level), doses.scores.shape[1]
    if draws < FEWEST_DRAWS:
        return _too_few(draws, n)
    shares = _shares(
        doses, gain, level, _weights(gain.clusters, resamples, seed), np.random.default_rng(seed)
    )
    return _estimate(price_of(doses.labels, shares), confidence, n, "labels")


def _too_few(draws: int, n: int) -> Estimate:
    return missing("labels", f"{draws} draw of labels: at least {FEWEST_DRAWS} are needed", n)


def _weights(clusters: Integers, resamples: int, seed: int) -> Floats:
    """Return how often each cluster is drawn (1 + r, C); the first row is as measured."""
    units = int(clusters.max()) + 1
    return np.concatenate([np.ones((1, units)), *resample_weights(units, resamples, seed)])


def _shares(doses: Doses, gain: Gain, level: Floats, weights: Floats, rng: np.random.Generator) -> Floats:
    """Return the shares at each dose (1 + r, d), items and draws resampled."""
    d, draws, n = doses.scores.shape
    columns = np.column_stack([doses.scores.reshape(d * draws, n).T, level, gain.tuned])
    totals = weights @ cluster_sums(columns, gain.clusters)
    shares = (totals[:, :-2] - totals[:, -2:-1]) / (totals[:, -1:] - totals[:, -2:-1])
    shares = shares.reshape(-1, d, draws)
    picked = rng.integers(0, draws, (len(weights), draws))
    times = np.stack([(picked == draw).mean(axis=1) for draw in range(draws)], axis=1)
    times[0] = 1 / draws
    # Resampling a few draws shows less spread than there is: by (draws - 1) / draws, and as if it were well known.
    wider = math.sqrt(draws / (draws - 1)) * float(stats.t.ppf(0.95, draws - 1) / stats.norm.ppf(0.95))
    times = 1 / draws + wider * (times - 1 / draws)
    return np.einsum("rdw,rw->rd", shares, times)


def _over(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            np.isinf(bottom), 0.0, np.where(bottom > 0, top / np.maximum(bottom, 1e-300), math.inf)
        )


def _estimate(bounds: tuple[Floats, Floats], confidence: float, n: int, unit: str) -> Estimate:
    """Return the estimate of what lies between bounds (1 + r,), the measured ones first."""
    tail = (1 - confidence) / 2
    low, high = np.sort(bounds[0][1:]), np.sort(bounds[1][1:])
    ends = float(low[int(tail * (len(low) - 1))]), float(high[math.ceil((1 - tail) * (len(high) - 1))])
    first, last = float(bounds[0][0]), float(bounds[1][0])
    value = last if math.isfinite(last) else first
    how = "" if first == last else CENSORED[math.isinf(last)]
    if unit == "ratio" and first != last and math.isfinite(last):
        how = "; censored"
    text = f"half of the gain by log interpolation, bootstrap of draws and clusters{how}"
    method = f"{text}, {100 * confidence:g} % interval"
    return Estimate(value, min(ends[0], first), max(ends[1], last), n, unit, method)
