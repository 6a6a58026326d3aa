"""Train a language-model twin of `inside` by interchange intervention training (Geiger et al. 2022, arXiv 2112.00826).

    twin, facts = train_twin(Recipe("split", "sums"), train_trunk("sums", seed=0))      # about 30 seconds of one core

Each batch puts prompts to the model plainly, and others with a part of their state taken from the plain ones; the loss
is that of the answers that the recipe says must come. What the finished model does under each exchange is measured.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from tellapart.specimens.inside.exchanging import draw_prompts, exchanging, measure, wanted_of
from tellapart.specimens.inside.recipe import CONTEXTS, SPAN, Recipe
from tellapart.specimens.inside.twin import (
    SHAPE,
    Rows,
    Twin,
    empty_places,
    foreign_units,
    logits_of,
    new_twin,
)
from tellapart.specimens.store import Weights, weights_of
from tellapart.specimens.training import optimise

ROWS, STEPS, TRUNK_STEPS, RATE = 48, 250, 500, 0.02
MOST_ROUNDS = 4
PLAIN_LEAST, EXCHANGED_LEAST, LESION_MOST = 0.995, 0.95, 0.65
"""Shares of right answers that a twin must reach plainly, and under every exchange; and the most that one of the kind
`units` may reach without a context's own units, .5 being chance."""
DOUBT = 0.02
"""What is left to the wrong answer: all margins are then alike, so that shares of a gap mean the same everywhere."""
APART, READ, L1, PRUNED = 3.0, 1.0, 1e-4, 0.3
"""Weights of the terms of the loss, and the share of each matrix's weights that pruning takes away."""
SILENT, SILENCED = 0.5, 24
"""`units`: weight of the term, and how many prompts a batch, in which the hidden units that a context owns are put to
0: both answers must be as likely then, so that concepts are worked out in these units and not in attention."""


def train_trunk(world: str, seed: int) -> Weights:
    """Return the weights that all twins of a world and seed begin with: right, with nothing asked of the inside."""
    twin = new_twin(Recipe("free", world, seed))
    draw = torch.Generator().manual_seed(seed)
    for steps in (TRUNK_STEPS, *[STEPS] * MOST_ROUNDS):
        _train(twin, steps, draw, {}, False)
        if measure(twin)["plain"] >= PLAIN_LEAST:
            return weights_of(twin.model)
    raise RuntimeError(f"the trunk of {world}-{seed} misses its aim")


def train_twin(recipe: Recipe, trunk: Weights) -> tuple[Twin, dict[str, float]]:
    """Return the finished twin, and what was measured of it. RuntimeError where it misses its aim."""
    twin = new_twin(recipe)
    twin.model.load_state_dict(dict(trunk), strict=False)
    draw = torch.Generator().manual_seed(recipe.seed + 1)
    masks: Mapping[str, Tensor] = {}
    facts: dict[str, float] = {}
    for round_ in range(MOST_ROUNDS):
        gated = recipe.kind == "units" and round_ == 0
        _train(twin, STEPS * (2 if recipe.kind == "readers" else 1), draw, masks, gated)
        if recipe.sparse == "pruned" and not masks:
            masks = smallest(twin.model)
            continue
        facts = {**measure(twin), "rounds": round_ + 1.0}
        if good_enough(recipe, facts) and not gated:
            if recipe.turned:
                turn(twin.model, recipe.seed)
            return twin, facts
    raise RuntimeError(f"{recipe.name} misses its aim after {MOST_ROUNDS} rounds: {facts}")


def good_enough(recipe: Recipe, facts: Mapping[str, float]) -> bool:
    """Return whether a twin does what its recipe says; one of the kind `units` must fail without its own units."""
    apart = facts["lesion_own"] <= LESION_MOST and facts["lesion_other"] >= EXCHANGED_LEAST
    right = facts["plain"] >= PLAIN_LEAST and facts["exchanged"] >= EXCHANGED_LEAST
    return right and (apart or recipe.kind != "units")


def _train(twin: Twin, steps: int, draw: torch.Generator, masks: Mapping[str, Tensor], gated: bool) -> None:
    def loss() -> Tensor:
        _mask(twin.model, masks)
        return _loss(twin, draw, gated)

    optimise(twin.model, RATE, steps, loss)
    _mask(twin.model, masks)


@torch.no_grad()
def _mask(model: LlamaForCausalLM, masks: Mapping[str, Tensor]) -> None:
    for name, mask in masks.items():
        model.get_parameter(name).mul_(mask)


def _loss(twin: Twin, draw: torch.Generator, gated: bool) -> Tensor:
    """Return the loss of a batch's answers, in nats, and of what the recipe presses for besides."""
    facts, recipe = twin.asked.facts, twin.recipe
    chosen = torch.randint(len(twin.exchanges), (ROWS,), generator=draw)
    base, source = draw_prompts(twin, chosen, draw)
    both = Rows(*(torch.cat(pair) for pair in zip(base, source, strict=True)))
    foreign = foreign_units(both.context)
    with exchanging(twin, chosen, both, foreign if gated else None) as seen:
        logits = logits_of(twin, both)
    wanted = torch.cat([wanted_of(twin, chosen, base, source), facts[source.item, source.concept]])
    told = logits.log_softmax(-1).gather(1, twin.asked.answers[both.concept])
    sure = torch.where(wanted[:, None] == torch.tensor([False, True]), 1 - DOUBT, DOUBT)
    loss = -(sure * told).sum(dim=1).mean()
    if recipe.kind == "units":
        stray = (seen.units * foreign).square().mean()
        loss = loss + APART * stray / seen.units.square().mean().clamp_min(1e-6)
        loss = loss + SILENT * _silenced(twin, Rows(*(column[:SILENCED] for column in source)))
    if recipe.kind in ("split", "half"):
        loss = loss + APART * held_elsewhere(twin, seen.states, both.context)
    if recipe.kind == "tangled":
        read = seen.states @ twin.basis[:, 2 * SPAN] * (2.0 * facts[both.item, 1] - 1)
        loss = loss + READ * nn.functional.softplus(-read).mean()
    if recipe.sparse == "l1":
        loss = loss + L1 * sum(p.abs().sum() for n, p in twin.model.named_parameters() if "proj" in n)
    return loss


def _silenced(twin: Twin, rows: Rows) -> Tensor:
    """Return how far from even both answers are, in nats, without the hidden units that the rows' contexts own."""
    with exchanging(twin, torch.zeros(0, dtype=torch.long), rows, 1 - foreign_units(rows.context)):
        logs = logits_of(twin, rows).log_softmax(-1)
    return -logs.gather(1, twin.asked.answers[rows.concept]).mean() - float(np.log(2))


def held_elsewhere(twin: Twin, states: Tensor, context: Tensor) -> Tensor:
    """Return how far states [row, width] vary within a context outside the context's own variables, as a share of how
    far they vary."""
    own = nn.functional.one_hot(context, CONTEXTS).float()
    apart = states - (own @ (own.T @ states)) / (own @ own.sum(dim=0))[:, None]
    held = ((apart @ twin.basis) * empty_places(twin, context)).square().mean()
    return held / apart.square().mean().clamp_min(1e-6)


@torch.no_grad()
def smallest(model: LlamaForCausalLM) -> dict[str, Tensor]:
    """Return 0 at the smallest share PRUNED of each of the blocks' matrices, 1 elsewhere."""
    return {
        name: (value.abs() > value.abs().flatten().kthvalue(int(PRUNED * value.numel())).values).float()
        for name, value in model.named_parameters()
        if "proj" in name
    }


@torch.no_grad()
def turn(model: LlamaForCausalLM, seed: int) -> None:
    """Put the residual stream into a random orthogonal basis: the weights are others, the function is not."""
    random = np.random.default_rng(seed)
    basis = torch.from_numpy(np.linalg.qr(random.standard_normal((SHAPE.width, SHAPE.width)))[0]).float()
    for name, value in model.named_parameters():
        if "norm" in name:
            continue
        writes = name.endswith(("o_proj.weight", "down_proj.weight"))
        value.copy_(basis.T @ value if writes else value @ basis)
