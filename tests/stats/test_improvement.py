"""The generation-verification gap against closed forms, and how often the plateau's interval holds."""

import numpy as np
import pytest
from scipy.special import expit, logit

from tellapart.errors import UserMistake
from tellapart.stats.improvement import (
    accepted_by_chance,
    distinct,
    expected_verification,
    gap,
    relative_gap,
    verified,
)
from tellapart.stats.plateau import forecast


def _noisy(rng, rates, samples, hit, false_alarm):
    truth = (rng.random((len(rates), samples)) < np.asarray(rates)[:, None]).astype(float)
    return truth, rng.random(truth.shape) < np.where(truth > 0, hit, false_alarm)


def test_a_noisy_verifier_gains_what_bayes_says():
    rng = np.random.default_rng(0)
    truth, accepted = _noisy(rng, [0.3] * 200, 400, 0.8, 0.2)
    found = gap(verified(truth, accepted))
    assert found.value == pytest.approx(expected_verification(0.3, 0.8, 0.2) - 0.3, abs=0.01)
    assert found.low < found.value < found.high


def test_a_verifier_at_chance_gains_nothing_in_95_of_100():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        truth, accepted = _noisy(rng, rng.beta(1, 3, 60), 16, 0.4, 0.4)
        found = gap(verified(truth, accepted))
        inside += found.low <= 0 <= found.high
    assert 182 <= inside <= 199


def test_the_relative_gap_is_taken_per_prompt():
    truth = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=float)
    accepted = truth > 0
    accepted[0] = False  # nothing accepted: the item keeps its answers
    found = verified(truth, accepted)
    assert found.verification.tolist() == [0.25, 1.0, 1.0]
    assert relative_gap(found).value == pytest.approx((0 + 1) / 2)  # ratio of means would be .25 / 1
    assert relative_gap(found).n == 2
    assert np.isnan(relative_gap(verified(np.ones((3, 2)), np.ones((3, 2)))).value)


def test_failed_answers_are_left_out_and_never_count_as_wrong():
    truth = np.array([[1.0, np.nan], [np.nan, np.nan]])
    found = verified(truth, np.array([[True, True], [True, True]]), ["a", "b"])
    assert found.generation.tolist() == [1.0]
    assert found.accepted.tolist() == [1.0]
    assert found.clusters == ["a"]
    assert distinct([("x", "x", None), (None, None, None)]).tolist() == [1.0, 0.0]


def test_the_null_twin_accepts_as_many_of_each_item():
    rng = np.random.default_rng(2)
    truth, accepted = _noisy(rng, [0.5] * 40, 16, 0.9, 0.1)
    truth[0, :3] = np.nan
    drawn = accepted_by_chance(accepted, truth, 7)
    known = np.isfinite(truth)
    assert (drawn.sum(1) == (accepted & known).sum(1)).all()
    assert not (drawn & ~known).any()
    assert abs(gap(verified(truth, drawn)).value) < 0.1 < gap(verified(truth, accepted)).value


def test_verdicts_of_another_shape_are_refused():
    with pytest.raises(UserMistake, match="one verdict an answer"):
        verified(np.ones((2, 3)), np.ones((2, 2)))


@pytest.mark.parametrize("known", [2, 3])
def test_the_plateau_interval_holds_on_curves_of_its_kind(known):
    rng = np.random.default_rng(3)
    held = 0
    for turn in range(60):
        start, level = rng.uniform(0.02, 0.3), rng.uniform(0.05, 0.98)
        rate = rng.beta(1, 2)
        curve = expit(logit(level) - (logit(level) - logit(start)) * rate ** np.arange(6))
        seen = np.clip(curve + rng.normal(0, 0.02, 6), 0, 1)
        told = forecast(seen[:known], [0.015] * known, horizon=5, seed=turn)
        held += told.low <= seen[5] <= told.high
    assert held >= 49


def test_a_flat_series_is_foretold_flat_and_too_short_a_one_refused():
    told = forecast([0.05, 0.05, 0.05], [0.005] * 3, 5)
    assert told.low < 0.05 < told.high < 0.2
    assert "90 %" in told.method
    with pytest.raises(UserMistake, match="at least two scores"):
        forecast([0.5], [0.1], 5)
