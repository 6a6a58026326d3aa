"""The text of a question as premises and the question itself, and putting changed ones into the prompt."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from tellapart.controls.control import Given, Made
from tellapart.jsonvalue import Json
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.template import field_names

LEAST_PREMISES = 2
LEAST_SHARE = 0.2
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\[$0-9])")
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")


class Text(NamedTuple):
    """The item's longest text field: its name, what stands before the question's last sentence, and that sentence."""

    field: str
    premises: tuple[str, ...]
    question: str

    def written(self) -> str:
        """Return the text with one space between sentences."""
        return " ".join((*self.premises, self.question))


def text_of(task: Task, item: Item) -> Text | None:
    """Return the item's text in sentences; None where it has no two premises before the question."""
    names = [name for name in field_names(task.template) if isinstance(item.fields.get(name), str)]
    if not names:
        return None
    field = max(names, key=lambda name: len(str(item.fields[name])))
    text = str(item.fields[field]).strip()
    if "\n" in text:
        return None
    sentences = SENTENCE.split(text)
    if len(sentences) <= LEAST_PREMISES:
        return None
    return Text(field, tuple(sentences[:-1]), sentences[-1])


def rewritten(given: Given, change: Callable[[Item, Text], Text | None]) -> Made:
    """Return the task with every text changed; items for which `change` returns None are left out.

    The audited form is the text itself, against the text as it was.
    """
    kept, form, reference = [], [], []
    for item in given.task.items:
        text = text_of(given.task, item)
        changed = None if text is None else change(item, text)
        if text is None or changed is None:
            continue
        fields: dict[str, Json] = {**item.fields, text.field: changed.written()}
        kept.append(replace(item, fields=fields))
        form.append(changed.written())
        reference.append(text.written())
    task = fingerprinted(replace(given.task, items=tuple(kept)))
    return Made(task, tuple(form), tuple(reference), example=form[0] if form else "")


def too_few_able(given: Given, made: Made, what: str) -> str | None:
    """Return why an arm is not worth running: fewer than LEAST_SHARE of the items (or 2) could be made."""
    able, total = len(made.task.items), len(given.task.items)
    if able >= max(2, LEAST_SHARE * total):
        return None
    return f"{able} of {total} items {what}: too few"
