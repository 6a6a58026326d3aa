"""How much likelier a prompt makes one answer than another, with the state of its last token changed or not.

    margins(model, questions, layer, shifts)      # nats: log p(positive answer) - log p(negative answer)

The change is a vector of its own for each prompt, added after one decoder layer at the prompt's last token. Steering
adds the same vector to all; an interchange adds the difference to another prompt's state (Geiger et al. 2021, arXiv
2106.02997), or its part along a direction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.models.hooks import Inputs, Output, layers_of
from tellapart.models.local import LocalModel
from tellapart.models.prefill import NUMBERS_AT_ONCE, TOKENS_AT_ONCE

Ids = tuple[int, ...]


class Question(NamedTuple):
    """A prompt and the two answers that are weighed."""

    prompt: str
    positive: str
    negative: str


class _Row(NamedTuple):
    ids: Ids
    start: int
    question: int
    sign: float


@torch.inference_mode()
def margins(
    model: LocalModel, questions: Sequence[Question], layer: int = 0, shifts: Tensor | None = None
) -> Tensor:
    """Return the margin of each question in nats, float64; `shifts` [question, width] are added after `layer`.

    Raises UserMistake where a prompt with its answer is longer than the model's context or has no token.
    """
    total = torch.zeros(len(questions), dtype=torch.float64)
    for batch, logs in _logs(model, questions, layer, shifts):
        for row, logprob in zip(batch, logs.double().cpu(), strict=True):
            total[row.question] += row.sign * logprob
    return total


def slopes(model: LocalModel, questions: Sequence[Question], layer: int) -> Tensor:
    """Return the gradient of each question's margin by the state after `layer` at its prompt's last token, nats
    [question, width]: what reads the state there, and along which direction."""
    width = model.module.get_input_embeddings().get_parameter("weight").shape[1]
    with torch.enable_grad():
        shifts = torch.zeros(len(questions), width, device=model.module.device, requires_grad=True)
        slopes = torch.zeros(len(questions), width)
        for batch, logs in _logs(model, questions, layer, shifts):
            signs = torch.tensor([row.sign for row in batch], device=logs.device)
            slopes += torch.autograd.grad((signs * logs).sum(), shifts)[0].float().cpu()
    return slopes


def _logs(
    model: LocalModel, questions: Sequence[Question], layer: int, shifts: Tensor | None
) -> Iterator[tuple[list[_Row], Tensor]]:
    """Yield batches of rows with the log-probability of each row's answer [row]."""
    for batch in _batches(model, _rows(model, questions)):
        keep = max(len(row.ids) - row.start for row in batch) + 1
        tokens = torch.tensor([row.ids for row in batch], device=model.module.device)
        added = None if shifts is None else shifts[[row.question for row in batch]]
        with _shifted(model, layer, added, [row.start - 1 for row in batch]):
            places = torch.arange(tokens.shape[1], device=tokens.device)[None].expand(len(batch), -1)
            logits = model.module(
                input_ids=tokens, position_ids=places, use_cache=False, logits_to_keep=keep
            ).logits
        logs = logits[:, :-1].float().log_softmax(-1)
        logprobs = logs.gather(-1, tokens[:, 1 - keep :, None])[..., 0]
        lengths = torch.tensor([len(row.ids) - row.start for row in batch], device=logprobs.device)
        answers = (
            torch.arange(logprobs.shape[1], device=logprobs.device)[None]
            >= logprobs.shape[1] - lengths[:, None]
        )
        yield batch, (logprobs * answers).sum(1)


def _rows(model: LocalModel, questions: Sequence[Question]) -> list[_Row]:
    pairs = [(q.prompt, answer) for q in questions for answer in (q.positive, q.negative)]
    rows = []
    for at, (prompt, answer) in enumerate(model.vocabulary.encode_pairs(pairs)):
        if not prompt or not answer or len(prompt) + len(answer) > model.asked.context:
            raise UserMistake(
                f"{pairs[at][0]!r:.60} has {len(prompt)} tokens and its answer {len(answer)}: {model.reference} reads "
                f"1-{model.asked.context} in all"
            )
        rows.append(_Row((*prompt, *answer), len(prompt), at // 2, -1.0 if at % 2 else 1.0))
    return rows


def _batches(model: LocalModel, rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Yield rows of equal length, so that nothing is padded."""
    vocab = model.module.config.get_text_config().vocab_size
    batch: list[_Row] = []
    for row in sorted(rows, key=lambda row: len(row.ids)):
        longest = max(len(member.ids) - member.start for member in (*batch, row)) + 1
        size = (len(batch) + 1) * max(len(row.ids), 1)
        if batch and (
            len(batch[0].ids) != len(row.ids)
            or size > TOKENS_AT_ONCE
            or (len(batch) + 1) * longest * vocab > NUMBERS_AT_ONCE
        ):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@contextmanager
def _shifted(model: LocalModel, layer: int, added: Tensor | None, positions: Sequence[int]) -> Iterator[None]:
    """Add added [row, width] after `layer` at each row's position; RuntimeError where the hook was never called."""
    if added is None:
        yield
        return
    parts = layers_of(model.module)
    if not 0 <= layer < len(parts):
        raise UserMistake(f"layer {layer} asked, the model has {len(parts)}: choose 0-{len(parts) - 1}")
    calls = 0

    def hook(_module: nn.Module, _inputs: Inputs, output: Output) -> Output:
        nonlocal calls
        calls += 1
        stream = (output[0] if isinstance(output, tuple) else output).clone()
        rows = torch.arange(len(positions), device=stream.device)
        stream[rows, torch.tensor(positions, device=stream.device)] += added.to(stream.device, stream.dtype)
        return (stream, *output[1:]) if isinstance(output, tuple) else stream

    handle = parts[layer].register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
    if not calls:
        raise RuntimeError(f"{model.reference} ran, but layer {layer} was never called")
