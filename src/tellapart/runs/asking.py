"""What is asked of a model, elicited or plain: items of a task, some samples of each, each with a seed of its own."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tellapart.models.model import Completion, Model, Request, Sampling
from tellapart.models.picking import answers_of
from tellapart.runs.progress import count_answer
from tellapart.tasks.choice import ChoiceLogprob, continuations
from tellapart.tasks.item import Item, Task


class Pair(NamedTuple):
    """The model that is elicited, and the tuned one where the method may ask it (routing)."""

    base: Model
    tuned: Model | None = None


class Ask(NamedTuple):
    """What is asked of an elicited model: `samples` answers to each item, drawn by `sampling`.

    `scratch` is a folder in which a long fit keeps its checkpoints, so that it goes on after a kill (None: none).
    `held` names (item id, sample) of answers that are there already.
    """

    task: Task
    items: Sequence[Item]
    samples: int
    seed: int
    sampling: Sampling
    scratch: Path | None = None
    held: frozenset[tuple[str, int]] = frozenset()


class Elicitation(NamedTuple):
    """One answer of an elicited model. `item` indexes Ask.items; `bits` were supplied for this answer alone."""

    item: int
    sample: int
    prompt: str
    completion: Completion
    bits: float = 0.0
    measures: Mapping[str, float] = {}


def generate(model: Model, rows: Sequence[tuple[int, int, Request]]) -> Iterator[Elicitation]:
    """Put (item index, sample, request) rows to `model` and yield their answers as they are finished."""
    for index, completion in answers_of(model, [request for _, _, request in rows]):
        count_answer()
        item, sample, request = rows[index]
        thought = completion.reasoning_tokens
        measures = {} if thought is None else {"reasoning_tokens": float(thought)}
        yield Elicitation(item, sample, whole_prompt(request), completion, measures=measures)


asked = generate
"""The name of `generate` before; planting, the arm of few labels and older methods of others import it."""


def whole_prompt(request: Request) -> str:
    """Return all that the model reads before it writes, chat template apart: every turn, and the answer's opener."""
    return f"{request.prompt}{request.prefill}"


def plain_requests(ask: Ask) -> Iterator[tuple[int, int, Request]]:
    """Yield (item index, sample, request) of every answer that is not held, for plain sampling; seeds differ by item
    and sample. Where the task picks answers by log-probability the request lists the item's choices."""
    scorer = ask.task.scorer
    for index, item in enumerate(ask.items):
        prompt = ask.task.prompt(item)
        for sample in range(ask.samples):
            if (item.id, sample) in ask.held:
                continue
            request = Request(prompt, row_seed(ask.seed, item.id, sample), ask.sampling)
            if isinstance(scorer, ChoiceLogprob):
                request = replace(request, choices=continuations(item), normalise=scorer.normalise)
            yield index, sample, request


def row_seed(seed: int, item: str, sample: int) -> int:
    """Return the 63-bit seed of one row: a hash, so that it depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}|{item}|{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
