"""How hard is each problem, and is it fit to be trained on: p per problem from few rollouts.

Two thresholds cut p into hold (success rarer than `hard`), keep, and drop (`solved`: nothing left to learn). In a group
of G answers a problem teaches only where it has both outcomes (DAPO, Yu et al. 2025, arXiv 2503.14476: 0 < c < G).
Rollouts are spent where the decision is open and can be settled: at a price per rollout, Bayes-optimal stopping by
dynamic programming (beta-binomial prediction of the decision that `horizon` rollouts would come to; the prior is fitted
to all problems, and a stopping rule does not bias it). The price falls until enough is foreseen.

    sequential(draw, 1209)      # draw(problems, count) -> successes; about the decisions of 64 rollouts each
    settle(n, c, fitted_population(n, c), 1 / 16)      # by bounds, not by the rate that was seen: else OPEN
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score

HOLD, KEEP, DROP, OPEN = 0, 1, 2, 3
Draw = Callable[[Integers, int], Integers]
"""(problems (m,), count) -> successes among `count` new rollouts of each (m,)."""


class Bands(NamedTuple):
    """Success rates below `hard` are held, those above `solved` dropped; 1 and 15 of 16 unless given."""

    hard: float = 1 / 16
    solved: float = 15 / 16


class Rates(NamedTuple):
    """Success rates (k,) with their Clopper-Pearson bounds."""

    value: Floats
    low: Floats
    high: Floats


class Prior(NamedTuple):
    """The Beta(a, b) distribution of p over problems."""

    a: float
    b: float


class Population(NamedTuple):
    """How p is distributed over problems: success rates (m,) and how much each weighs."""

    points: Floats
    weights: Floats


class Spent(NamedTuple):
    """Rollouts and successes (k,) after stopping, the decision of each problem, and how sure it is."""

    n: Integers
    c: Integers
    decision: Integers
    sure: Floats


FIRST = 2
"""Rollouts that every problem gets."""
PRICES = np.geomspace(0.05, 0.0005, 40)
"""What a rollout costs, in chance of the right decision; the next price is taken once no problem is worth one."""
REFIT = 1.1
"""The prior is fitted anew when this many times the rollouts are there."""
BANDS, JEFFREYS = Bands(), Prior(0.5, 0.5)
GRID: Floats = np.sin(np.pi * np.arange(401) / 800) ** 2
"""Success rates from 0 to 1, closest at both ends, where a binomial tells them apart best."""
EM_STEPS = 300
TAIL = 0.025
MOST_MORE = 4096
MORE = np.unique(np.geomspace(1, MOST_MORE, 90).astype(np.int64))


def success_rates(n: ArrayLike, c: ArrayLike, confidence: float = 0.95) -> Rates:
    """Return c / n of each problem (k,) with exact bounds; NaN, [0, 1] where n is 0."""
    tried, right = _checked(n, c)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(tried > 0, right / tried, np.nan)
    low, high = np.zeros(tried.size), np.ones(tried.size)
    solved, open_ = right > 0, right < tried
    low[solved] = stats.beta.ppf(tail, right[solved], tried[solved] - right[solved] + 1)
    high[open_] = stats.beta.isf(tail, right[open_] + 1, tried[open_] - right[open_])
    return Rates(value, low, high)


def decide(n: ArrayLike, c: ArrayLike, bands: Bands = BANDS) -> Integers:
    """Return HOLD, KEEP or DROP of each problem (k,) from its observed rate. Raises UserMistake where n is 0."""
    tried, right = _checked(n, c)
    if (tried == 0).any():
        raise UserMistake(f"{np.count_nonzero(tried == 0)} problems have no rollouts: leave them out")
    _check_bands(bands)
    rate = right / tried
    return np.where(rate < bands.hard, HOLD, np.where(rate > bands.solved, DROP, KEEP)).astype(np.int64)


def fitted_prior(n: ArrayLike, c: ArrayLike) -> Prior:
    """Return the Beta of greatest beta-binomial likelihood (a, b in [0.02, 50]); Jeffreys' for under 10 problems."""
    tried, right = _checked(n, c)
    if tried.size < 10:
        return JEFFREYS
    pairs, weights = np.unique(np.column_stack([tried, right]), axis=0, return_counts=True)

    def loss(logs: Floats) -> float:
        a, b = np.exp(logs)
        terms = special.betaln(a + pairs[:, 1], b + pairs[:, 0] - pairs[:, 1]) - special.betaln(a, b)
        return -float(weights @ terms)

    ends = (np.log(0.02), np.log(50.0))
    fit = optimize.minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[ends, ends])
    a, b = np.exp(fit.x)
    return Prior(float(a), float(b))


def fitted_population(n: ArrayLike, c: ArrayLike) -> Population:
    """Return the distribution of p of greatest likelihood, of any shape, on GRID (Laird 1978, by EM).

    One problem that may lie anywhere is added, so that no rate is ruled out by a few problems.
    """
    tried, right = _checked(n, c)
    pairs, counts = np.unique(np.column_stack([tried, right]), axis=0, return_counts=True)
    likelihood = _likelihood(pairs[:, 0], pairs[:, 1])
    weights = np.full(GRID.size, 1 / GRID.size)
    for _ in range(EM_STEPS):
        share = counts / (likelihood @ weights)
        weights = (weights * (share @ likelihood) + 1 / GRID.size) / (tried.size + 1)
    return Population(GRID, weights)


def chance_up_to(n: ArrayLike, c: ArrayLike, population: Population, rate: float) -> Floats:
    """Return of each problem (k,) the chance that p <= `rate`: its counts seen as one draw from the population."""
    tried, right = _checked(n, c)
    pairs, place = np.unique(np.column_stack([tried, right]), axis=0, return_inverse=True)
    seen = _likelihood(pairs[:, 0], pairs[:, 1]) * population.weights
    return (seen[:, population.points <= rate].sum(axis=1) / seen.sum(axis=1))[place.ravel()]


def expected_rates(n: ArrayLike, c: ArrayLike, population: Population) -> Floats:
    """Return of each problem (k,) the mean of p, its counts seen as one draw from the population."""
    tried, right = _checked(n, c)
    pairs, place = np.unique(np.column_stack([tried, right]), axis=0, return_inverse=True)
    seen = _likelihood(pairs[:, 0], pairs[:, 1]) * population.weights
    return ((seen @ population.points) / seen.sum(axis=1))[place.ravel()]


def settle(
    n: ArrayLike, c: ArrayLike, population: Population, floor: float, solved: float = BANDS.solved
) -> Integers:
    """Return HOLD, KEEP, DROP or OPEN of each problem (k,): what its bounds show.

    HOLD: p is below `floor`. KEEP: above it, and not seen to be above `solved`. DROP: above `solved`. What is above a
    threshold must be so by its exact bound AND be no lucky hit of the population (chance under TAIL): of many problems
    near 0 some succeed often enough for any bound of their own.
    """
    tried, right = _checked(n, c)
    rates = success_rates(tried, right)
    with np.errstate(invalid="ignore"):
        done = (rates.low > solved) & (chance_up_to(tried, right, population, solved) <= TAIL)
        learnable = (rates.low > floor) & (chance_up_to(tried, right, population, floor) <= TAIL)
        learnable &= rates.value <= solved
    decisions = np.select([done, learnable, rates.high < floor], [DROP, KEEP, HOLD], OPEN)
    return decisions.astype(np.int64)


def more_needed(
    n: ArrayLike, c: ArrayLike, population: Population, floor: float, solved: float = BANDS.solved
) -> Floats:
    """Return of each problem (k,) about how many rollouts more would settle it; 0 where it is, NaN above MOST_MORE.

    Reckoned as if successes came at the rate that the population and the counts lead to expect.
    """
    tried, right = _checked(n, c)
    more = np.zeros(tried.size)
    is_open = settle(tried, right, population, floor, solved) == OPEN
    pairs, place = np.unique(np.column_stack([tried, right])[is_open], axis=0, return_inverse=True)
    needed = np.full(len(pairs), np.nan)
    for at, rate in enumerate(expected_rates(pairs[:, 0], pairs[:, 1], population)):
        then = settle(pairs[at, 0] + MORE, pairs[at, 1] + rate * MORE, population, floor, solved)
        if (then != OPEN).any():
            needed[at] = MORE[np.argmax(then != OPEN)]
    more[is_open] = needed[place.ravel()]
    return more


def foreseen(
    n: ArrayLike, c: ArrayLike, horizon: int = 64, prior: Prior = JEFFREYS, bands: Bands = BANDS
) -> Floats:
    """Return the chance that `horizon` rollouts in all come to HOLD, KEEP, DROP: (k, 3).

    The successes still to come are beta-binomial. From `horizon` rollouts on the decision is what was seen.
    """
    tried, right = _checked(n, c)
    pairs, place = np.unique(np.column_stack([tried, right]), axis=0, return_inverse=True)
    chances = np.array([_foreseen_one(pair[0], pair[1], horizon, prior, bands) for pair in pairs])
    return chances[place.ravel()]


def sequential(
    draw: Draw, problems: int, bands: Bands = BANDS, horizon: int = 64, batch: int = 1, agree: float = 0.954
) -> Spent:
    """Return counts and decisions after rollouts that go on only where they are worth their price.

    All problems get 2 rollouts. Then every problem that is worth one gets `batch` more, the price falling (PRICES)
    until the mean chance of the decision of `horizon` rollouts is `agree`: doubts that are cheap to settle are settled
    first, and those that only all rollouts could settle are left.
    """
    _check_bands(bands)
    if not (0 < agree <= 1 and 1 <= batch <= horizon and problems >= 1 and horizon >= FIRST):
        raise UserMistake(
            f"agree {agree:g}, batch {batch}, horizon {horizon}: give 0 < agree <= 1, batch <= horizon"
        )
    everyone = np.arange(problems)
    n, c = np.full(problems, FIRST, np.int64), np.asarray(draw(everyone, FIRST), dtype=np.int64)
    place, fitted = 0, n.sum()
    prior = fitted_prior(n, c)
    chances = _outlook(prior, horizon, bands)
    worth = _worth_asking(chances, prior, PRICES[place])
    while True:
        if n.sum() > fitted * REFIT:
            prior, fitted = fitted_prior(n, c), n.sum()
            chances = _outlook(prior, horizon, bands)
            worth = _worth_asking(chances, prior, PRICES[place])
        decided = chances[n, c]
        if decided.max(axis=1).mean() >= agree:
            break
        active = np.flatnonzero(worth[n, c])
        if not active.size:
            place += 1
            if place == len(PRICES):
                break
            worth = _worth_asking(chances, prior, PRICES[place])
            continue
        for count in np.unique(np.minimum(batch, horizon - n[active])):
            these = active[np.minimum(batch, horizon - n[active]) == count]
            c[these] += draw(these, int(count))
            n[these] += count
    return Spent(n, c, decided.argmax(axis=1), decided.max(axis=1))


def learnable_share(n: ArrayLike, c: ArrayLike, group: int) -> Estimate:
    """Return the expected share of groups of `group` answers with both outcomes, over problems.

    1 - C(n-c, G)/C(n, G) - C(c, G)/C(n, G), unbiased for problems with `group` rollouts or more; others are left out.
    """
    tried, right = _checked(n, c)
    if group < 2:
        raise UserMistake(f"a group of {group}: give 2 or more")
    enough = tried >= group
    if not enough.any():
        return missing("share", f"no problem has {group} rollouts, one group's worth")
    tried, right = tried[enough], right[enough]
    wrong, good = _all_of(tried, tried - right, group), _all_of(tried, right, group)
    return mean_score(np.clip(1 - wrong - good, 0.0, 1.0), unit="share")


def spread_ranks(spreads: ArrayLike) -> Integers:
    """Return the rank of each problem (k,) by the std of its accuracy over training, 1 the largest.

    Wang et al. 2025 (arXiv 2504.20571), who choose single problems so. Equal spreads keep the order given.
    """
    values = np.asarray(spreads, dtype=np.float64)
    ranks = np.empty(values.size, np.int64)
    ranks[np.argsort(-values, kind="stable")] = np.arange(1, values.size + 1)
    return ranks


def _outlook(prior: Prior, horizon: int, bands: Bands) -> Floats:
    """Return the chances of HOLD, KEEP, DROP after `horizon` rollouts from c of n seen: (n, c, 3), NaN for c > n."""
    chances: Floats = np.full((horizon + 1, horizon + 1, 3), np.nan, dtype=np.float64)
    ends = np.arange(horizon + 1)
    chances[horizon] = np.eye(3)[decide(np.full(horizon + 1, horizon), ends, bands)]
    for n in reversed(range(horizon)):
        up = _next_right(prior, n)[:, None]
        chances[n, : n + 1] = up * chances[n + 1, 1 : n + 2] + (1 - up) * chances[n + 1, : n + 1]
    return chances


def _worth_asking(chances: Floats, prior: Prior, price: float) -> np.ndarray:
    """Return for c of n seen, (n, c), whether a rollout more is worth `price` to one who stops when it is not."""
    horizon = len(chances) - 1
    worth = np.zeros(chances.shape[:2], dtype=bool)
    best = chances[horizon].max(axis=1)
    for n in reversed(range(horizon)):
        up = _next_right(prior, n)
        on, stopped = up * best[1:] + (1 - up) * best[:-1] - price, chances[n, : n + 1].max(axis=1)
        worth[n, : n + 1] = on > stopped + 1e-12
        best = np.maximum(on, stopped)
    return worth


def _next_right(prior: Prior, n: int) -> Floats:
    """Return the chance that the next rollout is right, for c = 0..n of n."""
    return (prior.a + np.arange(n + 1, dtype=np.float64)) / (prior.a + prior.b + n)


def _foreseen_one(n: float, c: float, horizon: int, prior: Prior, bands: Bands) -> Floats:
    left = max(horizon - int(n), 0)
    more = np.arange(left + 1)
    a, b = prior.a + c, prior.b + n - c
    logs = special.betaln(a + more, b + left - more) - special.betaln(a, b)
    logs -= special.betaln(more + 1, left - more + 1) + np.log(left + 1)
    rate = (c + more) / (n + left)
    codes = np.where(rate < bands.hard, HOLD, np.where(rate > bands.solved, DROP, KEEP))
    return np.bincount(codes, weights=np.exp(logs), minlength=3).astype(np.float64)


def _all_of(n: Floats, c: Floats, group: int) -> Floats:
    """Return C(c, G) / C(n, G): the chance that G answers drawn from n are all among c."""
    with np.errstate(invalid="ignore"):
        logs = special.gammaln(c + 1) - special.gammaln(c - group + 1)
        logs += special.gammaln(n - group + 1) - special.gammaln(n + 1)
        return np.where(c >= group, np.exp(logs), 0.0)


def _likelihood(n: Floats, c: Floats) -> Floats:
    """Return the likelihood of c of n at each rate of GRID, the largest 1: (k, m)."""
    logs = special.xlogy(c[:, None], GRID) + special.xlog1py((n - c)[:, None], -GRID)
    return np.exp(logs - logs.max(axis=1, keepdims=True))


def _checked(n: ArrayLike, c: ArrayLike) -> tuple[Floats, Floats]:
    tried, right = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if tried.shape != right.shape or tried.ndim != 1:
        raise UserMistake(f"n has shape {tried.shape}, c {right.shape}: give one of each per problem")
    if not (np.isfinite(tried) & np.isfinite(right) & (right >= 0) & (right <= tried)).all():
        raise UserMistake("rollouts n and successes c need 0 <= c <= n, both known, for every problem")
    return tried, right


def _check_bands(bands: Bands) -> None:
    if not 0 <= bands.hard < bands.solved <= 1:
        raise UserMistake(f"hard {bands.hard:g}, solved {bands.solved:g}: give 0 <= hard < solved <= 1")
