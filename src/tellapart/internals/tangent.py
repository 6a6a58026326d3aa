"""In how many directions can a network's outputs be moved by small changes of its weights?

The tangent kernel (Jacot, Gabriel & Hongler 2018, arXiv 1806.07572) holds, for each two outputs, the product of their
gradients with respect to all weights. Its participation ratio is the twin of the effect maps of weight sweeps that does
not depend on the hidden basis: if a hidden layer h becomes hQ and the next weights Q'W (Q orthogonal), gradients
turn with it and their products stay. It weighs a direction by how far it moves the outputs.
"""

from collections.abc import Sequence

import numpy as np

from tellapart.internals.networks import Network, grid_inputs, hidden_layers, slope, to_rgb

SIDE = 16
"""Points along a side of the grid on which an image network's gradients are taken."""
_STEP = 1e-6


def kernel_participation_ratio(kernel: np.ndarray) -> float:
    """Return trace^2 / sum of squares of a kernel (outputs, outputs): n for n equal directions; NaN for one of 0."""
    squares = float((kernel**2).sum())
    return float(np.trace(kernel)) ** 2 / squares if squares > 0 else float("nan")


def network_kernel(
    network: Network, side: int = SIDE, turned: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Return the kernel of the picture's colours (3 * points, 3 * points) over all weights.

    `turned` are hidden layers (points, width) in other bases, to be taken in place of the network's own.
    """
    inputs = grid_inputs(side)
    layers = hidden_layers(network, inputs)
    total = np.zeros((3 * len(inputs), 3 * len(inputs)))
    read = [inputs, *(layers if turned is None else turned)]
    for below, back in zip(read, _gradients(network, inputs, layers), strict=True):
        moved = back.reshape(-1, back.shape[-1])
        total += np.tile(below @ below.T, (3, 3)) * (moved @ moved.T)
    return total


def _gradients(network: Network, inputs: np.ndarray, layers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the gradient of each colour with respect to each layer's weighted sums, (3, points, units) a layer."""
    outputs = layers[-1] @ network.weights[-1]
    back = _colour_slopes(outputs)
    gradients = [back]
    below = [inputs, *layers]
    for layer in range(len(network.weights) - 1, 0, -1):
        sums = below[layer - 1] @ network.weights[layer - 1]
        back = (back @ network.weights[layer].T) * slope(network, sums)
        gradients.append(back)
    return gradients[::-1]


def _colour_slopes(outputs: np.ndarray) -> np.ndarray:
    """Return d colour / d output, (3 colours, points, 3 outputs), by central differences."""
    columns = []
    for index in range(3):
        step = np.zeros(3)
        step[index] = _STEP
        columns.append((to_rgb(outputs + step) - to_rgb(outputs - step)) / (2 * _STEP))
    return np.moveaxis(np.stack(columns, axis=-1), 1, 0)
