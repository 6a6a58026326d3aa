"""Attention over a shared beginning (a stem) whose keys and values are kept once, not once for each row.

At each step the queries of all rows of a stem are multiplied with its keys in one go, and the result is joined
with that of the row's own columns by their log-sum-exp, which is exact (as in cascade inference, Ye et al. 2024).
It is used where a module calls transformers' attention interface with nothing but scaling and a mask.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tellapart.models.cache import SlotCache

NAME = "tellapart_stems"
LEAST_ROWS = 4
LEAST_SAVED = 1 << 20
"""A stem is worth its overhead from so many rows on, and numbers (keys and values of a layer) not read twice."""

HARMLESS = frozenset({"position_ids", "use_cache", "is_causal", "output_attentions", "output_hidden_states"})


@dataclass(frozen=True, eq=False)
class Stem:
    """`length` columns, from `first` on, of row `row` of a prefilled cache per module."""

    caches: Sequence[SlotCache]
    row: int
    length: int
    first: int = 0

    @property
    def key(self) -> tuple[int, int, int]:
        """What stems of the same columns have in common."""
        return id(self.caches), self.row, self.length


def pays(rows: int, length: int, numbers: int) -> bool:
    """Tell whether `rows` rows that share `length` tokens are enough to make up for the overhead of attending in two
    parts; `numbers` are those of a token's keys and values in one layer."""
    return rows >= LEAST_ROWS and length > 0 and rows * length * numbers >= LEAST_SAVED


class Group(NamedTuple):
    """The rows of a stem [rows] and, layer by layer, its keys and values [heads, tokens, head width]."""

    rows: Tensor
    keys: list[Tensor]
    values: list[Tensor]


class Use:
    """The groups of one step, and how often they were attended to."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = groups
        self.calls = 0


class UnsupportedError(Exception):
    """The module's attention asks for more than stems offer."""


_USE: ContextVar[Use | None] = ContextVar("use", default=None)


def group_of(stem: Stem, at: int, rows: Sequence[int], device: torch.device) -> Group:
    """Return the group of `rows` on module `at`."""
    layers, columns = stem.caches[at].layers, slice(stem.first, stem.first + stem.length)
    keys = [layer.keys[stem.row, :, columns] for layer in layers]
    values = [layer.values[stem.row, :, columns] for layer in layers]
    return Group(torch.tensor(rows, device=device), keys, values)


@contextmanager
def attending(module: PreTrainedModel, groups: Sequence[Group]) -> Iterator[Use]:
    """Let the module attend to stems, for single new tokens, inside the context."""
    use = Use(groups)
    if not groups:
        yield use
        return
    config = module.config.get_text_config()
    usual = config._attn_implementation
    config._attn_implementation = NAME
    token = _USE.set(use)
    try:
        yield use
    finally:
        _USE.reset(token)
        config._attn_implementation = usual


def attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    dropout: float = 0.0, scaling: float | None = None, **options: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attend to stems and own columns: query [rows, heads, 1, width], key and value [rows, kv heads, columns, width].

    The signature is that of transformers' attention interface. Returns [rows, 1, heads, width].
    """
    use = _USE.get()
    if use is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **options)
    off = (None, False)
    unsupported = sorted(
        name for name in options.keys() - HARMLESS if not any(options[name] is value for value in off)
    )
    if unsupported or query.shape[2] != 1 or dropout:
        raise UnsupportedError(f"attention with {unsupported or 'dropout or several new tokens'}")
    use.calls += 1
    rows, heads, _, width = query.shape
    grouped = (query * (width**-0.5 if scaling is None else scaling)).reshape(rows, key.shape[1], -1, width)
    own = torch.matmul(grouped, key.transpose(2, 3)).float()
    if attention_mask is not None:
        own = own.masked_fill(~attention_mask, -torch.inf)
    total = own.logsumexp(-1, keepdim=True)
    stems = []
    for group in use.groups:
        scores = _against_stem(grouped[group.rows], group.keys[module.layer_idx])
        joined = torch.logaddexp(total[group.rows], scores.logsumexp(-1, keepdim=True))
        total[group.rows] = joined
        stems.append((group, (scores - joined).exp_()))
    output = torch.matmul((own - total).exp_().to(value.dtype), value)
    for group, weights in stems:
        output[group.rows] += _from_stem(weights.to(value.dtype), group.values[module.layer_idx])
    return output.reshape(rows, 1, heads, width), None


def _against_stem(queries: Tensor, keys: Tensor) -> Tensor:
    """Return scores [rows, kv heads, group, tokens] of queries [rows, kv heads, group, width]."""
    rows, kv_heads, group, width = queries.shape
    flat = queries.transpose(0, 1).reshape(kv_heads, rows * group, width)
    return torch.matmul(flat, keys.transpose(1, 2)).reshape(kv_heads, rows, group, -1).transpose(0, 1).float()


def _from_stem(weights: Tensor, values: Tensor) -> Tensor:
    rows, kv_heads, group, tokens = weights.shape
    flat = weights.transpose(0, 1).reshape(kv_heads, rows * group, tokens)
    return torch.matmul(flat, values).reshape(kv_heads, rows, group, -1).transpose(0, 1)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


@torch.inference_mode()
def supports_stems(module: nn.Module) -> bool:
    """Tell, by trying it on two tokens, whether each of the module's layers attends through our function."""
    if (
        not isinstance(module, PreTrainedModel)
        or module.config.get_text_config()._attn_implementation != "sdpa"
    ):
        return False
    token = torch.zeros(1, 1, dtype=torch.long, device=module.device)
    read, own = SlotCache(1, 1), SlotCache(1, 1)
    module(input_ids=token, position_ids=token, past_key_values=read, use_cache=True, logits_to_keep=1)
    group = group_of(Stem([read], 0, 1), 0, [0], module.device)
    try:
        with attending(module, [group]) as use:
            module(
                input_ids=token, position_ids=token + 1, past_key_values=own, use_cache=True, logits_to_keep=1
            )
    except UnsupportedError:
        return False
    return use.calls == len(read.layers) == len(own.layers)
