"""Interventions on a local model, of any architecture, as context managers; leaving one restores the model exactly.

    with adding(model, layer=3, vector=v, strength=2.0):
        answers = list(model.generate(requests))

Inside, the model's fingerprint is another; at strength 0 nothing changes, the fingerprint included. An
intervention that did not take place is an error: if the model ran and no hook was called, leaving raises.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel

Inputs = tuple[Tensor, ...]
"""What a module is called with, as hooks get it."""
Output = Tensor | tuple[Tensor, ...]
"""What a layer gives, as hooks get it: the residual stream, alone or before more."""


@dataclass
class Proof:
    """How often the model ran inside the context, and how often the intervention was called."""

    forwards: int = 0
    calls: int = 0


@dataclass
class Reading(Proof):
    """Residual streams [batch, position, width] after each layer read, one for each forward pass."""

    activations: dict[int, list[Tensor]] = field(default_factory=dict)


def layers_of(module: PreTrainedModel) -> list[nn.Module]:
    """Return the decoder layers in order: the list of modules with as many entries as the config has layers."""
    wanted = module.config.get_text_config().num_hidden_layers
    for _, part in module.named_modules():
        if isinstance(part, nn.ModuleList) and len(part) == wanted:
            return list(part)
    raise UserMistake(
        f"no list of {wanted} decoder layers found in {type(module).__name__}: it cannot be intervened on"
    )


@contextmanager
def adding(model: LocalModel, layer: int, vector: Tensor, strength: float = 1.0) -> Iterator[Proof]:
    """Add strength * vector [width] to the residual stream after decoder layer `layer`, at every position."""
    layers = layers_of(model.module)
    _check_layers([layer], len(layers))
    with _adding(model, f"layer {layer}", layers[layer], vector, strength) as proof:
        yield proof


@contextmanager
def adding_to_embeddings(model: LocalModel, vector: Tensor, strength: float = 1.0) -> Iterator[Proof]:
    """Add strength * vector [width] to the embedding of every token that is read."""
    with _adding(model, "embeddings", model.module.get_input_embeddings(), vector, strength) as proof:
        yield proof


@contextmanager
def reading(model: LocalModel, layers: Sequence[int]) -> Iterator[Reading]:
    """Record the residual stream after each of `layers`; the model's answers stay as they are."""
    parts = layers_of(model.module)
    _check_layers(layers, len(parts))
    record = Reading(activations={layer: [] for layer in layers})

    def recorder(layer: int):
        def hook(_module: nn.Module, _inputs: Inputs, output: Output) -> None:
            record.calls += 1
            record.activations[layer].append(_residual(output).detach())

        return hook

    with _watched(model, "", record):
        handles = [parts[layer].register_forward_hook(recorder(layer)) for layer in layers]
        try:
            yield record
        finally:
            for handle in handles:
                handle.remove()


@contextmanager
def perturbing_weights(model: LocalModel, sigma: float, seed: int) -> Iterator[Proof]:
    """Add Gaussian noise to every weight, with `sigma` times the standard deviation of its tensor (after Tice et
    al. 2024, arXiv 2412.01784, who use one sigma for all). The weights are restored bit for bit."""
    if sigma < 0:
        raise UserMistake(f"sigma {sigma} asked: it must be 0 (no noise) or more")
    proof = Proof()
    if sigma == 0:
        yield proof
        return
    kept = [parameter.detach().clone() for parameter in model.module.parameters()]
    with _watched(model, f"weights {sigma!r} {seed}", proof):
        try:
            changed = _perturb(model.module, sigma, seed)
            if not changed:
                raise RuntimeError(f"weight noise of sigma {sigma} changed no weight of {model.reference}")
            proof.calls = changed
            yield proof
        finally:
            with torch.no_grad():
                for parameter, weight in zip(model.module.parameters(), kept, strict=True):
                    parameter.copy_(weight)


@torch.no_grad()
def _perturb(module: nn.Module, sigma: float, seed: int) -> int:
    """Add the noise in place; return how many tensors changed."""
    generator = torch.Generator().manual_seed(seed % (1 << 63))
    changed = 0
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        scale = sigma * float(parameter.float().std(correction=0))
        parameter.add_((noise * scale).to(parameter.device, parameter.dtype))
        changed += scale > 0
    return changed


@contextmanager
def _adding(
    model: LocalModel, place: str, part: nn.Module, vector: Tensor, strength: float
) -> Iterator[Proof]:
    width = model.module.get_input_embeddings().get_parameter("weight").shape[1]
    if vector.shape != (width,):
        raise UserMistake(
            f"a vector of shape {tuple(vector.shape)} given: the residual stream has width {width}"
        )
    shift = (strength * vector.detach()).to(model.module.device, model.module.dtype)
    proof = Proof()

    def hook(_module: nn.Module, _inputs: Inputs, output: Output) -> Output | None:
        proof.calls += 1
        return _shifted(output, shift) if strength else None

    with _watched(model, f"adding {place} {hash_tensor(shift)}" if strength else "", proof):
        handle = part.register_forward_hook(hook)
        try:
            yield proof
        finally:
            handle.remove()


def _residual(output: Output) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _shifted(output: Output, shift: Tensor) -> Output:
    if isinstance(output, tuple):
        return (output[0] + shift, *output[1:])
    return output + shift


@contextmanager
def _watched(model: LocalModel, change: str, proof: Proof) -> Iterator[None]:
    """Count forward passes, let the fingerprint tell of the `change`, and demand that it took place."""
    plain = model.fingerprint

    def count(_module: nn.Module, _inputs: Inputs) -> None:
        proof.forwards += 1

    handle = model.module.register_forward_pre_hook(count)
    if change:
        model.fingerprint = hashlib.blake2b(f"{plain}|{change}".encode(), digest_size=16).hexdigest()
    try:
        yield
    finally:
        handle.remove()
        model.fingerprint = plain
    if proof.forwards and not proof.calls:
        raise RuntimeError(
            f"{model.reference} ran, but the intervention ({change or 'reading'}) was never called"
        )


def hash_tensor(tensor: Tensor) -> str:
    """Return a hash of a tensor's shape, type and bytes."""
    raw = tensor.detach().cpu().contiguous()
    digest = hashlib.blake2b(f"{raw.dtype} {tuple(raw.shape)}".encode(), digest_size=16)
    digest.update(raw.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_layers(layers: Sequence[int], count: int) -> None:
    for layer in layers:
        if not 0 <= layer < count:
            raise UserMistake(f"layer {layer} asked, the model has {count}: choose 0-{count - 1}")
