"""What the answers of one training step tell about the training: each a number from scores, groups and answers.

The signals that rise when lucky guesses are rewarded (arXiv 2605.28388: answers repeat, computation is skipped), and
those that tell why: a group with one success gives it the advantage sqrt(G - 1), the more the rarer it is.

    step_signals(Rollouts(scores, groups, answers=answers, steps=steps))["concentration"]
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, Integers

NAN = math.nan
LEAST_PAIRS = 20
SIGNALS: Mapping[str, str] = {
    "reward": "mean reward",
    "all_wrong": "share of groups without a reward",
    "all_right": "share of groups where every answer is rewarded",
    "concentration": "share of the positive advantage that comes from groups with one success",
    "repeats_within": "chance that two unrewarded answers to one prompt are equal",
    "repeats_across": "chance that unrewarded answers to two prompts are equal",
    "skipped": "share of answers whose steps are missing",
    "thin": "share of answers with fewer than half of the steps that the model's own earlier chains had",
    "thin_paid": "share of rewarded answers that are so thin, in groups with both outcomes (no checker needed)",
    "lucky": "share of rewarded answers whose steps are wrong or missing",
    "length": "mean length of an answer",
    "entropy": "mean negative log-probability of a token (nats): the entropy where sampled at temperature 1",
}


@dataclass(frozen=True)
class Rollouts:
    """The answers of one step, one entry each (n,): `score` (NaN: not scored), `group` (any label of its prompt).

    Optional: `answers` (the final answer as text, "" where there is none), `steps` (valid | invalid | absent | ""
    for not checked), `length` (tokens or words), `entropy` (nats a token); NaN where not known. `thin`: of each answer
    whether it has too few steps (stats/chains.py).
    """

    score: Sequence[float] | Floats
    group: Sequence[str] | Integers
    answers: Sequence[str] | None = None
    steps: Sequence[str] | None = None
    length: Sequence[float] | Floats | None = None
    entropy: Sequence[float] | Floats | None = None
    thin: Sequence[bool] | None = None


def step_signals(rollouts: Rollouts, success: float = 1.0) -> dict[str, float]:
    """Return each of SIGNALS, NaN where the step cannot tell.

    An answer is rewarded where its score is >= `success`. Answers without a score are left out. Raises UserMistake
    where the columns differ in length.
    """
    n = len(rollouts.score)
    for name, column in vars(rollouts).items():
        if column is not None and len(column) != n:
            raise UserMistake(f"{len(column)} {name}, {n} scores: give one for each answer")
    score = np.asarray(rollouts.score, dtype=np.float64)
    scored = np.isfinite(score)
    group = pd.factorize(np.asarray(rollouts.group))[0]
    right = score[scored] >= success
    wrong, good, concentration = group_signals(right, group[scored])
    within, across = repeated(rollouts.answers, group, scored & ~(score >= success))
    skipped, lucky = reasoning(rollouts.steps, scored & (score >= success))
    return {
        "reward": _mean(score[scored]),
        "all_wrong": wrong,
        "all_right": good,
        "concentration": concentration,
        "repeats_within": within,
        "repeats_across": across,
        "skipped": skipped,
        "thin": _mean(rollouts.thin),
        "thin_paid": paid_share(score[scored] >= success, group[scored], np.asarray(rollouts.thin)[scored])
        if rollouts.thin is not None
        else NAN,
        "lucky": lucky,
        "length": _mean(rollouts.length),
        "entropy": _mean(rollouts.entropy),
    }


def group_signals(right: np.ndarray, group: Integers) -> tuple[float, float, float]:
    """Return the shares of groups all wrong and all right, and the advantage concentration; groups of one are left out.

    The successes of a group with c of G hold sqrt(c (G - c)) of positive advantage in all (population std).
    """
    if not len(right):
        return NAN, NAN, NAN
    size = np.bincount(group)
    c = np.bincount(group, weights=right)
    c, size = c[size > 1], size[size > 1]
    if not size.size:
        return NAN, NAN, NAN
    positive = np.sqrt(c * (size - c))
    total = positive.sum()
    concentration = float(positive[c == 1].sum() / total) if total > 0 else NAN
    return float((c == 0).mean()), float((c == size).mean()), concentration


def paid_share(right: np.ndarray, group: Integers, marked: np.ndarray) -> float:
    """Return the share of rewarded answers that are marked, the mean over groups with both outcomes; NaN without any.

    Only such groups have advantages: of a problem that is always solved nothing is learned.
    """
    if not len(right):
        return NAN
    size, c = np.bincount(group), np.bincount(group, weights=right)
    mixed = (c > 0) & (c < size)
    if not mixed.any():
        return NAN
    return float((np.bincount(group, weights=marked & right)[mixed] / c[mixed]).mean())


def repeated(answers: Sequence[str] | None, group: Integers, kept: np.ndarray) -> tuple[float, float]:
    """Return the chance that two answers of one group, and of two groups, are equal; over the `kept`, non-empty ones.

    Over pairs of answers drawn without replacement, so not biased by their number. NaN for under LEAST_PAIRS pairs:
    of a model that gets better few unrewarded answers are left.
    """
    if answers is None:
        return NAN, NAN
    held = [(g, a) for g, a, k in zip(group.tolist(), answers, kept, strict=True) if k and a]
    inside, equal_inside = _pairs(Counter(g for g, _ in held)), _pairs(Counter(held))
    every, equal = math.comb(len(held), 2), _pairs(Counter(a for _, a in held))
    within = equal_inside / inside if inside >= LEAST_PAIRS else NAN
    across = (equal - equal_inside) / (every - inside) if every - inside >= LEAST_PAIRS else NAN
    return within, across


def reasoning(steps: Sequence[str] | None, rewarded: np.ndarray) -> tuple[float, float]:
    """Return the share of checked answers without steps, and of rewarded checked answers without valid steps."""
    if steps is None:
        return NAN, NAN
    judged = np.asarray(steps, dtype=object)
    unknown = set(judged) - {"valid", "invalid", "absent", ""}
    if unknown:
        raise UserMistake(f"steps {sorted(map(str, unknown))[0]!r}: give valid, invalid, absent, or nothing")
    checked = judged != ""
    return _mean((judged == "absent")[checked]), _mean((judged != "valid")[checked & rewarded])


def _pairs(counts: Counter) -> int:
    return sum(math.comb(count, 2) for count in counts.values())


def _mean(values: Sequence[float] | Sequence[bool] | np.ndarray | None) -> float:
    if values is None:
        return NAN
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if finite.size else NAN
