"""How good stated probabilities are: the Brier score (1950) and the reliability table.

Both take probabilities (n, classes), rows adding up to 1, and the code of the true class (n,).

    brier_score(probabilities, truth)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import mean, wilson


class Bin(NamedTuple):
    """Items whose stated chance of the likeliest class lies in (low, high]; accuracy with Wilson's interval."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Estimate


def brier_score(probabilities: ArrayLike, truth: ArrayLike, clusters: ArrayLike | None = None) -> Estimate:
    """Return the mean over items of sum over classes of (p - [true])^2: 0 is best, 2 worst.

    >>> brier_score([[0.5, 0.5], [1.0, 0.0]], [0, 0]).value
    0.25
    """
    chances, codes = _checked(probabilities, truth)
    scores = ((chances - np.eye(chances.shape[1])[codes]) ** 2).sum(axis=1)
    return mean(scores, clusters, unit="Brier score")


def reliability_table(probabilities: ArrayLike, truth: ArrayLike, bins: int = 5) -> tuple[Bin, ...]:
    """Return the bins of equal width in the chance of the likeliest class that hold items, from low to high."""
    chances, codes = _checked(probabilities, truth)
    if bins < 1:
        raise UserMistake(f"{bins} bins asked: give at least 1")
    top, right = chances.max(axis=1), chances.argmax(axis=1) == codes
    places = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    table = []
    for place in np.unique(places):
        here = places == place
        n = int(here.sum())
        accuracy = wilson(int(right[here].sum()), n)
        table.append(Bin(place / bins, (place + 1) / bins, n, float(top[here].mean()), accuracy))
    return tuple(table)


def _checked(probabilities: ArrayLike, truth: ArrayLike) -> tuple[Floats, Integers]:
    chances, codes = np.asarray(probabilities, dtype=np.float64), np.asarray(truth)
    if chances.ndim != 2 or codes.shape != chances.shape[:1] or codes.size == 0:
        raise UserMistake(
            f"probabilities have shape {chances.shape}, truth {codes.shape}: give (n, classes) and (n,)"
        )
    if not ((chances >= 0).all() and np.allclose(chances.sum(axis=1), 1.0, atol=1e-6)):
        raise UserMistake("probabilities must be at least 0 and add up to 1 in every row")
    if codes.min() < 0 or codes.max() >= chances.shape[1] or (codes != codes.astype(np.int64)).any():
        raise UserMistake(f"truth must be whole numbers in 0..{chances.shape[1] - 1}, the classes given")
    return chances, codes.astype(np.int64)
