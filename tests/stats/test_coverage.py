"""pass@k and cover@tau: exact enumeration, the identity that joins them, real counts, simulated coverage."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

from tellapart.errors import UserMistake
from tellapart.stats.cover import cover, cover_curve, covered, crossing_tau
from tellapart.stats.coverage import (
    Counts,
    compare_coverage,
    coverage,
    know_nothing_pass_at_k,
    pass_at_k,
)
from tellapart.stats.one_sided import solved_by

KS = (1, 2, 4, 8, 16, 32, 64, 128)


@pytest.fixture(scope="module")
def math500(shared):
    table = pd.read_csv(shared / "data/math500_counts/counts.csv").sort_values("item")
    sides = [table[table.model == name] for name in ("Qwen2.5-7B", "SimpleRL-Zoo-7B")]
    return [Counts(side.n.to_numpy(), side.c.to_numpy()) for side in sides]


def test_pass_at_k_counts_subsets():
    for c in range(7):
        right = np.arange(6) < c
        for k in range(1, 7):
            wanted = np.mean([right[list(drawn)].any() for drawn in combinations(range(6), k)])
            assert pass_at_k(Counts([6], [c]), [k])[0, 0] == pytest.approx(wanted, abs=1e-14)


def test_pass_at_k_stays_exact_for_rare_successes():
    found = pass_at_k(Counts([10**6], [1]), [1, 2, 1000])[0]
    assert found == pytest.approx([1e-6, 2e-6, 1e-3], rel=1e-12)


def test_k_beyond_the_samples_is_missing():
    counts = Counts([8, 4], [3, 1])
    assert np.isnan(pass_at_k(counts, [8])[:, 0]).tolist() == [False, True]
    assert np.isnan(coverage(counts, [8])[8].value)
    compared = compare_coverage(counts, counts, [4, 8], resamples=50)
    assert np.isnan(compared.difference[8].value)
    assert "exceeds" in compared.difference[8].method
    assert compared.difference[4].value == 0


def test_real_counts_give_the_published_table(math500):
    found = compare_coverage(*math500, KS, seed=3)
    base = [0.6139, 0.7341, 0.8144, 0.8682, 0.9043, 0.9293, 0.9474, 0.9620]
    tuned = [0.7793, 0.8236, 0.8568, 0.8830, 0.9022, 0.9151, 0.9235, 0.9300]
    assert [found.base[k].value for k in KS] == pytest.approx(base, abs=5.1e-5)
    assert [found.tuned[k].value for k in KS] == pytest.approx(tuned, abs=5.1e-5)
    for k, value, low, high in [
        (1, 0.1654, 0.1464, 0.1848),
        (16, -0.0021, -0.0155, 0.0113),
        (128, -0.0320, -0.0500, -0.0140),
    ]:
        assert found.difference[k].value == pytest.approx(value, abs=5.1e-5)
        assert (found.difference[k].low, found.difference[k].high) == pytest.approx((low, high), abs=1.2e-3)


def test_real_counts_solved_by(math500):
    found = solved_by(*math500)
    assert [len(part) for part in found[:4]] == [462, 19, 3, 16]
    assert len(found.base_only_fragile) == 15


def test_real_counts_cover(math500):
    base, tuned = (cover(side, (0.5, 0.9)) for side in math500)
    assert [base[0.5].value, tuned[0.5].value, base[0.9].value, tuned[0.9].value] == [
        0.644,
        0.782,
        0.29,
        0.676,
    ]
    crossing = crossing_tau(*math500)
    assert 0.02 < crossing.low < crossing.value < crossing.high < 0.15


def test_pass_at_k_is_the_integral_of_cover():
    rng = np.random.default_rng(0)
    c = rng.binomial(40, rng.beta(0.4, 0.8, 60))
    taus, g = cover_curve(Counts(np.full(60, 40), c))
    edges = np.concatenate([[0], taus])
    for k in (1, 3, 10):
        pieces = [
            integrate.quad(lambda tau, k=k: k * (1 - tau) ** (k - 1), low, high)[0] * level
            for low, high, level in zip(edges[:-1], edges[1:], g, strict=True)
        ]
        assert sum(pieces) == pytest.approx(np.mean(1 - (1 - c / 40) ** k), abs=1e-9)


def test_covered_meets_tau_exactly():
    assert covered(Counts([10, 10, 3], [7, 6, 1]), [0.7, 1 / 3])[:, 0].tolist() == [1, 0, 0]
    assert covered(Counts([3], [1]), [1 / 3])[0, 0] == 1


def test_crossing_is_refused_where_there_is_none():
    low, high = Counts([10] * 4, [1, 2, 3, 4]), Counts([10] * 4, [5, 6, 7, 8])
    assert "at no tau" in crossing_tau(low, high).method
    assert "never covers" in crossing_tau(high, low).method
    assert "neither" in crossing_tau(Counts([5], [0]), Counts([5], [0])).method


def test_know_nothing_reaches_one_with_few_answers():
    assert know_nothing_pass_at_k(0.1, [1, 64]) == pytest.approx([0.1, 0.99882], abs=1e-5)
    assert know_nothing_pass_at_k(0.0, [5]).tolist() == [0.0]
    assert know_nothing_pass_at_k(1.0, [5]).tolist() == [1.0]


def test_all_solved_keeps_an_interval():
    found = coverage(Counts([16] * 30, [16] * 30), [8])[8]
    assert found.value == 1
    assert 0.8 < found.low < 0.95
    same = compare_coverage(Counts([16] * 30, [16] * 30), Counts([16] * 30, [16] * 30), [8]).difference[8]
    assert same.low < same.value == 0 < same.high


def test_one_sided_items_and_fragility():
    found = solved_by(Counts([64] * 4, [5, 4, 0, 0]), Counts([64] * 4, [0, 0, 1, 0]))
    assert [part.tolist() for part in found] == [[], [0, 1], [2], [3], [1], [2]]


@pytest.mark.parametrize("effect", [0.0, 0.15])
def test_paired_interval_covers(effect):
    """Items differ much, both sides share the item; clusters of four share a difficulty."""
    rng, hits, times = np.random.default_rng(7), 0, 250
    clusters = np.repeat(np.arange(40), 4)
    for _ in range(times):
        p = rng.uniform(0.05, 0.8, 40)[clusters]
        shift = effect + np.repeat(rng.uniform(-0.05, 0.05, 40), 4)
        n = np.full(160, 16)
        base, tuned = rng.binomial(16, p), rng.binomial(16, p + shift)
        found = compare_coverage(Counts(n, base), Counts(n, tuned), [1], clusters, resamples=400).difference[
            1
        ]
        hits += found.low <= effect <= found.high
    assert 0.90 <= hits / times <= 0.98


@pytest.mark.parametrize(
    "call",
    [
        lambda: pass_at_k(Counts([4], [5]), [1]),
        lambda: pass_at_k(Counts([0], [0]), [1]),
        lambda: pass_at_k(Counts([4.5], [1]), [1]),
        lambda: pass_at_k(Counts([4, 4], [1]), [1]),
        lambda: pass_at_k(Counts([4], [1]), [0]),
        lambda: pass_at_k(Counts([4], [1]), []),
        lambda: covered(Counts([4], [1]), [0.0]),
        lambda: coverage(Counts([], []), [1]),
        lambda: know_nothing_pass_at_k(1.2, [1]),
        lambda: compare_coverage(Counts([4], [1]), Counts([4, 4], [1, 2]), [1]),
        lambda: solved_by(Counts([4], [1]), Counts([4, 4], [1, 2])),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(UserMistake):
        call()
