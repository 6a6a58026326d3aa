"""Collapse with complexity: does success fall as p^steps says, or faster?

Whoever carries out a procedure with a chance p of each step being right succeeds with p^steps. p is fitted on the
simpler half of the items; what is missing of p^steps on the harder half is lost to more than unreliable steps.

    collapse(right, steps)      # per item: 0 or 1, and the moves of its shortest solution
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, aligned
from tellapart.stats.estimate import Estimate, missing

RESAMPLES = 1000
LEAST_EXPECTED = 0.1
"""Below this expected success of the harder half, nothing could be missed."""


class Collapse(NamedTuple):
    """`step` is p; `expected` and `seen` are success on the harder half; `lost` is 1 - seen / expected."""

    step: Estimate
    expected: Estimate
    seen: Estimate
    lost: Estimate
    harder: float


def collapse(right: ArrayLike, steps: ArrayLike, seed: int = 0) -> Collapse:
    """Return the fit and what is lost, with bootstrap intervals over items. Steps are whole numbers from 1 on.

    Missing where all items have as many steps, or where p^steps itself expects less than LEAST_EXPECTED.
    """
    hit, length = aligned("scores and steps", right, steps)
    if hit.size and (length.min() < 1 or hit.min() < 0 or hit.max() > 1):
        raise UserMistake("steps must be 1 or more and scores in [0, 1]")
    if len(set(length.tolist())) < 2:
        none = missing("share", "all items have as many steps", hit.size)
        return Collapse(none, none, none, none, math.nan)
    border = _border(length)
    rng = np.random.default_rng(seed)
    draws = []
    while len(draws) < RESAMPLES:
        drawn = rng.integers(0, hit.size, hit.size)
        if (length[drawn] > border).any() and (length[drawn] <= border).any():
            draws.append(_fit(hit[drawn], length[drawn], border))
    point, spread = _fit(hit, length, border), np.array(draws)
    step, expected, seen = (_estimate(point[at], spread[:, at], hit.size) for at in range(3))
    if point[1] < LEAST_EXPECTED:
        lost = missing(
            "share", f"p^steps expects {point[1]:.3f} on the harder half: nothing could be lost", hit.size
        )
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            lost = _estimate(1 - point[2] / point[1], 1 - spread[:, 2] / spread[:, 1], hit.size)
    return Collapse(step, expected, seen, lost, border)


def _border(length: Floats) -> float:
    """Return the number of steps up to which an item is in the simpler half: the median, but below the largest."""
    border = float(np.median(length))
    return border if border < length.max() else float(np.unique(length)[-2])


def _fit(hit: Floats, length: Floats, border: float) -> tuple[float, float, float]:
    easy = length <= border
    step = fitted_step(hit[easy], length[easy])
    return step, float((step ** length[~easy]).mean()), float(hit[~easy].mean())


def fitted_step(hit: Floats, length: Floats) -> float:
    """Return the p of greatest likelihood for success p^steps; 0 where nothing succeeds, 1 where all do."""
    if not hit.any():
        return 0.0
    if hit.all():
        return 1.0

    def loss(log_p: float) -> float:
        logs = np.minimum(log_p * length, -1e-12)
        return -float(hit @ logs + (1 - hit) @ np.log(-np.expm1(logs)))

    fit = optimize.minimize_scalar(loss, bounds=(-20.0, -1e-9), method="bounded", options={"xatol": 1e-9})
    return math.exp(float(fit.x))


def _estimate(value: float, draws: Floats, n: int) -> Estimate:
    finite = draws[np.isfinite(draws)]
    low, high = np.percentile(finite, [2.5, 97.5]) if finite.size else (math.nan, math.nan)
    return Estimate(
        value, float(low), float(high), n, "share", f"bootstrap over items, {RESAMPLES} resamples"
    )
