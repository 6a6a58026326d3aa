"""Tests of change and of turns: closed forms, false alarms under noise, and planted rises and falls."""

import math

import numpy as np
import pytest

from tellapart.stats.emergence import binomial_variance
from tellapart.stats.emergence_change import change, scatter_variance, turn

PLACES = np.linspace(0, 1, 8)


def test_chi_squared_is_the_sum_of_squares_over_the_noise():
    scores = np.array([0.2, 0.4] * 4)
    tested = change(PLACES, scores, np.full(8, 0.01))
    assert tested.chi2 == pytest.approx(8 * 0.1**2 / 0.01)
    assert tested.df == 7
    assert math.isnan(change(PLACES, scores, np.zeros(8)).p)


def test_noise_alone_is_a_change_in_one_of_a_hundred_and_turns_never():
    rng = np.random.default_rng(0)
    n = np.full(8, 400.0)
    drawn = [rng.binomial(400, 0.4, 8) / 400 for _ in range(1000)]
    tested = [change(PLACES, one, binomial_variance(one, n)).p < 0.01 for one in drawn]
    assert np.mean(tested) <= 0.02
    assert np.mean([turn(PLACES, one, binomial_variance(one, n)).shown for one in drawn]) <= 0.005


def test_scatter_between_models_is_no_turn():
    rng = np.random.default_rng(1)
    shown = []
    for _ in range(400):
        true = np.clip(0.2 + 0.5 * PLACES + rng.normal(0, 0.06, 8), 0, 1)
        seen = rng.binomial(5000, true) / 5000
        shown.append(turn(PLACES, seen, binomial_variance(seen, np.full(8, 5000.0))).shown)
    assert np.mean(shown) <= 0.02


def test_one_odd_model_is_a_turn_and_no_scatter():
    scores = np.array([0.7, 0.7, 0.7, 0.3, 0.7, 0.7, 0.7, 0.7])
    variances = binomial_variance(scores, np.full(8, 500.0))
    assert scatter_variance(PLACES, scores, variances) == 0
    found = turn(PLACES, scores, variances)
    assert found.shown
    assert found.probability > 0.9
    assert (found.rise, found.fall) == pytest.approx((0.4, 0.4))
    assert not turn(PLACES, np.sort(scores), variances).shown
