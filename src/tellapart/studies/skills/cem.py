"""Few-shot adaptation: the cross-entropy method over mixing weights (Sun et al. 2025, arXiv 2501.06252, section 3.2).

A candidate is one weight in [0, most] for each expert, or one for each expert and layer. POPULATION candidates are
drawn from a normal distribution, the ELITE share that solves most of the examples refits it; of equals, the one that
makes the targets likeliest goes first. The best candidate seen is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tellapart.errors import UserMistake
from tellapart.runs.progress import ticking
from tellapart.studies.skills.few_shots import log_likelihoods, solved
from tellapart.studies.skills.mix import Mix, layer_of, mix_of
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.tasks.item import Item, Task

POPULATION, ELITE = 32, 0.2
START, SPREAD, LEAST_SPREAD = 0.5, 0.5, 0.02


class Range(NamedTuple):
    """What is searched: rounds of POPULATION candidates, one weight for each layer or for all, up to `most`."""

    rounds: int = 8
    by_layer: bool = False
    most: float = 1.0


WHOLE = Range()


@dataclass(frozen=True)
class SearchedMix:
    """The best mix, what it solves of the examples, its mean log-likelihood (nats), and the best of each round."""

    mix: Mix
    score: float
    loglik: float
    rounds: tuple[tuple[float, float], ...]
    answers: int


def search(
    lanes: Lanes, task: Task, items: Sequence[Item], within: Range = WHOLE, seed: int = 0
) -> SearchedMix:
    """Return the mix of all of `lanes.experts` that does best on `items`. Raises UserMistake without any."""
    if not items:
        raise UserMistake(f"no example of {task.name} to adapt to: give at least one")
    names = list(lanes.experts)
    layers = 1 + max(layer_of(n) for z in lanes.experts.values() for n in z) if within.by_layer else 1
    rng = np.random.default_rng(seed)
    mean, spread = (np.full(len(names) * layers, within.most * share) for share in (START, SPREAD))
    best: tuple[float, float, Mix] = (-1.0, -np.inf, Mix())
    rounds = []
    with ticking("adapting", within.rounds) as ticker:
        for _ in range(within.rounds):
            drawn = np.clip(rng.normal(mean, spread, (POPULATION, mean.size)), 0.0, within.most)
            mixes = [_mix(names, row, layers) for row in drawn]
            lanes.forget()
            scores, logliks = solved(lanes, mixes, task, items), log_likelihoods(lanes, mixes, task, items)
            order = np.lexsort((-logliks, -scores))
            first = int(order[0])
            best = max(
                best,
                (float(scores[first]), float(logliks[first]), mixes[first]),
                key=lambda candidate: candidate[:2],
            )
            rounds.append((float(scores[first]), float(logliks[first])))
            elite = drawn[order[: max(2, round(ELITE * POPULATION))]]
            mean, spread = elite.mean(0), np.maximum(elite.std(0), LEAST_SPREAD)
            ticker.tick()
    return SearchedMix(best[2], best[0], best[1], tuple(rounds), within.rounds * POPULATION * len(items))


def _mix(names: Sequence[str], row: np.ndarray, layers: int) -> Mix:
    parts = row.reshape(len(names), layers)
    return mix_of({name: tuple(map(float, values)) for name, values in zip(names, parts, strict=True)})
