"""The ladder's first rung: a task's items under the program that it names, in the shape of a model."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from tellapart.errors import InvalidInput, UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.rasp.language import SEP
from tellapart.rasp.programs import Program, Tokens, named
from tellapart.tasks.item import Item, Task

RUN = 2_000
"""Inputs that the compiled network is run on at most, beside a study that is asked for something else."""


class ExpressibleRung(TypedDict, total=False):
    """What a shape can do on a task's items, as JSON: the program, whether it holds it (yes, no, not known) and by
    what, the score where the answer is yes; or what is missing."""

    program: str
    answer: str
    by: str
    score: float | None
    missing: str


class Read(NamedTuple):
    """A task's items as a program's inputs, the longest one's length, and the share that the program answers right."""

    program: Program
    length: int
    score: float


def read_items(task: Task, items: Sequence[Item]) -> Read:
    """Return the items read by the task's program. The prompt is the input and SEP, white space aside; the answer is
    put to the task's scorer as characters side by side.

    Raises InvalidInput where the task names no program, where a prompt is no input of it, or where it gives no item's
    target."""
    if not task.program:
        raise InvalidInput(
            f'{task.name} names no program: add program = "NAME" to its .toml (docs/expressible.md)'
        )
    program = named(task.program)
    inputs = [input_of(program, task, item) for item in items]
    right = sum(
        task.scorer.score(item, "".join(program.answer(tokens)))
        for item, tokens in zip(items, inputs, strict=True)
    )
    if not right:
        raise InvalidInput(
            f"program {program.name} gives the target of none of the {len(items)} items of {task.name}"
        )
    return Read(program, max(map(len, inputs)), right / len(items))


def input_of(program: Program, task: Task, item: Item) -> Tokens:
    """Return an item's prompt as the program's input. Raises InvalidInput where it is none."""
    text = "".join(task.prompt(item).split())
    tokens = tuple(text.removesuffix(SEP))
    if not text.endswith(SEP) or not program.defined_on(tokens):
        raise InvalidInput(
            f"item {item.id}: {text[:60]!r} is no input of program {program.name}: it asks for {program.asks}, of "
            f"characters among {program.inputs!r}, with {SEP!r} at the end"
        )
    return tokens


def rung(task: Task, items: Sequence[Item], config: JsonObject) -> ExpressibleRung:
    """Return what the shape of `config` can do on `items`: {"program", "answer" (yes, no, not known), "by", "score"},
    the score None unless the answer is yes; {"program", "missing"} where program and items or shape do not go together.
    """
    from tellapart.rasp.certificate import certify

    try:
        read = read_items(task, items)
        certificate = certify(read.program, read.length, config, most=RUN)
    except UserMistake as mistake:
        return {"program": task.program, "missing": str(mistake)}
    return {
        "program": read.program.name,
        "answer": certificate.answer,
        "by": certificate.by,
        "score": read.score if certificate.answer == "yes" else None,
    }
