"""One vector per layer, added to the residual stream at every position, all weights frozen (Sinii et al. 2025, arXiv
2505.18706), in units of the residual stream's norm at that layer.

trained = sft(model, LayerVectors(tuple(norms)), examples, SftSettings(rate=RATE), scratch)
vectors = trained.weights["vectors"]      # [layer, width]; a row of length 1 is as long as the residual stream

Without that unit an optimizer's step means something else in each model: norms differ from 1 to 10,000.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.hooks import layers_of
from tellapart.training.change import Change, Hooked, as_array

RATE = 0.05
"""Adam's step: so far a vector moves at most in one step, in units of the residual stream's norm."""

NAME = "vectors"


@final
@dataclass(frozen=True)
class LayerVectors(Change):
    """A vector after each of `layers` (empty: all), in units of `norms`, the residual stream's norm after each layer of
    the model (models/states.py)."""

    name: ClassVar[str] = "vectors"
    norms: tuple[float, ...]
    layers: tuple[int, ...] = ()

    def attach(self, module: PreTrainedModel) -> "AttachedVectors":
        """Add vectors of 0. Raises UserMistake where norms or layers are not those of the module."""
        return AttachedVectors(module, self)


@final
class AttachedVectors(Hooked):
    """Vectors [layer, width] times sqrt(width), so that a step of Adam, which is one of each coordinate, moves a
    vector by the rate."""

    def __init__(self, module: PreTrainedModel, change: LayerVectors) -> None:
        parts = layers_of(module)
        if len(change.norms) != len(parts) or not all(0 < norm < math.inf for norm in change.norms):
            raise UserMistake(
                f"norms {change.norms} given: {len(parts)} positive numbers are wanted, one a layer of the model"
            )
        chosen = change.layers or tuple(range(len(parts)))
        if not set(chosen) <= set(range(len(parts))):
            raise UserMistake(f"layers {chosen} asked, the model has {len(parts)}: choose 0-{len(parts) - 1}")
        self.chosen = chosen
        self.root = math.sqrt(module.config.get_text_config().hidden_size)
        super().__init__(module, {NAME: torch.zeros(len(chosen), round(self.root**2))})
        for row, layer in enumerate(chosen):
            self.hook(parts[layer], adding_row(row, change.norms[layer]))

    def weights(self) -> Weights:
        """Return the vectors [layer, width] in units of the residual stream's norm."""
        return Weights({NAME: as_array(self.parameters[NAME]) / self.root})

    @torch.no_grad()
    def load(self, weights: Weights) -> None:
        """Set the vectors."""
        self.check(weights)
        self.parameters[NAME].copy_(torch.from_numpy(weights[NAME] * self.root))


def adding_row(row: int, norm: float) -> Any:
    """Return the hook that adds vector `row` to what a layer returns."""

    def add(attached: Hooked, _part: nn.Module, _inputs: Any, output: Any) -> Any:
        unit = norm * attached.strength / math.sqrt(attached.parameters[NAME].shape[1])
        shift = attached.parameters[NAME][row] * unit
        if isinstance(output, tuple):
            return (moved(output[0], shift), *output[1:])
        return moved(output, shift)

    return add


def moved(stream: Tensor, shift: Tensor) -> Tensor:
    """Return the residual stream plus a shift, in the stream's type."""
    return stream + shift.to(stream)
