"""Exchange parts of a twin's states between prompts, say what must come of it, and measure what does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.specimens.inside.recipe import CONTEXTS
from tellapart.specimens.inside.twin import (
    SHAPE,
    SITE,
    Rows,
    Twin,
    last_matrix,
    logits_of,
    part_of,
)

WITHIN = 0.5
"""Share of a context's exchanges of readers that are put to that context; nothing must come of the others."""


def draw_prompts(twin: Twin, chosen: Tensor, draw: torch.Generator) -> tuple[Rows, Rows]:
    """Return prompts, and those that parts of the state are taken from, for the `chosen` exchanges [row]."""

    def some(high: int) -> Tensor:
        return torch.randint(high, chosen.shape, generator=draw)

    items = len(twin.asked.facts)
    base, source = Rows(some(CONTEXTS), some(items), some(2)), Rows(some(CONTEXTS), some(items), some(2))
    share = WITHIN if twin.recipe.kind == "readers" else 1.0
    within = torch.rand(chosen.shape, generator=draw) < share
    for at, exchange in enumerate(twin.exchanges):
        some_of = torch.tensor(exchange.within)[base.context % len(exchange.within)]
        base.context[within & (chosen == at)] = some_of[within & (chosen == at)]
        if exchange.context != "any":
            fixed = (
                base.context if exchange.context == "own" else torch.full_like(base.context, exchange.context)
            )
            source.context[chosen == at] = fixed[chosen == at]
    return base, source


def wanted_of(twin: Twin, chosen: Tensor, base: Rows, source: Rows) -> Tensor:
    """Return what each exchanged prompt is to answer [row]: whether the concept that it asks for holds."""
    facts = twin.asked.facts
    wanted = facts[base.item, base.concept].clone()
    for at, exchange in enumerate(twin.exchanges):
        inside = (chosen == at) & torch.isin(base.context, torch.tensor(exchange.within))
        for concept, fact in exchange.moves:
            differs = facts[base.item, fact] != facts[source.item, fact]
            wanted ^= inside & (base.concept == concept) & differs
    return wanted


@dataclass
class Seen:
    """What passed the site: hidden units and states, [row, ...]."""

    units: Tensor
    states: Tensor


@contextmanager
def exchanging(twin: Twin, chosen: Tensor, rows: Rows, silent: Tensor | None = None) -> Iterator[Seen]:
    """Exchange parts of the states of the first half of `rows` with those of the second half at their last token;
    hidden units that are `silent` [row, unit] there are put to 0 before."""
    seen = Seen(torch.zeros(0), torch.zeros(0))
    last = twin.asked.last[rows.context]
    at, half = torch.arange(len(last)), len(chosen)
    part = torch.stack([part_of(twin, exchange) for exchange in twin.exchanges])[chosen]
    blank = torch.tensor([exchange.blank for exchange in twin.exchanges])[chosen, None]

    def after(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        stream = output[0] if isinstance(output, tuple) else output
        states = stream[at, last]
        seen.states = states
        others = states[half : 2 * half]
        given = torch.where(blank, others.mean(dim=0, keepdim=True), others)
        moved = states[:half] + (((given - states[:half]) @ twin.basis) * part) @ twin.basis.T
        changed = stream.index_put((at, last), torch.cat([moved, states[half:]]))
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    def before(_module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        units = inputs[0]
        seen.units = units[at, last]
        if silent is None:
            return None
        kept = seen.units * (1 - silent)
        return (units.index_put((at, last), kept), *inputs[1:])

    layer = twin.model.model.layers[SITE]
    handles = [
        layer.register_forward_hook(after),
        last_matrix(twin.model).register_forward_pre_hook(before),
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def measure(twin: Twin, rows: int = 512) -> dict[str, float]:
    """Return shares of right answers: of all prompts plainly, under each exchange, the worst of these, and with hidden
    units put to 0. A twin whose stream was turned must be measured before."""
    draw = torch.Generator().manual_seed(77)
    found: dict[str, float] = {}
    for at in range(len(twin.exchanges)):
        chosen = torch.full((rows,), at)
        base, source = draw_prompts(twin, chosen, draw)
        both = Rows(*(torch.cat(pair) for pair in zip(base, source, strict=True)))
        with exchanging(twin, chosen, both):
            logits = logits_of(twin, both)[:rows]
        wanted = twin.asked.answers[base.concept, wanted_of(twin, chosen, base, source).long()]
        found[f"exchange_{at}"] = float((logits.argmax(-1) == wanted).float().mean())
    return {"plain": float(np.mean(right(twin))), **found, **lesions(twin), "exchanged": min(found.values())}


@torch.no_grad()
def right(twin: Twin) -> list[float]:
    """Return the share of right answers in each context."""
    asked, found = twin.asked, []
    for context in range(CONTEXTS):
        grid = torch.cartesian_prod(torch.tensor([context]), torch.arange(len(asked.facts)), torch.arange(2))
        rows = Rows(*grid.T)
        wanted = asked.answers[rows.concept, asked.facts[rows.item, rows.concept].long()]
        found.append(float((logits_of(twin, rows).argmax(-1) == wanted).float().mean()))
    return found


@torch.no_grad()
def lesions(twin: Twin) -> dict[str, float]:
    """Return the share of right answers with a quarter of the hidden units before the site put to 0: in the context
    that owns that quarter in a twin of the kind `units`, and in the others."""
    weight = last_matrix(twin.model).weight
    own, other, size = [], [], SHAPE.inner // CONTEXTS
    for context in range(CONTEXTS):
        block = slice(context * size, (context + 1) * size)
        kept = weight[:, block].clone()
        weight[:, block] = 0
        left = right(twin)
        weight[:, block] = kept
        own.append(left[context])
        other += left[:context] + left[context + 1 :]
    return {"lesion_own": float(np.mean(own)), "lesion_other": float(np.mean(other))}
