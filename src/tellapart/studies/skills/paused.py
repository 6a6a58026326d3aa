"""A training that was killed goes on: its numbers, AdamW's state and its log, kept every EVERY steps in one file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.findings.typed import from_json, to_json
from tellapart.runs.files import write_atomically

FILE = "training.safetensors"
EVERY = 25
MOMENTS = ("exp_avg", "exp_avg_sq", "step")

EntryT = TypeVar("EntryT")


@dataclass(frozen=True)
class LogStep:
    """What a step of a training was like: `kl` and `keep_kl` in nats a token."""

    step: float
    loss: float
    reward: float
    kl: float
    keep_kl: float


def pause(
    folder: Path | None,
    parameters: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    log: Sequence[EntryT],
) -> None:
    """Write where a training stands after a step (every EVERY steps), whole or not at all; None: nowhere."""
    if folder is None or len(log) % EVERY:
        return
    tensors: dict[str, Tensor] = {}
    for index, parameter in enumerate(parameters):
        tensors[f"{index}.value"] = parameter.detach()
        for name in MOMENTS:
            tensors[f"{index}.{name}"] = optimizer.state[parameter][name]
    whole = {name: value.cpu().contiguous() for name, value in tensors.items()}
    write_atomically(folder / FILE, save(whole, metadata={"log": json.dumps(to_json(log))}))


@torch.no_grad()
def resume(
    folder: Path | None,
    parameters: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    entry: type[EntryT],
) -> list[EntryT]:
    """Give the parameters and the optimizer what was kept, and return the log so far, one `entry` a step (none: []).

    Raises UserMistake where the file is damaged, or of another training.
    """
    if folder is None or not (path := folder / FILE).exists():
        return []
    try:
        with safe_open(path, framework="pt") as file:
            log = [from_json(entry, step) for step in json.loads((file.metadata() or {})["log"])]
            kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for index, parameter in enumerate(parameters):
            parameter.copy_(kept[f"{index}.value"])
            optimizer.state[parameter] = {name: kept[f"{index}.{name}"] for name in MOMENTS}
            for name in MOMENTS[:2]:
                optimizer.state[parameter][name] = kept[f"{index}.{name}"].to(parameter)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise UserMistake(f"{path} is damaged ({type(error).__name__}): delete it to train anew") from error
    return log
