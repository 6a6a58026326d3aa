"""A learned weighting: how much of each expert a request gets is read off the base's state at the end of its prompt.

    weighting = learn_weighting(model, experts, [(task, items), ...]); mixes = weighting.mixes(model, prompts)

One weight in (0, 1) for each expert, sigmoid(A s + b), s the last layer's state at the prompt's last token,
standardised. Not a softmax: a request may need two experts in full, or none. A and b learn that some solved items'
accepted targets be likely under z = 1 + sum of weight (z - 1); experts and base stay as they are.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.hooks import layers_of
from tellapart.models.local import LocalModel
from tellapart.models.states import Part, states
from tellapart.runs.progress import ticking
from tellapart.studies.skills.learn import read
from tellapart.studies.skills.mix import Mix, mix_of
from tellapart.studies.skills.objectives import Answered, accepted, shares
from tellapart.tasks.item import Item, Task
from tellapart.training.change import attached
from tellapart.training.svf import AttachedSvf, Svf

STEPS, BATCH, RATE, DECAY = 150, 32, 0.05, 0.01
DIGITS = 2
"""Weights are rounded to so many decimals, so that requests alike share a mix."""


@dataclass(frozen=True)
class Weighting:
    """A [expert, width] and b [expert] over states standardised by `mean` and `spread` [width]."""

    experts: tuple[str, ...]
    slope: Tensor
    offset: Tensor
    mean: Tensor
    spread: Tensor

    @property
    def numbers(self) -> int:
        """Return how many numbers were learned."""
        return self.slope.numel() + self.offset.numel()

    def mixes(self, model: LocalModel, prompts: Sequence[str]) -> list[Mix]:
        """Return the mix of each prompt; the model must be plain."""
        standard = (last_states(model, prompts) - self.mean) / self.spread
        weights = torch.sigmoid(standard @ self.slope.T + self.offset)
        return [
            mix_of({name: round(value, DIGITS) for name, value in zip(self.experts, row, strict=True)})
            for row in weights.tolist()
        ]


class _Lesson(NamedTuple):
    """Accepted targets of an item, and the standardised state [width] at the end of its prompt."""

    answers: list[Answered]
    state: Tensor


def learn_weighting(
    model: LocalModel,
    experts: Mapping[str, Weights],
    given: Sequence[tuple[Task, Sequence[Item]]],
    seed: int = 0,
) -> Weighting:
    """Return the weighting that makes the targets of the given items likely. Raises UserMistake without items."""
    rng = random.Random(f"weighting|{seed}")
    pairs = [(task, item) for task, items in given for item in items]
    if not pairs:
        raise UserMistake("no solved item to learn a weighting from: give --learn-on tasks")
    read_states = last_states(model, [task.prompt(item) for task, item in pairs])
    mean, spread = read_states.mean(0), read_states.std(0, correction=0) + 1e-6
    lessons = [
        _Lesson(accepted(model, task, [item], rng), (state - mean) / spread)
        for (task, item), state in zip(pairs, read_states, strict=True)
    ]
    slope = torch.zeros(len(experts), len(mean), requires_grad=True)
    offset = torch.zeros(len(experts), requires_grad=True)
    targets = tuple(sorted({name.rpartition(".")[2] for z in experts.values() for name in z}))
    optimizer = torch.optim.AdamW([slope, offset], lr=RATE, weight_decay=DECAY)
    with attached(model, Svf(targets)) as place, ticking("weighting", STEPS) as ticker:
        assert isinstance(place, AttachedSvf)
        moved = moved_by(place, experts)
        for _ in range(STEPS):
            batch = rng.choices(lessons, k=min(BATCH, len(lessons)))
            loss_of(place, moved, batch, (slope, offset)).backward()
            optimizer.step()
            optimizer.zero_grad()
            ticker.tick()
        place.serve({})
    return Weighting(tuple(experts), slope.detach(), offset.detach(), mean, spread)


def moved_by(place: AttachedSvf, experts: Mapping[str, Weights]) -> dict[str, Tensor]:
    """Return z - 1 of each matrix [expert, rank]; 0 where an expert has none."""
    return {
        name: torch.stack(
            [
                torch.from_numpy(weights[name] - 1).to(z) if name in weights else torch.zeros_like(z)
                for weights in experts.values()
            ]
        ).detach()
        for name, z in place.parameters.items()
    }


def loss_of(
    place: AttachedSvf, moved: Mapping[str, Tensor], batch: Sequence[_Lesson], line: tuple[Tensor, Tensor]
) -> Tensor:
    """Return minus the mean log-likelihood (nats an item) of any accepted target, each item under its own mix."""
    rows = [(at, answer) for at, lesson in enumerate(batch) for answer in lesson.answers]
    standard = torch.stack([batch[at].state for at, _ in rows])
    weights = torch.sigmoid(standard @ line[0].T + line[1]).to(place.module.device)
    place.serve({name: 1 + weights @ change for name, change in moved.items()})
    loglik = read(place, [answer.pair for _, answer in rows], False).logprobs.sum(1)
    return -(loglik * shares(loglik, [at for at, _ in rows])).sum() / len(batch)


def last_states(model: LocalModel, prompts: Sequence[str]) -> Tensor:
    """Return the state after the last layer at each prompt's last token [prompt, width], on the CPU."""
    ids = model.vocabulary.encode_prompts([(prompt, "") for prompt in prompts])
    parts = [Part(ids[prompt, ""], slice(-1, None)) for prompt in prompts]
    last = len(layers_of(model.module)) - 1
    states_by_layer = dict(states(model, parts, [last]))
    return torch.stack([states_by_layer[at][0, 0] for at in range(len(parts))]).cpu().clone()
