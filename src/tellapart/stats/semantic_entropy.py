"""Semantic entropy: uncertainty over meanings, not wordings (Kuhn, Gal & Farquhar 2023, arXiv 2302.09664).

Answers that entail each other both ways are one meaning; the entropy is that of the meanings' mass. `entails` says
whether the first text entails the second: a model by reference, or any function.

    semantic_entropy(["Paris", "It is Paris", "Rome"], entails)
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import numbers

Entails = Callable[[str, str], bool]


class Meanings(NamedTuple):
    """`entropy` in nats; `cluster` of each answer, 0.. in order of first appearance; `mass` of each cluster."""

    entropy: float
    cluster: tuple[int, ...]
    mass: tuple[float, ...]


def semantic_entropy(answers: Sequence[str], entails: Entails, logprobs: ArrayLike | None = None) -> Meanings:
    """Return the meanings of the answers to one question.

    Mass: the share of the samples, or with `logprobs` (nats, one an answer) the normalised sum of the probabilities of
    the distinct answers of a meaning. NaN for no answer. Each answer is compared with one of each earlier cluster.
    """
    if not answers:
        return Meanings(math.nan, (), ())
    clusters = meaning_clusters(answers, entails)
    if logprobs is None:
        weights = np.ones(len(answers))
    else:
        logs = numbers(logprobs, "log-probabilities")
        if len(logs) != len(answers):
            raise UserMistake(f"{len(answers)} answers and {len(logs)} log-probabilities: give one an answer")
        first = {answer: at for at, answer in reversed(list(enumerate(answers)))}
        once = np.array([first[answer] == at for at, answer in enumerate(answers)])
        weights = np.exp(logs - logs.max()) * once
    mass = np.bincount(np.array(clusters), weights=weights)
    mass = mass / mass.sum()
    positive = mass[mass > 0]
    return Meanings(float(-(positive * np.log(positive)).sum()) + 0.0, tuple(clusters), tuple(mass.tolist()))


def meaning_clusters(answers: Sequence[str], entails: Entails) -> list[int]:
    """Return the cluster of each answer: that of the first earlier one which it entails and which entails it."""
    heads: list[str] = []
    clusters: list[int] = []
    for answer in answers:
        for at, head in enumerate(heads):
            if answer == head or (entails(answer, head) and entails(head, answer)):
                clusters.append(at)
                break
        else:
            clusters.append(len(heads))
            heads.append(answer)
    return clusters
