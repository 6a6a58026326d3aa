"""Logits of rows that begin alike, their common beginning read once: what is learned reaches the weights through it
over every row."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SAME_LOSS = 1e-3
"""Relative difference of two losses that are the same but for rounding (1e-6 was seen in float32)."""


@torch.no_grad()
def sharing_holds(loss: Callable[[bool], Tensor]) -> bool:
    """Tell, by trying it, whether `loss(True)`, which reads the common beginning once, is `loss(False)`, which reads it
    in every row (a model with a state of its own, or another cache, may not agree)."""
    plain = float(loss(False))
    try:
        once = float(loss(True))
    except (RuntimeError, TypeError, AttributeError, ValueError):  # a forward of another signature or cache
        return False
    return abs(once - plain) <= SAME_LOSS * max(1.0, abs(plain))


def logits_after_shared(module: Any, ids: Tensor, mask: Tensor, columns: Tensor) -> Tensor:
    """Return float32 logits (rows, columns, vocabulary) of `ids` (rows, width) at the given columns.

    What all rows hold alike before the first of the columns is read once and its cache repeated; logits are made at
    the columns alone. `mask` is 1 where a row has tokens. Raises what a module raises that takes no such cache.
    """
    begins = ids[:, : int(columns[0])]
    shared = int((begins == begins[0]).all(0).long().cumprod(0).sum())
    cache = None
    if shared:
        cache = module(input_ids=ids[:1, :shared], use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(len(ids))
    return module(
        input_ids=ids[:, shared:],
        attention_mask=mask,
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=columns - shared,
    ).logits.float()
