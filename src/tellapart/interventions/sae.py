"""A sparse autoencoder as a value: the few directions, of many, that a residual stream is made of.

features = sae.encode(states)         # [..., width] -> [..., feature], mostly 0
states_again = sae.decode(features)

Bricken et al. 2023 (Towards Monosemanticity); top-k: Gao et al. 2024 (arXiv 2406.04093); JumpReLU: Rajamanoharan et al.
2024 (arXiv 2407.14435). Training: interventions/sae_training.py; others' autoencoders: interventions/sae_public.py.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.runs.files import write_atomically

AT_ONCE = 4096
"""States that are encoded at a time."""

TENSORS = ("encoder", "encoder_bias", "decoder", "bias", "threshold")


@dataclass(frozen=True, eq=False)
class Sae:
    """Sparse features of the residual stream after decoder layer `layer`.

    encoder and decoder [feature, width], encoder_bias [feature], bias [width] (taken from the input and given back to
    the output), threshold [feature] (a feature below it is 0). With `k` only the k largest features of a state are
    kept (None: all). Inputs are multiplied by `scale` first, and outputs divided by it.
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    bias: Tensor
    threshold: Tensor
    layer: int
    k: int | None
    scale: float = 1.0

    @property
    def count(self) -> int:
        """How many features there are."""
        return self.decoder.shape[0]

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return self.decoder.shape[1]

    def encode(self, states: Tensor) -> Tensor:
        """Return features [..., feature] of states [..., width], in units in which decoder rows are added up."""
        self._check(states)
        drive = (states * self.scale - self.bias) @ self.encoder.T + self.encoder_bias
        return keep_largest(drive * (drive > self.threshold), self.k).relu()

    def decode(self, features: Tensor) -> Tensor:
        """Return states [..., width] from features [..., feature]."""
        return (features @ self.decoder + self.bias) / self.scale

    def direction(self, feature: int) -> Tensor:
        """Return the direction [width], of length 1, in which a feature moves the residual stream."""
        if not 0 <= feature < self.count:
            raise UserMistake(
                f"feature {feature} asked, the autoencoder has {self.count}: choose 0-{self.count - 1}"
            )
        row = self.decoder[feature]
        return row / row.norm()

    def _check(self, states: Tensor) -> None:
        if states.shape[-1] != self.width:
            raise UserMistake(
                f"states of width {states.shape[-1]} given: this autoencoder reads {self.width}"
            )


def keep_largest(drive: Tensor, k: int | None) -> Tensor:
    """Return `drive` [..., feature] with all but the k largest set to 0 (None: as it is)."""
    if k is None or k >= drive.shape[-1]:
        return drive
    top = drive.topk(k, dim=-1)
    return torch.zeros_like(drive).scatter(-1, top.indices, top.values)


def explained_variance(sae: Sae, states: Tensor) -> float:
    """Return 1 - (squared error) / (variance) of states [state, width]; NaN where they do not vary."""
    mean = states.double().mean(0)
    error = total = 0.0
    for part in states.split(AT_ONCE):
        error += float((sae.decode(sae.encode(part)) - part).double().square().sum())
        total += float((part - mean).double().square().sum())
    return 1 - error / total if total > 0 else math.nan


def live_features(sae: Sae, states: Tensor) -> Tensor:
    """Return which features [feature] are above 0 in any of states [state, width]."""
    live = torch.zeros(sae.count, dtype=torch.bool)
    for part in states.split(AT_ONCE):
        live |= (sae.encode(part) > 0).any(0)
    return live


def save_sae(sae: Sae, path: Path) -> None:
    """Write the autoencoder as one safetensors file, whole or not at all."""
    from safetensors.torch import save

    tensors = {name: getattr(sae, name).detach().float().cpu().contiguous() for name in TENSORS}
    described = json.dumps({"layer": sae.layer, "k": sae.k, "scale": sae.scale})
    write_atomically(path, save(tensors, metadata={"sae": described}))


def load_sae(path: Path) -> Sae:
    """Read what `save_sae` wrote. Raises UserMistake where the file is not one of ours or is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})["sae"])
            tensors = {name: file.get_tensor(name) for name in TENSORS}
        layer, k, scale = int(described["layer"]), described["k"], float(described["scale"])
        sae = Sae(**tensors, layer=layer, k=None if k is None else int(k), scale=scale)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserMistake(f"{path} is no sparse autoencoder of ours ({error}): train it anew") from error
    return checked(sae, str(path))


def checked(sae: Sae, where: str) -> Sae:
    """Return the autoencoder. Raises UserMistake where its parts do not fit together or are not finite."""
    count, width = sae.count, sae.width
    shapes = {"encoder": (count, width), "encoder_bias": (count,), "bias": (width,), "threshold": (count,)}
    for name, shape in shapes.items():
        given = tuple(getattr(sae, name).shape)
        if given != shape:
            raise UserMistake(f"{where}: {name} has shape {given}, with this decoder it must be {shape}")
    if not all(bool(getattr(sae, name).isfinite().all()) for name in TENSORS):
        raise UserMistake(f"{where}: it holds numbers that are not finite")
    return sae
