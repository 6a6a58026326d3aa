"""The instruction of a task: the words of its template before the first field; and putting another one there."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tellapart.controls.control import Given, Made
from tellapart.elicit.prompted import demonstrated, next_question
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Task
from tellapart.tasks.template import parse

LEAST_WORDS = 3
MOST_LABELS = 26
INSTRUCTION_FIELDS = ("instruction", "definition")
_LAST_BREAK = re.compile(r"\n\s*\n(?=[^\n]*\Z)|\n(?=[^\n]*\Z)")


class Instruction(NamedTuple):
    """`text` is the instruction; `rest` is the template after it, with the break between them."""

    text: str
    rest: str


def instruction_of(task: Task) -> Instruction | None:
    """Return the instruction: what stands before the last line break before the first field; None for fewer than
    LEAST_WORDS words."""
    literal = ""
    for piece in parse(task.template):
        if piece.name:
            break
        literal += piece.text
    ends = list(_LAST_BREAK.finditer(literal))
    text = literal[: ends[-1].start()] if ends else ""
    if len(text.split()) < LEAST_WORDS:
        return None
    escaped = text.replace("{", "{{").replace("}", "}}")
    return Instruction(text, task.template[len(escaped) :])


def instruction_field(task: Task) -> str | None:
    """Return the field that holds each item's own instruction: the template begins with it; None where it does not."""
    first = parse(task.template)[0]
    return first.name if first.name in INSTRUCTION_FIELDS else None


def labels_of(task: Task) -> tuple[str, ...]:
    """Return the answers that occur as targets, sorted, where they are few enough to be a label space; else none."""
    every = sorted({item.target[0] for item in task.items})
    return tuple(every) if 2 <= len(every) <= min(MOST_LABELS, max(2, len(task.items) // 2)) else ()


def no_instruction(given: Given) -> str | None:
    """Return why the family cannot run: the template has no instruction, or the answers are no label space."""
    if instruction_of(given.task) is None:
        return "the template has no instruction before the first field"
    if not labels_of(given.task):
        return "the targets are no label space (2 to 26 different answers)"
    return None


def instructed(given: Given, text: str, examples: Sequence[tuple[str, str]] = ()) -> Made:
    """Return the task under another instruction (empty: none), with (question, answer) examples after it."""
    original = instruction_of(given.task)
    assert original is not None
    escaped = text.replace("{", "{{").replace("}", "}}")
    rest = original.rest if text else original.rest.lstrip("\n")
    lead = rest[: len(rest) - len(rest.lstrip("\n"))]
    shown = demonstrated(examples).replace("{", "{{").replace("}", "}}")
    template = f"{escaped}{lead}{shown}{rest[len(lead) :]}"
    stop = (*given.task.stop, *(next_question(examples) if examples else ()))
    task = replace(given.task, template=template, stop=tuple(dict.fromkeys(stop)), demonstrations=(),
                   step_demonstrations=())  # fmt: skip
    return Made(fingerprinted(task), (text,) if text else (), example=f"{text}{lead}{shown}".strip())


def bare_examples(given: Given) -> list[tuple[str, str]]:
    """Return the task's directly answered demonstrations without the instruction in front of each."""
    original = instruction_of(given.task)
    text = original.text if original else ""
    return [
        (prompt.removeprefix(text).lstrip("\n"), answer)
        for prompt, answer in given.task.demonstrations[: given.exemplars]
    ]
