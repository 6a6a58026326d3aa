"""A guesser that knows the targets' popularity alone, by brute force and at the ends of the scale."""

from collections import Counter

import numpy as np
import pytest

from tellapart.stats.chance import (
    AnswerKey,
    Given,
    alike_matches,
    constant_chance,
    constant_matches,
    expected_matches,
)


def key(values: list[list[str]], clusters: list[int], kinds: list[int] | None = None) -> AnswerKey:
    item = [at for at, some in enumerate(values) for _ in some]
    flat = [one for some in values for one in some]
    return AnswerKey(
        np.array(item), np.array(flat, dtype=object), np.array(clusters), np.array(kinds or [0] * len(values))
    )


def by_hand(values: list[list[str]], clusters: list[int], kinds: list[int]) -> list[float]:
    found = []
    for accepted, cluster, kind in zip(values, clusters, kinds, strict=True):
        others = Counter(
            one
            for some, c, k in zip(values, clusters, kinds, strict=True)
            if c != cluster and k == kind
            for one in set(some)
        )
        best = max(others.values(), default=0)
        top = [one for one, times in others.items() if times == best]
        found.append(min(1.0, sum(one in top for one in set(accepted)) / len(top)) if best else 0.0)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_the_best_constant_of_other_clusters_as_counted_by_hand(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    values = [[str(v) for v in rng.integers(0, 4, rng.integers(1, 3))] for _ in range(n)]
    clusters, kinds = rng.integers(0, 4, n).tolist(), rng.integers(0, 2, n).tolist()
    assert constant_matches(key(values, clusters, kinds)) == pytest.approx(by_hand(values, clusters, kinds))


def test_clusters_that_hold_several_targets_do_not_make_chance_larger_than_one():
    rng = np.random.default_rng(0)
    values = [[str(v)] for v in rng.integers(0, 10, 96)]
    found = constant_chance(key(values, [at // 4 for at in range(96)]))
    assert 0.05 < found.value < 0.2
    assert found.low <= found.value <= found.high < 0.25


def test_popular_and_even_targets():
    mostly = constant_chance(key([["no"]] * 95 + [["yes"]] * 5, list(range(100))))
    assert mostly.value == pytest.approx(0.95)
    even = constant_chance(key([["no"], ["yes"]] * 50, list(range(100))))
    assert even.value == pytest.approx(0.495, abs=0.01)
    aliases = constant_chance(key([["no", "n"], ["yes", "y"]] * 50, list(range(100))))
    assert aliases.value == pytest.approx(0.495, abs=0.01)


def test_luck_on_alike_questions_is_that_of_a_guess_within_the_group():
    rng = np.random.default_rng(0)
    group, n, samples = rng.integers(0, 25, 400), 400, 8
    target = np.array([f"{kind} {rng.integers(0, 5)}" for kind in group], dtype=object)
    keys = AnswerKey(np.arange(n), target, np.arange(n), np.zeros(n, dtype=np.int64))
    item = np.repeat(np.arange(n), samples)
    guess = np.array([f"{group[at]} {rng.integers(0, 5)}" for at in item], dtype=object)
    assert np.nanmean(expected_matches(Given(item, guess), keys)) == pytest.approx(0.008, abs=0.004)
    assert np.nanmean(alike_matches(Given(item, guess), keys)) == pytest.approx(0.2, abs=0.02)


def test_who_knows_the_answer_or_errs_at_random_is_not_luckier_on_alike_questions():
    rng = np.random.default_rng(1)
    n, samples = 300, 8
    target = np.array([str(value) for value in rng.integers(0, 10_000, n)], dtype=object)
    keys = AnswerKey(np.arange(n), target, np.arange(n), np.zeros(n, dtype=np.int64))
    item = np.repeat(np.arange(n), samples)
    known = rng.random(len(item)) < 0.5
    answer = np.where(known, target[item], [str(value) for value in rng.integers(0, 10_000, len(item))])
    assert np.nanmean(alike_matches(Given(item, answer.astype(object)), keys)) < 0.001
    assert np.isnan(alike_matches(Given(item, target[item]), keys)).all()


def test_one_answer_an_item_says_nothing_of_luck_on_alike_questions():
    keys = AnswerKey(
        np.arange(4), np.array(list("abab"), dtype=object), np.arange(4), np.zeros(4, dtype=np.int64)
    )
    assert np.isnan(alike_matches(Given(np.arange(4), np.array(list("bbaa"), dtype=object)), keys)).all()
