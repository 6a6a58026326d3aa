"""Does steering one concept move the others? The cross-effect matrix, in gaps, and in how many directions it points.

Row: the concept that is steered. Column: the concept that is read, how far its prompts' margins move either way. Rows
of length 1 have a participation ratio from 1 (whatever is steered, the same moves) to the number of concepts (each
moves its own). The null twin steers along random directions as long.
"""

from collections.abc import Mapping, Sequence

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


def cross_estimates(found: Effects, concepts: Sequence[str], seed: int) -> dict[str, Estimate]:
    """Return both figures and their null twins, with bootstrap intervals over the pairs of each concept."""
    labels = {"cross_effect": "share of own effect", "entanglement_participation_ratio": "directions"}
    if len(concepts) < 2:
        return {
            name: missing(unit, "fewer than two concepts that the model shows")
            for name, unit in labels.items()
        }
    own = {key: value for key, value in found.cross.items() if key[0] == key[1]}
    blind = {**found.cross_null, **own}
    return {
        "cross_effect": _bootstrapped(found.cross, concepts, cross_share, "share of own effect", seed),
        "null_cross_effect": _bootstrapped(blind, concepts, cross_share, "share of own effect", seed),
        "entanglement_participation_ratio": _bootstrapped(
            found.cross, concepts, matrix_ratio, "directions", seed
        ),
        "null_entanglement_participation_ratio": _bootstrapped(
            found.cross_null, concepts, matrix_ratio, "directions", seed
        ),
    }


def _bootstrapped(cross: Cross, concepts: Sequence[str], figure, unit: str, seed: int) -> Estimate:
    random = np.random.default_rng(seed)
    by_pair = {key: value.mean(axis=0) for key, value in cross.items()}
    counts = {read: len(by_pair[read, read]) for read in concepts}
    values = []
    for _ in range(RESAMPLES):
        drawn = {read: random.integers(0, counts[read], counts[read]) for read in concepts}
        values.append(figure(matrix_of({key: by_pair[key][drawn[key[1]]] for key in by_pair}, concepts)))
    low, high = np.percentile(values, [2.5, 97.5])
    n = sum(counts.values())
    told = f"{len(concepts)} concepts, bootstrap over pairs, {RESAMPLES} resamples"
    return Estimate(figure(matrix_of(by_pair, concepts)), float(low), float(high), n, unit, told)
