"""What verification of a model's own answers gains: the generation-verification gap (Song et al. 2024).

arXiv 2412.02674. f[w](y|x) ~ f(y|x) w(u(x, y)): the answers of an item that a verifier accepts, each as likely as it
was written. The gap is J(f[w]) - J(f), the relative gap E_x[(E_f[w] u - E_f u) / (1 - E_f u)]: per prompt, not the
ratio of means. An item of which nothing is accepted keeps its answers as they are.

    gap(verified(truth, accepted))
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean, mean_score
from tellapart.stats.paired import paired_difference

Truth = NDArray[np.float64]
"""[items, samples]: the true score of each answer, NaN where it failed."""


class Verified(NamedTuple):
    """Of each item (n,): mean truth of its answers, of its accepted answers, the share accepted, and its cluster."""

    generation: Floats
    verification: Floats
    accepted: Floats
    clusters: Sequence[str] | None = None


def verified(truth: Truth, accepted: ArrayLike, clusters: Sequence[str] | None = None) -> Verified:
    """Return each item's scores before and after verification; items without any known answer are left out."""
    measured = np.isfinite(truth)
    mask = np.asarray(accepted, dtype=bool)
    if mask.shape != truth.shape:
        raise UserMistake(f"accepted has shape {mask.shape}, truth {truth.shape}: give one verdict an answer")
    mask = mask & measured
    there = np.asarray(measured.any(axis=1), dtype=bool).reshape(-1)
    measured, mask, values = measured[there], mask[there], np.nan_to_num(truth[there])
    counts, chosen = measured.sum(axis=1), mask.sum(axis=1)
    generation = values.sum(axis=1) / counts
    picked = np.where(mask, values, 0.0).sum(axis=1)
    verification = np.where(chosen > 0, picked / np.maximum(chosen, 1), generation)
    kept = (
        None if clusters is None else [cluster for cluster, here in zip(clusters, there, strict=True) if here]
    )
    return Verified(generation, verification, chosen / counts, kept)


def gap(verified: Verified, confidence: float = 0.95) -> Estimate:
    """Return verification minus generation score, paired by item."""
    return paired_difference(
        verified.generation, verified.verification, verified.clusters, confidence, unit="score"
    )


def relative_gap(verified: Verified) -> Estimate:
    """Return the mean over items of gap / (1 - generation score); items that are always right have none."""
    open_ = verified.generation < 1
    if not open_.any():
        return missing("share", "every item is always right: nothing to gain")
    before, after = verified.generation[open_], verified.verification[open_]
    clusters = (
        None
        if verified.clusters is None
        else [cluster for cluster, here in zip(verified.clusters, open_, strict=True) if here]
    )
    share = mean((after - before) / (1 - before), clusters, unit="share")
    return Estimate(share.value, share.low, share.high, share.n, "share", f"{share.method}, per prompt")


def score(values: Floats, clusters: Sequence[str] | None) -> Estimate:
    """Return the mean of scores of items (n,) in [0, 1]."""
    return mean_score(values, clusters) if values.size else missing("score", "no items")


def accepted_by_chance(accepted: ArrayLike, truth: Truth, seed: int) -> NDArray[np.bool_]:
    """Return the null control of a verifier: of every item as many answers, at random."""
    mask, measured = np.asarray(accepted, dtype=bool), np.isfinite(truth)
    drawn = np.zeros_like(mask)
    rng = np.random.default_rng(seed)
    for row, (mine, here) in enumerate(zip(mask, measured, strict=True)):
        places = np.flatnonzero(here)
        drawn[row, rng.permutation(places)[: int((mine & here).sum())]] = True
    return drawn


def expected_verification(p: float, hit: float, false_alarm: float) -> float:
    """Return the score after a verifier that accepts right answers with chance `hit` and wrong ones with
    `false_alarm`: p h / (p h + (1 - p) f) (Bayes); NaN where nothing is accepted.

    >>> expected_verification(0.5, 0.9, 0.1)
    0.9
    """
    accepted_share = p * hit + (1 - p) * false_alarm
    return p * hit / accepted_share if accepted_share > 0 else float("nan")


def distinct(columns: Sequence[Sequence[str | None]]) -> Floats:
    """Return how many different texts each item has (n,); None is no text."""
    return np.array([len({text for text in row if text is not None}) for row in columns], dtype=np.float64)
