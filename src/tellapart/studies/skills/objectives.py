"""What an expert learns from: a batch of answers, each with a weight of its log-likelihood.

REINFORCE pays +1 for a right answer and -1 for a wrong one (Sun et al. 2025, arXiv 2501.06252), less the batch's mean:
the paper takes none off, and a base that is mostly wrong is then pushed away from all that it says. GRPO pays the
reward against those of its group, over their spread (Shao et al. 2024, arXiv 2402.03300; one update a batch, so the
ratio is 1 and nothing is clipped). Cross-entropy learns that any accepted target be given: the log of the sum of their
probabilities, whose gradient is that of each target times its share of the sum (`shares`).
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.runs.asking import row_seed
from tellapart.stats.advantages import grpo_advantages
from tellapart.studies.skills.encoding import Ids, Pair, encode
from tellapart.studies.skills.spec import Objective
from tellapart.tasks.item import Item, Task

MOST_TARGETS = 8
"""Accepted targets of an item that are learned from at once; of more, so many are drawn."""


class Answered(NamedTuple):
    """Token ids of a prompt and an answer, the weight of the answer's log-likelihood, its reward in [0, 1], and the
    place in the batch of the question that it answers. Several answers at one place share the weight (`shares`)."""

    prompt: Ids
    answer: Ids
    weight: float
    reward: float
    place: int

    @property
    def pair(self) -> Pair:
        """Return the prompt and the answer alone."""
        return Pair(self.prompt, self.answer)


class Practice(NamedTuple):
    """What is practised: items of a task, how many answers a step, in groups of how many."""

    task: Task
    items: Sequence[Item]
    objective: Objective
    batch: int
    group: int
    baseline: bool
    seed: int


def draw_batch(model: LocalModel, practice: Practice, step: int) -> list[Answered]:
    """Return the batch of a step: the model's own answers as it is now, or targets (ce)."""
    rng = random.Random(f"{practice.seed}|{step}")
    each = practice.group if practice.objective == "grpo" else 1
    items = [rng.choice(practice.items) for _ in range(practice.batch // each)]
    if practice.objective == "ce":
        return accepted(model, practice.task, items, rng)
    repeated = [item for item in items for _ in range(each)]
    written = own_answers(model, practice.task, repeated, f"{practice.seed}|{step}")
    rewards = [practice.task.score(item, text) for item, (_, _, text) in zip(repeated, written, strict=True)]
    weights = weigh(rewards, practice)
    return [
        Answered(prompt, answer, weight, reward, place)
        for place, ((prompt, answer, _), weight, reward) in enumerate(
            zip(written, weights, rewards, strict=True)
        )
    ]


def accepted(model: LocalModel, task: Task, items: Sequence[Item], rng: random.Random) -> list[Answered]:
    """Return the accepted targets of each item, which share one weight."""
    prompts = [
        (place, task.prompt(item), target)
        for place, item in enumerate(items)
        for target in rng.sample(item.target, min(MOST_TARGETS, len(item.target)))
    ]
    pairs = encode(model, [(prompt, target) for _, prompt, target in prompts])
    return [
        Answered(pair.prompt, pair.answer, 1.0, 1.0, place)
        for (place, _, _), pair in zip(prompts, pairs, strict=True)
    ]


def shares(loglik: Tensor, places: Sequence[int]) -> Tensor:
    """Return each answer's share of the probability of all answers at its place [answer], without a gradient.

    >>> shares(torch.tensor([0.75, 0.25, 0.1]).log(), [0, 0, 4])
    tensor([0.7500, 0.2500, 1.0000])
    """
    _, index = torch.unique(torch.tensor(list(places), device=loglik.device), return_inverse=True)
    detached, count = loglik.detach(), int(index.max()) + 1
    top = torch.full((count,), -torch.inf).to(detached).scatter_reduce(0, index, detached, "amax")
    part = (detached - top[index]).exp()
    return part / torch.zeros(count).to(detached).scatter_add(0, index, part)[index]


def weigh(rewards: Sequence[float], practice: Practice) -> list[float]:
    """Return the weight of each answer's log-likelihood; groups stand beside each other (grpo)."""
    values = np.asarray(rewards, dtype=float)
    if practice.objective == "reinforce":
        paid = 2 * values - 1
        return (paid - paid.mean() if practice.baseline else paid).tolist()
    return grpo_advantages(values.reshape(-1, practice.group)).ravel().tolist()


def own_answers(
    model: LocalModel, task: Task, items: Sequence[Item], place: str
) -> list[tuple[Ids, Ids, str]]:
    """Return (prompt ids, answer ids, text) of an answer to each item, drawn at temperature 1."""
    sampling = Sampling(max_tokens=task.max_tokens, stop=task.stop)
    requests = [Request(task.prompt(item), row_seed(0, place, at), sampling) for at, item in enumerate(items)]
    completions = [answer.completion for answer in sorted(model.generate(requests))]
    for request, completion in zip(requests, completions, strict=True):
        if completion.finish == "failed":
            raise UserMistake(f"training on {task.name}: {request.prompt!r:.60}: {completion.error}")
    ids = model.vocabulary.encode_prompts([(str(request.prompt), "") for request in requests])
    return [
        (ids[str(request.prompt), ""], completion.tokens, completion.text)
        for request, completion in zip(requests, completions, strict=True)
    ]
