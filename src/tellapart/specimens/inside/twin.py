"""A language-model twin of `inside` while it is made: the model, its prompts as tokens, where its variables live."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from tellapart.specimens.inside.recipe import CONTEXTS, PLACES, SPAN, Exchange, Recipe, exchanges
from tellapart.specimens.inside.worlds import WORLDS, World, prompt_of
from tellapart.specimens.recipe import Shape
from tellapart.specimens.tokenizer import BOS, IDS, PAD, encode
from tellapart.specimens.training import new_model

SHAPE = Shape()
SITE = 0
"""The layer whose output at the prompt's last token is exchanged."""


class Asked(NamedTuple):
    """Every prompt of a world: `ids` [context, item, position] with room for the question, `last` [context], the facts
    [item, 3], `questions` [concept] and `answers` [concept, holds]."""

    ids: Tensor
    last: Tensor
    facts: Tensor
    questions: Tensor
    answers: Tensor


class Rows(NamedTuple):
    """Prompts: which context, item and concept each asks for."""

    context: Tensor
    item: Tensor
    concept: Tensor


class Twin(NamedTuple):
    """A model, its prompts, the basis [width, width] of its variables, the coordinates [place, width] of each, the last
    row those of none, and what may be exchanged."""

    recipe: Recipe
    model: LlamaForCausalLM
    asked: Asked
    basis: Tensor
    where: Tensor
    exchanges: tuple[Exchange, ...]


def new_twin(recipe: Recipe) -> Twin:
    """Return a twin with random weights; norms have no gains of their own, so that a rotation can be undone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 * recipe.seed + len(recipe.kind))
        model = new_model(SHAPE)
    for name, value in model.named_parameters():
        if "norm" in name:
            value.requires_grad_(False)
    random = np.random.default_rng([recipe.seed, *map(ord, recipe.kind)])
    basis = np.linalg.qr(random.standard_normal((SHAPE.width, SHAPE.width)))[0]
    count = PLACES[recipe.kind]
    where = torch.zeros(count + 1, SHAPE.width)
    for place in range(count):
        where[place, place * SPAN : (place + 1) * SPAN] = 1
    where[count, count * SPAN :] = 1
    asked = asked_of(WORLDS[recipe.world])
    return Twin(recipe, model, asked, torch.from_numpy(basis).float(), where, exchanges(recipe.kind))


def asked_of(world: World) -> Asked:
    """Return a world's prompts as tokens."""
    rows = [
        [[BOS, *encode(prompt_of(world, c, i))] for i in range(len(world.items))] for c in range(CONTEXTS)
    ]
    width = max(len(one) for row in rows for one in row) + 1
    ids = torch.tensor([[one + [PAD] * (width - len(one)) for one in row] for row in rows])
    last = torch.tensor([len(row[0]) - 1 for row in rows])
    holds = torch.tensor(world.holds)
    facts = torch.cat([holds, holds[:, :1] == holds[:, 1:]], dim=1)
    questions = torch.tensor([IDS[one.question] for one in world.concepts])
    answers = torch.tensor([[IDS[one.no], IDS[one.yes]] for one in world.concepts])
    return Asked(ids, last, facts, questions, answers)


def logits_of(twin: Twin, rows: Rows) -> Tensor:
    """Return the logits [row, vocab] of the answers."""
    ids = twin.asked.ids[rows.context, rows.item].clone()
    at, place = torch.arange(len(ids)), twin.asked.last[rows.context] + 1
    ids[at, place] = twin.asked.questions[rows.concept]
    states = twin.model.model(input_ids=ids).last_hidden_state
    return twin.model.lm_head(states[at, place])


def part_of(twin: Twin, exchange: Exchange) -> Tensor:
    """Return 1 at the coordinates [width] that are exchanged."""
    if not exchange.places:
        return torch.ones(SHAPE.width)
    return twin.where[list(exchange.places)].sum(dim=0)


def last_matrix(model: LlamaForCausalLM) -> nn.Linear:
    """Return the matrix that the hidden units before the site write with."""
    found = model.get_submodule(f"model.layers.{SITE}.mlp.down_proj")
    assert isinstance(found, nn.Linear)
    return found


def foreign_units(context: Tensor) -> Tensor:
    """Return 1 where a hidden unit [row, unit] belongs to another context than the row's."""
    owner = torch.arange(SHAPE.inner) * CONTEXTS // SHAPE.inner
    return (owner[None] != context[:, None]).float()


def empty_places(twin: Twin, context: Tensor) -> Tensor:
    """Return 1 at the coordinates [row, width] where no variable of the row's context lives."""
    own = torch.zeros(CONTEXTS, SHAPE.width)
    for exchange in twin.exchanges:
        if len(exchange.within) < CONTEXTS:
            own[list(exchange.within)] += part_of(twin, exchange)
    return (own[context] == 0).float()
