"""How few rollouts come to the decisions of 64 each: stats/difficulty.py, `sequential`, and the least of any rule.

    python benchmarks/guard_rollouts.py [--shared DIR] [--seeds 10]

The least is exact: for one who knows how p is distributed over the problems the best rule stops where another rollout
is not worth a price (a Lagrangian; rules may be mixed by lot), so the lower hull of (cost, agreement) over all prices
is what can be reached at all. Where it stands above a quarter at 95 % no way of spending rollouts meets that target.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.arrays import Floats
from tellapart.stats.difficulty import BANDS, decide, sequential

HORIZON, PROBLEMS, AGREE = 64, 600, 0.95
GRID = (np.arange(2000) + 0.5) / 2000


class Population(NamedTuple):
    """Success rates (m,) and how much each weighs."""

    rates: Floats
    weights: Floats


class Spent(NamedTuple):
    """Share of the decisions of 64 rollouts that was come to, and share of the rollouts spent."""

    agreement: float
    cost: float


def beta(a: float, b: float) -> Population:
    """Return a Beta(a, b) population, on a grid of equal chances."""
    return Population(stats.beta.ppf(GRID, a, b), np.full(GRID.size, 1 / GRID.size))


def populations(shared: Path | None) -> Mapping[str, Population]:
    """Return the populations of docs/validation/guard.md."""
    half = beta(1, 2)
    told = {
        "uniform": beta(1, 1),
        "Beta(.3, .7)": beta(0.3, 0.7),
        "half unsolvable": Population(np.append(half.rates, 0.0), np.append(half.weights / 2, 0.5)),
        "Beta(4, 1), mostly easy": beta(4, 1),
        "Beta(.3, .3), polarised": beta(0.3, 0.3),
        "Beta(.5, 8), most p at the threshold": beta(0.5, 8),
    }
    if shared is not None:
        history = json.loads((shared / "data/one_shot_rlvr/acc_step_500.json").read_text()).values()
        for name, visits in (("first visits", 8), ("all visits", None)):
            rates = np.array([np.mean(one[:visits]) for one in history])
            told[f"one_shot_rlvr, {name}"] = Population(rates, np.full(rates.size, 1 / rates.size))
    return told


def least(population: Population, agree: float = AGREE) -> float:
    """Return the least share of the rollouts for `agree` of the decisions, for one who knows the population."""
    chances, up = outlook(population)
    points = np.array([_priced(chances, up, price) for price in np.geomspace(0.2, 1e-4, 160)])
    points = points[np.argsort(points[:, 0])]
    best = np.inf
    for x, y in points:  # any two rules mixed by lot
        if x >= agree:
            for u, v in points[points[:, 0] < agree]:
                best = min(best, v + (y - v) * (agree - u) / (x - u))
    return float(best)


def outlook(population: Population) -> tuple[Floats, Floats]:
    """Return for c of n seen the chances of the decisions of all rollouts (n, c, 3), and of a next success (n, c)."""
    chances = np.full((HORIZON + 1, HORIZON + 1, 3), np.nan)
    up = np.full((HORIZON + 1, HORIZON + 1), np.nan)
    ends = np.arange(HORIZON + 1)
    chances[HORIZON] = np.eye(3)[decide(np.full(HORIZON + 1, HORIZON), ends, BANDS)]
    for n in reversed(range(HORIZON)):
        c = np.arange(n + 1)[:, None]
        seen = population.weights * stats.binom.pmf(c, n, population.rates)
        with np.errstate(invalid="ignore"):
            up[n, : n + 1] = np.nan_to_num((seen @ population.rates) / seen.sum(1), nan=0.5)
        chance = up[n, : n + 1, None]
        chances[n, : n + 1] = chance * chances[n + 1, 1 : n + 2] + (1 - chance) * chances[n + 1, : n + 1]
    return chances, up


def _priced(chances: Floats, up: Floats, price: float) -> Spent:
    """Return what the best rule at a price comes to, and its cost: from nothing seen, exactly."""
    right, cost, value = chances[HORIZON].max(1), np.zeros(HORIZON + 1), chances[HORIZON].max(1)
    for n in reversed(range(HORIZON)):
        chance, stopped = up[n, : n + 1], chances[n, : n + 1].max(1)
        on = chance * value[1:] + (1 - chance) * value[:-1] - price
        goes = on > stopped
        value = np.where(goes, on, stopped)
        right = np.where(goes, chance * right[1:] + (1 - chance) * right[:-1], stopped)
        cost = np.where(goes, 1 + chance * cost[1:] + (1 - chance) * cost[:-1], 0.0)
    return Spent(float(right[0]), float(cost[0]) / HORIZON)


def simulated(population: Population, seed: int, batch: int) -> Spent:
    """Return what `sequential` comes to on problems drawn from the population."""
    rng = np.random.default_rng(seed)
    rates = rng.choice(population.rates, PROBLEMS, p=population.weights / population.weights.sum())
    outcomes = rng.random((PROBLEMS, HORIZON)) < rates[:, None]
    totals = np.concatenate([np.zeros((PROBLEMS, 1), int), outcomes.cumsum(1)], axis=1)
    at = np.zeros(PROBLEMS, int)

    def draw(problems: np.ndarray, count: int) -> np.ndarray:
        begun = at[problems]
        at[problems] += count
        return totals[problems, begun + count] - totals[problems, begun]

    spent = sequential(draw, PROBLEMS, batch=batch)
    truth = decide(np.full(PROBLEMS, HORIZON), totals[:, -1])
    return Spent(float((spent.decision == truth).mean()), float(spent.n.mean()) / HORIZON)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    print(
        f"| population of p | sequential ({options.seeds} seeds) | the least for {AGREE:.0%} |\n|---|---|---|"
    )
    for name, population in populations(options.shared).items():
        told = np.array([simulated(population, seed, options.batch) for seed in range(options.seeds)])
        spread = told.std(0, ddof=1) if len(told) > 1 else np.full(2, np.nan)
        print(
            f"| {name} | {told[:, 0].mean():.1%} (sd {spread[0]:.1%}) / {told[:, 1].mean():.1%} (sd {spread[1]:.1%}) "
            f"| {least(population):.1%} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
