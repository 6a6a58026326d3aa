"""What follows from base's per-item success: its mean, and the bits that selection would have to supply.

Selecting tuned's answers out of base's costs log2(tuned success / base success) bits an item. Best-of-N supplies
at most log2 N - (N-1)/N / ln 2 bits (Stiennon et al. 2020; Gao et al. 2023, as KL in nats: ln N - (N-1)/N).

    mean_success(base_success(draws))
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import cluster_codes, cluster_sums
from tellapart.stats.estimate import Estimate
from tellapart.stats.importance import POSTERIOR_DRAWS, ItemSuccess
from tellapart.stats.resampling import percentile_bounds, resample_weights


def mean_success(success: ItemSuccess, clusters: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """Return base's mean probability of success over items, with its central 95 %.

    Each resample of items (or whole clusters) takes its own posterior draw, so the interval holds both the
    spread of items and what is not known about each.
    """
    posterior, items = success.posterior, success.value.size
    codes = cluster_codes(clusters, items)
    sums = cluster_sums(np.column_stack([posterior, np.ones(items)]), codes)
    means, done = [], 0
    for weights in resample_weights(sums.shape[0], POSTERIOR_DRAWS, seed):
        columns = sums[:, done : done + len(weights)]
        means.append(np.einsum("ru,ur->r", weights, columns) / (weights @ sums[:, -1]))
        done += len(weights)
    low, high = percentile_bounds(np.concatenate(means))
    value, flagged = float(success.value.mean()), int(success.cannot_tell.sum())
    method = (
        f"importance sampling, {flagged} of {items} items cannot tell; bootstrap over items and posterior"
    )
    return Estimate(value, float(low), float(high), items, "probability", method)


def best_of_n_bits(n: int) -> float:
    """Return the bits that choosing the best of `n` samples supplies: log2 n - (n-1)/n / ln 2.

    >>> round(best_of_n_bits(2), 4)
    0.2787
    """
    if n < 1:
        raise UserMistake(f"best of {n} given: at least 1 sample is needed")
    return math.log2(n) - (n - 1) / n / math.log(2)
