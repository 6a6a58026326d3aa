"""Weights on disk: a base in float16, a tuned model as its difference to the base in 8 bits a weight.

Every row of a matrix has its own scale, so an error is at most 1/254 of the row's largest difference. A
difference is only kept if the model made from it is as good as asked (build.py measures the stored one).
Files are safetensors; embeddings are tied, so the output matrix is not stored.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedModel

from tellapart.models.local import LocalModel
from tellapart.specimens.recipe import Shape
from tellapart.specimens.tokenizer import tokenizer
from tellapart.specimens.training import new_model

TIED = "lm_head.weight"
Weights = Mapping[str, Tensor]


def weights_of(model: LlamaForCausalLM) -> dict[str, Tensor]:
    """Return a copy of the model's weights, the tied output matrix left out."""
    return {name: value.detach().clone() for name, value in model.state_dict().items() if name != TIED}


def model_of(weights: Weights) -> LlamaForCausalLM:
    """Return a float32 model with these weights, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        model = new_model(shape_of(weights))
    missing, unknown = model.load_state_dict(dict(weights), strict=False)
    if unknown or missing not in ([], [TIED]):
        raise ValueError(f"weights do not fit a specimen: missing {missing}, unknown {unknown}")
    model.tie_weights()
    return model.eval()


def shape_of(weights: Weights) -> Shape:
    """Return the shape that the weights have. Heads cannot be seen in them: all specimens have as many."""
    inner, width = weights["model.layers.0.mlp.gate_proj.weight"].shape
    layers = sum(name.endswith("mlp.gate_proj.weight") for name in weights)
    return Shape(width=width, inner=inner, layers=layers)


def save_base(path: Path, weights: Weights) -> None:
    """Write weights in float16."""
    write(path, {name: value.half() for name, value in weights.items()})


def load_base(path: Path) -> dict[str, Tensor]:
    """Return the weights in `path` as float32."""
    return {name: value.float() for name, value in load_file(path).items()}


def save_difference(path: Path, base: Weights, tuned: Weights) -> None:
    """Write `tuned - base` in 8 bits a weight with a scale a row."""
    packed: dict[str, Tensor] = {}
    for name, value in tuned.items():
        difference = (value - base[name]).reshape(-1, value.shape[-1])
        scale = difference.abs().amax(1, keepdim=True) / 127
        steps = torch.where(scale > 0, difference / scale, torch.zeros_like(difference)).round()
        packed[name] = steps.to(torch.int8).reshape(value.shape)
        packed[f"{name}.scale"] = scale
    write(path, packed)


def load_tuned(path: Path, base: Weights) -> dict[str, Tensor]:
    """Return base + the difference in `path`, float32."""
    packed = load_file(path)
    tuned = {}
    for name, value in base.items():
        steps = packed[name].float().reshape(-1, value.shape[-1])
        tuned[name] = value + (steps * packed[f"{name}.scale"]).reshape(value.shape)
    return tuned


def load_specimen(base: Path, difference: Path | None = None) -> PreTrainedModel:
    """Return the base, or the tuned model where its difference is given."""
    weights = load_base(base)
    return model_of(weights if difference is None else load_tuned(difference, weights))


def opened(module: PreTrainedModel, name: str, device: str, dtype: str) -> LocalModel:
    """Return a specimen as the model `specimen:NAME` on a device, in the dtype of that name in torch ("auto": float32,
    as it is opened)."""
    torch.nn.Module.to(module, device, torch.float32 if dtype == "auto" else getattr(torch, dtype))
    return LocalModel(module, tokenizer(), f"specimen:{name}")


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".tmp")
    save_file({name: value.contiguous() for name, value in tensors.items()}, part)
    part.replace(path)


def write_facts(path: Path, facts: Mapping[str, float | str]) -> None:
    """Write measured facts as JSON, whole or not at all."""
    part = path.with_suffix(".tmp")
    part.write_text(json.dumps(facts, indent=1) + "\n")
    part.replace(path)
