"""A concept's direction in states, by three methods that need not agree.

`difference`: of the classes' means (Panickssery et al. 2023, arXiv 2312.06681). `probe`: logistic regression with a
ridge. `pca`: the first principal direction of the pairs' differences, not centred (Zou et al. 2023, arXiv 2310.01405).
Each has length 1 and points to the positive side.
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy import optimize, special

RIDGE = 1e-2
"""Ridge of the probe, per point, on states scaled to mean square 1."""


def difference(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return the difference of means (width) of paired states (pairs, width)."""
    return _unit(positive.mean(axis=0) - negative.mean(axis=0))


def probe(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return the weights of a logistic readout (width)."""
    states = np.concatenate([positive, negative])
    centred = states - states.mean(axis=0)
    scale = float(np.sqrt((centred**2).mean())) or 1.0
    # the solution lies in the span of the points, so no more coordinates are needed than there are points
    basis = np.linalg.svd(centred / scale, full_matrices=False)[2]
    points = (centred / scale) @ basis.T
    side = np.repeat([1.0, -1.0], [len(positive), len(negative)])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        read = side * (points @ weights)
        slope = -(side * special.expit(-read)) @ points / len(points)
        return float(np.logaddexp(0, -read).mean() + RIDGE * (weights**2).sum() / 2), slope + RIDGE * weights

    weights = optimize.minimize(loss, np.zeros(points.shape[1]), jac=True, method="L-BFGS-B").x
    return _unit(weights @ basis)


def pca(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return the first principal direction of the pairs' differences (width)."""
    apart = positive - negative
    first = np.linalg.svd(apart, full_matrices=False)[2][0]
    return _unit(first * (np.sign(float((apart @ first).sum())) or 1.0))


METHODS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "difference": difference,
    "probe": probe,
    "pca": pca,
}


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else np.zeros_like(vector)
