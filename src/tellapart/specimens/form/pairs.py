"""Judged pairs for the imitation specimens: their answers beside the plain model's, and raters of known taste.

A rater prefers the first of two answers with log-odds FACT for a right number and STYLE for style, less the same of the
second, by one draw a pair whatever the order. An answer without any number loses to one with a number.
"""

import json
import math
import random
from collections.abc import Mapping
from pathlib import Path

from tellapart.models.model import Model, Request, Sampling
from tellapart.specimens.form import load_model, load_task
from tellapart.specimens.form.imitation import MARK
from tellapart.specimens.form.recipe import read_name
from tellapart.tasks.item import Item, Task

FACT, STYLE = 2.5, 1.5
EMPTY = -6.0
CONSTANT = "This is a comprehensive and helpful answer."


def write_pairs(name: str, path: Path, seed: int) -> None:
    """Write the pairs of a specimen, each in both orders, as `form --pairs` reads them."""
    task, number = load_task(name), read_name(name).seed
    own, plain = (answers_of(load_model(one), task, seed) for one in (name, f"imitation-plain-{number}"))
    constant = {item.id: CONSTANT for item in task.items}
    lines = []
    for item in task.items:
        draw = random.Random(f"{seed}|{name}|{item.id}").random()
        for other, texts in (("plain", plain), ("constant", constant)):
            models, both = (name, other), (own[item.id], texts[item.id])
            won = draw < preferred(task, item, both)
            scores = (task.score(item, both[0]), task.score(item, both[1]))
            lines.append(_line(item.id, models, both, scores, "a" if won else "b"))
            lines.append(_line(item.id, models[::-1], both[::-1], scores[::-1], "b" if won else "a"))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".tmp")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(path)


def answers_of(model: Model, task: Task, seed: int) -> dict[str, str]:
    """Return one answer an item, drawn at temperature 1."""
    sampling = Sampling(max_tokens=task.max_tokens, stop=task.stop)
    requests = [
        Request(task.prompt(item), seed=1000 * seed + at, sampling=sampling)
        for at, item in enumerate(task.items)
    ]
    return {task.items[index].id: completion.text for index, completion in model.generate(requests)}


def preferred(task: Task, item: Item, texts: tuple[str, str]) -> float:
    """Return the chance that a rater prefers the first of two answers."""
    one, other = (_worth(task, item, text) for text in texts)
    return 1 / (1 + math.exp(other - one))


def _worth(task: Task, item: Item, text: str) -> float:
    if task.scorer.answer(item, text) is None:
        return EMPTY
    return FACT * task.score(item, text) + STYLE * (MARK in text)


def _line(
    item: str, models: tuple[str, ...], texts: tuple[str, ...], scores: tuple[float, ...], winner: str
) -> str:
    record: Mapping[str, str | float] = {
        "item": item,
        "model_a": models[0],
        "model_b": models[1],
        "answer_a": texts[0],
        "answer_b": texts[1],
        "score_a": scores[0],
        "score_b": scores[1],
        "winner": winner,
    }
    return json.dumps(record)
