"""Does steering one concept move the others? The cross-effect matrix, in gaps, and in how many directions it points.

Row: the concept that is steered. Column: the concept that is read, how far its prompts' margins move either way. Rows
of length 1 have a participation ratio from 1 (whatever is steered, the same moves) to the number of concepts (each
moves its own). The null control steers along random directions as long.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tellapart.internals.features import participation_ratio
from tellapart.internals.language import Effects
from tellapart.stats.estimate import Estimate, missing

RESAMPLES = 500
Cross = Mapping[tuple[str, str], np.ndarray]


def matrix_of(cross: Cross, concepts: Sequence[str]) -> np.ndarray:
    """Return the mean effects (steered, read)."""
    rows = [[float(cross[steered, read].mean()) for read in concepts] for steered in concepts]
    return np.array(rows).reshape(len(concepts), len(concepts))


def matrix_ratio(matrix: np.ndarray) -> float:
    """Return the participation ratio of the rows, each of length 1; NaN where one is 0."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return participation_ratio(matrix / lengths) if bool((lengths > 0).all()) else float("nan")


def cross_share(matrix: np.ndarray) -> float:
    """Return the mean effect on other concepts over the mean effect on the concept that is steered."""
    own = np.diag(matrix).mean()
    others = matrix[~np.eye(len(matrix), dtype=bool)].mean()
    return float(others / own) if own > 0 else float("nan")


def cross_estimates(measured: Effects, concepts: Sequence[str], seed: int) -> dict[str, Estimate]:
    """Return both figures and their null controls, with bootstrap intervals over the pairs of each concept."""
    labels = {
        "cross_effect": "share of own effect",
        "net_cross_effect": "share of own effect",
        "entanglement_participation_ratio": "directions",
    }
    if len(concepts) < 2:
        return {
            name: missing(unit, "fewer than two concepts that the model shows")
            for name, unit in labels.items()
        }
    own = {key: value[None] for key, value in measured.cross.items() if key[0] == key[1]}
    plain = {key: value[None] for key, value in measured.cross.items()}
    blind = {**measured.cross_null, **own}
    return {
        "cross_effect": _bootstrapped(plain, concepts, cross_share, "share of own effect", seed),
        "net_cross_effect": _net(plain, measured.cross_null, concepts, seed),
        "null_cross_effect": _bootstrapped(blind, concepts, cross_share, "share of own effect", seed),
        "entanglement_participation_ratio": _bootstrapped(plain, concepts, matrix_ratio, "directions", seed),
        "null_entanglement_participation_ratio": _bootstrapped(
            measured.cross_null, concepts, matrix_ratio, "directions", seed
        ),
    }


def _net(plain: Cross, blind: Cross, concepts: Sequence[str], seed: int) -> Estimate:
    """Return the cross effect less that of random vectors of equal norm, both above and below the line: what moves
    others beyond any push as hard, over what moves the concept itself beyond it."""
    unit = "share of own effect"
    both = {**{(*key, "own"): value for key, value in plain.items()},
            **{(*key, "random"): value for key, value in blind.items()}}  # fmt: skip

    def share(cross: Mapping[tuple[str, ...], np.ndarray]) -> float:
        own, random = (
            matrix_of({key[:2]: value for key, value in cross.items() if key[2] == kind}, concepts)  # type: ignore[misc]
            for kind in ("own", "random")
        )
        return cross_share(own - random)

    net = _resampled(both, concepts, share, unit, seed)
    if math.isnan(net.low):
        return missing(unit, "steering along the concepts moves them no more than random vectors do", net.n)
    return net


def _bootstrapped(cross: Cross, concepts: Sequence[str], figure, unit: str, seed: int) -> Estimate:
    return _resampled(cross, concepts, lambda sample: figure(matrix_of(sample, concepts)), unit, seed)


def _resampled(
    cross: Mapping[Any, np.ndarray], concepts: Sequence[str], figure, unit: str, seed: int
) -> Estimate:
    """Return a figure of effects [draw, side, pair] by (steered, read, ...), with a bootstrap over the pairs of each
    concept, and over draws where there are several."""
    random = np.random.default_rng(seed)
    by_pair = {key: value.mean(axis=1) for key, value in cross.items()}  # draw pair
    counts = {key[1]: value.shape[1] for key, value in by_pair.items()}
    values = []
    for _ in range(RESAMPLES):
        drawn = {read: random.integers(0, counts[read], counts[read]) for read in concepts}
        values.append(figure({
            key: _resample(value, random)[:, drawn[key[1]]] for key, value in by_pair.items()
        }))  # fmt: skip
    low, high = np.percentile(values, [2.5, 97.5])
    n = sum(counts.values())
    method = f"{len(concepts)} concepts, bootstrap over pairs, {RESAMPLES} resamples"
    return Estimate(figure(by_pair), float(low), float(high), n, unit, method)


def _resample(value: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return value if len(value) == 1 else value[random.integers(0, len(value), len(value))]
