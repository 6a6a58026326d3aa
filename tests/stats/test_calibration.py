"""Calibration: simulated chances that are right, and a stored verdict that says the same."""

import json

import numpy as np
import pytest
from scipy.special import softmax

from tellapart.errors import UserMistake
from tellapart.stats.calibration import Calibrated, calibrated_from
from tellapart.stats.multinomial import Evidence, fit_multinomial
from tellapart.stats.probabilities import brier_score, reliability_table


def _gap(chances, truth):
    """How far accuracy is from confidence, the mean over items."""
    table = reliability_table(chances, truth)
    return sum(one.n * abs(one.accuracy.value - one.confidence) for one in table) / sum(
        one.n for one in table
    )


def _stated(n, seed=0, classes=3, sharpen=1.0):
    """Chances, and truths drawn from them; `sharpen` above 1 makes the stated ones overconfident."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, classes))
    truth = (rng.random(n)[:, None] > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
    return softmax(sharpen * logits, axis=1), truth


def test_scores_in_closed_form():
    chances, truth = [[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]], [0, 1]
    assert brier_score(chances, truth).value == pytest.approx(
        (0.09 + 0.04 + 0.01 + 0.0625 + 0.5625 + 0.25) / 2
    )
    assert brier_score(np.full((50, 4), 0.25), np.arange(50) % 4).value == pytest.approx(0.75)


def test_true_chances_are_calibrated_and_sharpened_ones_are_not():
    chances, truth = _stated(4000)
    assert _gap(chances, truth) < 0.02
    for one in reliability_table(chances, truth, bins=10):
        assert one.accuracy.low - 0.02 < one.confidence < one.accuracy.high + 0.02
        assert one.low < one.confidence <= one.high
    assert sum(one.n for one in reliability_table(chances, truth)) == 4000
    sharp, truth = _stated(4000, sharpen=2.5)
    assert _gap(sharp, truth) > 0.08
    assert brier_score(sharp, truth).value > brier_score(chances, truth).value


def test_a_stored_calibration_says_the_same():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2))
    labels = ["x" if value > 0 else "y" for value in values[:, 0]]
    fitted = Calibrated(fit_multinomial(Evidence(values, ("a", "b")), labels), 0.6)
    stored = json.loads(json.dumps(fitted.as_json(), allow_nan=False))
    assert calibrated_from(stored) == fitted
    np.testing.assert_array_equal(calibrated_from(stored).probabilities(values), fitted.probabilities(values))
    for bad in ({}, {"threshold": 0.5}, {**stored, "threshold": 7}, {"threshold": 0.5, "model": 3}):
        with pytest.raises(UserMistake):
            calibrated_from(bad)


def test_bad_input_is_refused():
    for chances, truth in (
        ([[0.5, 0.6]], [0]),
        ([[0.5, 0.5]], [2]),
        ([[0.5, 0.5]], [0, 1]),
        ([[1.5, -0.5]], [0]),
    ):
        with pytest.raises(UserMistake):
            brier_score(chances, truth)
    with pytest.raises(UserMistake, match="bins"):
        reliability_table([[0.5, 0.5]], [0], bins=0)
