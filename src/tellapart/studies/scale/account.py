"""The per-token account of exact match: if each of L tokens is right with probability p, all are with p^L.

Schaeffer, Miranda & Koyejo 2023, section 2. Where a task has both exact match and per-token accuracy, p^L is what
the account predicts; how far the scores lie from it says how much of their jump the ruler makes.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import fminbound

from tellapart.stats.arrays import Floats
from tellapart.studies.scale.curves import ScoreCurve, TaskCurves
from tellapart.studies.scale.metrics import EXACT_MATCH, TOKEN_ACCURACY, TOKEN_LOGPROB, base_name

LONGEST = 1000.0


class Account(NamedTuple):
    """p^L beside exact match at the scales that both have; `fitted` says that L was fitted and not given. `away` is
    the root mean squared difference, `spread` the standard deviation of the exact match itself."""

    metric: str
    token_metric: str
    length: float
    fitted: bool
    scale: Floats
    predicted: Floats
    seen: Floats
    away: float
    spread: float


def account(task: TaskCurves) -> Account | None:
    """Return the account of the first exact-match metric of a task that has per-token accuracy beside it."""
    exact = next((curve for curve in task.curves if base_name(curve.metric) in EXACT_MATCH), None)
    tokens = next((curve for curve in task.curves if token_probability(curve) is not None), None)
    if exact is None or tokens is None:
        return None
    shared, left, right = np.intersect1d(exact.x, tokens.x, return_indices=True)
    p = token_probability(tokens)
    if len(shared) < 3 or p is None:
        return None
    p, seen = p[right], exact.values[left]
    if not ((p >= 0) & (p <= 1)).all():
        return None
    given = next((value for value in (exact.length, tokens.length) if np.isfinite(value)), float("nan"))
    length = given if np.isfinite(given) else _fitted(p, seen)
    predicted = p**length
    away = float(np.sqrt(np.mean((predicted - seen) ** 2)))
    return Account(exact.metric, tokens.metric, length, not np.isfinite(given), exact.scale[left], predicted, seen,
                   away, float(np.std(seen)))  # fmt: skip


def token_probability(curve: ScoreCurve) -> Floats | None:
    """Return the probability of a right token that a metric tells, None where it tells none."""
    if base_name(curve.metric) in TOKEN_ACCURACY:
        return curve.values
    if base_name(curve.metric) in TOKEN_LOGPROB:
        return np.exp(curve.values)
    return None


def _fitted(p: Floats, seen: Floats) -> float:
    def squared(log_length: float) -> float:
        return float(np.mean((p ** np.exp(log_length) - seen) ** 2))

    return float(np.exp(fminbound(squared, 0.0, np.log(LONGEST))))
