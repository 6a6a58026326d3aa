"""Is one direction reused for a concept in every context, or has each context its own?

A concept's direction in a context is what its classes' mean activations are, each from the mean of these means (two
classes: the difference of means). Cosines between contexts do not depend on the hidden basis. Few noisy points pull
them towards 0: `reliability`, the same cosine between two halves of one context, says how far.

Linear decodability does not see the difference: one readout over all units can read a concept from as many separate
copies as there are contexts.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson

GROUPS = 10
"""Groups that the jackknife leaves out in turn."""
DRAWS = 200
"""Draws of a null control."""
SHUFFLES = 20
SPLITS = 10


class Reuse(NamedTuple):
    """`cosines` (contexts, contexts) of the concept's directions, 1 on the diagonal; `mean` over pairs; `effective` is
    how many equal directions are as spread (participation ratio): 1 (one for all) to the number of contexts."""

    contexts: tuple[str, ...]
    cosines: np.ndarray
    mean: float
    effective: float


def direction(states: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return a concept's direction (classes * width), length 1, from states (points, width) and classes (points); NaN
    where the classes' means are all equal."""
    means = np.stack([states[classes == kind].mean(axis=0) for kind in np.unique(classes)])
    vector = (means - means.mean(axis=0)).ravel()
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else np.full_like(vector, np.nan)


def reuse(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray) -> Reuse | None:
    """Return how one concept's directions agree over contexts. None with fewer than two contexts that hold two points
    of every class, or where the classes' means are equal in one. `states` (points, width), the others (points)."""
    kinds, contexts = np.unique(classes), np.asarray(contexts).astype(str)
    whole = [name for name in np.unique(contexts) if _holds(classes[contexts == name], kinds)]
    if len(whole) < 2 or len(kinds) < 2:
        return None
    directions = np.stack([direction(states[contexts == name], classes[contexts == name]) for name in whole])
    if not np.isfinite(directions).all():
        return None
    cosines = directions @ directions.T
    pairs = [cosines[i, j] for i, j in combinations(range(len(whole)), 2)]
    return Reuse(
        tuple(map(str, whole)), cosines, float(np.mean(pairs)), len(whole) ** 2 / float((cosines**2).sum())
    )


def _holds(classes: np.ndarray, kinds: np.ndarray) -> bool:
    return all(int((classes == kind).sum()) >= 2 for kind in kinds)


def reuse_estimate(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray, seed: int) -> Estimate:
    """Return the mean cosine over pairs of contexts with a 95 % t interval of the grouped jackknife over points."""
    contexts = np.asarray(contexts).astype(str)
    reused = reuse(states, classes, contexts)
    if reused is None:
        method = "too few points: fewer than two contexts hold two of every class, or their means are equal"
        return missing("cosine", method, len(states))
    group = _groups(classes, contexts, seed)
    left = [reuse(states[group != g], classes[group != g], contexts[group != g]) for g in range(GROUPS)]
    values = np.array([float("nan") if part is None else part.mean for part in left])
    error = float(np.sqrt((GROUPS - 1) / GROUPS * ((values - values.mean()) ** 2).sum()))
    reach = float(stats.t.ppf(0.975, GROUPS - 1)) * error
    pairs = f"mean over pairs of {len(reused.contexts)} contexts"
    method = f"cosine of the concept's directions, {pairs}, grouped jackknife"
    return Estimate(reused.mean, reused.mean - reach, reused.mean + reach, len(states), "cosine", method)


def reuse_limit(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray, seed: int) -> Estimate:
    """Return the reuse that these points would show if every context had one direction: the agreement of halves of a
    context, mean over SPLITS, put from half the points to all by Spearman and Brown. No interval; NaN where halves do
    not agree."""
    half = [reliability(states, classes, contexts, seed + split) for split in range(SPLITS)]
    agree = float(np.mean(half))
    if not agree > 0:
        return missing("cosine", "two halves of one context do not agree", len(states))
    method = f"two halves of one context, mean over {SPLITS} splits, by Spearman and Brown; no interval"
    value = 2 * agree / (1 + agree)
    return Estimate(value, float("nan"), float("nan"), len(states), "cosine", method)


def random_reuse(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray, seed: int) -> Estimate:
    """Return the null control of reuse: the mean cosine over pairs of contexts of random vectors, which are as long as
    the concept's directions; mean and central 95 % over DRAWS."""
    reused = reuse(states, classes, contexts)
    if reused is None:
        return missing("cosine", "the concept has no directions in two contexts", len(states))
    count = len(reused.contexts)
    drawn = np.random.default_rng(seed).standard_normal((DRAWS, count, states.shape[1]))
    drawn /= np.linalg.norm(drawn, axis=2, keepdims=True)
    upper = np.triu_indices(count, 1)
    means = (drawn @ drawn.transpose(0, 2, 1))[:, upper[0], upper[1]].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    method = f"cosine of random vectors of equal norm, mean over pairs of {count} contexts, {DRAWS} draws, central 95 %"
    return Estimate(float(means.mean()), float(low), float(high), len(states), "cosine", method)


def readout(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray, seed: int) -> Estimate:
    """Return the share of pairs whose two points the direction of the same context's other pairs tells apart: half
    where what makes the direction is not the concept but what else varies, however loud. Points are all positive ones,
    then their partners in the same order; `classes` and `seed` play no part."""
    half = len(states) // 2
    right = 0
    for name in np.unique(contexts[:half]):
        at = np.flatnonzero(contexts[:half] == name)
        apart = states[at] - states[at + half]
        right += int((((apart.sum(axis=0) - apart) * apart).sum(axis=1) > 0).sum())
    return wilson(right, half)


def _groups(classes: np.ndarray, contexts: np.ndarray, seed: int) -> np.ndarray:
    """Return a group for each point, as even as can be within each class and context."""
    random = np.random.default_rng(seed)
    group, start = np.empty(len(classes), int), 0
    for name in np.unique(contexts):
        for kind in np.unique(classes):
            cell = random.permutation(np.flatnonzero((classes == kind) & (contexts == name)))
            group[cell] = (np.arange(len(cell)) + start) % GROUPS
            start += len(cell)
    return group


def chance_reuse(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray, seed: int) -> float:
    """Return the mean absolute cosine over SHUFFLES of the classes within each context: the null control. It is not 0:
    what varies most varies in all contexts."""
    random, contexts = np.random.default_rng(seed), np.asarray(contexts).astype(str)
    means = []
    for _ in range(SHUFFLES):
        shuffled = classes.copy()
        for name in np.unique(contexts):
            at = np.flatnonzero(contexts == name)
            shuffled[at] = random.permutation(classes[at])
        again = reuse(states, shuffled, contexts)
        if again is not None:
            means.append(float(np.abs(again.cosines[np.triu_indices(len(again.contexts), 1)]).mean()))
    return float(np.mean(means)) if means else float("nan")


def reliability(states: np.ndarray, classes: np.ndarray, contexts: np.ndarray, seed: int) -> float:
    """Return the mean cosine between the directions of two halves of a context's points: what `reuse` would be if all
    contexts had one direction and no more points than half. NaN where no context holds two points of every class."""
    contexts = np.asarray(contexts).astype(str)
    half = _groups(classes, contexts, seed) % 2
    agreements = []
    for name in np.unique(contexts):
        at = contexts == name
        if _holds(classes[at], np.unique(classes)) and all(
            len(np.unique(classes[at & (half == side)])) == len(np.unique(classes)) for side in (0, 1)
        ):
            left, right = (
                direction(states[at & (half == side)], classes[at & (half == side)]) for side in (0, 1)
            )
            agreements.append(float(left @ right))
    return float(np.mean(agreements)) if agreements else float("nan")
