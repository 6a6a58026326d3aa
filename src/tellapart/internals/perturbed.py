"""A torch module under weight noise, pruning and weight sweeps; it is left as it was, bit for bit."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from tellapart.internals.sweeps import NOTHING, STEPS
from tellapart.stats.estimate import Estimate, missing

NOISE, DRAWS, PRUNED = 0.01, 20, 0.1
"""Standard deviation of the noise as a share of each weight; how often it is drawn; share of weights set to 0."""
MOST_SWEPT, MOST_POINTS = 300, 128
"""Weights that are swept, and points their maps have, at most; of more, a sample is drawn."""


@contextmanager
def weights_in_place(module: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """Put other values into the named parameters for a while."""
    own = dict(module.named_parameters())
    kept = {name: own[name].detach().clone() for name in values}
    try:
        with torch.no_grad():
            for name, value in values.items():
                own[name].copy_(value)
        yield
    finally:
        with torch.no_grad():
            for name, value in kept.items():
                own[name].copy_(value)


def relative_error(plain: Tensor, moved: Tensor) -> float:
    """Return the mean squared change of the outputs as a share of their variance over the points."""
    spread = float((plain - plain.mean(dim=0)).double().square().mean())
    change = float((moved - plain).double().square().mean())
    return change / spread if spread > 0 else float("nan")


def noise_error(module: nn.Module, inputs: Tensor, seed: int) -> Estimate:
    """Return the relative error under relative weight noise, with a t interval over the draws."""
    generator = torch.Generator().manual_seed(seed)
    plain, errors = _outputs(module, inputs), []
    for _ in range(DRAWS):
        noisy = {
            name: value * (1 + NOISE * torch.randn(value.shape, generator=generator).to(value))
            for name, value in _weights(module).items()
        }
        with weights_in_place(module, noisy):
            errors.append(relative_error(plain, _outputs(module, inputs)))
    if not np.isfinite(errors).all():
        return missing("share of variance", "the outputs are constant or overflow under noise", DRAWS)
    mean, reach = float(np.mean(errors)), float(stats.t.ppf(0.975, DRAWS - 1)) * float(stats.sem(errors))
    return Estimate(mean, mean - reach, mean + reach, DRAWS, "share of variance",
                    "squared change of the outputs, each weight times 1 + N(0, 1 %), t interval")  # fmt: skip


def pruning_error(module: nn.Module, inputs: Tensor, share: float = PRUNED) -> Estimate:
    """Return the relative error where the smallest `share` of the weights that are not 0 is set to 0."""
    weights = _weights(module)
    sizes = torch.cat([value.abs().reshape(-1) for value in weights.values()])
    sizes = sizes[sizes > 0]
    count = int(share * len(sizes))
    if count < 1:
        return missing("share of variance", "too few weights to prune", len(sizes))
    bound = sizes.kthvalue(count).values
    plain = _outputs(module, inputs)
    pruned = {name: torch.where(value.abs() <= bound, 0.0, value) for name, value in weights.items()}
    with weights_in_place(module, pruned):
        error = relative_error(plain, _outputs(module, inputs))
    method = (
        f"exact on these points: squared change of the outputs, smallest {share:.0%} of the weights set to 0"
    )
    return Estimate(error, error, error, len(sizes), "share of variance", method)


def weight_effects(module: nn.Module, inputs: Tensor, seed: int) -> tuple[np.ndarray, int, int]:
    """Return the maps (weights, points) of swept weights that change the outputs, how many were swept, and of how
    many that are not 0. A map is the standard deviation of each output over the sweep, averaged over outputs."""
    random = np.random.default_rng(seed)
    points = inputs[np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), MOST_POINTS)).astype(int))]
    places = [
        (value, int(at))
        for value in _weights(module).values()
        for at in torch.nonzero(value.reshape(-1)).reshape(-1).tolist()
    ]
    few = len(places) <= MOST_SWEPT
    chosen = range(len(places)) if few else sorted(random.choice(len(places), MOST_SWEPT, replace=False))
    maps = []
    for index in chosen:
        weights, at = places[index]
        effect = _sweep(module, points, weights, at)
        if np.isfinite(effect).all() and effect.max() > NOTHING:
            maps.append(effect)
    return np.array(maps).reshape(len(maps), len(points)), len(list(chosen)), len(places)


@torch.no_grad()
def _sweep(module: nn.Module, points: Tensor, weights: Tensor, at: int) -> np.ndarray:
    flat, kept, drawn = weights.view(-1), weights.view(-1)[at].clone(), []
    try:
        for step in STEPS:
            flat[at] = kept + step
            drawn.append(module(points).double().reshape(len(points), -1))
    finally:
        flat[at] = kept
    return torch.stack(drawn).std(dim=0, correction=0).mean(dim=-1).cpu().numpy()


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in module.named_parameters() if value.is_floating_point()}


@torch.no_grad()
def _outputs(module: nn.Module, inputs: Tensor) -> Tensor:
    return module(inputs).reshape(len(inputs), -1)
