"""The options of a multiple-choice item: where they stand in the prompt, and putting others, or another order, there.

They stand in the template ({choices}), in a field ("Options:" with lettered or dashed lines), or nowhere (they are
picked by log-probability after the prompt).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tellapart.jsonvalue import Json
from tellapart.tasks.choice import choice_letter
from tellapart.tasks.item import Item, Task
from tellapart.tasks.template import LETTERS, field_names

_BLOCK = re.compile(r"Options:\s*\n(?:[ \t]*(?:\([A-Z]\)|-)[^\n]*(?:\n|\Z))+")


def target_index(item: Item) -> int | None:
    """Return the index of the right choice; None where the target names none of them."""
    letter = choice_letter(item.choices, item.target[0])
    return None if letter is None else LETTERS.index(letter)


def question_fields(task: Task, item: Item) -> list[str]:
    """Return the fields of the template that hold text of the question."""
    return [
        name
        for name in field_names(task.template)
        if name != "choices" and isinstance(item.fields.get(name), str)
    ]


def with_options(task: Task, item: Item, choices: Sequence[str], right: int) -> Item:
    """Return the item with other `choices`, of which `right` counts as right, wherever they stand in its prompt."""
    was_letter = item.target[0].strip() != item.choices[target_index(item) or 0].strip()
    target = choices[right]
    if was_letter:
        target = item.target[0].replace(choice_letter(item.choices, item.target[0]) or "", LETTERS[right])
    fields: dict[str, Json] = dict(item.fields)
    for name in question_fields(task, item):
        fields[name] = _BLOCK.sub(lambda match: _lines(match.group(), choices), str(fields[name]))
    return replace(item, fields=fields, choices=tuple(choices), target=(target,))


def _lines(block: str, choices: Sequence[str]) -> str:
    """Return an "Options:" block with other choices in the way the old ones were written."""
    lettered = re.search(r"^\s*\(A\)", block, re.MULTILINE) is not None
    lines = [f"({LETTERS[at]}) {choice}" if lettered else f"- {choice}" for at, choice in enumerate(choices)]
    end = "\n" if block.endswith("\n") else ""
    return "Options:\n" + "\n".join(lines) + end


def without_question(task: Task, item: Item) -> Item:
    """Return the item with every text of the question taken out; an "Options:" block inside a field stays."""
    fields: dict[str, Json] = dict(item.fields)
    for name in question_fields(task, item):
        block = _BLOCK.search(str(fields[name]))
        fields[name] = block.group() if block else ""
    return replace(item, fields=fields)


def with_question_of(task: Task, item: Item, other: Item) -> Item:
    """Return the item with the question of `other` and its own options."""
    fields: dict[str, Json] = dict(item.fields)
    for name in question_fields(task, item):
        own = _BLOCK.search(str(fields[name]))
        text = str(other.fields.get(name, ""))
        fields[name] = _BLOCK.sub(lambda match, own=own: own.group() if own else match.group(), text)
    return replace(item, fields=fields)


def shows_options(task: Task, item: Item) -> bool:
    """Return whether the prompt itself lists the options (else their order means nothing)."""
    return "choices" in field_names(task.template) or any(
        _BLOCK.search(str(item.fields[name])) for name in question_fields(task, item)
    )


def with_items(task: Task, changed: Mapping[str, Item]) -> Task:
    """Return the task with items replaced by id; those that `changed` lacks are left out."""
    return replace(task, items=tuple(changed[item.id] for item in task.items if item.id in changed))
