"""Critiques of the base's own answers, to train on: from the task's critic or checkers, a file, or another model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import InvalidInput, NotApplicable
from tellapart.models.model import Model, Request, Sampling
from tellapart.runs.asking import Ask, generate, plain_requests, row_seed
from tellapart.tasks.item import Item, Task
from tellapart.training.settings import Example

JUDGING = (
    "Question:\n{question}\n\nProposed answer:\n{answer}\n\nCheck the answer step by step. Say whether it is right, "
    "and if not, where the first mistake is.\n"
)
CRITIC_TOKENS = 512
VERDICTS = {
    ("valid", True): "The steps are right, and so is the answer.",
    ("valid", False): "The steps are right, but the answer is wrong.",
    ("invalid", True): "The answer is right, but a step is wrong.",
    ("invalid", False): "A step is wrong, and so is the answer.",
    ("absent", True): "There are no steps; the answer is right.",
    ("absent", False): "There are no steps; the answer is wrong.",
}


class Candidate(NamedTuple):
    """An answer to be judged."""

    item: Item
    text: str


def candidates(model: Model, ask: Ask, draws: int) -> list[Candidate]:
    """Return the model's own answers to the fit items, `draws` each, no answer twice."""
    rows = list(plain_requests(ask._replace(samples=draws)))
    answers = sorted(generate(model, rows), key=lambda answer: (answer.item, answer.sample))
    whole = [
        answer for answer in answers if answer.completion.finish == "stop" and answer.completion.text.strip()
    ]
    texts = dict.fromkeys((answer.item, answer.completion.text) for answer in whole)
    return [Candidate(ask.items[item], text) for item, text in texts]


def question(task: Task, candidate: Candidate) -> str:
    """Return the prompt that asks for a critique."""
    asked_of = task.critique_template.replace("{question}", task.prompt(candidate.item), 1)
    head, _, tail = asked_of.rpartition("{answer}")
    return f"{head}{candidate.text}{tail}"


def judged_by_task(task: Task, judged: Sequence[Candidate]) -> list[Example]:
    """Return critiques by the task's critic; where it has none a worded verdict of its step checker and scorer."""
    return [Example(question(task, candidate), verdict(task, candidate)) for candidate in judged]


def verdict(task: Task, candidate: Candidate) -> str:
    """Return the task's critique of an answer."""
    if task.critic is not None:
        return task.critic(candidate.item, candidate.text)
    right = task.score(candidate.item, candidate.text) == 1
    if task.steps is None:
        return "The answer is right." if right else "The answer is wrong."
    return VERDICTS[task.steps(candidate.item, candidate.text), right]


def judge_of(task: Task) -> str:
    """Return who writes the critiques of a task."""
    return "critic" if task.critic is not None else "step checker" if task.steps is not None else "scorer"


def judged_by_model(judge: Model, task: Task, judged: Sequence[Candidate], seed: int) -> list[Example]:
    """Return critiques written by another model, greedily. Raises UserMistake where it wrote none."""
    sampling = Sampling(temperature=0.0, max_tokens=CRITIC_TOKENS)
    requests = [
        Request(
            JUDGING.replace("{answer}", candidate.text).replace("{question}", task.prompt(candidate.item)),
            row_seed(seed, candidate.item.id, index),
            sampling,
        )
        for index, candidate in enumerate(judged)
    ]
    answers = sorted(judge.generate(requests))
    written = [
        Example(question(task, candidate), answer.completion.text.strip())
        for candidate, answer in zip(judged, answers, strict=True)
        if answer.completion.finish != "failed" and answer.completion.text.strip()
    ]
    if not written:
        error = answers[0].completion.error if answers else "nothing was asked"
        raise NotApplicable(f"{judge.reference} wrote no critique: {error or 'its answers are empty'}")
    return written


def read_critiques(path: Path, task: Task, items: Sequence[Item]) -> list[Example]:
    """Return the critiques in a file of JSON lines with `item` (its id), `answer` and `critique`, those of `items`
    only. Raises UserMistake, naming the line, where it is no such file, or where none is of these items."""
    by_id = {item.id: item for item in items}
    examples = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"critiques {path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            item, answer, critique = (row[name] for name in ("item", "answer", "critique"))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"{path}:{number}: give item, answer and critique as one JSON object"
            ) from error
        if not all(isinstance(text, str) and text for text in (item, answer, critique)):
            raise InvalidInput(f"{path}:{number}: item, answer and critique must be texts that are not empty")
        if item in by_id:
            examples.append(Example(question(task, Candidate(by_id[item], answer)), critique))
    if not examples:
        raise InvalidInput(f"{path} holds no critique of a fit item of {task.name}: check its item ids")
    return examples
