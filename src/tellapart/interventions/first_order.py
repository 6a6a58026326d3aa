"""How much a small push of the residual stream would change the log-probability of given answers (Nanda 2023,
"Attribution patching"): the gradient at the position that writes an answer's first token.

slopes = mean_slopes(model, [(prompt, answer), ...])      # [layer, width], nats a unit of the residual stream
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.models.budget import current
from tellapart.models.hooks import Inputs, Output, layers_of
from tellapart.models.local import LocalModel

MOST_ANSWERS = 64


def mean_slopes(model: LocalModel, pairs: Sequence[tuple[str, str]]) -> Tensor:
    """Return the mean gradient of log p(answer | prompt) with respect to the residual stream after each layer at the
    prompt's last token, [layer, width] in nats a unit. At most MOST_ANSWERS are read.

    Raises UserMistake where no pair has an answer that the context holds.
    """
    total, count = torch.zeros(()), 0
    for prompt, answer in model.vocabulary.encode_pairs(list(pairs)):
        if count < MOST_ANSWERS and answer and 0 < len(prompt) + len(answer) <= model.asked.context:
            total = total + slopes(model, (*prompt, *answer), len(prompt))
            count += 1
    if not count:
        raise UserMistake(f"none of {len(pairs)} answers can be read by {model.reference}: give others")
    return total / count


def slopes(model: LocalModel, ids: Sequence[int], start: int) -> Tensor:
    """Return the gradient [layer, width] of the log-probability of ids[start:], at position start - 1."""
    tokens = torch.tensor([list(ids)], device=model.module.device)
    current().charge("scored", len(ids) - start)
    with torch.inference_mode(False), torch.enable_grad(), _nudged(model, start - 1) as nudges:
        logits = model.module(input_ids=tokens, use_cache=False).logits[0, start - 1 : -1].float()
        chosen = logits.log_softmax(-1).gather(-1, tokens[0, start:, None])
        return torch.stack(torch.autograd.grad(chosen.sum(), nudges)).float().cpu()


@contextmanager
def _nudged(model: LocalModel, position: int) -> Iterator[list[Tensor]]:
    """Add a vector of 0 after each layer at one position; yield the vectors, by which can be differentiated."""
    layers = layers_of(model.module)
    width = model.module.config.get_text_config().hidden_size
    nudges = [
        torch.zeros(width, device=model.module.device, dtype=model.module.dtype, requires_grad=True)
        for _ in layers
    ]

    def nudge(at: int) -> Callable[[nn.Module, Inputs, Output], Output]:
        def hook(_module: nn.Module, _inputs: Inputs, output: Output) -> Output:
            stream = output[0] if isinstance(output, tuple) else output
            here = torch.zeros(stream.shape[1], 1, device=stream.device, dtype=stream.dtype)
            here[position] = 1
            added = stream + here * nudges[at]
            return (added, *output[1:]) if isinstance(output, tuple) else added

        return hook

    handles = [layer.register_forward_hook(nudge(at)) for at, layer in enumerate(layers)]
    try:
        yield nudges
    finally:
        for handle in handles:
            handle.remove()
