"""Train a change on a task: the objective's log-likelihoods, and two KL divergences from the base.

    learned = learn(model, Svf(), practice, others, Tuning(steps=150, rate=0.03, kl=0.02, keep=1.0))

One KL is on the answers that are learned from (the paper's). The other is on the base's own answers to other tasks'
prompts, so that what the change brings to one task it leaves alone in the others (after Li & Hoiem 2016, arXiv
1606.09282, who keep a network's outputs on old tasks). `keep=0` leaves it out: the paper has no such term. Both are
KL(changed || base) over the whole vocabulary, averaged over the answers' tokens.
"""

import random
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.runs.progress import ticking
from tellapart.studies.skills.encoding import Pair
from tellapart.studies.skills.objectives import Answered, Practice, draw_batch, shares
from tellapart.studies.skills.paused import LogStep, pause, resume
from tellapart.training.change import Attached, Change, attached
from tellapart.training.schedule import share_of_peak

ROWS_AT_ONCE = 64
WARMUP = 5
CLIP = 1.0


class Tuning(NamedTuple):
    """Updates, AdamW's rate at its peak (a cosine after WARMUP steps), and the weights of both KL terms."""

    steps: int
    rate: float
    kl: float
    keep: float


class Course(NamedTuple):
    """What a training is called while it goes on, and where it is kept for going on after a kill (None: nowhere)."""

    title: str
    scratch: Path | None = None


UNNAMED = Course("training")


class Learned(NamedTuple):
    """The change, how many numbers it has, and its log."""

    weights: Weights
    numbers: int
    log: Sequence[LogStep]


def learn(
    model: LocalModel,
    change: Change,
    practice: Practice,
    others: Sequence[Pair],
    tuning: Tuning,
    course: Course = UNNAMED,
) -> Learned:
    """Train `change` and return it; the model is as before afterwards. `others` are the base's answers elsewhere."""
    with attached(model, change) as place, ticking(course.title, tuning.steps) as ticker:
        parameters = list(place.parameters.values())
        optimizer = torch.optim.AdamW(parameters, lr=tuning.rate, weight_decay=0.0)
        log = resume(course.scratch, parameters, optimizer, LogStep)
        ticker.tick(len(log))
        for step in range(len(log), tuning.steps):
            batch = draw_batch(model, practice, step)
            rng = random.Random(f"{practice.seed}|kept|{step}")
            kept = rng.choices(others, k=len(batch)) if others and tuning.keep else []
            learned = backward(place, batch, kept, tuning, step)
            update(optimizer, tuning, step)
            log.append(learned)
            pause(course.scratch, parameters, optimizer, log)
            ticker.tick()
        return Learned(place.weights(), place.count, log)


def update(optimizer: torch.optim.Optimizer, tuning: Tuning, step: int) -> None:
    """Step along the gradients, clipped, at the rate of the step."""
    (group,) = optimizer.param_groups
    torch.nn.utils.clip_grad_norm_(group["params"], CLIP)
    group["lr"] = tuning.rate * share_of_peak(step, tuning.steps, WARMUP)
    optimizer.step()
    optimizer.zero_grad()


def backward(
    place: Attached, batch: Sequence[Answered], kept: Sequence[Pair], tuning: Tuning, step: int
) -> LogStep:
    """Add the gradient of the loss to the parameters; return what the step was like."""
    tokens = tokens_of(batch)
    loss = kl = keep = 0.0
    for part in whole_places(batch, ROWS_AT_ONCE):
        reading = read(place, [answer.pair for answer in part], tuning.kl > 0)
        terms = learned_terms(reading, part, tokens)
        (terms.loss + tuning.kl * terms.kl).backward()
        loss, kl = loss + terms.loss.item(), kl + terms.kl.item()
    others = sum(len(kept_answer.answer) for kept_answer in kept) or 1
    for first in range(0, len(kept), ROWS_AT_ONCE):
        reading = read(place, kept[first : first + ROWS_AT_ONCE], True)
        (tuning.keep * reading.divergence.sum() / others).backward()
        keep += reading.divergence.sum().item() / others
    reward = sum(answer.reward for answer in batch) / max(1, len(batch))
    return LogStep(float(step), loss, reward, kl, keep)


def tokens_of(batch: Sequence[Answered]) -> float:
    """Return the tokens of a batch's answers, of several at a place the mean."""
    lengths = [
        [len(answer.answer) for answer in rows] for _, rows in groupby(batch, key=lambda answer: answer.place)
    ]
    return sum(sum(lengths_here) / len(lengths_here) for lengths_here in lengths) or 1.0


def whole_places(batch: Sequence[Answered], rows: int) -> list[list[Answered]]:
    """Return the batch in parts of at most `rows` answers, all answers at a place in one part."""
    parts: list[list[Answered]] = []
    for _, answers in groupby(batch, key=lambda answer: answer.place):
        together = list(answers)
        if not parts or len(parts[-1]) + len(together) > rows:
            parts.append([])
        parts[-1] += together
    return parts


class Terms(NamedTuple):
    """Scalars with a gradient, both a token: the objective's loss, and KL(changed || base)."""

    loss: Tensor
    kl: Tensor


def learned_terms(reading: "AnswerLogprobs", batch: Sequence[Answered], tokens: float) -> Terms:
    """Return what is lowered on answers to learn from."""
    loglik = reading.logprobs.sum(1)
    part = shares(loglik, [answer.place for answer in batch])
    weights = part * torch.tensor([answer.weight for answer in batch], device=part.device)
    return Terms(-(loglik * weights).sum() / tokens, (reading.divergence.sum(1) * part).sum() / tokens)


class AnswerLogprobs(NamedTuple):
    """Both [row, position]: log-probabilities of the answers' tokens and KL(changed || base), 0 beside answers."""

    logprobs: Tensor
    divergence: Tensor


def read(place: Attached, pairs: Sequence[Pair], divergence: bool) -> AnswerLogprobs:
    """Return both of each pair; the divergence only where asked for (else zeros)."""
    width = max(len(pair.prompt) + len(pair.answer) for pair in pairs)
    ids = [
        [*pair.prompt, *pair.answer, *[0] * (width - len(pair.prompt) - len(pair.answer))] for pair in pairs
    ]
    given = torch.tensor(ids, device=place.module.device)
    positions = torch.arange(width - 1, device=given.device)[None, :]
    begin = torch.tensor([len(pair.prompt) - 1 for pair in pairs], device=given.device)[:, None]
    end = begin + torch.tensor([len(pair.answer) for pair in pairs], device=given.device)[:, None]
    inside = (positions >= begin) & (positions < end)
    logs = place.module(input_ids=given[:, :-1], use_cache=False).logits.float().log_softmax(-1)
    logprobs = logs.gather(-1, given[:, 1:, None])[..., 0] * inside
    if not divergence:
        return AnswerLogprobs(logprobs, torch.zeros_like(logprobs))
    with place.without(), torch.no_grad():
        plain = place.module(input_ids=given[:, :-1], use_cache=False).logits.float().log_softmax(-1)
    return AnswerLogprobs(logprobs, (logs.exp() * (logs - plain)).sum(-1) * inside)
