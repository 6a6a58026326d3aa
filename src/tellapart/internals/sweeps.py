"""Weight sweeps: each weight that is not 0 is moved over w - 1 .. w + 1, and where the picture changes is its map.

The sweep of Kumar et al. (2025, arXiv 2505.11581). Only the part of the network behind the weight is run again.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from tellapart.internals.features import participation_ratio
from tellapart.internals.networks import ACTIVATIONS, Network, grid_inputs, hidden_layers, to_rgb

STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)
SIDE = 16
"""Points along a side of the grid that sweeps are drawn on."""
NOTHING = 1e-6
"""A map that stays below this (of a colour's range 0..1) everywhere changes nothing."""


class Effects(NamedTuple):
    """`maps` (weights, points): standard deviation of the picture over each sweep; `places` are (layer, from, to)."""

    maps: np.ndarray
    places: tuple[tuple[int, int, int], ...]
    swept: int


def effect_maps(network: Network, side: int = SIDE) -> Effects:
    """Return the maps of all weights that are not 0 and change the picture; `swept` counts the former."""
    maps: list[np.ndarray] = []
    places: list[tuple[int, int, int]] = []
    swept = 0
    for place, pictures in sweeps(network, side):
        swept += 1
        effect = pictures.std(axis=0).mean(axis=-1)
        if effect.max() > NOTHING:
            maps.append(effect)
            places.append(place)
    return Effects(np.array(maps).reshape(len(maps), side * side), tuple(places), swept)


def effect_participation_ratio(effects: Effects) -> float:
    """Return the participation ratio of the maps, each of norm 1, about their mean; NaN for fewer than two."""
    if len(effects.maps) < 2:
        return float("nan")
    scaled = effects.maps / np.linalg.norm(effects.maps, axis=1, keepdims=True)
    return participation_ratio(scaled - scaled.mean(axis=0))


def sweeps(
    network: Network, side: int, only: Collection[tuple[int, int, int]] | None = None
) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """Yield (layer, from, to) and the pictures (STEPS, points, 3) of each weight that is not 0 (or of `only`)."""
    inputs = grid_inputs(side)
    layers = [inputs, *hidden_layers(network, inputs)]
    for layer, weights in enumerate(network.weights):
        sums = layers[layer] @ weights
        for to in range(weights.shape[1]):
            sources = np.flatnonzero(weights[:, to])
            if only is not None:
                sources = sources[[(layer, int(source), to) in only for source in sources]]
            if sources.size == 0:
                continue
            moved = sums[:, to] + np.multiply.outer(np.array(STEPS), layers[layer].T[sources])
            pictures = _behind(network, layer, to, moved, sums)
            for index, source in enumerate(sources):
                yield (layer, int(source), to), pictures[:, index]


def _behind(network: Network, layer: int, to: int, moved: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Return the pictures (..., points, 3) when unit `to` behind `layer` has the weighted sums `moved` instead."""
    last = len(network.weights) - 1
    if layer == last:
        outputs = np.broadcast_to(sums, (*moved.shape, 3)).copy()
        outputs[..., to] = moved
        return to_rgb(outputs.reshape(-1, 3)).reshape(outputs.shape)
    units = network.activate(sums)
    further = network.weights[layer + 1]
    difference = ACTIVATIONS[_activation(network, to)](moved) - units[:, to]
    now = (units @ further + difference[..., None] * further[to]).reshape(-1, further.shape[1])
    for weights in network.weights[layer + 2 :]:
        now = network.activate(now) @ weights
    return to_rgb(now).reshape(*moved.shape, 3)


def _activation(network: Network, unit: int) -> str:
    names = [name for name, units in network.activations for _ in range(units)]
    return names[unit]
