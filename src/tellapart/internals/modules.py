"""The measures of `inside` for any torch module with named activations over a batch of inputs.

    inside = look_inside(net, ["act1", "act2"], inputs, Questions(targets=labels, contexts=task))
    inside.estimates["pca_dims_99%_raw"]      # an Estimate; inside.survives names those no rotation changes

`activations` are names of submodules (as `named_modules` gives them) whose outputs are (points, units). The measures
are those of features.py, tangent.py and reuse.py; nothing here is specific to a kind of network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.internals.features import (
    chance_decodability,
    distinct_features,
    held_out_decodability,
    pca_dims,
    rotated,
    spectrum,
    standardised,
)
from tellapart.internals.perturbed import noise_error, pruning_error, weight_effects
from tellapart.internals.reuse import chance_reuse, random_reuse, reuse_estimate, reuse_limit
from tellapart.internals.sweeps import Effects, effect_participation_ratio
from tellapart.internals.tangent import kernel_participation_ratio
from tellapart.stats.estimate import Estimate, missing

SURVIVES = ("pca_dims_99%_raw", "tangent_participation_ratio", "linear_decodability", "direction_reuse")
"""Estimates that an orthogonal change of a hidden basis, undone by the next weights, leaves as they are."""
FEWEST = 8
"""Points below which nothing is measured."""
MOST_GRADIENTS = 768
"""Outputs (points times outputs) whose gradients are taken; of more, so many points are taken evenly."""
MOST_NUMBERS = 60_000_000
"""Numbers of gradients that are held at once; fewer points are taken where the module has more weights."""


@dataclass(frozen=True)
class Questions:
    """What is asked of the points. `targets` (points): classes that the outputs' largest should name. `concepts`:
    name to values or classes (points), `contexts`: the context each point lies in (points)."""

    targets: np.ndarray | None = None
    concepts: Mapping[str, np.ndarray] = field(default_factory=dict)
    contexts: np.ndarray | None = None


@dataclass(frozen=True)
class Inside:
    """`scores` (points) are 1 where the output is right (None: no targets); `turned` are estimates after a random
    rotation of each activation, `chance` the reuse of shuffled concepts, `chance_score` the score of the best constant
    output; `places` the layer each concept is read at."""

    name: str
    outputs: np.ndarray
    estimates: Mapping[str, Estimate]
    scores: np.ndarray | None
    turned: Mapping[str, float]
    chance: Mapping[str, float]
    places: Mapping[str, str]
    spectrum: np.ndarray
    survives: tuple[str, ...] = SURVIVES
    chance_score: float = float("nan")


def look_inside(
    module: nn.Module,
    activations: Sequence[str],
    inputs: Tensor,
    questions: Questions | None = None,
    seed: int = 0,
    name: str = "module",
) -> Inside:
    """Return the figures of a module over `inputs` (points, ...), each with n and an interval where it is sampled.

    The module is left as it was. Raises UserMistake for a name that is no submodule, fewer than FEWEST points, outputs
    or activations that are not finite or are constant.
    """
    checked = _checked(questions or Questions(), len(inputs))
    layers, outputs = read_activations(module, activations, inputs)
    flat = inputs.detach().double().reshape(len(inputs), -1).cpu().numpy()
    features = np.concatenate(layers, axis=1)
    kept = features[:, distinct_features(features, flat).kept]
    estimates = {**_feature_estimates(features, kept, flat), **_sweeps(module, inputs, seed)}
    estimates["tangent_participation_ratio"] = tangent_estimate(module, inputs)
    estimates["noise_error_1%"] = noise_error(module, inputs, seed)
    estimates["pruning_error_10%"] = pruning_error(module, inputs)
    concepts, places, turned, chance = _concepts(dict(zip(activations, layers, strict=True)), checked, seed)
    estimates |= concepts
    turned["pca_dims_99%_raw"] = float(pca_dims(spectrum(np.concatenate(rotated(layers, seed), axis=1))))
    scores = None if checked.targets is None else (outputs.argmax(axis=1) == checked.targets).astype(float)
    shares = spectrum(standardised(kept)[0])
    constant = float("nan")
    if checked.targets is not None:
        constant = float(np.unique(checked.targets, return_counts=True)[1].max()) / len(inputs)
    return Inside(name, outputs, estimates, scores, turned, chance, places, shares, chance_score=constant)


def read_activations(
    module: nn.Module, activations: Sequence[str], inputs: Tensor
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the named activations (points, units) and the outputs (points, outputs), in float64."""
    parts = dict(module.named_modules())
    for name in activations:
        if name not in parts or not name:
            names = ", ".join(key for key in parts if key)[:200]
            raise UserMistake(f"no activation {name!r} in {type(module).__name__}: choose of {names}")
    if not activations:
        raise UserMistake(f"no activation of {type(module).__name__} named: give at least one")
    if len(inputs) < FEWEST:
        raise UserMistake(f"{len(inputs)} points given: too few points, give at least {FEWEST}")
    read: dict[str, Tensor] = {}

    def keeper(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            read[name] = output.detach()

        return hook

    handles = [parts[name].register_forward_hook(keeper(name)) for name in activations]
    try:
        with torch.no_grad():
            outputs = module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    unread = [name for name in activations if name not in read]
    if unread:
        raise UserMistake(f"activation {unread[0]!r} took no part in the forward pass: leave it out")
    layers = [_finite(name, read[name], len(inputs)) for name in activations]
    return layers, _finite("the output", outputs, len(inputs))


def _finite(name: str, values: Tensor, points: int) -> np.ndarray:
    if values.shape[0] != points or values.ndim < 2:
        raise UserMistake(f"{name} has shape {tuple(values.shape)}: (points, units) is needed")
    array = values.double().reshape(points, -1).cpu().numpy()
    if not np.isfinite(array).all():
        raise UserMistake(f"{name} holds NaN or infinity: give finite inputs and weights")
    if float(np.ptp(array, axis=0).max(initial=0.0)) < 1e-12:
        raise UserMistake(f"{name} is constant over the inputs: there is nothing to measure")
    return array


def _checked(questions: Questions, points: int) -> Questions:
    given = {**questions.concepts}
    given |= {} if questions.targets is None else {"targets": questions.targets}
    given |= {} if questions.contexts is None else {"contexts": questions.contexts}
    for name, values in given.items():
        if np.shape(values) != (points,):
            raise UserMistake(f"{name} has shape {np.shape(values)}, {(points,)} is needed: one a point")
        if np.issubdtype(np.asarray(values).dtype, np.floating) and not np.isfinite(values).all():
            raise UserMistake(f"{name} holds NaN or infinity: give a value for every point")
    return questions


def _feature_estimates(features: np.ndarray, kept: np.ndarray, inputs: np.ndarray) -> dict[str, Estimate]:
    distinct = distinct_features(features, inputs)
    method = f"neither an input nor an earlier feature (|correlation| <= .999); {distinct.constant} of all are constant"
    dims, raw = pca_dims(spectrum(standardised(kept)[0])), pca_dims(spectrum(features))
    return {
        "distinct_features": exact(kept.shape[1], distinct.total, "features", method),
        "pca_dims_99%": exact(
            dims, kept.shape[1], "dimensions", "of the distinct features, each of variance 1"
        ),
        "pca_dims_99%_raw": exact(
            raw, distinct.total, "dimensions", "99 % of all features' variance, not scaled"
        ),
    }


def exact(value: float, n: int, unit: str, method: str) -> Estimate:
    """Return a figure that has no sampling error on the given points."""
    return Estimate(float(value), float(value), float(value), n, unit, f"exact on these points: {method}")


def _sweeps(module: nn.Module, inputs: Tensor, seed: int) -> dict[str, Estimate]:
    maps, swept, total = weight_effects(module, inputs, seed)
    name, method = (
        "effect_participation_ratio",
        f"maps of {swept} of {total} weights that are not 0, w - 1 to w + 1",
    )
    if len(maps) < 4:
        return {name: missing("directions", "fewer than four weights change the outputs", len(maps))}
    value = effect_participation_ratio(Effects(maps, (), swept))
    random = np.random.default_rng(seed)
    halves = [
        effect_participation_ratio(Effects(maps[random.permutation(len(maps))[: len(maps) // 2]], (), swept))
        for _ in range(40)
    ]
    reach = 1.96 * float(np.std(halves))
    exactly = swept == total
    low, high = (value, value) if exactly else (value - reach, value + reach)
    return {name: Estimate(value, low, high, len(maps), "directions",
                           f"{'exact on these points: ' if exactly else ''}{method}"
                           f"{'' if exactly else ', interval from half samples'}")}  # fmt: skip


def tangent_estimate(module: nn.Module, inputs: Tensor) -> Estimate:
    """Return the participation ratio of the kernel of all weights' gradients (tangent.py)."""
    from torch.func import functional_call, jacrev, vmap

    weights = {name: value.detach() for name, value in module.named_parameters() if value.is_floating_point()}
    scalars = sum(value.numel() for value in weights.values())
    with torch.no_grad():
        outputs = int(module(inputs[:2]).reshape(2, -1).shape[1])
    most = min(MOST_GRADIENTS, MOST_NUMBERS // max(scalars, 1)) // outputs
    if most < FEWEST:
        return missing(
            "directions", f"{scalars:,} weights times {outputs:,} outputs are too many", len(inputs)
        )
    chosen = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), most)).astype(int))

    def output_of(parameters: dict[str, Tensor], point: Tensor) -> Tensor:
        return functional_call(module, parameters, (point[None],))[0].reshape(-1)

    slopes = vmap(jacrev(output_of), (None, 0))(weights, inputs[torch.from_numpy(chosen)])
    flat = torch.cat([value.reshape(len(chosen) * outputs, -1) for value in slopes.values()], dim=1).double()
    value = kernel_participation_ratio((flat @ flat.T).cpu().numpy())
    if not np.isfinite(value):
        return missing("directions", "no weight changes the outputs", len(chosen))
    return exact(value, len(chosen), "directions", f"gradients of {outputs} outputs over {scalars:,} weights")


def _concepts(layers: Mapping[str, np.ndarray], questions: Questions, seed: int):
    """Return estimates of each concept, the layer it is read at, figures after a rotation, and chance reuse."""
    estimates: dict[str, Estimate] = {}
    places: dict[str, str] = {}
    turned: dict[str, float] = {}
    chance: dict[str, float] = {}
    several = len(questions.concepts) > 1
    for concept, values in questions.concepts.items():
        tail = f"/{concept}" if several else ""
        read = {at: held_out_decodability(layer, values, seed) for at, layer in layers.items()}
        finite = {at: estimate for at, estimate in read.items() if np.isfinite(estimate.value)}
        if not finite:
            estimates[f"linear_decodability{tail}"] = next(iter(read.values()))
            continue
        best = max(finite, key=lambda at: finite[at].value)
        places[concept] = best
        estimates[f"linear_decodability{tail}"] = finite[best]
        estimates[f"null_linear_decodability{tail}"] = chance_decodability(layers[best], values, seed)
        whole = rotated([layers[best]], seed)[0]
        turned[f"linear_decodability{tail}"] = held_out_decodability(whole, values, seed).value
        if questions.contexts is None:
            continue
        estimates[f"direction_reuse{tail}"] = reuse_estimate(layers[best], values, questions.contexts, seed)
        for figure, of in (("direction_limit", reuse_limit), ("null_direction_reuse", random_reuse)):
            estimates[f"{figure}{tail}"] = of(layers[best], values, questions.contexts, seed)
        turned[f"direction_reuse{tail}"] = reuse_estimate(whole, values, questions.contexts, seed).value
        chance[concept] = chance_reuse(layers[best], values, questions.contexts, seed)
    return estimates, places, turned, chance
