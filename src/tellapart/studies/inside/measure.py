"""All figures of one network, and the pictures that a report shows of it."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.findings.inside import Sweep
from tellapart.internals.features import (
    decodability,
    distinct_features,
    pca_dims,
    rotated,
    spectrum,
    standardised,
)
from tellapart.internals.networks import Network, draw, grid_inputs, hidden_layers, to_rgb
from tellapart.internals.png import data_uri
from tellapart.internals.sweeps import SIDE, Effects, effect_maps, effect_participation_ratio, sweeps
from tellapart.internals.symmetry import WEAKEST, picture_mirror, symmetric_share, symmetric_variance
from tellapart.internals.tangent import SIDE as TANGENT_SIDE
from tellapart.internals.tangent import kernel_participation_ratio, network_kernel
from tellapart.stats.estimate import Estimate, missing

GRID = 128
"""Points along a side of the grid that features are measured on."""
NOISE, DRAWS = 0.01, 20
"""Standard deviation of the weight noise as a share of each weight, and how often it is drawn."""
SHOWN, STRIPS, MAP_SIDE = 24, 6, 48
CONCEPTS = ("across", "down", "from the middle")
SURVIVES = ("pca_dims_99%_raw", "tangent_participation_ratio", "symmetric_variance", "linear_decodability")
"""Estimates that an orthogonal change of the hidden basis leaves as they are."""


@dataclass(frozen=True)
class Pictures:
    """What a report shows of a network (findings/inside.py), as embedded PNGs."""

    picture: str
    features: tuple[str, ...]
    strips: tuple[Sweep, ...]
    spectrum: tuple[float, ...]


@dataclass(frozen=True)
class Measured:
    """`picture` (GRID, GRID, 3); `turned` are the estimates of SURVIVES after a rotation of each hidden basis."""

    name: str
    picture: np.ndarray
    estimates: dict[str, Estimate]
    turned: dict[str, Estimate]
    pictures: Pictures


def measure(network: Network, seed: int) -> Measured:
    """Return the figures. UserMistake where the network's activations overflow or it draws one colour."""
    inputs = grid_inputs(GRID)
    with np.errstate(over="ignore", invalid="ignore"):
        layers = hidden_layers(network, inputs)
        outputs = layers[-1] @ network.weights[-1]
    if not np.isfinite(outputs).all() or not all(np.isfinite(layer).all() for layer in layers):
        raise UserMistake(f"{network.name}: its activations overflow; give weights of ordinary size")
    picture = to_rgb(outputs).reshape(GRID, GRID, 3)
    if float(np.ptp(picture, axis=(0, 1)).max()) < 1e-6:
        raise UserMistake(f"{network.name} draws one constant colour: there is nothing inside to compare")
    features = np.concatenate(layers, axis=1)
    kept = features[:, distinct_features(features, inputs).kept]
    effects = effect_maps(network)
    estimates = {**_feature_estimates(features, inputs, picture), **_sweep_estimate(effects)}
    estimates |= _surviving(layers, inputs, picture) | _tangent(network, None)
    estimates["noise_error_1%"] = _noise_error(network, seed)
    turned = _surviving(rotated(layers, seed), inputs, picture) | _tangent(network, seed)
    return Measured(network.name, picture, estimates, turned, _pictures(network, picture, kept, effects))


def _feature_estimates(features: np.ndarray, inputs: np.ndarray, picture: np.ndarray) -> dict[str, Estimate]:
    distinct = distinct_features(features, inputs)
    kept = features[:, distinct.kept]
    dims = pca_dims(spectrum(standardised(kept)[0]))
    mirror = picture_mirror(picture)
    shared = (
        _exact(symmetric_share(kept, mirror.axes), kept.shape[1], "share", f"features that are {mirror.name} "
               "symmetric, correlation above .999")
        if mirror.correlation >= WEAKEST and kept.shape[1]
        else missing("share", "the picture has no mirror symmetry, or no feature is distinct", kept.shape[1])
    )  # fmt: skip
    return {
        "distinct_features": _exact(len(distinct.kept), distinct.total, "features", "neither an input nor an earlier "
                                    f"feature (|correlation| <= .999); {distinct.constant} of all are constant"),
        "pca_dims_99%": _exact(dims, kept.shape[1], "dimensions", "99 % of the distinct features' variance, each "
                               "scaled to variance 1"),
        "shared_symmetry": shared,
    }  # fmt: skip


def _sweep_estimate(effects: Effects) -> dict[str, Estimate]:
    value = effect_participation_ratio(effects)
    method = (
        f"maps of {effects.swept} weights that are not 0, w - 1 to w + 1 in 5 steps, {SIDE} x {SIDE} points"
    )
    name = "effect_participation_ratio"
    if not np.isfinite(value):
        return {name: missing("directions", "fewer than two weights change the picture", len(effects.maps))}
    return {name: _exact(value, len(effects.maps), "directions", method)}


def _surviving(layers: list[np.ndarray], inputs: np.ndarray, picture: np.ndarray) -> dict[str, Estimate]:
    features = np.concatenate(layers, axis=1)
    n = features.shape[1]
    read = [decodability(layers[-1], concept) for concept in inputs.T[:3]]
    even = symmetric_variance(features, picture_mirror(picture).axes)
    return {
        "pca_dims_99%_raw": _exact(pca_dims(spectrum(features)), n, "dimensions", "99 % of all features' variance, "
                                   "not scaled"),
        "symmetric_variance": _exact(even, n, "share", "symmetric part of all features' variance"),
        "linear_decodability": _exact(float(np.mean(read)), len(read), "R2", "least squares from the last hidden "
                                      "layer, in sample, mean over " + ", ".join(CONCEPTS)),
    }  # fmt: skip


def _tangent(network: Network, turned: int | None) -> dict[str, Estimate]:
    """Return the participation ratio of the tangent kernel; `turned` is the seed of a rotation of each hidden layer."""
    layers = hidden_layers(network, grid_inputs(TANGENT_SIDE))
    other = None if turned is None else rotated(layers, turned)
    value = kernel_participation_ratio(network_kernel(network, TANGENT_SIDE, other))
    n = 3 * TANGENT_SIDE**2
    if not np.isfinite(value):
        return {"tangent_participation_ratio": missing("directions", "no weight changes the picture", n)}
    method = f"gradients of the colours over all weights, {TANGENT_SIDE} x {TANGENT_SIDE} points"
    return {"tangent_participation_ratio": _exact(value, n, "directions", method)}


def _noise_error(network: Network, seed: int) -> Estimate:
    """Return the picture's mean squared error under relative weight noise, with a t interval over the draws."""
    random = np.random.default_rng(seed)
    plain = draw(network, MAP_SIDE)
    errors = []
    for _ in range(DRAWS):
        noisy = tuple(w * (1 + NOISE * random.standard_normal(w.shape)) for w in network.weights)
        drawn = draw(Network(network.name, noisy, network.activations), MAP_SIDE)
        errors.append(float(((drawn - plain) ** 2).mean()))
    mean, error = float(np.mean(errors)), float(stats.sem(errors))
    reach = float(stats.t.ppf(0.975, DRAWS - 1)) * error
    return Estimate(
        mean, mean - reach, mean + reach, DRAWS, "mse", "each weight times 1 + N(0, 1 %), t interval"
    )


def _exact(value: float, n: int, unit: str, method: str) -> Estimate:
    return Estimate(float(value), float(value), float(value), n, unit, f"exact on the grid: {method}")


def _pictures(network: Network, picture: np.ndarray, kept: np.ndarray, effects: Effects) -> Pictures:
    """Return the picture, feature maps evenly through the depth, sweep strips, and spectrum, for a report."""
    chosen = np.unique(np.linspace(0, max(kept.shape[1] - 1, 0), min(SHOWN, kept.shape[1])).astype(int))
    step = max(1, GRID // MAP_SIDE)
    maps = [
        data_uri(_grey(kept[:, index].reshape(GRID, GRID)[::step, ::step]))
        for index in chosen
        if kept.shape[1]
    ]
    return Pictures(
        picture=data_uri(_bytes(picture)),
        features=tuple(maps),
        strips=_strips(network, effects.places),
        spectrum=tuple(float(share) for share in spectrum(standardised(kept)[0])[:100]),
    )


def _strips(network: Network, live: tuple[tuple[int, int, int], ...]) -> tuple[Sweep, ...]:
    """Return sweeps of weights evenly through the network, five pictures side by side each."""
    if not live:
        return ()
    chosen = {live[index] for index in np.linspace(0, len(live) - 1, STRIPS).astype(int)}
    side = MAP_SIDE // 2
    return tuple(
        Sweep(
            f"layer {place[0]}, {place[1]} to {place[2]}",
            data_uri(_bytes(np.concatenate(list(frames.reshape(-1, side, side, 3)), axis=1))),
        )
        for place, frames in sweeps(network, side, chosen)
    )


def _grey(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return _bytes((values - low) / (high - low) if high > low else np.full_like(values, 0.5))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(values * 255).astype(np.uint8)
