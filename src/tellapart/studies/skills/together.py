"""Train the experts of several skills side by side, so that each also works beside the others.

    learned = learn_together(model, change, practices, elsewhere, tuning)      # {skill: Learned}

Every row of a batch is a prompt of one skill under a random set of experts, z = 1 + sum of (z of the expert - 1) over
the set: a z for each row. Where the row's own expert is in the set it learns from the objective; where it is not, the
row is held to the base by KL(mixed || base). So experts learn to elicit their skill whatever stands beside them,
and to leave the other skills alone. The paper (Sun et al. 2025, arXiv 2501.06252) trains each by itself; so does
`learn`.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.runs.progress import ticking
from tellapart.studies.skills.encoding import Pair
from tellapart.studies.skills.learn import Learned, Tuning, learned_terms, read, tokens_of, update
from tellapart.studies.skills.objectives import Answered, Practice, draw_batch
from tellapart.studies.skills.paused import LogStep, pause, resume
from tellapart.training.change import as_array, attached
from tellapart.training.svf import AttachedSvf, Svf

BESIDE = 0.33
"""Chance of each other expert to be in a row's set."""
HELD = 0.5
"""Rows held to the base, for each question that is learned from."""

Set = tuple[int, ...]
"""Places of the experts that are on."""


class _Rows(NamedTuple):
    """Answers to learn from and answers to hold to, and under which experts each is read."""

    learned: list[Answered]
    learned_sets: list[Set]
    held: list[Pair]
    held_sets: list[Set]


def learn_together(
    model: LocalModel,
    change: Svf,
    practices: Mapping[str, Practice],
    elsewhere: Mapping[str, Sequence[Pair]],
    tuning: Tuning,
    scratch: Path | None = None,
) -> dict[str, Learned]:
    """Return what was learned for each skill; the model is as before afterwards.

    A step takes a batch of every skill, and half as many rows beside it that are held. `elsewhere` are the base's
    own answers by task; those of a task without an expert here are held under any experts.
    """
    names = list(practices)
    with attached(model, change) as place, ticking("experts", tuning.steps) as ticker:
        assert isinstance(place, AttachedSvf)
        moved = {
            name: nn.Parameter(torch.zeros(len(names), len(z), device=z.device))
            for name, z in place.parameters.items()
        }
        parameters = list(moved.values())
        optimizer = torch.optim.AdamW(parameters, lr=tuning.rate, weight_decay=0.0)
        log = resume(scratch, parameters, optimizer, dict[str, LogStep])
        ticker.tick(len(log))
        for step in range(len(log), tuning.steps):
            logged: dict[str, LogStep] = {}
            for index, name in enumerate(names):
                rng = random.Random(f"{practices[name].seed}|together|{step}|{index}")
                rows = draw_rows(rng, model, Stand(place, moved, practices, elsewhere), name, step)
                if not tuning.keep:
                    rows = rows._replace(held=[], held_sets=[])
                logged[name] = backward(place, moved, rows, tuning, step)
            update(optimizer, tuning, step)
            log.append(logged)
            pause(scratch, parameters, optimizer, log)
            ticker.tick()
        place.serve({})
        return {
            name: _learned(moved, index, [entry[name] for entry in log]) for index, name in enumerate(names)
        }


class Stand(NamedTuple):
    """Where a training stands: z - 1 of each expert [expert, rank] by matrix, and what is learned and held."""

    place: AttachedSvf
    moved: Mapping[str, nn.Parameter]
    practices: Mapping[str, Practice]
    elsewhere: Mapping[str, Sequence[Pair]]


def draw_rows(rng: random.Random, model: LocalModel, stand: Stand, name: str, step: int) -> _Rows:
    """Return the rows of a skill's turn. Targets are each read under a set of their own; the model's own answers are
    all written under one set, and read under it."""
    names = list(stand.practices)
    practice, own = stand.practices[name], names.index(name)
    drawn = draw_set(rng, len(names), own)
    stand.place.serve({key: 1 + value.detach()[list(drawn)].sum(0) for key, value in stand.moved.items()})
    learned = draw_batch(model, practice, step)
    if practice.objective == "ce":
        by_place = {answer.place: draw_set(rng, len(names), own) for answer in learned}
        sets = [by_place[answer.place] for answer in learned]
    else:
        sets = [drawn] * len(learned)
    held, held_sets = [], []
    if stand.elsewhere:
        for _ in range(round(HELD * practice.batch)):
            task = rng.choice(list(stand.elsewhere))
            held.append(rng.choice(stand.elsewhere[task]))
            held_sets.append(draw_others(rng, names, task))
    return _Rows(learned, sets, held, held_sets)


def draw_set(rng: random.Random, count: int, own: int) -> Set:
    """Return a random set of experts in which `own` is."""
    return tuple(at for at in range(count) if at == own or rng.random() < BESIDE)


def draw_others(rng: random.Random, names: Sequence[str], task: str) -> Set:
    """Return a random set of experts, one at least where there is one, in which that of `task` is not."""
    others = [at for at, name in enumerate(names) if name != task]
    chosen = tuple(at for at in others if rng.random() < BESIDE)
    return chosen or (tuple(rng.sample(others, 1)) if others else ())


def backward(
    place: AttachedSvf, moved: Mapping[str, nn.Parameter], rows: _Rows, tuning: Tuning, step: int
) -> LogStep:
    """Add the gradient of the loss to `moved`; return what the step was like."""
    count, device = next(iter(moved.values())).shape[0], place.module.device
    sets = [[float(at in drawn) for at in range(count)] for drawn in (*rows.learned_sets, *rows.held_sets)]
    chosen = torch.tensor(sets, device=device)
    place.serve({name: 1 + chosen @ change for name, change in moved.items()})
    pairs = [*(answer.pair for answer in rows.learned), *rows.held]
    reading = read(place, pairs, tuning.kl > 0 or bool(rows.held))
    first = len(rows.learned)
    own = reading._replace(logprobs=reading.logprobs[:first], divergence=reading.divergence[:first])
    terms = learned_terms(own, rows.learned, tokens_of(rows.learned))
    keep = reading.divergence[first:].sum() / (sum(len(answer.answer) for answer in rows.held) or 1)
    ((terms.loss + tuning.kl * terms.kl + tuning.keep * keep) / count).backward()
    reward = sum(answer.reward for answer in rows.learned) / len(rows.learned)
    return LogStep(float(step), terms.loss.item(), reward, terms.kl.item(), keep.item())


def _learned(moved: Mapping[str, Tensor], index: int, log: list[LogStep]) -> Learned:
    weights = Weights({name: as_array(1 + change[index]) for name, change in moved.items()})
    return Learned(weights, sum(z.size for z in weights.values()), log)
