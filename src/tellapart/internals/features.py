"""Features of a network over its inputs: how many are distinct, how many dimensions they span.

A feature is one unit's activations over all points. Counts of Kumar et al. (2025, arXiv 2505.11581) as recomputed in
docs/validation/inside.md: a feature that equals an input, or an earlier feature, up to scale, offset and sign is not
counted.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.stats.estimate import Estimate, missing

SAME = 0.999
"""Two features correlated beyond this, with either sign, are one."""
CONSTANT = 1e-4
"""A feature whose standard deviation is below this is constant (activations are of order 1)."""
EXPLAINED = 0.99
"""Share of the variance that `pca_dims` counts dimensions for."""

PERMUTATIONS = 200
FOLDS, RIDGE = 5, 1e-3
"""Folds of a held-out readout, and its ridge as a share of the features' mean square."""


class Distinct(NamedTuple):
    """`kept` are the columns of the distinct features; `total` counts all features, `constant` the constant ones."""

    kept: tuple[int, ...]
    total: int
    constant: int


def standardised(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the features (points, features) centred with norm 1 (0 where constant), and which are not constant."""
    centred = features - features.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    varies = norms > CONSTANT * np.sqrt(len(features))
    return np.where(varies, centred / np.where(varies, norms, 1.0), 0.0), varies


def distinct_features(features: np.ndarray, inputs: np.ndarray) -> Distinct:
    """Return which features differ from the inputs and from each earlier one (|correlation| <= SAME).

    `features` (points, features) in the order of the layers, `inputs` (points, inputs).
    """
    scaled, varies = standardised(features)
    among = np.abs(scaled.T @ scaled)
    to_inputs = np.abs(scaled.T @ standardised(inputs)[0]).max(axis=1)
    kept: list[int] = []
    for index in np.flatnonzero(varies & (to_inputs <= SAME)):
        if not kept or among[index, kept].max() <= SAME:
            kept.append(int(index))
    return Distinct(tuple(kept), features.shape[1], int((~varies).sum()))


def spectrum(features: np.ndarray) -> np.ndarray:
    """Return the shares of variance along the principal directions of the features (points, features), falling."""
    if features.shape[1] == 0:
        return np.zeros(0)
    centred = features - features.mean(axis=0)
    values = np.maximum(np.linalg.eigvalsh(centred.T @ centred)[::-1], 0.0)  # rounding puts zeros below 0
    total = values.sum()
    return values / total if total > 0 else np.zeros(0)


def pca_dims(shares: np.ndarray, explained: float = EXPLAINED) -> int:
    """Return how many leading principal directions explain this share of the variance; 0 where there is none."""
    return 0 if shares.size == 0 else int((np.cumsum(shares) < explained).sum()) + 1


def participation_ratio(rows: np.ndarray) -> float:
    """Return (sum of eigenvalues)^2 / sum of their squares of the rows' Gram matrix: 1 one direction, n n equal ones.

    NaN where all rows are 0.
    """
    gram = rows.T @ rows if rows.shape[0] > rows.shape[1] else rows @ rows.T
    squares = float((gram**2).sum())
    return float(np.trace(gram)) ** 2 / squares if squares > 0 else float("nan")


def rotated(layers: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Return each hidden layer (points, width) in a random orthogonal basis of its own (QR of a normal matrix)."""
    random = np.random.default_rng(seed)
    return [
        layer @ np.linalg.qr(random.standard_normal((layer.shape[1], layer.shape[1])))[0] for layer in layers
    ]


def decodability(features: np.ndarray, concept: np.ndarray) -> float:
    """Return R^2 of the least-squares readout of `concept` (points) from `features` (points, features), in sample."""
    design = np.column_stack([features, np.ones(len(features))])
    fitted = design @ np.linalg.lstsq(design, concept, rcond=None)[0]
    spread = float(((concept - concept.mean()) ** 2).sum())
    return 1 - float(((concept - fitted) ** 2).sum()) / spread if spread > 0 else float("nan")


def held_out_decodability(features: np.ndarray, concept: np.ndarray, seed: int) -> Estimate:
    """Return how well a linear readout of `features` (points, features) tells `concept` on points it was not fitted to.

    FOLDS folds, the same ridge in every direction, so that the basis does not matter; R2 of a concept of numbers,
    share of right classes of one of integers or texts; t interval over the folds.
    """
    classes = not np.issubdtype(np.asarray(concept).dtype, np.floating)
    unit = "share" if classes else "R2"
    kinds = np.unique(concept)
    if len(kinds) < 2 or len(features) < 2 * FOLDS:
        return missing(unit, "a constant concept or too few points", len(features))
    wanted = (concept[:, None] == kinds).astype(float) if classes else np.asarray(concept, float)[:, None]
    fold = np.random.default_rng(seed).permutation(len(features)) % FOLDS
    scores = []
    for index in range(FOLDS):
        fitted, held_out = fold != index, fold == index
        read = _readout(features[fitted], wanted[fitted], features[held_out])
        if classes:
            scores.append(float((read.argmax(axis=1) == wanted[held_out].argmax(axis=1)).mean()))
        else:
            left = float(((wanted[held_out] - read) ** 2).sum())
            scores.append(1 - left / float(((wanted[held_out] - wanted[fitted].mean(axis=0)) ** 2).sum()))
    mean = float(np.mean(scores))
    reach = float(stats.t.ppf(0.975, FOLDS - 1)) * float(stats.sem(scores))
    return Estimate(
        mean, mean - reach, mean + reach, len(features), unit, f"ridge, {FOLDS} folds, t interval"
    )


def chance_decodability(features: np.ndarray, concept: np.ndarray, seed: int, copies: int = 1) -> Estimate:
    """Return what `held_out_decodability` finds where there is nothing to read, on the same folds: the mean and the
    central 95 % over PERMUTATIONS of the concept's values. With `twins` 2, point i and point i + half are a pair
    (prompts alike but for the concept), and only values within a pair change places.
    """
    kinds = np.unique(concept)
    classes = not np.issubdtype(np.asarray(concept).dtype, np.floating)
    unit = "share" if classes else "R2"
    if len(kinds) < 2 or len(features) < 2 * FOLDS:
        return missing(unit, "a constant concept or too few points", len(features))
    random = np.random.default_rng(seed + 1)
    orders = np.stack([_order(len(features), copies, random) for _ in range(PERMUTATIONS)])
    fold = np.random.default_rng(seed).permutation(len(features)) % FOLDS
    scores = np.zeros(PERMUTATIONS)
    for index in range(FOLDS):
        fitted, held_out = fold != index, fold == index
        if classes:
            wanted = (np.asarray(concept)[orders][..., None] == kinds).astype(
                float
            )  # permutation point class
        else:
            wanted = np.asarray(concept, float)[orders][..., None]
        flat = wanted.transpose(1, 0, 2).reshape(len(features), -1)
        read = _readout(features[fitted], flat[fitted], features[held_out])
        read, wanted = read.reshape(len(read), PERMUTATIONS, -1), wanted.transpose(1, 0, 2)
        if classes:
            scores += (read.argmax(axis=2) == wanted[held_out].argmax(axis=2)).mean(axis=0) / FOLDS
        else:
            left = ((wanted[held_out] - read) ** 2).sum(axis=(0, 2))
            scores += (
                1 - left / ((wanted[held_out] - wanted[fitted].mean(axis=0)) ** 2).sum(axis=(0, 2))
            ) / FOLDS
    low, high = np.percentile(scores, [2.5, 97.5])
    told_of = f"ridge, {FOLDS} folds, {PERMUTATIONS} permutations of the concept, central 95 %"
    return Estimate(float(scores.mean()), float(low), float(high), len(features), unit, told_of)


def _order(count: int, copies: int, random: np.random.Generator) -> np.ndarray:
    """Return an order of the points: any, or one in which only the two of a pair change places."""
    if copies == 1:
        return random.permutation(count)
    half = count // 2
    swapped = np.where(random.integers(0, 2, half) > 0, half, 0)
    return np.concatenate([np.arange(half) + swapped, np.arange(half) + half - swapped])


def _readout(fitted: np.ndarray, wanted: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    centre, level = fitted.mean(axis=0), wanted.mean(axis=0)
    centred = fitted - centre
    gram = centred.T @ centred
    ridge = RIDGE * max(float(np.trace(gram)), 1e-300) / len(gram)
    weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), centred.T @ (wanted - level))
    return (held_out - centre) @ weights + level
