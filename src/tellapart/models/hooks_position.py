"""Vectors added to the residual stream of a local model, in every layer at once, at chosen positions.

    with shifting(model, shift, span_of("answer", prompt_tokens)):
        answers = list(model.generate(requests))     # whose prompts all have `prompt_tokens` tokens

A position counts the tokens before it in its own row, whatever the batch and its padding, so "from the last token
of the prompt on" is one number where all prompts are equally long. `generate_shifted` puts prompts of one length
together; a row's answer does not depend on the others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.models.budget import until_spent
from tellapart.models.hooks import Inputs, Output, Proof, _residual, _watched, hash_tensor, layers_of
from tellapart.models.local import LocalModel
from tellapart.models.model import Answer, Request

Where = Literal["everywhere", "answer", "first"]
"""At every position; at each that writes a token of the answer; at the one that writes its first token."""

ROWS_AT_ONCE = 1024
"""Answers are held back until so many are written, since the hooks must be gone while they are handed out."""


class Span(NamedTuple):
    """Positions `first` <= position < `end` (None: no end)."""

    first: int = 0
    end: int | None = None


EVERYWHERE = Span()


def span_of(where: Where, prompt_tokens: int) -> Span:
    """Return the positions meant by `where` for prompts of `prompt_tokens` tokens.

    >>> span_of("first", 8)
    Span(first=7, end=8)
    """
    if where not in get_args(Where):
        raise UserMistake(f"where = {where!r}: choose {', '.join(get_args(Where))}")
    if where == "everywhere":
        return EVERYWHERE
    return Span(prompt_tokens - 1, prompt_tokens if where == "first" else None)


@contextmanager
def shifting(model: LocalModel, shift: Tensor, span: Span = EVERYWHERE) -> Iterator[Proof]:
    """Add shift [layer, width] to the residual stream after each decoder layer, at the positions of `span`.

    Layers whose row is 0 get no hook; where all are, nothing changes, the fingerprint included. Raises UserMistake
    for a shift of another shape, RuntimeError on leaving where the model ran and no position was shifted.
    """
    layers = layers_of(model.module)
    check_shift(model, shift, len(layers))
    rows = shift.detach().to(model.module.device, model.module.dtype)
    moved = [index for index in range(len(layers)) if bool(rows[index].any())]
    proof, seen = Proof(), _Seen(span)
    change = f"shifting {span} {hash_tensor(rows)}" if moved else ""
    with _watched(model, change, proof):
        handles = [model.module.register_forward_pre_hook(seen.look, with_kwargs=True)]
        handles += [layers[index].register_forward_hook(_adder(rows[index], seen, proof)) for index in moved]
        if not moved:
            proof.calls = 1
        try:
            yield proof
        finally:
            for handle in handles:
                handle.remove()


def check_shift(model: LocalModel, shift: Tensor, layers: int) -> None:
    """Raise UserMistake where `shift` does not fit the model or holds numbers that are not finite."""
    width = model.module.get_input_embeddings().get_parameter("weight").shape[1]
    if tuple(shift.shape) != (layers, width):
        raise UserMistake(
            f"a shift of shape {tuple(shift.shape)} given: {model.reference} has {layers} layers of width {width}"
        )
    if not bool(shift.isfinite().all()):
        raise UserMistake(f"a shift for {model.reference} holds numbers that are not finite: fit it anew")


class _Seen:
    """Which positions of the running forward pass lie in the span: a mask [batch, position, 1], None for all."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.mask: Tensor | None = None
        self.any = True

    def look(self, _module: nn.Module, _args: Inputs, kwargs: Mapping[str, Tensor | None]) -> None:
        """Read the positions of the pass that begins."""
        if self.span == EVERYWHERE:
            return
        positions = kwargs.get("position_ids")
        if not isinstance(positions, Tensor):
            raise RuntimeError("a model was run without position_ids while only some positions are shifted")
        inside = positions >= self.span.first
        if self.span.end is not None:
            inside &= positions < self.span.end
        self.any = bool(inside.any())
        self.mask = inside[..., None]


def _adder(row: Tensor, seen: _Seen, proof: Proof) -> Callable[[nn.Module, Inputs, Output], Output | None]:
    def hook(_module: nn.Module, _inputs: Inputs, output: Output) -> Output | None:
        if not seen.any:
            return None
        proof.calls += 1
        stream = _residual(output)
        added = row if seen.mask is None else torch.where(seen.mask, row, torch.zeros_like(row))
        return (stream + added, *output[1:]) if isinstance(output, tuple) else stream + added

    return hook


def generate_shifted(
    model: LocalModel, requests: Sequence[Request], shift: Tensor, where: Where
) -> Iterator[Answer]:
    """Yield the answers to `requests` under a shift [layer, width] at the positions of `where`.

    They are held back by blocks: while the caller looks at one, the model is as it was.
    """
    for span, owners in _blocks(model, requests, where):
        with shifting(model, shift, span):
            answers, spent = until_spent(model.generate([requests[owner] for owner in owners]))
        for index, completion in answers:
            yield Answer(owners[index], completion)
        if spent:
            raise spent


def _blocks(model: LocalModel, requests: Sequence[Request], where: Where) -> Iterator[tuple[Span, list[int]]]:
    """Yield spans and the indices of requests that they hold for, prompts of one length together."""
    by_span: dict[Span, list[int]] = {}
    for index, count in enumerate(prompt_lengths(model, requests)):
        by_span.setdefault(span_of(where, count), []).append(index)
    for span, owners in by_span.items():
        for start in range(0, len(owners), ROWS_AT_ONCE):
            yield span, owners[start : start + ROWS_AT_ONCE]


def prompt_lengths(model: LocalModel, requests: Sequence[Request]) -> list[int]:
    """Return how many tokens are read before each answer begins."""
    vocabulary = model.vocabulary
    texts = vocabulary.encode_prompts(
        [(request.prompt, request.prefill) for request in requests if not isinstance(request.prompt, tuple)]
    )
    return [
        len(request.prompt) + (len(vocabulary.encode(request.prefill)) if request.prefill else 0)
        if isinstance(request.prompt, tuple)
        else len(texts[request.prompt, request.prefill])
        for request in requests
    ]
