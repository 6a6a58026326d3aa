"""PriDe: the prior of option letters, found from cyclic permutations and taken out (Zheng et al. 2024, 2309.03882).

For items asked under every rotation of their options, the mean over rotations of log p(letter) holds no option's text
more often than another's: its softmax is the prior of the letters. Dividing it out debiases all other items.

    prior = letter_prior(logs)             # logs: (items, rotations, letters)
    picked = debiased(logs_of_others, prior)
"""

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats

SHARE = 0.05
"""Of the items that are asked under every rotation (the paper's 5 %)."""


def letter_prior(logprobs: ArrayLike) -> Floats:
    """Return the prior (letters,) that sums to 1: the mean over items of softmax(mean over rotations of log p).

    `logprobs` (items, rotations, letters) are log-probabilities in nats; every letter meets every option once, so there
    are as many rotations as letters.
    """
    logs = np.asarray(logprobs, dtype=np.float64)
    if logs.ndim != 3 or logs.shape[1] != logs.shape[2] or not logs.size:
        raise UserMistake(
            f"log-probabilities have shape {logs.shape}: give (items, rotations, letters), n x k x k"
        )
    return _softmax(logs.mean(axis=1)).mean(axis=0)


def debiased(logprobs: ArrayLike, prior: ArrayLike) -> Floats:
    """Return p(option) with the letters' prior divided out: (items, letters) -> (items, letters), rows sum to 1."""
    logs, priors = np.asarray(logprobs, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    if logs.ndim != 2 or logs.shape[1:] != priors.shape:
        raise UserMistake(f"log-probabilities {logs.shape} and prior {priors.shape}: give n x k and k")
    return _softmax(logs - np.log(priors))


def _softmax(logs: Floats) -> Floats:
    shifted = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
