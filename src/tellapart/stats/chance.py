"""The score of a random guesser, measured: answers are held against other questions' targets.

A guesser that knows the space and the popularity of answers, but nothing of the question, gives the answers that were
given to other questions. Its expected score is had without drawing permutations: for each answer the share of items of
the same answer type, in other clusters, that would accept it.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean, wilson


class AnswerKey(NamedTuple):
    """Which answers each of n items accepts: pairs (`item`, `value`) of codes, the `cluster` (n,) and the answer type
    `kind` (n,) of each item as codes."""

    item: Integers
    value: NDArray[np.object_]
    cluster: Integers
    kind: Integers


class Given(NamedTuple):
    """Answers (r,): the `item` code of each and its canonical `value` ("" where none could be read)."""

    item: Integers
    value: NDArray[np.object_]


def permutation_chance(given: Given, key: AnswerKey, confidence: float = 0.95) -> Estimate:
    """Return the mean score of the answers when each is held against another cluster's item of its type.

    The upper end allows for matches that n clusters could not show: with no match among C(C-1)/2 pairs of clusters the
    chance of one may be as high as a Poisson bound says. Missing where no item has another of its type.
    """
    per_item = expected_matches(given, key)
    known = ~np.isnan(per_item)
    if not known.any():
        return missing("score", "no two clusters of one answer type: nothing to permute")
    clusters = key.cluster[known]
    estimate = mean(per_item[known], clusters, confidence)
    count = len(set(clusters.tolist()))
    pairs = count * (count - 1) / 2
    bound = stats.gamma.ppf((1 + confidence) / 2, 1 + estimate.value * pairs) / pairs if pairs else 1.0
    high = min(1.0, max(float(bound), 0.0 if math.isnan(estimate.high) else estimate.high))
    low = 0.0 if math.isnan(estimate.low) else max(0.0, estimate.low)
    return Estimate(
        estimate.value, low, high, int(known.sum()), "score", "answers held against others' targets"
    )


def expected_matches(given: Given, key: AnswerKey) -> Floats:
    """Return for each item (n,) the mean over its answers of the share of other clusters' items, of its type, that
    would accept the answer; NaN for an item without answers or without such items."""
    n, kinds = len(key.cluster), int(key.kind.max(initial=0)) + 1
    codes, names = pd.factorize(np.concatenate([key.value, given.value]))
    of_target, of_answer = codes[: len(key.value)].astype(np.int64), codes[len(key.value) :].astype(np.int64)
    # One item may list a target twice; it accepts it once.
    accepted = np.unique(np.column_stack([key.item, of_target]), axis=0)
    place = accepted[:, 1] * kinds + key.kind[accepted[:, 0]]
    accepting = np.bincount(place, minlength=len(names) * kinds)
    clusters = int(key.cluster.max(initial=0)) + 1
    own_place, own = np.unique(place * clusters + key.cluster[accepted[:, 0]], return_counts=True)

    pairs, weight = np.unique(given.item * len(names) + of_answer, return_counts=True)
    item, value = pairs // len(names), pairs % len(names)
    at = value * kinds + key.kind[item]
    own_at = at * clusters + key.cluster[item]
    found = np.minimum(np.searchsorted(own_place, own_at), len(own_place) - 1)
    inside = np.where(own_place[found] == own_at, own[found], 0) if len(own_place) else np.zeros(len(item))
    group = key.kind * clusters + key.cluster
    others = np.bincount(key.kind, minlength=kinds)[key.kind] - np.bincount(group)[group]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(others[item] > 0, (accepting[at] - inside) / others[item], np.nan)
        total = np.bincount(item, weights=weight, minlength=n)
        return np.where(total > 0, np.bincount(item, weights=share * weight, minlength=n) / total, np.nan)


def constant_chance(key: AnswerKey, confidence: float = 0.95) -> Estimate:
    """Return what a guesser scores that knows the targets' popularity alone, over C clusters of items.

    It is the larger of the best constant answer, chosen on all clusters but the one it is scored on, and an answer
    drawn from the other clusters' targets. (The first is 0 where two answers are equally popular, and the second is
    low where one is very popular.) Missing for fewer than two clusters.
    """
    frame = pd.DataFrame({"cluster": key.cluster[key.item], "value": key.value}).drop_duplicates()
    count = len(set(key.cluster.tolist()))
    if frame.empty or count < 2:
        return missing("score", "fewer than two clusters")
    counts = frame["value"].value_counts()
    best = _best_constant(frame, counts) / count
    pairs = count * (count - 1) / 2
    same = float((counts * (counts - 1)).sum()) / 2
    if best > same / pairs:
        high = wilson(min(best, 1.0) * count, count, confidence).high
        return Estimate(best, best, high, count, "score", "best constant answer")
    high = min(1.0, float(stats.gamma.ppf((1 + confidence) / 2, 1 + same)) / pairs)
    return Estimate(
        same / pairs, same / pairs, high, count, "score", "an answer drawn from the others' targets"
    )


def _best_constant(frame: pd.DataFrame, counts: pd.Series) -> float:
    """Return over how many clusters in all the constant chosen on the other clusters is accepted; ties are shared."""
    most = int(counts.iloc[0])
    top = set(counts.index[counts == most])
    accepted = 0.0
    for _, values in frame[frame["value"].isin(top)].groupby("cluster")["value"]:
        own = set(values)
        if top <= own:
            rivals = int((counts == most - 1).sum())
            accepted += len(top) / (len(top) + rivals) if most > 1 else 0.0
    return accepted
