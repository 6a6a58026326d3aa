"""Base's success from both sides' samples: exact cases, simulated coverage, widths, refusals.

Simulated items know their truth. `finite`: tuned concentrates on 1 to 20 forms of the right answer, base has
them with log-normal shifts, guesses right outside them, and is wrong in many ways. `diffuse`: no completion
comes twice, and p_base/p_tuned is log-normal.
"""

import numpy as np
import pytest
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.stats.forms import BASE, SCORED, TUNED, Draws
from tellapart.stats.importance import base_success
from tellapart.stats.success import best_of_n_bits, mean_success
from tellapart.stats.unseen import LOG_RATES, shared_prior

TINY = 1e-300


def _join(parts):
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Draws(*columns)


def _drawn(rng, item, p_base, p_tuned, right, sizes, scored=()):
    """Draw forms of one item from two distributions over the same forms."""
    forms = np.concatenate(
        [
            rng.choice(p_base.size, sizes[0], p=p_base / p_base.sum()),
            rng.choice(p_tuned.size, sizes[1], p=p_tuned / p_tuned.sum()),
            np.asarray(scored, dtype=int),
        ]
    )
    source = np.repeat([BASE, TUNED, SCORED], [*sizes, len(scored)])
    logs = [np.log(p[forms] + TINY) for p in (p_base, p_tuned)]
    return np.full(forms.size, item), source, *logs, right[forms], forms


def _finite(rng, items, n, guess, scored=False):
    parts, truth = [], []
    for item in range(items):
        k, g = rng.integers(1, 21), rng.integers(1, 4)
        tuned_forms = rng.dirichlet(np.full(k, 0.7))
        base_forms = tuned_forms * np.exp(rng.normal(0, 1, k))
        skill, luck = np.exp(rng.uniform(np.log(1e-4), np.log(0.3))), rng.uniform(0, guess)
        success = rng.uniform(0.5, 0.99)
        p_base = np.r_[
            skill * base_forms / base_forms.sum(),
            luck * rng.dirichlet(np.ones(g)),
            (1 - skill - luck) * rng.dirichlet(np.full(60, 0.3)),
        ]
        p_tuned = np.r_[
            success * tuned_forms, np.full(g, 1e-9), (1 - success) * rng.dirichlet(np.full(60, 0.3))
        ]
        right = np.arange(p_base.size) < k + g
        truth.append(skill + luck)
        extra = np.arange(k, k + g) if scored else ()
        parts.append(_drawn(rng, item, p_base, p_tuned / p_tuned.sum(), right, (n, n), extra))
    return _join(parts), np.array(truth)


def _diffuse(rng, items, n, spread, guess=0.0):
    parts, truth = [], []
    for item in range(items):
        skill, luck = np.exp(rng.uniform(np.log(1e-4), np.log(0.3))), rng.uniform(0, guess)
        success = rng.uniform(0.5, 0.99)
        middle = np.log(skill / success) - spread**2 / 2
        ok, under_tuned = rng.random(n) < success, rng.normal(-60, 3, n)
        ratio = np.where(ok, rng.normal(middle, spread, n), -1.0)
        drawn = rng.random(n)
        skilled, lucky = drawn < skill, (drawn >= skill) & (drawn < skill + luck)
        base_tuned = np.where(skilled, rng.normal(-60, 3, n), -90.0 - rng.random(n))
        base_base = np.where(skilled, base_tuned + rng.normal(middle + spread**2, spread, n), -50 - drawn)
        logs = np.r_[base_base, under_tuned + ratio], np.r_[base_tuned, under_tuned]
        right = np.r_[skilled | lucky, ok]
        parts.append((np.full(2 * n, item), np.repeat([BASE, TUNED], n), *logs, right, np.arange(2 * n)))
        truth.append(skill + luck)
    return _join(parts), np.array(truth)


def _plain_width(p, n, z=1.645):
    """The width of Wilson's 90 % interval of plain sampling."""
    return 2 * z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)


WORLDS = {
    "one skill, no guessing": lambda rng, n: _finite(rng, 250, n, 0.0),
    "rare guessing": lambda rng, n: _finite(rng, 250, n, 0.002),
    "guessing": lambda rng, n: _finite(rng, 250, n, 0.01),
    "guesses scored": lambda rng, n: _finite(rng, 250, n, 0.01, scored=True),
    "never twice, even weights": lambda rng, n: _diffuse(rng, 250, n, 0.4),
    "never twice, skewed weights": lambda rng, n: _diffuse(rng, 250, n, 1.0),
    "never twice, skewed, guessing": lambda rng, n: _diffuse(rng, 250, n, 1.0, 0.01),
}
NARROW = {
    "one skill, no guessing": 0.95,
    "guesses scored": 0.95,
    "never twice, even weights": 0.95,
    "rare guessing": 0.5,
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("n", [32, 64])
def test_intervals_cover_and_are_narrow(name, n):
    rng = np.random.default_rng([n, *name.encode()])
    draws, truth = WORLDS[name](rng, n)
    found = base_success(draws)
    inside = (found.low <= truth) & (truth <= found.high)
    assert 0.83 <= inside.mean() <= 0.985
    brute = rng.binomial(4096, truth) / 4096
    noise = 1.645 * np.sqrt(found.value * (1 - found.value) / 4096)
    side = np.where(brute < found.value, found.value - found.low, found.high - found.value)
    assert 0.82 <= (np.abs(brute - found.value) <= np.hypot(side, noise)).mean() <= 0.98
    assert found.value.mean() == pytest.approx(truth.mean(), rel=0.15)
    narrow = (found.high - found.low) <= _plain_width(truth, 20 * 2 * n)
    assert narrow[truth < 0.02].mean() >= NARROW.get(name, 0.0)


def test_one_right_form_is_known_exactly():
    p_base, p_tuned = np.array([1e-6, 0.6, 0.4 - 1e-6]), np.array([0.98, 0.01, 0.01])
    draws = _join(
        [
            _drawn(np.random.default_rng(item), item, p_base, p_tuned, np.array([1, 0, 0]), (32, 32))
            for item in range(20)
        ]
    )
    found = base_success(draws)
    assert found.known == pytest.approx(np.full(20, 1e-6))
    assert found.value == pytest.approx(np.full(20, 1e-6), rel=0.05)
    assert (found.high < 2e-6).all()
    assert found.by_importance.all()
    assert not found.cannot_tell.any()


def test_a_lone_item_that_nobody_solves_cannot_be_told():
    rng = np.random.default_rng(1)
    spread = np.full(400, 1 / 400)
    draws = _join([_drawn(rng, 0, spread, spread, np.zeros(400), (64, 64))])
    found = base_success(draws)
    assert found.cannot_tell.tolist() == [True]
    assert found.ess.tolist() == [0]
    assert found.low.tolist() == [0]
    assert found.high[0] == pytest.approx(stats.beta.ppf(0.9, 0.5, 64.5), rel=0.15)


def test_base_alone_is_heard_where_tuned_is_never_right():
    rng = np.random.default_rng(2)
    p_base = np.r_[np.full(200, 0.3 / 200), np.full(200, 0.7 / 200)]
    p_tuned = np.r_[np.full(200, 1e-12), np.full(200, 1 / 200)]
    right = np.arange(400) < 200
    draws = _join([_drawn(rng, item, p_base, p_tuned / p_tuned.sum(), right, (64, 64)) for item in range(60)])
    found = base_success(draws)
    assert ((found.low <= 0.3) & (found.high >= 0.3)).mean() > 0.8
    assert np.corrcoef(found.value, found.plain_value)[0, 1] > 0.5 or np.ptp(found.value) < 0.1


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_equal_models_cover(p):
    rng = np.random.default_rng(3)
    both = np.r_[rng.dirichlet(np.ones(300)) * p, rng.dirichlet(np.ones(300)) * (1 - p)]
    right = np.arange(600) < 300
    draws = _join([_drawn(rng, item, both, both, right, (48, 48)) for item in range(150)])
    found = base_success(draws)
    assert ((found.low <= p) & (p <= found.high)).mean() > 0.8
    assert (found.high - found.low).mean() < 1.02 * (found.plain_high - found.plain_low).mean()


def test_mean_over_items_covers():
    hits = 0
    for turn in range(40):
        draws, truth = _finite(np.random.default_rng([4, turn]), 40, 32, 0.002)
        found = mean_success(base_success(draws, seed=turn), seed=turn)
        hits += found.low <= 0.0383 <= found.high
        assert found.n == truth.size
    assert hits >= 34


def test_same_seed_same_result_and_forms_from_logs():
    draws, _ = _finite(np.random.default_rng(5), 12, 32, 0.01)
    first, again = base_success(draws, seed=1), base_success(draws, seed=1)
    assert (first.high == again.high).all()
    assert base_success(draws._replace(form=None), seed=1).high == pytest.approx(first.high, rel=0.2)


def test_shared_prior_of_a_lone_item_is_jeffreys_and_of_many_their_own():
    lone = shared_prior(np.array([0]), np.array([64]))
    assert np.interp(0.5, np.cumsum(lone), np.exp(LOG_RATES)) == pytest.approx(0.25, rel=0.1)
    hits = np.random.default_rng(6).binomial(64, 0.05, 400)
    many = shared_prior(hits, np.full(400, 64))
    assert many @ np.exp(LOG_RATES) == pytest.approx(0.05, abs=0.005)
    assert many.sum() == pytest.approx(1)


def test_best_of_n_bits():
    assert best_of_n_bits(1) == 0
    assert best_of_n_bits(2) == pytest.approx(0.27865, abs=1e-5)
    with pytest.raises(UserMistake):
        best_of_n_bits(0)


GOOD = Draws([0, 0], [0, 1], [-1.0, -2.0], [-2.0, -1.0], [0, 1], [0, 1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": [0, 0]}, "no draws of tuned"),
        ({"source": [0, 3]}, "source must be"),
        ({"right": [0.5, 1]}, "right must be"),
        ({"logp_base": [1.0, -2.0]}, "above 0"),
        ({"logp_base": [-0.1, -0.1]}, "distinct completions"),
        ({"logp_tuned": [np.nan, -1.0]}, "missing or infinite"),
        ({"item": [0.5, 0]}, "item index"),
        ({"item": [0]}, "same order"),
    ],
)
def test_bad_input_is_refused(change, words):
    assert base_success(GOOD).value.size == 1
    with pytest.raises(UserMistake, match=words):
        base_success(GOOD._replace(**change))
