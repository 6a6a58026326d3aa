"""Prices of teaching: isotonic curves, censoring, and the interval of the ratio."""

import math

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from tellapart.stats.bounds import gain_of
from tellapart.stats.prices import Doses, isotonic, price_of, price_ratio

LABELS = np.array([1, 2, 4, 8, 16, 32, 64])
ITEMS = 60


def test_a_rising_curve_is_scipys():
    curves = np.random.default_rng(0).random((40, 7))
    for curve, found in zip(curves, isotonic(curves), strict=True):
        np.testing.assert_allclose(found, isotonic_regression(curve).x)


def test_a_price_is_interpolated_between_doses_and_censored_beyond_them():
    low, high = price_of(np.array([1, 4, 16]), np.array([[0, 0.25, 0.75], [0.6, 0.7, 0.9], [0, 0.1, 0.2]]))
    np.testing.assert_allclose(low, [8, 0, 16])
    np.testing.assert_allclose(high, [8, 1, math.inf])


def curve(rng: np.random.Generator, price: float, spread: float = 0.2) -> Doses:
    """A model that comes to half at `price` labels, its draws a little earlier or later."""
    own = price * np.exp(spread * rng.standard_normal(3))
    chance = 1 / (1 + (own[None, :] / LABELS[:, None]) ** 3)
    return Doses(LABELS, rng.binomial(4, chance[:, :, None], (7, 3, ITEMS)) / 4)


def ratio_of(rng: np.random.Generator, base: float, reference: float, confidence: float = 0.9):
    gain = gain_of(np.zeros(ITEMS), np.ones(ITEMS), 0.0, None)
    return price_ratio(
        gain, np.zeros(ITEMS), curve(rng, base), curve(rng, reference), confidence, resamples=200
    )


def test_the_ratio_of_known_prices_is_covered():
    rng, runs = np.random.default_rng(1), 120
    covered = 0
    for _ in range(runs):
        ratio = ratio_of(rng, 4, 24).ratio
        covered += ratio.low <= 6 <= ratio.high
    assert covered / runs >= 0.85


def test_a_reference_that_never_learns_bounds_the_ratio_from_below():
    prices = ratio_of(np.random.default_rng(2), 4, 1e6)
    assert prices.reference.high == math.inf
    assert "at least" in prices.reference.method
    assert prices.ratio.high == math.inf
    assert 8 < prices.ratio.low <= prices.ratio.value == pytest.approx(64 / prices.base.value)


def test_two_models_that_learn_alike_are_not_four_times_apart():
    rng = np.random.default_rng(3)
    assert all(ratio_of(rng, 8, 8).ratio.low < 4 for _ in range(20))


def test_one_draw_of_labels_gives_no_price():
    rng = np.random.default_rng(4)
    gain = gain_of(np.zeros(ITEMS), np.ones(ITEMS), 0.0, None)
    one = curve(rng, 4)
    prices = price_ratio(gain, np.zeros(ITEMS), Doses(LABELS, one.scores[:, :1]), one)
    assert math.isnan(prices.ratio.value)
    assert "draw" in prices.ratio.method
