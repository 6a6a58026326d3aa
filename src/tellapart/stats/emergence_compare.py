"""Smooth or broken? Families of shapes compared by how well they foretell points that they have not seen.

Two held-out log-likelihoods are averaged: that of every point given all others (leave one out), and the log
evidence, which is the mean over all ways of holding points out, few or many (Fong & Holmes 2020). Within a family
the shapes and sizes of scatter are weighted by their evidence, so a family gains nothing by having more of them.
The weights of the families are in proportion to the held-out likelihood (Yao, Vehtari, Simpson & Gelman 2018, eq. 8).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from tellapart.stats.arrays import Floats
from tellapart.stats.emergence_fit import Curves, Fits, fit, left_out, scatters, spread, total
from tellapart.stats.emergence_shapes import Family, Shape, matrix, shapes

FAMILIES: tuple[Family, ...] = ("flat", "smooth", "broken", "stairs")
STRAY = 0.05
"""Chance that a held-out point lies anywhere in the curve's range, whatever the family says: so no single model
that went astray decides."""
MATERIAL = 0.3
"""A break beside a straight line counts where it makes at least this share of the two's change."""
TOGETHER = 64
"""Curves fitted at one time (memory)."""


class Comparison(NamedTuple):
    """For each curve: the held-out log-likelihood of each family (nats, over all points), the weights of the
    families (they sum to 1), the probability that a break, if there is one, makes at least MATERIAL of the fitted
    change, and the best shape's name."""

    held_out: Floats
    weights: Floats
    material: Floats
    best: tuple[str, ...]


def compare(curves: Curves) -> Comparison:
    """Compare the families on curves measured at the same places (sorted, distinct, from 0 to 1; at least five)."""
    every = shapes(curves.places)
    shape = matrix(every, curves.places)
    parts = [
        _compared(
            Curves(curves.places, curves.values[i : i + TOGETHER], curves.variances[i : i + TOGETHER]),
            every,
            shape,
        )
        for i in range(0, len(curves.values), TOGETHER)
    ]
    held_out, weights, material = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return Comparison(held_out, weights, material, tuple(name for part in parts for name in part.best))


def _compared(curves: Curves, every: tuple[Shape, ...], shape: Floats) -> Comparison:
    scatter = scatters(curves)
    fits = fit(curves, scatter, shape, np.array([float(curve.trend) for curve in every]))
    members = [np.array([curve.family == family for curve in every]) for family in FAMILIES]
    held_out = np.zeros((len(curves.values), len(FAMILIES)))
    stray = np.log(STRAY / spread(curves))
    for i in range(len(curves.places)):
        density = left_out(curves, scatter, fits, shape[:, i], i)
        for k, own in enumerate(members):
            evidence = fits.evidence[..., own]
            inside = total(evidence) - total(evidence - density[..., own])
            held_out[:, k] += np.logaddexp(np.log1p(-STRAY) + inside, stray)
    evidences = np.stack([total(fits.evidence[..., own]) - np.log(own.sum()) for own in members], axis=1)
    evidences -= 0.5 * np.log(2 * np.pi) * (len(curves.places) - 1)
    held_out = (held_out + evidences) / 2
    weights = softmax(held_out, axis=1)
    best = fits.evidence.max(axis=1).argmax(axis=1)
    names = tuple(every[i].name for i in best)
    return Comparison(held_out, weights, _material(fits, members[FAMILIES.index("broken")], shape), names)


def _material(fits: Fits, broken: np.ndarray, shape: Floats) -> Floats:
    """Return the evidence's weight of the broken shapes whose break makes at least MATERIAL of the change."""
    evidence = fits.evidence[..., broken]
    weight = np.exp(evidence - total(evidence)[:, None, None])
    jump = np.abs(fits.b[..., broken] * np.ptp(shape[broken], axis=1))
    line = np.abs(fits.c[..., broken])
    return (weight * (jump >= MATERIAL * (jump + line))).sum(axis=(1, 2))


def grouped(places: Sequence[tuple[float, ...]]) -> dict[tuple[float, ...], list[int]]:
    """Return the indices of the curves that share their places."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for index, key in enumerate(places):
        groups.setdefault(key, []).append(index)
    return groups
