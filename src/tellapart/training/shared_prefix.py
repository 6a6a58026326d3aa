"""Logits of rows that begin alike, their common beginning read once: what is learned reaches the weights through it
over every row."""

from typing import Any

from torch import Tensor


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
