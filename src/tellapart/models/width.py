"""How many rows a batch may have: what memory holds, and no more than is any use."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from tellapart.errors import UserMistake

SMALL = 8_000_000
"""Parameters below which a step is mostly overhead, so that wider batches still pay."""

WIDE, USUAL = 1024, 256

CPU_BYTES = 1_000_000_000
"""On a CPU a batch takes no more than this, or than the weights where those are larger: past some 64 rows a step
takes longer by as much as it writes more."""

UNKNOWN_BYTES = 2**31
"""What a batch may use where the system does not tell how much memory is free."""

SPARE = 64
"""Columns that a cache may have beyond the tokens of its rows (AHEAD in models/engine.py)."""

MEMINFO, OWN_CGROUP, CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


class GroupFiles(NamedTuple):
    """Where a control group tells its limit and its use, and which line of memory.stat counts files it can drop."""

    limit: str
    used: str
    files: str


V2 = GroupFiles("memory.max", "memory.current", "inactive_file")
V1 = GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


class Room(NamedTuple):
    """What a batch must hold, in tokens: the most that one row keeps for itself, the prompts that are read for it (one
    prompt is read once for all its rows), and the longest prompt."""

    own: int
    read: float
    longest: int


def batch_width(modules: Sequence[PreTrainedModel], room: Room, max_rows: int | None) -> int:
    """Return the rows of a batch: `max_rows` where given, else what memory holds."""
    if max_rows is not None:
        check_max_rows(max_rows)
        return max_rows
    parameters = sum(p.numel() for module in modules for p in module.parameters())
    per_token = sum(map(cache_bytes, modules))
    row = per_token * (room.own + SPARE + room.read) + sum(map(logit_bytes, modules))
    fits = int((free_bytes(modules) - per_token * room.longest) // row)
    return max(1, min(WIDE if parameters < SMALL else USUAL, fits))


def check_max_rows(max_rows: int | None) -> None:
    """Raise UserMistake where `max_rows` is no number of rows."""
    if max_rows is not None and max_rows < 1:
        raise UserMistake(f"--max-rows {max_rows}: give 1 or more")


def cache_bytes(module: PreTrainedModel) -> int:
    """Return the bytes of the keys and values of one token, never less than they take."""
    layers = module.config.get_text_config().num_hidden_layers
    return layers * layer_numbers(module) * next(module.parameters()).element_size()


def layer_numbers(module: PreTrainedModel) -> int:
    """Return how many numbers the keys and values of one token are in one layer, never less than they are.

    Grouped queries have fewer key/value heads than query heads; heads need not be `hidden_size / heads` wide.
    """
    config = module.config.get_text_config()
    fields = config.to_dict()
    heads = fields.get("num_key_value_heads") or config.num_attention_heads
    named = [value for name, value in fields.items() if name.endswith("head_dim") and isinstance(value, int)]
    # Latent attention (DeepSeek) puts two of the named widths side by side in a key.
    width = sum(named) if "kv_lora_rank" in fields else max(named, default=0)
    width = width or -(-config.hidden_size // config.num_attention_heads)
    return 2 * heads * width


def logit_bytes(module: PreTrainedModel) -> int:
    """Return the bytes of one row's logits with the copies that drawing a token makes."""
    return 6 * 4 * module.config.get_text_config().vocab_size


def free_bytes(modules: Sequence[PreTrainedModel]) -> float:
    """Return the memory that a batch may use: most of a GPU's free memory, or on a CPU a quarter of what is
    available, CPU_BYTES or the size of the weights at most."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    device = parameters[0].device
    if device.type == "cuda":
        return 0.8 * torch.cuda.mem_get_info(device)[0]
    weights = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    return min(0.25 * available_bytes(), max(CPU_BYTES, weights))


def available_bytes() -> int:
    """Return the machine's available memory, or what the process's control groups leave of it."""
    limits = [UNKNOWN_BYTES]
    if MEMINFO.is_file():
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        # Not the free pages: those that hold files are given up when memory is asked for.
        limits = [int(lines["MemAvailable"].split()[0]) * 1024] if "MemAvailable" in lines else limits
    return min([*limits, *_left_in_groups()])


def _left_in_groups() -> list[int]:
    """Return what each control group that holds this process, of version 2 or 1, leaves of its limit."""
    if not OWN_CGROUP.is_file():
        return []
    left = []
    for line in OWN_CGROUP.read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        group = Path(path.strip("/"))
        for parent in (group, *group.parents):
            left += _left_in(CGROUPS / kinds / parent, V1 if kinds else V2)
    return left


def _left_in(folder: Path, names: GroupFiles) -> list[int]:
    limit, used, stat = folder / names.limit, folder / names.used, folder / "memory.stat"
    if not (limit.is_file() and used.is_file() and stat.is_file()) or limit.read_text().strip() == "max":
        return []
    files = dict(line.split() for line in stat.read_text().splitlines())[names.files]
    return [max(0, int(limit.read_text()) - int(used.read_text()) + int(files))]
