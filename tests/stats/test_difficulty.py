"""Difficulty per problem: closed forms, the prediction against enumeration, and sequential rollouts by simulation."""

import json
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.stats import difficulty
from tellapart.stats.advantages import binary_advantages, grpo_advantages
from tellapart.stats.difficulty import (
    DROP,
    HOLD,
    KEEP,
    Bands,
    Prior,
    decide,
    fitted_prior,
    foreseen,
    learnable_share,
    sequential,
    spread_ranks,
    success_rates,
)
from tellapart.stats.intervals import clopper_pearson


def test_rates_have_the_exact_interval_and_none_is_made_up():
    n, c = [0, 8, 8, 8, 64], [0, 0, 8, 3, 5]
    rates = success_rates(n, c)
    assert np.isnan(rates.value[0])
    assert (rates.low[0], rates.high[0]) == (0, 1)
    for i in range(1, 5):
        told = clopper_pearson(c[i], n[i])
        assert (rates.value[i], rates.low[i], rates.high[i]) == pytest.approx(
            (told.value, told.low, told.high)
        )


def test_decisions_cut_at_the_bands_which_belong_to_keep():
    assert decide([64] * 5, [3, 4, 30, 60, 61]).tolist() == [HOLD, KEEP, KEEP, KEEP, DROP]
    with pytest.raises(UserMistake, match="no rollouts"):
        decide([0], [0])
    with pytest.raises(UserMistake, match="0 <= c <= n"):
        decide([4], [5])


def test_foreseen_is_the_uniform_priors_rule_of_succession():
    # under Beta(1, 1) with nothing seen every count of 0..64 is equally likely
    assert foreseen([0], [0], 64, Prior(1, 1))[0] == pytest.approx([4 / 65, 57 / 65, 4 / 65])
    assert foreseen([64], [2], 64)[0].tolist() == [1, 0, 0]


def test_the_prior_is_found_again():
    rng = np.random.default_rng(0)
    c = rng.binomial(16, rng.beta(0.5, 2, 4000))
    a, b = fitted_prior(np.full(4000, 16), c)
    assert a == pytest.approx(0.5, rel=0.1)
    assert b == pytest.approx(2, rel=0.1)


def test_learnable_share_is_the_share_of_groups_with_both_outcomes():
    told = learnable_share([10, 10, 3], [4, 0, 1], 4)
    both = 1 - Fraction(comb(6, 4) + comb(4, 4), comb(10, 4))
    assert told.n == 2
    assert told.value == pytest.approx(float(both / 2))
    assert learnable_share([3], [1], 4).method.startswith("missing: ")


# Rates near a threshold cost the most: where many problems lie there (polarised), a little over a quarter is needed.
@pytest.mark.parametrize(("name", "most"), [("uniform", 0.25), ("unsolved half", 0.25), ("polarised", 0.3)])
def test_sequential_rollouts_come_to_the_decisions_of_64_at_a_quarter_of_the_cost(name, most):
    shares, costs = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rates = {
            "uniform": rng.random(800),
            "unsolved half": np.where(rng.random(800) < 0.5, 0, rng.beta(1, 2, 800)),
            "polarised": rng.beta(0.3, 0.3, 800),
        }[name]
        outcomes = rng.random((800, 64)) < rates[:, None]
        at = np.zeros(800, int)

        def draw(problems, count, outcomes=outcomes, at=at):
            said = [outcomes[i, at[i] : at[i] + count].sum() for i in problems]
            at[problems] += count
            return np.array(said)

        spent = sequential(draw, 800)
        assert (spent.n == at).all()
        assert spent.n.max() <= 64
        shares.append((spent.decision == decide(np.full(800, 64), outcomes.sum(axis=1))).mean())
        costs.append(spent.n.mean() / 64)
    assert np.mean(shares) >= 0.95
    assert np.mean(costs) <= most


def test_the_spread_ranks_of_one_shot_rlvr(shared):
    """pi_k is the problem of rank k. Exact variances in fractions are the oracle; equal ones keep the file's order."""
    history = json.loads((shared / "data/one_shot_rlvr/acc_step_500.json").read_text())
    assert len(history) == 1209
    assert (min(map(len, history.values())), max(map(len, history.values()))) == (44, 57)
    ranks = dict(zip(history, spread_ranks([np.std(v) for v in history.values()]).tolist(), strict=True))

    def variance(values):
        exact = [Fraction(v) for v in values]
        return sum(v * v for v in exact) / len(exact) - (sum(exact) / len(exact)) ** 2

    order = sorted(history, key=lambda item: -variance(history[item]))
    for rank in (1, 2, 13, 1209):
        assert ranks[order[rank - 1]] == rank
    assert [ranks[item] for item in ("124", "267", "682", "789")] == [1, 2, 13, 1209]


def test_advantages_at_c_of_g():
    for c in (1, 2, 8, 15):
        told = grpo_advantages([1] * c + [0] * (16 - c))
        closed = binary_advantages(c / 16)
        assert told[0] == pytest.approx(closed.success)
        assert told[-1] == pytest.approx(closed.failure)
    assert not grpo_advantages([0] * 16).any()
    assert not grpo_advantages([1] * 16).any()


def test_rollouts_are_asked_for_as_exhaustive_planning_would():
    """Over every course of 6 rollouts: the best plan's value is compared without tables."""
    prior, bands, horizon, price = Prior(0.7, 1.3), Bands(0.3, 0.8), 6, 0.02

    def chances(n, c):
        return foreseen([n], [c], horizon, prior, bands)[0]

    def best(n, c):
        stop = chances(n, c).max()
        if n == horizon:
            return stop, False
        up = (prior.a + c) / (prior.a + prior.b + n)
        on = up * best(n + 1, c + 1)[0] + (1 - up) * best(n + 1, c)[0] - price
        return max(stop, on), on > stop + 1e-12

    outlook = difficulty._outlook(prior, horizon, bands)
    worth = difficulty._worth_asking(outlook, prior, price)
    states = [(n, c) for n in range(horizon + 1) for c in range(n + 1)]
    assert [outlook[n, c] for n, c in states] == [pytest.approx(chances(n, c)) for n, c in states]
    assert [bool(worth[n, c]) for n, c in states] == [best(n, c)[1] for n, c in states]
    assert 0 < sum(best(n, c)[1] for n, c in states) < len(states) - horizon - 1
