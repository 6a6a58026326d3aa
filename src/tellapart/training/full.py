"""Every weight of the model, as its difference to the start: for small models."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tellapart.interventions.weights import Weights
from tellapart.training.change import Attached, Change, as_array


@final
@dataclass(frozen=True)
class FullWeights(Change):
    """All parameters (tied ones once). Its weights are differences to the plain model, so 0 is neutral."""

    name: ClassVar[str] = "full"

    def attach(self, module: PreTrainedModel) -> "AttachedFull":
        """Make every parameter trainable and keep a copy of what it was."""
        return AttachedFull(module)


@final
class AttachedFull(Attached):
    """The module's own parameters, and what they were."""

    def __init__(self, module: PreTrainedModel) -> None:
        own: dict[str, nn.Parameter] = dict(module.named_parameters())
        super().__init__(module, own)
        self.plain: dict[str, Tensor] = {name: value.detach().clone() for name, value in own.items()}

    def weights(self) -> Weights:
        """Return how far each parameter is from what it was."""
        return Weights(
            {
                name: as_array(value.float() - self.plain[name].float())
                for name, value in self.parameters.items()
            }
        )

    def load(self, weights: Weights) -> None:
        """Set every parameter to what it was plus a difference."""
        self.check(weights)
        self._differences = weights
        self._apply()

    def scale(self, strength: float) -> None:
        """Set the parameters to what they were plus `strength` times the loaded difference."""
        super().scale(strength)
        self._apply()

    @torch.no_grad()
    def _apply(self) -> None:
        self.calls = 0
        for name, parameter in self.parameters.items():
            plain = self.plain[name]
            if self.strength == 0:
                parameter.copy_(plain)
                continue
            difference = torch.from_numpy(self._differences[name].copy()).to(plain.device)
            parameter.copy_((plain.float() + self.strength * difference).to(plain.dtype))
            self.calls += not torch.equal(parameter, plain)

    @contextmanager
    def without(self) -> Iterator[None]:
        """Put the plain values in for a while."""
        trained = {name: value.data for name, value in self.parameters.items()}
        try:
            for name, value in self.parameters.items():
                value.data = self.plain[name]
            yield
        finally:
            for name, value in self.parameters.items():
                value.data = trained[name]

    @torch.no_grad()
    def detach(self) -> None:
        """Give every parameter its value back, bit for bit."""
        for name, parameter in self.parameters.items():
            parameter.copy_(self.plain[name])
        self.restore_flags()
