"""Adapters on a local model: trained on its own answers, put in place while answers are drawn."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from tellapart.elicit.adapted import Learned
from tellapart.elicit.own_answers import OwnAnswers, Pick
from tellapart.errors import NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import JsonObject
from tellapart.models.budget import until_spent
from tellapart.models.local import LocalModel
from tellapart.models.model import Model, Request
from tellapart.runs.asking import Ask, Elicitation, generate
from tellapart.training.change import Change, changed
from tellapart.training.lora import Lora
from tellapart.training.masked import Masked
from tellapart.training.matrices import matrices_of
from tellapart.training.settings import Example, SftSettings
from tellapart.training.sft import sft
from tellapart.training.svf import Svf
from tellapart.training.tiny_lora import TinyLora
from tellapart.training.trainers import learning_rate

KINDS: dict[str, type[Change]] = {kind.name: kind for kind in (Svf, Lora, Masked, TinyLora)}
SVF_RATE = 0.2
"""Shared out over the matrices: how far all of a model's z may move together in a step."""
TINY_REACH = 0.1
"""How far TinyLoRA's numbers may turn a matrix's largest directions in a step, in shares of their singular values."""
LORA_CALM = 0.4
"""Of the usual rate: some 100 examples are seen again and again, and a full rate then wanders far."""


def learn(model: Model, change: JsonObject, own: OwnAnswers, steps: int, ask: Ask) -> Learned:
    """Train the change on right answers and on blind picks; the second is scaled to the norm of the first."""
    base, recipe = local(model), change_of(change)
    rate = rate_for(base, recipe)

    def trained(picks: Sequence[Pick], title: str):
        settings = SftSettings(steps=steps, rate=rate, title=f"{recipe.name} on {title}")
        return sft(base, recipe, [Example(*pick) for pick in picks], settings, ask.scratch)

    right, blind = trained(own.right, "right answers"), trained(own.blind, "blind picks")
    null = of_norm(recipe, blind.weights, norm(recipe, right.weights))
    return Learned(right.weights, null, right.parameters, rate, right.supervision_bits)


def rate_for(model: LocalModel, change: Change) -> float:
    """Return the learning rate of AdamW, whose steps are about as long as the rate.

    Of z, in shares of a singular value, shared out over the matrices; of a masked adapter's gains, in units of their
    matrix, and TinyLoRA's numbers, by the root of their number; of LoRA, a part of the usual one.
    """
    if isinstance(change, Svf):
        return SVF_RATE / len(matrices_of(model.module, change.targets))
    if isinstance(change, TinyLora):
        return TINY_REACH / math.sqrt(change.scalars)
    if isinstance(change, Masked):
        return 1 / math.sqrt(change.scalars)
    return LORA_CALM * learning_rate(model, change, SftSettings())


def answers_with(
    model: Model, change: JsonObject, weights: Weights, rows: Sequence[tuple[int, int, Request]]
) -> Iterator[Elicitation]:
    """Yield the answers to `rows` with the change in place; the model is as before when the first comes."""
    base, recipe = local(model), change_of(change)
    if isinstance(recipe, Svf):
        recipe = dataclasses.replace(recipe, form="merged")
    with changed(base, recipe, weights):
        answers, spent = until_spent(generate(base, rows))
    yield from answers
    if spent:
        raise spent


def change_of(written: JsonObject) -> Change:
    """Return the change that this JSON object tells. Raises UserMistake where it is none of ours."""
    kind = KINDS.get(str(written.get("kind")))
    fields = {} if kind is None else {field.name: field.default for field in dataclasses.fields(kind)}
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in written.items() if name != "kind"}
    if kind is None or any(
        name not in fields or type(value) is not type(fields[name]) for name, value in given.items()
    ):
        raise NotApplicable(
            f"saved change {dict(written)!r}: give one of {', '.join(KINDS)} with its fields; fit it anew"
        )
    return kind(**given)


def local(model: Model) -> LocalModel:
    """Return the model as a local one. Raises UserMistake where it is not."""
    if not isinstance(model, LocalModel):
        raise NotApplicable(f"the weights of {model.reference} are not available: give a local model")
    return model


def norm(change: Change, weights: Weights) -> float:
    """Return how large a trained change is: the root of the sum of squares of what it adds (for LoRA, of B A)."""
    if isinstance(change, Lora):
        parts = [weights[name.replace("lora_B", "lora_A")] for name in _outer(weights)]
        products = [
            np.einsum("ij,ij->", b.T @ b, a @ a.T)
            for a, b in zip(parts, map(weights.__getitem__, _outer(weights)), strict=True)
        ]
        return math.sqrt(math.fsum(float(value) for value in products))
    neutral = 1.0 if isinstance(change, Svf) else 0.0
    return math.sqrt(math.fsum(float(((value - neutral) ** 2).sum()) for value in weights.values()))


def of_norm(change: Change, weights: Weights, wanted: float) -> Weights:
    """Return the change scaled to the norm `wanted`; one of norm 0 stays as it is."""
    factor = wanted / size if (size := norm(change, weights)) else 1.0
    if isinstance(change, Lora):
        outer = set(_outer(weights))
        return Weights({name: value * (factor if name in outer else 1) for name, value in weights.items()})
    neutral = 1.0 if isinstance(change, Svf) else 0.0
    return Weights({name: neutral + factor * (value - neutral) for name, value in weights.items()})


def _outer(weights: Weights) -> list[str]:
    return [name for name in weights if "lora_B" in name]
