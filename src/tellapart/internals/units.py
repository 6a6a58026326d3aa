"""The hidden units that work a concept out: what goes into the last matrix of each block's feed-forward part.

Unlike the residual stream these have a basis of their own, that of the nonlinearity. So two contexts can write a
concept along one direction and still work it out in units of their own; `unit_reuse` sees that, reuse of directions
does not.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.elicit.steering import spread
from tellapart.models.hooks import layers_of
from tellapart.models.local import LocalModel
from tellapart.models.prefill import TOKENS_AT_ONCE

MOST_LAYERS = 8
ATTENTION = ("attn", "attention")


def writers(model: LocalModel, layer: int) -> list[tuple[nn.Module, Tensor]]:
    """Return, up to and with `layer`, each block's last matrix into the residual stream that is not attention's, and
    the norm of what each of its inputs writes [unit]; at most MOST_LAYERS blocks, and none that has no such matrix."""
    width = model.module.get_input_embeddings().get_parameter("weight").shape[1]
    blocks = layers_of(model.module)
    result = []
    for index in spread(layer + 1, MOST_LAYERS):
        parts = [
            (part, norms)
            for name, part in blocks[index].named_modules()
            if not any(word in name for word in ATTENTION)
            for norms in (_norms(part, width),)
            if norms is not None
        ]
        result += parts[-1:]
    return result


@torch.no_grad()
def _norms(part: nn.Module, width: int) -> Tensor | None:
    """Return the norms [unit] of a matrix into the stream: of a Linear, or of GPT-2's Conv1D, which is turned round."""
    weight = dict(part.named_parameters(recurse=False)).get("weight")
    if weight is None or weight.ndim != 2:
        return None
    if isinstance(part, nn.Linear) and weight.shape[0] == width:
        return weight.float().norm(dim=0).cpu()
    if type(part).__name__ == "Conv1D" and weight.shape[1] == width:
        return weight.float().norm(dim=1).cpu()
    return None


def unit_states(model: LocalModel, prompts: Sequence[str], layer: int) -> np.ndarray | None:
    """Return what each unit writes at each prompt's last token [prompt, unit], its activation times the norm of its
    outgoing weights; None where no unit is found."""
    parts = writers(model, layer)
    if not parts:
        return None
    encoded = model.vocabulary.encode_prompts([(text, "") for text in prompts])
    ids = [encoded[text, ""] for text in prompts]
    states = np.empty((len(ids), sum(len(norms) for _, norms in parts)), float)
    for length in sorted(set(map(len, ids))):
        same = [at for at, row in enumerate(ids) if len(row) == length]
        for start in range(0, len(same), max(1, TOKENS_AT_ONCE // length)):
            batch = same[start : start + max(1, TOKENS_AT_ONCE // length)]
            states[batch] = _read(model, torch.tensor([ids[at] for at in batch]), parts)
    return states


@torch.inference_mode()
def _read(model: LocalModel, ids: Tensor, parts: Sequence[tuple[nn.Module, Tensor]]) -> np.ndarray:
    """Return what each unit writes at the last position of each row of `ids` [row, position]."""
    kept: dict[int, Tensor] = {}

    def keeper(index: int):
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            kept[index] = inputs[0].reshape(*ids.shape, -1)[:, -1].float().cpu()

        return hook

    handles = [part.register_forward_pre_hook(keeper(index)) for index, (part, _) in enumerate(parts)]
    try:
        model.module(input_ids=ids.to(model.module.device), use_cache=False, logits_to_keep=1)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat([kept[index] * norms for index, (_, norms) in enumerate(parts)], dim=1).numpy()
