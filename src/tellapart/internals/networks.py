"""Feed-forward networks with named activations over a grid of inputs: read without pickle, run in numpy.

The form of Kumar, Clune, Lehman & Stanley (2025, arXiv 2505.11581): no biases, the same activations in each hidden
layer, three outputs (hue, saturation, value) for each point of the square [-1, 1]^2.
"""

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.errors import UserMistake

GRID = 256
"""Points along a side of the input grid at full size, as the pictures were drawn."""
LARGEST_WIDTH, DEEPEST = 4096, 1024

ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "cache": lambda x: x,
    "identity": lambda x: x,
    "sigmoid": lambda x: np.tanh(x / 2),
    "gaussian": lambda x: 2 * np.exp(-(x**2)) - 1,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}

SLOPES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "cache": np.ones_like,
    "identity": np.ones_like,
    "sigmoid": lambda x: (1 - np.tanh(x / 2) ** 2) / 2,
    "gaussian": lambda x: -4 * x * np.exp(-(x**2)),
    "sin": np.cos,
    "cos": lambda x: -np.sin(x),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "relu": lambda x: (x > 0).astype(x.dtype),
}
"""The derivative of each activation."""


@dataclass(frozen=True)
class Network:
    """`weights[i]` is (inputs, outputs) of layer i; `activations` are (name, units), in order, of a hidden layer."""

    name: str
    weights: tuple[np.ndarray, ...]
    activations: tuple[tuple[str, int], ...]

    @property
    def width(self) -> int:
        """Units of a hidden layer."""
        return sum(units for _, units in self.activations)

    def activate(self, sums: np.ndarray) -> np.ndarray:
        """Return the hidden layer's activations of its weighted sums (points, width)."""
        return _by_unit(self, sums, ACTIVATIONS)


def slope(network: Network, sums: np.ndarray) -> np.ndarray:
    """Return the derivative of a hidden layer's activations at its weighted sums (points, width)."""
    return _by_unit(network, sums, SLOPES)


def _by_unit(
    network: Network, sums: np.ndarray, functions: Mapping[str, Callable[[np.ndarray], np.ndarray]]
) -> np.ndarray:
    out, at = np.empty_like(sums), 0
    for name, units in network.activations:
        out[:, at : at + units] = functions[name](sums[:, at : at + units])
        at += units
    return out


def read_network(path: Path) -> Network:
    """Return the network of PATH.npz with PATH.arch beside it. UserMistake names what is wrong with them."""
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    if not path.is_file():
        raise UserMistake(
            f"{path} is not there: give a network's .npz, with its .arch beside it; for a language model add --concepts"
        )
    layers, activations = _read_arch(path.with_suffix(".arch"))
    try:
        with np.load(path, allow_pickle=False) as stored:
            weights = tuple(
                np.asarray(stored[f"layer_{index}"], dtype=np.float64) for index in range(layers + 1)
            )
            further = sorted(set(stored.files) - {f"layer_{index}" for index in range(layers + 1)})
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UserMistake(
            f"{path} cannot be read ({error}): give layer_0 to layer_{layers} as numbers"
        ) from error
    if further:
        raise UserMistake(f"{path} holds {further[0]}, which {layers} hidden layers have no place for")
    return checked(Network(path.stem, weights, activations))


def checked(network: Network) -> Network:
    """Return the network; UserMistake where its weights do not fit together, are not finite or are all 0."""
    sizes = (4, *(network.width for _ in network.weights[1:]), 3)
    for index, weights in enumerate(network.weights):
        wanted = (sizes[index], sizes[index + 1])
        if weights.shape != wanted:
            raise UserMistake(f"{network.name}: layer_{index} is {weights.shape}, {wanted} is needed")
        if not np.isfinite(weights).all():
            raise UserMistake(f"{network.name}: layer_{index} holds NaN or infinity; give finite weights")
    if not any(weights.any() for weights in network.weights):
        raise UserMistake(f"{network.name}: all weights are 0, so it draws nothing; give a trained network")
    return network


def _read_arch(path: Path) -> tuple[int, tuple[tuple[str, int], ...]]:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UserMistake(f"{path} cannot be read; it says LAYERS;ACTIVATION:UNITS,...") from error
    match = re.fullmatch(r"(\d{1,4});((?:[a-z]+:\d{1,4})(?:,[a-z]+:\d{1,4})*)", text)
    if match is None:
        raise UserMistake(
            f"{path} says {text[:60]!r}; give LAYERS;ACTIVATION:UNITS,... as in 12;cache:15,sin:1"
        )
    pairs = [part.split(":") for part in match[2].split(",")]
    unknown = [name for name, _ in pairs if name not in ACTIVATIONS]
    if unknown:
        raise UserMistake(f"{path}: no activation {unknown[0]!r}; there are {', '.join(ACTIVATIONS)}")
    layers, width = int(match[1]), sum(int(units) for _, units in pairs)
    if not 1 <= layers <= DEEPEST or not 1 <= width <= LARGEST_WIDTH:
        raise UserMistake(
            f"{path}: {layers} layers of {width} units; give 1 to {DEEPEST} of 1 to {LARGEST_WIDTH}"
        )
    return layers, tuple((name, int(units)) for name, units in pairs)


def grid_inputs(side: int) -> np.ndarray:
    """Return the inputs y, x, 1.4 * distance, 1 of a square grid: (side * side, 4); x runs down, y across."""
    line = np.linspace(-1, 1, side)
    x, y = np.meshgrid(line, line, indexing="ij")
    return np.stack([y, x, 1.4 * np.hypot(x, y), np.ones_like(x)], axis=-1).reshape(-1, 4)


def hidden_layers(network: Network, inputs: np.ndarray) -> list[np.ndarray]:
    """Return the activations of each hidden layer, (points, width) each."""
    return list(_layers(network, inputs))


def _layers(network: Network, inputs: np.ndarray) -> Iterator[np.ndarray]:
    now = inputs
    for weights in network.weights[:-1]:
        now = network.activate(now @ weights)
        yield now


def to_rgb(outputs: np.ndarray) -> np.ndarray:
    """Return red, green, blue in 0..1 of the outputs h, s, v (points, 3): hsv2rgb((h+1) % 1, clip s, clip |v|)."""
    hue = (outputs[:, 0] + 1) % 1
    saturation = np.clip(outputs[:, 1], 0, 1)
    value = np.clip(np.abs(outputs[:, 2]), 0, 1)
    shifts = np.abs((hue[:, None] + np.array([1, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
    return value[:, None] * (1 - saturation[:, None] + saturation[:, None] * np.clip(shifts, 0, 1))


def draw(network: Network, side: int = GRID) -> np.ndarray:
    """Return the picture, (side, side, 3) in 0..1."""
    last = hidden_layers(network, grid_inputs(side))[-1]
    return to_rgb(last @ network.weights[-1]).reshape(side, side, 3)
