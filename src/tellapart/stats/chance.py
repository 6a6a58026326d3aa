"""The score of a random guesser, measured: answers are held against other questions' targets.

A guesser that knows the space and the popularity of answers, but nothing of the question, gives the answers that were
given to other questions. Its expected score is had without drawing permutations: for each answer the share of items of
the same answer type, in other clusters, that would accept it.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse, stats

from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean, wilson

MOST_LOOKED_AT = 2000
"""Items on which luck among alike questions is measured; one row of a popular answer touches every item that has it."""


TINY = 1e-9
"""Below it a sum of weights is a rounding error."""


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
    measured = ~np.isnan(per_item)
    if not measured.any():
        return missing("score", "no two clusters of one answer type: nothing to permute")
    clusters = key.cluster[measured]
    estimate = mean(per_item[measured], clusters, confidence)
    count = len(set(clusters.tolist()))
    pairs = count * (count - 1) / 2
    bound = stats.gamma.ppf((1 + confidence) / 2, 1 + estimate.value * pairs) / pairs if pairs else 1.0
    high = min(1.0, max(float(bound), 0.0 if math.isnan(estimate.high) else estimate.high))
    low = 0.0 if math.isnan(estimate.low) else max(0.0, estimate.low)
    return Estimate(
        estimate.value, low, high, int(measured.sum()), "score", "answers held against others' targets"
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
    places = np.minimum(np.searchsorted(own_place, own_at), len(own_place) - 1)
    inside = np.where(own_place[places] == own_at, own[places], 0) if len(own_place) else np.zeros(len(item))
    group = key.kind * clusters + key.cluster
    others = np.bincount(key.kind, minlength=kinds)[key.kind] - np.bincount(group)[group]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(others[item] > 0, (accepting[at] - inside) / others[item], np.nan)
        total = np.bincount(item, weights=weight, minlength=n)
        return np.where(total > 0, np.bincount(item, weights=share * weight, minlength=n) / total, np.nan)


def alike_matches(given: Given, key: AnswerKey) -> Floats:
    """Return for each item (n,) how often its answers would be right on alike questions with another target; NaN where
    none is alike, an item has fewer than two answers, or is not among the MOST_LOOKED_AT that are looked at.

    Two questions are alike as far as they get the same wrong answers: who guesses a colour where a colour is asked for
    gives the same ones to all questions for a colour. Over all other questions (`expected_matches`) such guesses look
    rarer than they are. An answer is never compared by itself: one sample says that a question is alike, another
    whether it would be right there.
    """
    n, kinds = len(key.cluster), int(key.kind.max(initial=0)) + 1
    codes = pd.factorize(np.concatenate([key.value, given.value]))[0].astype(np.int64) * kinds
    of_target = codes[: len(key.value)] + key.kind[key.item]
    of_answer = codes[len(key.value) :] + key.kind[given.item]
    values = int(codes.max(initial=0)) + kinds
    accepted = sparse.csr_array((np.ones(len(of_target)), (key.item, of_target)), (n, values))
    accepted.data[:] = 1.0
    count = np.bincount(given.item, minlength=n)
    read = given.value != ""
    answers = sparse.csr_array(
        (np.ones(int(read.sum())), (given.item[read], of_answer[read])), (n, values)
    )  # repeated answers add up
    wrong = (answers - answers.multiply(accepted)).tocsr()
    wrong.eliminate_zeros()
    own = pd.factorize(_first_target(key, of_target, n))[0]
    same = sparse.csr_array((np.ones(n), (np.arange(n), own)), (n, int(own.max(initial=0)) + 1))
    weight = sparse.diags_array(1 / np.maximum(count, 1)) @ wrong
    confused = (
        weight.T @ accepted
    ).tocsr()  # wrong answer -> how many items that get it would take each answer
    alike, kin = weight.T @ np.ones(n), (weight.T @ same).tocsr()
    looked = np.arange(0, n, max(1, -(-n // MOST_LOOKED_AT)))
    rows = wrong[looked]
    there = rows @ alike - (rows @ kin).multiply(same[looked]).sum(axis=1)
    right = (rows @ confused).multiply(rows).sum(axis=1) / np.maximum(count[looked] - 1, 1)
    usable = (count[looked] > 1) & (there > TINY)
    matches = np.full(n, np.nan)
    if usable.any():
        ratio = right[usable] / there[usable]
        # The question is asked by a wrong answer: an item speaks as often as it errs, else the luck of few samples is
        # underrated (.24 where .25 is true at 8).
        errs = (rows.sum(axis=1) / np.maximum(count[looked], 1))[usable]
        scale = float(np.average(ratio, weights=errs) / ratio.mean()) if ratio.any() else 1.0
        matches[looked[usable]] = np.minimum(scale * ratio, 1.0)
    return matches


def _first_target(key: AnswerKey, of_target: Integers, n: int) -> Integers:
    first = np.full(n, -1, dtype=np.int64)
    first[key.item[::-1]] = of_target[::-1]
    return first


def constant_chance(key: AnswerKey, confidence: float = 0.95) -> Estimate:
    """Return what a guesser scores that knows the targets' popularity alone.

    It is the larger of the best constant answer of each answer type, chosen on all clusters but the one it is scored
    on, and an answer drawn from other clusters' targets. (The first is 0 where two answers are equally popular, and the
    second is low where one is very popular.) Missing for fewer than two clusters.
    """
    if len(key.item) == 0 or len(set(key.cluster[key.item].tolist())) < 2:
        return missing("score", "fewer than two clusters")
    drawn = permutation_chance(Given(key.item, key.value), key, confidence)
    accepted = constant_matches(key)
    constant = mean(accepted, key.cluster, confidence)
    if not math.isnan(drawn.value) and drawn.value >= constant.value:
        return replace(drawn, method="an answer drawn from the others' targets")
    units = len(set(key.cluster.tolist())) if np.ptp(accepted) == 0 else len(accepted)
    high = max(wilson(constant.value * units, units, confidence).high, constant.high)
    low = 0.0 if math.isnan(constant.low) else max(0.0, constant.low)
    return Estimate(constant.value, low, min(1.0, high), constant.n, "score", "best constant answer")


def constant_matches(key: AnswerKey) -> Floats:
    """Return how often each item (n,) accepts the constant that most items of its type, in other clusters, accept; ties
    are shared."""
    kinds = int(key.kind.max(initial=0)) + 1
    names = pd.factorize(key.value)[0].astype(np.int64) * kinds + key.kind[key.item]
    pairs = np.unique(np.column_stack([key.item, names]), axis=0)
    item, value = pairs[:, 0], pairs[:, 1]
    groups, group = np.unique(key.cluster[item] * kinds + key.kind[item], return_inverse=True)
    held, row, times = np.unique(
        group * (int(names.max()) + 1) + value, return_inverse=True, return_counts=True
    )
    of_group, of_value = np.divmod(held, int(names.max()) + 1)
    counts = np.bincount(value)
    own, left = counts[of_value], counts[of_value] - times
    untouched, rivals = _best_untouched(counts, kinds, (of_group, own), groups % kinds)
    best = untouched.copy()
    np.maximum.at(best, of_group, left)
    top = (left == best[of_group]) & (left > 0)
    tied = np.bincount(of_group, weights=top, minlength=len(groups)) + np.where(best == untouched, rivals, 0)
    hit = top[row]
    matches = np.bincount(item[hit], weights=1 / tied[group[hit]], minlength=len(key.cluster))
    return np.minimum(matches, 1.0)


def _best_untouched(
    counts: Integers, kinds: int, touched: tuple[Integers, Integers], kind: Integers
) -> tuple[Integers, Integers]:
    """Return for each group, of the answers of its `kind` that it does not accept itself, the most items that one is
    accepted by, and how many answers are accepted by so many. `touched` are the groups and the `counts` of the answers
    that groups accept."""
    best, many = np.zeros(len(kind), dtype=np.int64), np.zeros(len(kind), dtype=np.int64)
    for kind_index in range(kinds):
        open_ones = kind == kind_index
        levels, answers = np.unique(
            counts[kind_index::kinds][counts[kind_index::kinds] > 0], return_counts=True
        )
        for level, there in zip(levels[::-1].tolist(), answers[::-1].tolist(), strict=True):
            if not open_ones.any():
                break
            own = np.bincount(touched[0][touched[1] == level], minlength=len(kind))
            free = open_ones & (own < there)
            best[free], many[free] = level, there - own[free]
            open_ones &= ~free
    return best, many
