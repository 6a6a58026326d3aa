"""Keep, hold for later, or drop: one decision a problem, by its bounds, with its reason in words.

Kept is what is shown to be learnable, dropped what is shown to be solved, or to be rewarded without reasoning. What is
shown to be hard is held (the hardest solvable ones may help most, arXiv 2508.14094), and so is what has too few
rollouts to tell: such a problem is open, with how many more it needs.
"""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tellapart.stats.difficulty import (
    DROP,
    HOLD,
    KEEP,
    MOST_MORE,
    TAIL,
    Bands,
    Rates,
    chance_up_to,
    fitted_population,
    more_needed,
    settle,
    success_rates,
)

Decision = Literal["keep", "hold", "drop"]
DECISIONS: tuple[Decision, ...] = ("keep", "hold", "drop")
MOSTLY = 0.5
"""Reward is without reasoning where more than this share of the rewarded answers has no valid steps."""
EASIEST, ENOUGH, DOUBT = 0.25, 64, 0.05
"""Where nothing is kept, problems with ENOUGH rollouts are that lie above this part of the threshold of hard ones, but
for a chance of DOUBT."""


class Decided(NamedTuple):
    """Of each problem (k,): decision, reason, rate with bounds, whether it has too few rollouts to tell, about how
    many more it needs (0: none, NaN: more than can be foreseen), and the chance that its success is a lucky hit."""

    decision: tuple[Decision, ...]
    reason: tuple[str, ...]
    rates: Rates
    open: np.ndarray
    more: np.ndarray
    lucky: np.ndarray


def decide_problems(frame: pd.DataFrame, bands: Bands, guess: float | None) -> Decided:
    """Return the decision on every row of `Problems.frame`."""
    n, c = frame["n"].to_numpy(dtype=float), frame["c"].to_numpy(dtype=float)
    rates, luck = success_rates(n, c), success_rates(frame["checked"], frame["lucky"])
    floor = bands.hard if guess is None else guess
    population = fitted_population(n, c)
    settled = settle(n, c, population, floor, bands.solved)
    more = more_needed(n, c, population, floor, bands.solved)
    lucky = chance_up_to(n, c, population, floor)
    seen = [
        _Seen(*row)
        for row in zip(
            n, c, rates.value, settled, more, lucky, frame["checked"], frame["lucky"], luck.low, strict=True
        )
    ]
    made = [_decide_problem(problem, bands, guess) for problem in seen]
    if guess is None and not any(decided.decision == "keep" for decided in made):
        rare = chance_up_to(n, c, population, EASIEST * floor)
        made = [_never_whole(*row) for row in zip(made, seen, rare, strict=True)]
    is_open = np.array([decided.open for decided in made])
    return Decided(
        tuple(decided.decision for decided in made),
        tuple(decided.reason for decided in made),
        rates,
        is_open,
        np.where(is_open, more, 0.0),
        lucky,
    )


class _Seen(NamedTuple):
    n: float
    c: float
    rate: float
    settled: int
    more: float
    by_luck: float
    checked: int
    lucky: int
    luck_low: float


class _Made(NamedTuple):
    decision: Decision
    reason: str
    open: bool = False


def _decide_problem(seen: _Seen, bands: Bands, guess: float | None) -> _Made:
    counted = f"{seen.c:g} of {seen.n:g} right"
    if seen.luck_low > MOSTLY:
        return _Made(
            "drop",
            f"reward without reasoning: {seen.lucky} of {seen.checked} rewarded answers lack valid steps",
        )
    if seen.checked and seen.lucky > MOSTLY * seen.checked:
        return _Made(
            "hold",
            f"{seen.lucky} of {seen.checked} rewarded answers lack valid steps: luck is not ruled out",
        )
    if seen.settled == DROP:
        return _Made("drop", f"solved: {counted}, nothing left to teach")
    if seen.settled == KEEP and seen.rate >= bands.hard:
        return _Made("keep", f"{counted}: both outcomes to learn from")
    if seen.settled == KEEP:
        return _Made("keep", f"hard but solvable: {counted}, more often than a guess")
    if seen.checked > seen.lucky and seen.rate <= bands.solved:
        return _Made("keep", f"hard but solvable: {counted}, {seen.checked - seen.lucky} with valid steps")
    if seen.settled != HOLD:
        return _Made("hold", _too_few(seen, counted, guess), True)
    if seen.c == 0:
        return _Made("hold", f"not solved so far: {counted}, no reward to learn from")
    if guess is not None:
        return _Made("hold", f"{counted}: less often than a guess's {guess:g}")
    return _Made(
        "hold", f"hard: {counted}, and nothing here tells skill from luck (check steps, or say --guess)"
    )


def _too_few(seen: _Seen, counted: str, guess: float | None) -> str:
    beside = ""
    if seen.c and seen.by_luck > TAIL:
        what = "a lucky hit" if guess is None else f"not above a guess's {guess:g}"
        beside = f", {what} with a chance of {100 * seen.by_luck:.0f} % among these problems"
    if np.isnan(seen.more):
        return f"too few rollouts: {counted}{beside}; {MOST_MORE:,} more would not tell either"
    return f"too few rollouts: {counted}{beside}; about {seen.more:.0f} more would tell"


def _never_whole(decided: _Made, seen: _Seen, rare: float) -> _Made:
    if decided.decision != "hold" or seen.checked or seen.n < ENOUGH or rare > DOUBT:
        return decided
    return _Made(
        "keep",
        f"hard but solvable: {seen.c:g} of {seen.n:g} right, more than luck gives among these problems; kept since "
        "nothing easier is left: watch for luck, leave the std out of advantages",
    )
