"""Intervals against goldens, scipy and statsmodels, and by simulation of coverage."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from tellapart.errors import UserMistake
from tellapart.stats.intervals import (
    beta_posterior,
    bootstrap_mean,
    clopper_pearson,
    constant_interval,
    mean,
    mean_score,
    standard_error,
    wilson,
)


@pytest.mark.parametrize(
    ("interval", "right", "low", "high"),
    [
        (wilson, 20, 0.8389, 1.0),
        (beta_posterior, 20, 0.8389, 0.9988),
        (clopper_pearson, 20, 0.8316, 1.0),
        (wilson, 18, 0.6990, 0.9721),
    ],
)
def test_goldens_of_twenty(interval, right, low, high):
    found = interval(right, 20)
    assert (found.value, found.n) == (right / 20, 20)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.mark.parametrize(("interval", "method"), [(wilson, "wilson"), (clopper_pearson, "beta")])
@pytest.mark.parametrize("right", [0, 1, 7, 29, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_agrees_with_statsmodels(interval, method, right, confidence):
    low, high = proportion_confint(right, 30, alpha=1 - confidence, method=method)
    found = interval(right, 30, confidence)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert ("90 %" in found.method) == (confidence == 0.9)


def test_mean_agrees_with_scipy():
    values = np.random.default_rng(1).normal(size=25)
    low, high = stats.t.interval(0.95, 24, values.mean(), stats.sem(values))
    found = mean(values)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_clustered_error_is_millers_sum_and_agrees_with_statsmodels():
    rng = np.random.default_rng(2)
    clusters = rng.integers(0, 12, 90)
    values = rng.normal(size=90) + rng.normal(size=12)[clusters]
    off = values - values.mean()
    cross = sum(
        off[i] * off[j] for i in range(90) for j in range(90) if i != j and clusters[i] == clusters[j]
    )
    by_hand = np.sqrt(12 / 11 * (off @ off + cross)) / 90
    fit = sm.OLS(values, np.ones(90)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": True, "df_correction": True}
    )
    found = standard_error(values, clusters)
    assert found.value == pytest.approx(by_hand)
    assert found.value == pytest.approx(fit.bse[0])
    assert (found.freedom, found.units) == (11, 12)


def test_clusters_of_one_change_nothing():
    values = np.random.default_rng(3).normal(size=17)
    assert standard_error(values, np.arange(17)).value == pytest.approx(standard_error(values).value)
    assert standard_error(values).value == pytest.approx(stats.sem(values))


@pytest.mark.parametrize("clustered", [False, True])
def test_interval_of_a_mean_covers(clustered):
    rng, hits, times = np.random.default_rng(4), 0, 800
    clusters = np.repeat(np.arange(10), 8)
    for _ in range(times):
        values = rng.normal(size=80) + rng.normal(size=10)[clusters] * clustered + 0.3
        found = mean(values, clusters if clustered else None)
        hits += found.low <= 0.3 <= found.high
    assert 0.93 <= hits / times <= 0.97


def test_ignoring_clusters_would_not_cover():
    rng, hits = np.random.default_rng(5), 0
    clusters = np.repeat(np.arange(10), 8)
    for _ in range(300):
        found = mean(rng.normal(size=80) + rng.normal(size=10)[clusters])
        hits += found.low <= 0 <= found.high
    assert hits / 300 < 0.75


@pytest.mark.parametrize("clustered", [False, True])
def test_bootstrap_of_a_mean_agrees_with_its_standard_error(clustered):
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(60), 5)
    values = rng.normal(size=300) + rng.normal(size=60)[clusters]
    given = clusters if clustered else None
    found = bootstrap_mean(values, given, resamples=4000, seed=1)
    error = standard_error(values, given).value
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.06)
    assert found == bootstrap_mean(values, given, resamples=4000, seed=1)
    assert found != bootstrap_mean(values, given, resamples=4000, seed=2)


def test_equal_scores_keep_an_interval():
    found = mean_score(np.ones(20))
    exact = clopper_pearson(20, 20)
    assert (found.low, found.high) == (pytest.approx(exact.low), 1.0)
    assert mean_score(np.ones(20), np.repeat([0, 1], 10)).low < 0.2
    assert constant_interval(0.5, 20, (0, 1)) == (
        pytest.approx(0.5 * exact.low),
        pytest.approx(1 - 0.5 * exact.low),
    )


def test_right_and_wrong_keep_within_0_and_1():
    scores = np.repeat([1.0, 0.0], [79, 1])
    found = mean_score(scores)
    low, high = proportion_confint(79, 80, method="wilson")
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert mean(scores).high > 1 > found.high
    twice = mean_score(np.repeat(scores, 2), np.repeat(np.arange(80), 2))
    assert (twice.n, twice.method) == (160, "Wilson, clustered (80 clusters)")
    assert (twice.low, twice.high) == (pytest.approx(low, abs=0.003), pytest.approx(high, abs=0.003))
    assert mean_score([0.0, 0.5, 1.0]) == mean([0.0, 0.5, 1.0])


def test_clustered_right_and_wrong_cover_what_they_say():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(20), 10)
    covered = []
    for _ in range(2000):
        chances = rng.beta(3, 1, 20)
        found = mean_score((rng.random(200) < chances[clusters]).astype(float), clusters)
        covered.append(found.low <= 0.75 <= found.high)
    assert 0.93 < np.mean(covered) < 0.975


def test_nothing_is_missing_not_zero():
    for interval in (wilson, beta_posterior, clopper_pearson):
        assert np.isnan(interval(0, 0).value)
    assert np.isnan(mean([]).value)
    assert np.isnan(bootstrap_mean([]).value)
    one = mean([0.4])
    assert one.value == 0.4
    assert np.isnan([one.low, one.high]).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: mean([0.1, np.nan]),
        lambda: mean_score([0.2, 1.4]),
        lambda: standard_error([0.1, 0.2], [0]),
        lambda: mean(np.zeros((2, 2))),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(UserMistake, match=r"give|leave"):
        call()
