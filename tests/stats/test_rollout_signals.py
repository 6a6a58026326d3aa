"""The signals of a training step against enumeration and closed forms."""

import math
from itertools import combinations

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.stats.advantages import grpo_advantages
from tellapart.stats.rollout_signals import SIGNALS, Rollouts, step_signals


def _grid(counts, size=8):
    rewards = np.array([[1.0] * c + [0.0] * (size - c) for c in counts])
    return rewards, np.repeat(np.arange(len(counts)), size)


def test_groups_and_concentration_are_those_of_the_advantages():
    rewards, groups = _grid([0, 1, 1, 2, 8])
    told = step_signals(Rollouts(rewards.ravel(), groups))
    positive = np.maximum(grpo_advantages(rewards), 0).sum(axis=1)
    assert told["all_wrong"] == pytest.approx(1 / 5)
    assert told["all_right"] == pytest.approx(1 / 5)
    assert told["concentration"] == pytest.approx(positive[[1, 2]].sum() / positive.sum())
    assert told["reward"] == pytest.approx(12 / 40)


def test_what_is_not_there_is_missing_and_never_nought():
    told = step_signals(Rollouts([0, 0], [0, 0]))
    assert {*told} == {*SIGNALS}
    for name in ("concentration", "repeats_within", "skipped", "lucky", "length", "entropy"):
        assert math.isnan(told[name])
    assert all(math.isnan(value) for value in step_signals(Rollouts([math.nan], [0])).values())


def test_repetition_is_over_pairs_of_unrewarded_answers():
    rng = np.random.default_rng(0)
    score, group = rng.integers(0, 2, 40).astype(float), rng.integers(0, 5, 40)
    answers = [str(value) for value in rng.integers(0, 3, 40)]
    told = step_signals(Rollouts(score, group, answers))
    pairs = [p for p in combinations(range(40), 2) if score[p[0]] == score[p[1]] == 0]
    inside = [answers[i] == answers[j] for i, j in pairs if group[i] == group[j]]
    outside = [answers[i] == answers[j] for i, j in pairs if group[i] != group[j]]
    assert told["repeats_within"] == pytest.approx(np.mean(inside))
    assert told["repeats_across"] == pytest.approx(np.mean(outside))


def test_luck_is_reward_without_valid_steps():
    steps = ["valid", "absent", "invalid", "absent", ""]
    told = step_signals(Rollouts([1, 1, 1, 0, 1], [0] * 5, steps=steps, length=[1, 2, 3, 4, math.nan]))
    assert told["skipped"] == pytest.approx(2 / 4)
    assert told["lucky"] == pytest.approx(2 / 3)
    assert told["length"] == pytest.approx(2.5)


def test_thin_reward_is_counted_in_groups_that_teach():
    groups = [0] * 4 + [1] * 4 + [2] * 4
    scores = [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1]
    thin = [True, False, False, False] + [True, False, True, True] + [True] * 4
    told = step_signals(Rollouts(scores, groups, thin=thin))
    assert told["thin"] == pytest.approx(8 / 12)
    assert told["thin_paid"] == pytest.approx(
        (1 + 0.5) / 2
    )  # the third group is always right: it has no advantages
    assert math.isnan(step_signals(Rollouts([1] * 4, [0] * 4, thin=[True] * 4))["thin_paid"])
    assert math.isnan(step_signals(Rollouts(scores, groups))["thin_paid"])


def test_unequal_columns_and_unknown_steps_are_refused():
    with pytest.raises(UserMistake, match="1 group, 2 scores"):
        step_signals(Rollouts([1, 0], [0]))
    with pytest.raises(UserMistake, match="'maybe'"):
        step_signals(Rollouts([1], [0], steps=["maybe"]))
