"""A linear probe on a local model's last state (what its output layer reads): fitted states in, a figure a token out.

    probe = fit_probe(answer_states(model, texts), wanted)
    with probed(model, probe): ...        # inside, the logits have one more column: the probe's figure

The column lets the figure travel with the logits through the engine, prompts and shared beginnings included. A model
so changed must be asked in two-model decoding only (two_models.when_probed), which knows of the column.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.models.hooks import Inputs, Proof, _watched, hash_tensor
from tellapart.models.local import LocalModel

Ids = tuple[int, ...]
RIDGE = 1.0
"""Weight of the squared norm of the probe's directions, in standard deviations: that of a standard normal prior."""


class Probe(NamedTuple):
    """figure = state [width] . direction [width] + offset: the log-odds of what it was fitted to."""

    direction: Tensor
    offset: float


def output_layer(model: LocalModel) -> nn.Module:
    """Return the layer that makes logits of states. Raises UserMistake where the model has none of its own."""
    layer = model.module.get_output_embeddings()
    if not isinstance(layer, nn.Module):
        raise UserMistake(f"{model.reference} has no output layer whose input could be probed")
    return layer


@contextmanager
def probed(model: LocalModel, probe: Probe) -> Iterator[Proof]:
    """Give the model's logits one more column [.., vocab + 1], in float32: the probe's figure at the same position."""
    layer = output_layer(model)
    direction = probe.direction.to(model.module.device, torch.float32)
    states: list[Tensor] = []
    proof = Proof()

    def keep(_module: nn.Module, inputs: Inputs) -> None:
        states.append(inputs[0])

    def widen(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        figure = states.pop().float() @ direction + probe.offset
        output.logits = torch.cat([output.logits.float(), figure[..., None]], -1)
        proof.calls += 1
        return output

    digest = hashlib.blake2b(f"{hash_tensor(direction)} {probe.offset!r}".encode(), digest_size=8).hexdigest()
    with _watched(model, f"probe {digest}", proof):
        handles = [layer.register_forward_pre_hook(keep), model.module.register_forward_hook(widen)]
        try:
            yield proof
        finally:
            for handle in handles:
                handle.remove()


@torch.inference_mode()
def answer_states(model: LocalModel, texts: Sequence[tuple[Ids, Ids]]) -> Tensor:
    """Return the states [tokens, width], float32 on the CPU, from which each token of each answer is foretold.

    `texts` are (prompt, answer) ids; a text at a time is read. Raises UserMistake where one is longer than the context.
    """
    states: list[Tensor] = []
    layer = output_layer(model)

    def keep(_module: nn.Module, inputs: Inputs) -> None:
        states.append(inputs[0][0, :-1].float().cpu())

    handle = layer.register_forward_pre_hook(keep)
    try:
        for prompt, answer in texts:
            whole = (*prompt, *answer)
            if len(whole) > model.asked.context or not prompt:
                raise UserMistake(
                    f"a text of {len(whole)} tokens to probe: {model.reference} reads 1-{model.asked.context}"
                )
            ids = torch.tensor([whole], device=model.module.device)
            model.module(input_ids=ids, use_cache=False, logits_to_keep=len(answer) + 1)
    finally:
        handle.remove()
    return torch.cat(states)


def fit_probe(states: Tensor, wanted: Tensor) -> Probe:
    """Fit a logistic regression of `wanted` (bool) [n] on states [n, width], with a standard normal prior on the
    weights of the standardised states. Raises UserMistake where all or none are wanted."""
    target = wanted.double()
    if not 0 < float(target.sum()) < len(target):
        raise UserMistake(
            f"{int(target.sum())} of {len(target)} positions to be told apart: a probe needs both kinds"
        )
    centre = states.double().mean(0)
    spread = states.double().std(0, correction=0).clamp_min(1e-12)
    features = (states.double() - centre) / spread
    weights = torch.zeros(features.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimizer.zero_grad()
        logits = features @ weights[:-1] + weights[-1]
        total = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")
        total = (total + 0.5 * RIDGE * weights[:-1].square().sum()) / len(target)
        total.backward()
        return total

    optimizer.step(loss)
    direction = weights[:-1].detach() / spread
    return Probe(direction.float(), float(weights[-1].detach() - direction @ centre))
