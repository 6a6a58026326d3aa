"""Multinomial logistic regression with an L2 penalty: small, deterministic, and readable as JSON.

p(class | x) = softmax(W z), z = (1, standardised features, which of them are missing). A missing feature (NaN) counts
as its mean and has a weight of its own for being missing. Minimises the summed log loss + l2 / 2 |W|^2, the intercepts
penalised by a hundredth of it (so that a class without examples gets a small chance, not none), by L-BFGS.

    model = fit_multinomial(Evidence(values, ("nll_gap", "few_shot")), labels)
    model.probabilities(values)      # (n, classes)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import log_softmax

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, Integers

INTERCEPT_PENALTY = 0.01


class Evidence(NamedTuple):
    """Features (n, f), NaN where missing, and their names."""

    values: ArrayLike
    names: tuple[str, ...]


@dataclass(frozen=True)
class Multinomial:
    """A fitted model. `weights` (classes, 1 + 2 f): intercept, then standardised features, then missing ones.

    `mean` and `sd` are over the values that were there; `temperature` divides the logits.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    l2: float
    temperature: float = 1.0

    def log_probabilities(self, values: ArrayLike) -> Floats:
        """Return ln p (n, classes) of features (n, f)."""
        rows = checked_features(values, len(self.features))
        logits = _inputs(rows, np.array(self.mean), np.array(self.sd)) @ np.array(self.weights).T
        return log_softmax(logits / self.temperature, axis=1)

    def probabilities(self, values: ArrayLike) -> Floats:
        """Return the chances (n, classes) of features (n, f)."""
        return np.exp(self.log_probabilities(values))

    def as_json(self) -> dict[str, Any]:
        """Return the model as a JSON object; `multinomial_from` reads it."""
        return asdict(self)


def fit_multinomial(
    evidence: Evidence,
    labels: Sequence[str],
    classes: Sequence[str] | None = None,
    l2: float = 1.0,
    counts: ArrayLike | None = None,
) -> Multinomial:
    """Return the model that fits `labels` (n,); `classes` may name some that have no label here, `counts` (n,) say how
    often each item stands in the likelihood (1 each where None; standardisation does not hear them).

    Raises UserMistake for no items, unknown labels, infinite features or a penalty that is not above 0.
    """
    names = evidence.names
    rows = checked_features(evidence.values, len(names))
    known = tuple(sorted(set(labels))) if classes is None else tuple(classes)
    codes = label_codes(labels, known, rows.shape[0])
    if not (l2 > 0 and math.isfinite(l2)):
        raise UserMistake(f"l2 {l2:g}: give a penalty above 0")
    mean, sd = _moments(rows)
    inputs, wanted = _inputs(rows, mean, sd), np.eye(len(known))[codes]
    penalty = np.full(inputs.shape[1], l2)
    penalty[0] *= INTERCEPT_PENALTY
    often = np.ones(rows.shape[0]) if counts is None else np.asarray(counts, dtype=np.float64)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(len(known), -1)
        logs = log_softmax(inputs @ weights.T, axis=1)
        slope = (often[:, None] * (np.exp(logs) - wanted)).T @ inputs + penalty * weights
        return float(
            -(often[:, None] * wanted * logs).sum() + 0.5 * (penalty * weights**2).sum()
        ), slope.ravel()

    start = np.zeros(len(known) * inputs.shape[1])
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-7}
    )
    weights = tuple(tuple(row) for row in found.x.reshape(len(known), -1).tolist())
    return Multinomial(names, known, tuple(mean.tolist()), tuple(sd.tolist()), weights, float(l2))


def multinomial_from(told: Mapping[str, Any]) -> Multinomial:
    """Return the model of a JSON object. Raises UserMistake where it is not one."""
    try:
        features, classes = tuple(map(str, told["features"])), tuple(map(str, told["classes"]))
        mean, sd = (tuple(map(float, told[name])) for name in ("mean", "sd"))
        weights = tuple(tuple(map(float, row)) for row in told["weights"])
        l2, temperature = float(told["l2"]), float(told["temperature"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserMistake(f"not a stored model: {error!r}") from error
    f = len(features)
    shapes = len(mean) == len(sd) == f and [len(row) for row in weights] == [1 + 2 * f] * len(classes)
    every = [*mean, *sd, *(value for row in weights for value in row), l2, temperature]
    if not (shapes and classes and all(map(math.isfinite, every)) and min([*sd, l2, temperature]) > 0):
        raise UserMistake(
            f"not a stored model: sizes or numbers do not fit {f} features and {len(classes)} classes"
        )
    return Multinomial(features, classes, mean, sd, weights, l2, temperature)


def checked_features(values: ArrayLike, width: int) -> Floats:
    """Return features (n, width) as floats. Raises UserMistake for another shape or infinite ones."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != width:
        raise UserMistake(f"features have shape {rows.shape}: give (items, {width}), one column per name")
    if np.isinf(rows).any():
        raise UserMistake("features hold infinite values: give NaN where one is missing")
    return rows


def label_codes(labels: Sequence[str], classes: Sequence[str], n: int) -> Integers:
    """Return the index of each label (n,) among `classes`. Raises UserMistake for unknown ones or another number."""
    unknown = sorted(set(labels) - set(classes))
    if len(labels) != n or n == 0 or unknown or len(set(classes)) != len(classes):
        raise UserMistake(
            f"{len(labels)} labels for {n} items, unknown {unknown}: give one of {list(classes)} per item"
        )
    return np.array([list(classes).index(label) for label in labels], dtype=np.int64)


def _moments(rows: Floats) -> tuple[Floats, Floats]:
    """Return mean and sd (f,) of what is there; 0 and 1 where nothing is, and an sd of 1 where nothing varies."""
    there = ~np.isnan(rows)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, rows, 0.0).sum(axis=0) / count
    sd = np.sqrt(np.where(there, (rows - mean) ** 2, 0.0).sum(axis=0) / count)
    return mean, np.where(sd > 1e-12 * np.maximum(np.abs(mean), 1e-300), sd, 1.0)


def _inputs(rows: Floats, mean: Floats, sd: Floats) -> Floats:
    """Return (n, 1 + 2 f): 1, standardised features (0 where missing), and which are missing."""
    missing = np.isnan(rows)
    standard = np.where(missing, 0.0, (rows - mean) / sd)
    return np.column_stack([np.ones(rows.shape[0]), standard, missing.astype(np.float64)])
