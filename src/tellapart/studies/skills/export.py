"""A mix for other programs: merged weights, a truncated low-rank adapter, control vectors.

    merged   every weight W' = U diag(sigma z) V^T, saved as transformers saves a model (vLLM loads it too)
    lora     W' - W = U diag((z - 1) sigma) V^T, its `rank` largest parts as PEFT's B A; how much is kept is told
    gguf     per layer, the mean shift of the residual stream at prompts' last tokens, as llama.cpp's control vectors

A control vector is another thing than the mix it is read from: one direction for every prompt. The format is repeng's.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import Json
from tellapart.models.hooks import layers_of
from tellapart.models.states import Part, states
from tellapart.studies.skills.commands import ExportSpec
from tellapart.studies.skills.mix import Mix, mixed
from tellapart.studies.skills.opened import Experts, open_experts
from tellapart.tasks.item import Task
from tellapart.tasks.sources import open_task
from tellapart.training.change import changed
from tellapart.training.decomposition import decompose, default_folder
from tellapart.training.matrices import matrices_of, matrix
from tellapart.training.svf import Svf

PROMPTS = 64


def run_export(spec: ExportSpec) -> None:
    """Write what is asked and print where it is."""
    if not spec.out or not spec.mix:
        raise UserMistake("skills export needs --out and --mix, as in --mix digits --out merged")
    if spec.rank < 0:
        raise UserMistake(f"--rank {spec.rank}: give 0 (all) or more")
    out = Path(spec.out)
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise UserMistake(f"--out {out} is there already: give a new place")
    if spec.form == "gguf" and not spec.task:
        raise UserMistake("control vectors are read on prompts: give --task")
    task = open_task(spec.task) if spec.form == "gguf" else None
    experts = open_experts(spec.folder, spec.device)
    mix = experts.mix(spec.mix)
    if not mix.weights:
        raise UserMistake("the mix is the base itself: there is nothing to export")
    if spec.form == "merged":
        write_merged(experts, mix, out)
        print(f"{out}: merged weights of {mix.name}")
    elif spec.form == "lora":
        kept = write_lora(experts, mix, out, spec.rank)
        print(
            f"{out}: LoRA of {mix.name}, rank {kept.rank}, {100 * kept.share:.1f} % of the change's norm kept"
        )
    elif task is not None:
        layers = write_vectors(experts, mix, out, task)
        print(f"{out}: control vectors of {mix.name}, {layers} layers (directions, not the mix itself)")


def full(experts: Experts, mix: Mix) -> tuple[Svf, Weights]:
    """Return the change and z of every matrix that any expert has, 1 where the mix has none."""
    z = mixed(mix, experts.weights)
    names = sorted({name for weights in experts.weights.values() for name in weights})
    targets = tuple(sorted({name.rpartition(".")[2] for name in names}))
    parts = matrices_of(experts.model.module, targets)
    whole = {
        name: z[name] if name in z else np.ones(min(matrix(part).shape), dtype=np.float32)
        for name, part in parts.items()
    }
    return Svf(targets, form="merged"), Weights(whole)


def write_merged(experts: Experts, mix: Mix, out: Path) -> None:
    """Write the model with the mix in its weights; the model in memory is as before afterwards."""
    change, weights = full(experts, mix)
    with changed(experts.model, change, weights):
        experts.model.module.save_pretrained(out)
    experts.model.tokenizer.save_pretrained(out)


class Kept(NamedTuple):
    """The rank of an adapter, and the share of the change's Frobenius norm that it keeps."""

    rank: int
    share: float


def write_lora(experts: Experts, mix: Mix, out: Path, rank: int) -> Kept:
    """Write a PEFT adapter with the `rank` largest parts of the change of each matrix (0: all)."""
    _, weights = full(experts, mix)
    parts = {name: part for name, part in matrices_of(experts.model.module).items() if name in weights}
    most = max(min(matrix(part).shape) for part in parts.values())
    rank = min(rank or most, most)
    tensors: dict[str, Tensor] = {}
    whole = left = 0.0
    for name, part in parts.items():
        a, b, sizes = low_rank(matrix(part), torch.from_numpy(weights[name].copy()), rank)
        tensors[f"base_model.model.{name}.lora_A.weight"] = a
        tensors[f"base_model.model.{name}.lora_B.weight"] = b
        whole, left = whole + float((sizes**2).sum()), left + float((sizes[rank:] ** 2).sum())
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    config = adapter_config(experts.model.reference, parts, rank)
    (out / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return Kept(rank, float(np.sqrt((whole - left) / whole)) if whole else 1.0)


def low_rank(weight: Tensor, z: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return A [rank, in], B [out, rank] and the sizes of all parts |(z - 1) sigma|, falling."""
    parts = decompose(weight, default_folder())
    sizes = (z.to(parts.sigma) - 1) * parts.sigma
    order = sizes.abs().argsort(descending=True)
    chosen = order[:rank]
    root = sizes[chosen].abs().sqrt()
    a = torch.zeros(rank, weight.shape[1])
    b = torch.zeros(weight.shape[0], rank)
    a[: len(chosen)] = (root[:, None] * parts.vt[chosen]).float().cpu()
    b[:, : len(chosen)] = (parts.u[:, chosen] * (root * sizes[chosen].sign())).float().cpu()
    return a, b, sizes[order].abs().float().cpu()


def adapter_config(reference: str, parts: dict[str, nn.Module], rank: int) -> dict[str, Json]:
    """Return PEFT's config: alpha = rank, so that the adapter counts as it is."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": reference,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.rpartition(".")[2] for name in parts}),
        "fan_in_fan_out": any(isinstance(part, Conv1D) for part in parts.values()),
        "inference_mode": True,
    }


def write_vectors(experts: Experts, mix: Mix, out: Path, task: Task) -> int:
    """Write the mean shift of each layer's residual stream as GGUF; return how many layers."""
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise UserMistake("GGUF needs the package gguf: pip install 'tellapart[export]'") from error
    model = experts.model
    layers = range(len(layers_of(model.module)))
    prompts = [(task.prompt(item), "") for item in task.items[:PROMPTS]]
    parts = [Part(ids, slice(-1, None)) for ids in model.vocabulary.encode_prompts(prompts).values()]
    change, weights = full(experts, mix)
    plain = dict(states(model, parts, layers))
    with changed(model, change, weights):
        moved = dict(states(model, parts, layers))
    shift = torch.stack([moved[at][:, 0] - plain[at][:, 0] for at in range(len(parts))]).mean(0)
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(out), "controlvector")
    writer.add_string("controlvector.model_hint", str(model.module.config.model_type))
    writer.add_uint32("controlvector.layer_count", len(shift) - 1)
    for layer in range(1, len(shift)):
        writer.add_tensor(f"direction.{layer}", shift[layer].float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return len(shift) - 1
