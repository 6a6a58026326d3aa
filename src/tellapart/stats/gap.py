"""The gap between what a model shows and what methods elicit, in points of the score, and against a reference.

A gap is e - max(s, f, g) over items: e the model under a method, s what it plainly shows, f the chance level, g the
method's own. Plain answers are a method too (gap 0), so methods that harm are not taken. The best of many noisy methods
looks better than it is, so each half of the clusters takes the method that was best on the other half.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.arrays import Floats, Integers, cluster_sums
from tellapart.stats.bounds import Gain, Method, halves, risen
from tellapart.stats.estimate import Estimate, missing

CONFIDENCE = 0.95
MOST_ROOM = 3.0
"""A reference near the ceiling cannot rise: its rise counts up to so many times, as the model has more room."""


class Crossed(NamedTuple):
    """Per item (n,): the scores of the readings that the halves took, the level that these show (never below chance),
    and what the best methods bring above it; which readings and methods were taken (indices)."""

    scores: Floats
    level: Floats
    over: Floats
    readings: tuple[int, ...]
    methods: tuple[int, ...]


def shown_level(
    readings: Sequence[Method], chance: float, clusters: Integers, seed: int = 0
) -> tuple[Floats, tuple[int, ...]]:
    """Return what is shown, per item (n,): each half of the clusters takes the reading that stands highest above its
    own chance on the other half, or the chance level where none stands above it; and which readings were taken."""
    level, taken = np.empty(len(clusters)), []
    first = halves(clusters, seed)
    for half, other in ((first, ~first), (~first, first)):
        chosen = other if other.any() else half
        nets = [reading.means[chosen].mean() - max(reading.chance, chance) for reading in readings]
        best = int(np.argmax(nets))
        level[half] = chance + readings[best].means[half] - max(readings[best].chance, chance)
        if nets[best] < 0:
            level[half] = chance
        taken.append(best)
    return level, tuple(dict.fromkeys(taken))


def crossed(
    readings: Sequence[Method], methods: Sequence[Method], chance: float, clusters: Integers, seed: int = 0
) -> Crossed:
    """Return the gap with readings and methods chosen on other clusters; without a method what is shown is all (0)."""
    level, taken = shown_level(readings, chance, clusters, seed)
    scores = np.mean([readings[at].means for at in taken], axis=0)
    rises = rises_of(level, methods, chance, clusters, seed)
    if not rises:
        return Crossed(scores, level, np.zeros(len(level)), taken, ())
    first = halves(clusters, seed)
    over, chosen_methods = np.empty(len(level)), []
    for half, other in ((first, ~first), (~first, first)):
        chosen = other if other.any() else half
        best = max(range(len(rises)), key=lambda at: rises[at][chosen].mean())
        if rises[best][chosen].mean() > 0:
            over[half] = rises[best][half]
            chosen_methods.append(best)
        else:
            over[half] = 0.0
    return Crossed(scores, level, over, taken, tuple(dict.fromkeys(chosen_methods)))


def rises_of(
    level: Floats, methods: Sequence[Method], chance: float, clusters: Integers, seed: int = 0
) -> list[Floats]:
    """Return what each method brings above the level, per item (n,)."""
    gain = Gain(level, level, chance, clusters)
    return [risen(gain, method, level, seed) for method in methods]


def best_rise(
    level: Floats, methods: Sequence[Method], chance: float, clusters: Integers
) -> tuple[Floats, int | None]:
    """Return the best method's rise (n,) and its place, chosen on the very items: of a reference that looks too good,
    which is the cautious side. Plain answers (0, None) where no method brings more."""
    rises = rises_of(level, methods, chance, clusters)
    best = max(range(len(rises)), key=lambda at: rises[at].mean(), default=None)
    if best is None or rises[best].mean() <= 0:
        return np.zeros(len(level)), None
    return rises[best], best


def room(level: Floats, reference: Floats) -> float:
    """Return how many times as much room to rise the model has (its level (n,)) as the reference; 1 to MOST_ROOM."""
    own, other = 1 - float(level.mean()), 1 - float(reference.mean())
    if other <= 0:
        return MOST_ROOM
    return min(MOST_ROOM, max(1.0, own / other))


def lacks_room(level: Floats, reference: Floats) -> bool:
    """Return whether the model has more than MOST_ROOM times the reference's room to rise: `room` cannot make up."""
    return 1 - float(level.mean()) > MOST_ROOM * (1 - float(reference.mean()))


def gap_estimate(over: Floats, clusters: Integers, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of differences of scores (n,) with Student's interval over clusters. One cluster that rose whole
    and one that fell whole are added to the interval (not to the value): equal clusters do not show that the next one
    is equal, and few say too little of how they vary (compare Agresti and Caffo 2000)."""
    n, units = len(over), len(np.unique(clusters))
    if units < 2:
        return missing("score", "fewer than two independent questions", n)
    sums = cluster_sums(np.column_stack([over, np.ones(n)]), np.unique(clusters, return_inverse=True)[1])
    value, size = float(over.mean()), n / units
    sums = np.vstack([sums, [[size, size], [-size, size]]])
    total = sums[:, 1].sum()
    middle = sums[:, 0].sum() / total
    residuals = sums[:, 0] - middle * sums[:, 1]
    count = len(sums)
    error = math.sqrt(float(residuals @ residuals) * count / (count - 1)) / total
    half = float(stats.t.isf((1 - confidence) / 2, count - 1)) * error
    method = f"difference, clustered t ({units} clusters), a rise and a fall added; {100 * confidence:g} % interval"
    low, high = max(-1.0, min(middle - half, value)), min(1.0, max(middle + half, value))
    return Estimate(value, low, high, n, "score", method)
