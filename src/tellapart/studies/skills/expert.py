"""An expert on disk: z of each matrix as safetensors, its provenance in the header. What does not fit is refused.

    write_expert(path, Expert("digits", weights, told)); expert = read_expert(path, model)

z is float32, [rank] a matrix, named after the weight it scales. The header names the skill, the base (a hash of all its
weights in float32, so the dtype it is loaded in does not matter) and how the expert was trained.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import JsonObject
from tellapart.models.local import LocalModel
from tellapart.runs.files import write_atomically
from tellapart.training.matrices import matrices_of, matrix

FORMAT = "tellapart singular-value expert"
VERSION = "1"
FOLDER = "experts"
LARGEST = 1 << 30
"""Bytes of a file that is read at all: 393,216 numbers for all MLP matrices of an 8B model are 1.6 MB."""


@dataclass(frozen=True)
class Expert:
    """`weights` hold z of each matrix; `base` identifies the model; `told` is how it was trained, as JSON."""

    skill: str
    weights: Weights
    base: str
    told: JsonObject

    def as_bytes(self) -> bytes:
        """Return the expert as a safetensors file."""
        header = {
            "format": FORMAT,
            "version": VERSION,
            "skill": self.skill,
            "base": self.base,
            "told": json.dumps(dict(self.told), sort_keys=True),
        }
        return save(dict(self.weights), metadata=header)


def base_identity(module: PreTrainedModel) -> str:
    """Return a hash of all weights of a plain model, as float32."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(module.named_parameters()):
        raw = value.detach().float().cpu().contiguous()
        digest.update(f"{name} {tuple(raw.shape)}".encode())
        digest.update(raw.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_expert(path: Path, expert: Expert) -> None:
    """Write an expert, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, expert.as_bytes())


def read_expert(path: Path, model: LocalModel, identity: str = "") -> Expert:
    """Return the expert in `path` for `model` (`identity`: its `base_identity`, where it is known).

    Raises UserMistake, in one line, for a file that is torn or no expert, another base, other shapes, NaN.
    """
    expert = _opened(path)
    wanted = identity or base_identity(model.module)
    if expert.base != wanted:
        raise UserMistake(
            f"{path}: an expert of another base ({expert.base[:8]}, {model.reference} is {wanted[:8]}): give the model "
            "it was trained on"
        )
    ranks = {name: min(matrix(part).shape) for name, part in matrices_of(model.module).items()}
    for name, z in expert.weights.items():
        if ranks.get(name) is None or z.shape != (ranks[name],):
            wanted = ranks.get(name, "no such matrix")
            raise UserMistake(f"{path}: z {name[:80]!r} has shape {z.shape}, {model.reference} has {wanted}")
    return expert


def _opened(path: Path) -> Expert:
    """Return what a file says it is, its numbers checked for being finite."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserMistake(f"{path}: {path.stat().st_size} bytes, an expert has at most {LARGEST}")
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserMistake(f"{path}: no such expert") from None
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise UserMistake(f"{path}: torn, or no safetensors file ({error}); train the expert again") from None
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise UserMistake(f"{path}: no expert of version {VERSION}: give a file that `skills train` wrote")
    for name, value in arrays.items():
        if value.dtype != np.float32 or value.ndim != 1:
            raise UserMistake(
                f"{path}: {name[:80]!r} is {value.dtype} {value.shape}, z is float32 of one dimension"
            )
        if not np.isfinite(value).all():
            raise UserMistake(f"{path}: {name[:80]!r} holds NaN or infinite numbers; train the expert again")
    if not arrays:
        raise UserMistake(f"{path}: an expert without numbers; train it again")
    try:
        described = json.loads(header.get("told", ""))
    except (ValueError, RecursionError):
        described = None
    if not isinstance(described, dict):
        raise UserMistake(f"{path}: its provenance is no JSON object; train the expert again")
    return Expert(header.get("skill", path.stem), Weights(arrays), header.get("base", ""), described)


def expert_name(task: str) -> str:
    """Return a name that a mix can hold and a file can have.

    >>> expert_name("digits+letters"), expert_name("3 apples")
    ('digits_letters', 'x3_apples')
    """
    name = re.sub(r"\W+", "_", task).strip("_")[:60]
    return name if name[:1].isalpha() else f"x{name}"


def experts_in(folder: Path) -> dict[str, Path]:
    """Return the expert files of a run folder, or of a folder of experts, by name. UserMistake where there is none."""
    place = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    paths = {path.stem: path for path in sorted(place.glob("*.safetensors"))}
    if not paths:
        raise UserMistake(f"{folder} holds no expert: give the folder of `tellapart skills train`")
    return paths
