"""Forecast the score of a larger model from smaller ones: all shapes and scatters, weighted by their evidence.

Nothing is known of the larger model but its scale. The interval is that of the mixture of all shapes' predictions
(Hoeting, Madigan, Raftery & Volinsky 1999), widened for what no shape knows: on top of the scatter between models,
a share ASTRAY of the distance that the forecast reaches beyond the data.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from tellapart.stats.arrays import Floats
from tellapart.stats.emergence_fit import Curves, fit, predicted, scatters, spread, total
from tellapart.stats.emergence_shapes import matrix, shapes

CONFIDENCE = 0.9
ASTRAY = 0.25
"""Standard deviation of what the shapes leave out, as a share of the curve's range, at one range's distance."""
LEAST = 4
"""Fewest scales to forecast from."""
HEAVIEST = 150
"""Shapes and scatters that count, by weight, of about a thousand; the others hold next to nothing."""
TOGETHER = 64


class Forecasts(NamedTuple):
    """For each curve the median and the central 90 % of the forecast."""

    value: Floats
    low: Floats
    high: Floats


def forecast(curves: Curves, place: float, variances: Floats) -> Forecasts:
    """Forecast the curves at a `place` beyond 1 (the largest scale used); `variances` (curves,) is the measurement
    noise of what will be seen there. Needs at least LEAST places."""
    # a second step says nothing of what comes after it, so stairs do not forecast
    every = tuple(shape for shape in shapes(curves.places) if shape.family != "stairs")
    shape, there = matrix(every, curves.places), matrix(every, np.array([place]), curves.places)[:, 0]
    trend = np.array([float(curve.trend) for curve in every])
    share = _prior(tuple(curve.family for curve in every))
    parts = [
        _forecast(
            Curves(curves.places, curves.values[i : i + TOGETHER], curves.variances[i : i + TOGETHER]),
            (shape, there, trend, share),
            place,
            variances[i : i + TOGETHER],
        )
        for i in range(0, len(curves.values), TOGETHER)
    ]
    return Forecasts(*(np.concatenate([part[k] for part in parts]) for k in range(3)))


def _prior(families: tuple[str, ...]) -> Floats:
    """Return the log prior of each shape: the families share evenly, and the shapes within each."""
    return np.array([-np.log(families.count(family)) for family in families])


def _forecast(
    curves: Curves, given: tuple[Floats, Floats, Floats, Floats], place: float, variances: Floats
) -> Forecasts:
    shape, there, trend, share = given
    scatter = scatters(curves)
    fits = fit(curves, scatter, shape, trend)
    mean, unsure = predicted(fits, there, place)
    astray = (ASTRAY * spread(curves) * (place - 1)) ** 2
    variance = unsure + scatter[..., None] + (variances + astray)[:, None, None]
    logs = fits.evidence + share
    weight = np.exp(logs - total(logs)[:, None, None])
    parts = np.broadcast_arrays(weight, mean, np.sqrt(variance))
    flat = _heaviest(*(part.reshape(len(mean), -1) for part in parts))
    tail = (1 - CONFIDENCE) / 2
    return Forecasts(*(_quantile(flat, at) for at in (0.5, tail, 1 - tail)))


def _heaviest(weight: Floats, mean: Floats, sd: Floats) -> tuple[Floats, ...]:
    """Return the HEAVIEST parts of each mixture, their weights summing to 1."""
    if weight.shape[1] > HEAVIEST:
        kept = np.argpartition(weight, -HEAVIEST, axis=1)[:, -HEAVIEST:]
        weight, mean, sd = (np.take_along_axis(part, kept, axis=1) for part in (weight, mean, sd))
    return weight / weight.sum(axis=1, keepdims=True), mean, sd


def _quantile(mixture: tuple[Floats, ...], at: float) -> Floats:
    """Return the quantile of each mixture of normals (weights, means, sds; (curves, parts)), by bisection."""
    weight, mean, sd = mixture
    low, high = (mean - 9 * sd).min(axis=1), (mean + 9 * sd).max(axis=1)
    for _ in range(32):
        middle = (low + high) / 2
        below = (weight * ndtr((middle[:, None] - mean) / sd)).sum(axis=1) < at
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
