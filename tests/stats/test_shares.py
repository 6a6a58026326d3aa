"""Recovered share and surfacing cost: closed forms, refusals, and simulated coverage."""

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.stats.resampling import bootstrap_means, percentile_bounds
from tellapart.stats.shares import recovered_share
from tellapart.stats.surfacing import Ladder, surfacing_bits, surfacing_curve


def _scores(share, rng, n=120, gain=0.3, clusters=None):
    """Per-item means of 8 samples; the true gain of an item varies, by cluster where there are any."""
    codes = np.arange(n) if clusters is None else clusters
    p = rng.uniform(0.05, 0.4, n)
    lift = gain * rng.uniform(0, 2, codes.max() + 1)[codes]
    return [rng.binomial(8, np.clip(p + part * lift, 0, 1)) / 8 for part in (0, share, 1)]


@pytest.mark.parametrize("share", [0.0, 0.6, 1.3])
@pytest.mark.parametrize("clustered", [False, True])
def test_fieller_covers(share, clustered):
    rng, hits, times = np.random.default_rng(5), 0, 500
    clusters = np.repeat(np.arange(24), 5) if clustered else None
    for _ in range(times):
        base = rng.uniform(0.05, 0.4, 120)
        lift = rng.uniform(0, 0.3, 24)[np.repeat(np.arange(24), 5)] if clustered else rng.uniform(0, 0.3, 120)
        sides = [rng.binomial(8, base + part * lift) / 8 for part in (0, share, 1)]
        found = recovered_share(*sides, clusters)
        hits += found.low <= share <= found.high
    assert 0.92 <= hits / times <= 0.98


def bootstrapped(base, elicited, tuned, seed):
    """Return the 95 % paired percentile bootstrap of the share: another road to Fieller's interval."""
    parts = np.column_stack([elicited - base, tuned - base])
    means = bootstrap_means(parts, None, 600, seed)
    low, high = percentile_bounds(means[:, :1] / means[:, 1:])
    return float(low[0]), float(high[0])


def test_bootstrap_agrees_with_fieller_and_covers():
    rng, hits = np.random.default_rng(1), 0
    for turn in range(150):
        sides = _scores(0.5, rng)
        low, high = bootstrapped(*sides, seed=turn)
        fieller = recovered_share(*sides)
        assert (low, high) == pytest.approx((fieller.low, fieller.high), abs=0.06)
        hits += low <= 0.5 <= high
    assert 0.90 <= hits / 150 <= 0.99


def test_share_is_refused_without_a_gain():
    rng = np.random.default_rng(2)
    base, elicited, _ = _scores(0.5, rng)
    same = recovered_share(base, elicited, base)
    assert np.isnan([same.value, same.low, same.high]).all()
    assert same.method.startswith("missing: no gain to share out: +0.0000")
    assert "tuned lost" in recovered_share(base + 0.2, elicited, base).method
    assert np.isnan(recovered_share([0.1], [0.2], [0.9]).low)


def test_share_refusals_match_the_null_rate():
    rng, given = np.random.default_rng(3), 0
    for _ in range(600):
        base, elicited, tuned = _scores(0.5, rng, gain=0.0)
        given += np.isfinite(recovered_share(base, elicited, tuned).value)
    assert given / 600 == pytest.approx(0.025, abs=0.02)


def test_share_is_never_clamped():
    base = np.tile([0.0, 0.25], 20)
    tuned = base + np.tile([0.25, 0.5, 0.25, 0.25], 10)
    assert recovered_share(base, base - 0.2 * (tuned - base), tuned).value == pytest.approx(-0.2)
    above = recovered_share(base, base + 1.5 * (tuned - base), tuned)
    assert (above.value, above.low, above.high) == pytest.approx((1.5, 1.5, 1.5))


def _ladder(shares, bits, seed=4):
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 0.3, 200)
    lift = rng.uniform(0.2, 0.6, 200)
    elicited = [base + share * lift + rng.normal(0, 0.05, 200) for share in shares]
    return Ladder(base, base + lift, elicited, bits)


def test_surfacing_finds_the_fewest_bits():
    ladder = _ladder([0.1, 0.7, 0.6, 0.95], [0, 100, 3, 5000])
    half, most = surfacing_bits(ladder, 0.5), surfacing_bits(ladder, 0.9)
    assert (half.value, half.low, half.high) == (3, 3, 3)
    assert most.value == 5000
    never = surfacing_bits(ladder, 0.99)
    assert "never reached: 99% wanted, the best elicitor recovers 9" in never.method


def test_surfacing_interval_is_open_where_resamples_never_get_there():
    found = surfacing_bits(_ladder([0.508, 0.1], [8, 0]), 0.5)
    assert found.value == 8
    assert found.high == np.inf
    assert found.as_json()["high"] is None


def test_surfacing_curve_is_the_running_best():
    curve = surfacing_curve(_ladder([0.7, 0.1, 0.4, 0.6], [10, 0, 20, 2]))
    assert curve is not None
    assert curve.bits.tolist() == [0, 2, 10, 20]
    assert curve.elicitor.tolist() == [1, 3, 0, 0]
    assert (np.diff(curve.share) >= 0).all()
    assert ((curve.low <= curve.share) & (curve.share <= curve.high)).all()


def test_surfacing_needs_a_gain():
    ladder = _ladder([0.5], [1])
    level = ladder._replace(tuned=ladder.base)
    assert surfacing_curve(level) is None
    assert "no gain" in surfacing_bits(level).method
    with pytest.raises(UserMistake, match="bits"):
        surfacing_bits(ladder._replace(bits=[1, 2]))
