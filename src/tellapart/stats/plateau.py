"""Where a series of rounds will level off, foretold from its first scores, with an interval.

The log-odds of the score go a fixed share q less far each round: L_r = L_inf - (L_inf - L_0) q^r, which holds both
for a quick rise and for a slow start. Posterior on a grid: score_inf uniform on (0, 1), q by a Beta prior that is fast
(Song et al. 2024: two or three rounds), scores measured with their standard errors and a roughness of the curve itself.

    forecast([0.05, 0.8, 0.93], [0.01, 0.02, 0.01], horizon=5)
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from tellapart.errors import UserMistake
from tellapart.stats.arrays import aligned
from tellapart.stats.estimate import Estimate

ROUGHNESS = 0.02
"""Standard deviation with which a round's score leaves the curve."""
PRIOR = (1.0, 2.0)
DRAWS = 4000
LEVELS = np.linspace(0.005, 0.995, 67)
RATES = np.linspace(0.0, 0.95, 39)
STARTS = np.linspace(-2.5, 2.5, 7)
CONFIDENCE = 0.9


def forecast(scores: Sequence[float], errors: Sequence[float], horizon: int, seed: int = 0) -> Estimate:
    """Return the score foretold for round `horizon`, as it will be measured, with a 90 % interval.

    `scores` are those of rounds 0, 1, ... (at least two) in [0, 1], `errors` their standard errors.
    """
    seen, noise = aligned("scores", scores, errors)
    if seen.size < 2 or horizon < 1:
        raise UserMistake(
            f"{seen.size} scores, horizon {horizon}: give at least two scores and a round from 1"
        )
    spread = np.sqrt(np.maximum(noise, 1e-3) ** 2 + ROUGHNESS**2)
    starts = np.clip(seen[0] + STARTS * np.maximum(noise[0], 1e-3), 1e-4, 1 - 1e-4)
    first, level, rate = np.meshgrid(logit(starts), logit(LEVELS), RATES, indexing="ij")
    logs = stats.beta.logpdf(rate, *PRIOR)
    logs -= (STARTS**2 / 2)[:, None, None]
    for turn in range(1, seen.size):
        logs -= ((_at(first, level, rate, turn) - seen[turn]) / spread[turn]) ** 2 / 2
    weights = np.exp(logs - logs.max()).ravel()
    rng = np.random.default_rng(seed)
    picked = rng.choice(weights.size, DRAWS, p=weights / weights.sum())
    ahead = _at(first, level, rate, horizon).ravel()[picked] + rng.normal(0, spread[-1], DRAWS)
    low, middle, high = np.quantile(ahead, [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2])
    method = f"log-odds curve through rounds 0 to {seen.size - 1}, for round {horizon}, 90 % interval"
    return Estimate(float(middle), max(float(low), 0.0), min(float(high), 1.0), seen.size, "score", method)


def _at(first: np.ndarray, level: np.ndarray, rate: np.ndarray, turn: int) -> np.ndarray:
    return expit(level - (level - first) * rate**turn)
