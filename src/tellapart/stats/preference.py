"""Preferences with style and length taken out: style-controlled Bradley-Terry, and the length-controlled win rate.

Style control (Li et al. 2024, LMArena): P(A wins) = sigmoid(ln 10 (r_A - r_B) + x.beta), where x is the z-scored
relative difference (s_A - s_B) / (s_A + s_B + 1) of each style feature; L2 on beta and r. Length control (Dubois et al.
2024, arXiv 2404.04475): logit P = w_m + w_l tanh(dlen / sd(dlen)) + w_x difficulty, read at dlen = 0; the difficulty of
an instruction is fitted jointly over all models.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, Integers, aligned, numbers
from tellapart.stats.estimate import Estimate, missing

LOG10 = math.log(10)
PENALTY = 1e-2
INSTRUCTION_PENALTY = 1.0
DRAWN = 0.02
"""How strongly a pair draws the weights of length and difficulty to those that all models share. Published rates draw
them to two altered copies of the baseline at a fifth of the weight, .2 p (1 - p) x^2, about this for each pair."""
NEWTON_STEPS, NEWTON_CLOSE, NEWTON_LONGEST = 100, 1e-8, 2.0
"""Steps at most, the change of a logit at which the fit has converged, and the longest change in one step."""


class Ratings(NamedTuple):
    """Ratings of the models (in powers of ten of the odds, mean 0) and the weight of each style feature."""

    ratings: tuple[Estimate, ...]
    style: tuple[Estimate, ...]


def style_differences(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return the z-scored relative differences of style features: (pairs, features) twice -> the same shape.

    A feature that does not vary is 0 throughout. Counts must be 0 or more.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 2:
        raise UserMistake(
            f"style features have shapes {first.shape} and {second.shape}: give (pairs, features) twice"
        )
    if first.size and min(first.min(), second.min()) < 0:
        raise UserMistake("a style feature is below 0: give counts")
    relative = (first - second) / (first + second + 1)
    spread = relative.std(axis=0)
    return np.divide(relative, spread, out=np.zeros_like(relative), where=spread > 0)


def bradley_terry(
    a: ArrayLike,
    b: ArrayLike,
    wins: ArrayLike,
    style: ArrayLike | None = None,
    penalty: float = PENALTY,
) -> Ratings:
    """Return ratings of models 0..m-1 from judged pairs, with style taken out where `style` (pairs, features) is given.

    `wins` is 1 where A won, 0 where B did, 0.5 for a tie. Intervals: sandwich errors of the penalised fit, normal.
    """
    first, second, won = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64), numbers(wins, "wins")
    if not len(first) == len(second) == len(won) or not len(won):
        raise UserMistake(
            f"{len(first)}, {len(second)} and {len(won)} entries: give one pair and one outcome each"
        )
    if won.min() < 0 or won.max() > 1:
        raise UserMistake(f"wins run from {won.min():g} to {won.max():g}: give 1, 0.5 or 0")
    features = np.zeros((len(won), 0)) if style is None else np.asarray(style, dtype=np.float64)
    models = int(max(first.max(), second.max())) + 1
    design = np.column_stack([LOG10 * _signs(first, second, models), features])
    weights, covariance = _logistic(design, won, penalty)
    centre = np.eye(models) - 1 / models
    rated, rated_cov = centre @ weights[:models], centre @ covariance[:models, :models] @ centre.T
    method = (
        f"Bradley-Terry, {'style-controlled, ' if features.shape[1] else ''}L2 {penalty:g}, sandwich errors"
    )
    return Ratings(
        _estimates(rated, np.diag(rated_cov), len(won), "log10 odds", method),
        _estimates(weights[models:], np.diag(covariance)[models:], len(won), "log odds", method),
    )


def author_accuracy(differences: ArrayLike, folds: int = 5) -> float:
    """Return in what share of held-out pairs a linear score of style differences names the author: (pairs, features).

    Each row is one author's style less the other's; the score is fitted on the other folds, an equal one counts half.
    """
    x = np.asarray(differences, dtype=np.float64)
    fold, right = np.arange(len(x)) % folds, 0.0
    for at in range(folds):
        weights, _ = _logistic(x[fold != at], np.ones(int((fold != at).sum())), 1.0)
        score = x[fold == at] @ weights
        right += float((score > 0).sum() + (score == 0).sum() / 2)
    return right / len(x)


class Difficulty(NamedTuple):
    """What models that met the same instructions share: `by_instruction` is the log odds that an instruction adds (mean
    about 0), `length_weight` what a longer answer adds, `models` how many were fitted together."""

    by_instruction: dict[str, float]
    length_weight: float
    models: int


def fit_difficulty(
    models: Sequence[str],
    instructions: Sequence[str],
    wins: ArrayLike,
    lengths: ArrayLike,
    other_lengths: ArrayLike,
) -> Difficulty:
    """Return what the instructions add to the log odds of winning, fitted jointly over the models.

    logit P = w_m + w_l tanh(dlen / sd_m(dlen)) + d_i, L2 on w and d. One entry a pair; `wins` in [0, 1].
    """
    won, own, other = aligned("wins and lengths", wins, lengths, other_lengths)
    names, model = np.unique(np.asarray(models, dtype=object).astype(str), return_inverse=True)
    levels, item = np.unique(np.asarray(instructions, dtype=object).astype(str), return_inverse=True)
    shape = np.empty_like(won)
    for at in range(len(names)):
        shape[model == at] = _length_gap(own[model == at], other[model == at])
    design = np.column_stack([np.eye(len(names))[model], shape])
    weights, difficulty = np.zeros(design.shape[1]), np.zeros(len(levels))
    # Newton's method: the instructions' part of the Hessian is diagonal and is eliminated first.
    for _ in range(NEWTON_STEPS):
        chances = special.expit(design @ weights + difficulty[item])
        spread = chances * (1 - chances)
        slope = design.T @ (won - chances) - PENALTY * weights
        item_slope = np.bincount(item, won - chances, len(levels)) - INSTRUCTION_PENALTY * difficulty
        own_part = np.bincount(item, spread, len(levels)) + INSTRUCTION_PENALTY
        mixed = np.array([np.bincount(item, spread * column, len(levels)) for column in design.T])
        curve = design.T @ (design * spread[:, None]) + PENALTY * np.eye(design.shape[1])
        step = np.linalg.solve(curve - (mixed / own_part) @ mixed.T, slope - mixed @ (item_slope / own_part))
        item_step = (item_slope - step @ mixed) / own_part
        length = max(float(np.abs(step).max()), float(np.abs(item_step).max()))
        scale = min(1.0, NEWTON_LONGEST / length) if length else 1.0
        weights, difficulty = weights + scale * step, difficulty + scale * item_step
        if length < NEWTON_CLOSE:
            break
    by_instruction = dict(zip(levels.tolist(), difficulty.tolist(), strict=True))
    return Difficulty(by_instruction, float(weights[-1]), len(names))


def length_controlled_win_rate(
    wins: ArrayLike,
    lengths: ArrayLike,
    other_lengths: ArrayLike,
    difficulty: ArrayLike | None = None,
    length_weight: float | None = None,
) -> Estimate:
    """Return the share of pairs that the model would win if its answers were as long as the other's.

    `wins` in [0, 1]; lengths in any unit; `difficulty` one number a pair (`fit_difficulty`), none: left out. Where
    `length_weight` is given, the weight of length is drawn to it and that of difficulty to 1 (see DRAWN). The interval
    is by the delta method, difficulties taken as known. Missing for fewer than ten pairs.
    """
    won, own, other = aligned("wins and lengths", wins, lengths, other_lengths)
    if won.size < 10:
        return missing("share", f"{won.size} pairs: at least 10 are needed", won.size)
    if won.min() == won.max():
        return missing("share", "every pair went the same way: length cannot be taken out", won.size)
    hard = np.zeros(won.size) if difficulty is None else numbers(difficulty, "difficulties")
    if hard.size != won.size:
        raise UserMistake(f"{hard.size} difficulties for {won.size} pairs: give one a pair")
    design = np.column_stack([np.ones(won.size), _length_gap(own, other), hard - hard.mean()])
    drawn = PENALTY if length_weight is None else DRAWN * won.size
    centre = np.array(
        [0.0, 0.0 if length_weight is None else length_weight, 0.0 if length_weight is None else 1.0]
    )
    weights, covariance = _logistic(design, won, np.array([PENALTY, drawn, drawn]), centre)
    at = design * [1.0, 0.0, 1.0]
    chances = special.expit(at @ weights)
    slope = (chances * (1 - chances)) @ at / won.size
    error = math.sqrt(float(slope @ covariance @ slope))
    value, half = float(chances.mean()), float(stats.norm.ppf(0.975)) * error
    method = "logistic in tanh(length gap / sd)" + (
        ", no difficulty" if difficulty is None else " and difficulty"
    )
    return Estimate(value, value - half, value + half, won.size, "share", f"{method}, at gap 0")


def _length_gap(own: Floats, other: Floats) -> Floats:
    gap = own - other
    spread = float(gap.std())
    return np.tanh(gap / spread) if spread > 0 else np.zeros_like(gap)


def _signs(first: Integers, second: Integers, models: int) -> Floats:
    design = np.zeros((len(first), models))
    design[np.arange(len(first)), first] += 1
    design[np.arange(len(first)), second] -= 1
    return design


def _logistic(
    design: Floats, won: Floats, penalty: float | Floats, centre: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the weights of an L2-penalised logistic fit and their sandwich covariance: (n, m) -> (m,), (m, m).

    The penalty, one for all weights or one each, is on the distance from `centre` (default 0).
    """
    width = design.shape[1]
    pull, middle = np.broadcast_to(penalty, width), np.zeros(width) if centre is None else centre

    weights = middle.astype(np.float64)
    for _ in range(NEWTON_STEPS):
        chances = special.expit(design @ weights)
        slope = design.T @ (won - chances) - pull * (weights - middle)
        curve = design.T @ (design * (chances * (1 - chances))[:, None]) + np.diag(pull)
        step = np.linalg.solve(curve, slope)
        length = float(np.abs(design @ step).max(initial=0.0))
        weights = weights + min(1.0, NEWTON_LONGEST / length if length else 1.0) * step
        if length < NEWTON_CLOSE:
            break
    chances = special.expit(design @ weights)
    bread = np.linalg.inv(design.T @ (design * (chances * (1 - chances))[:, None]) + np.diag(pull))
    scores = design * (won - chances)[:, None]
    return weights, bread @ (scores.T @ scores) @ bread


def _estimates(values: Floats, variances: Floats, n: int, unit: str, method: str) -> tuple[Estimate, ...]:
    halves = float(stats.norm.ppf(0.975)) * np.sqrt(np.maximum(variances, 0))
    return tuple(
        Estimate(float(v), float(v - h), float(v + h), n, unit, method)
        for v, h in zip(values, halves, strict=True)
    )
