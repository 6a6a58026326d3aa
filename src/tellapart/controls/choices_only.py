"""Choices only: the question is taken away, the options stay (Poliak et al. 2018; Balepur et al. 2024, 2402.12483).

A model that still finds the right option reads the options' form: length, wording, what a right answer looks like.
"""

import random
from collections.abc import Callable
from typing import ClassVar, final

from tellapart.controls.audit import AuditLine, Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.exemplars import drawing
from tellapart.controls.options import (
    question_fields,
    shows_options,
    target_index,
    with_items,
    with_options,
    with_question_of,
    without_question,
)
from tellapart.controls.role import Role
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item

SOURCE = "Balepur et al. 2024, arXiv 2402.12483; Poliak et al. 2018, arXiv 1805.01042"


class _Choices(Control):
    """An arm of the family; every item must list its choices and name the right one."""

    family: ClassVar[str] = "choices"
    source: ClassVar[str] = SOURCE

    def obstacle(self, given: Given) -> str | None:
        """Return why not: items without choices, or whose target is none of them."""
        task = given.task
        listed = sum(bool(item.choices) for item in task.items)
        if listed < len(task.items):
            return f"{len(task.items) - listed} of {len(task.items)} items list no choices"
        if any(target_index(item) is None for item in task.items):
            return "the target of some item is none of its choices"
        if not all(question_fields(task, item) for item in task.items):
            return "no text field of the template could be taken out"
        return None

    def changed(self, given: Given, change: Callable[[Item, random.Random], Item]) -> Made:
        """Return the task with every item changed; the audited texts are the options, which must stay."""
        rng = drawing(given, self.name)
        items = {item.id: change(item, rng) for item in given.task.items}
        task = fingerprinted(with_items(given.task, items))
        example = task.prompt(task.items[0])
        return Made(task, tuple("\n".join(sorted(item.choices)) for item in task.items), example=example)


@final
class WholeQuestion(_Choices):
    """The task as it is."""

    name: ClassVar[str] = "whole_question"
    role: ClassVar[Role] = "full"
    kept: ClassVar[str] = "question and options"
    removed: ClassVar[str] = "nothing"

    def make(self, given: Given) -> Made:
        """Return the task."""
        return self.changed(given, lambda item, rng: item)


@final
class ChoicesOnly(_Choices):
    """The options without the question."""

    name: ClassVar[str] = "choices_only"
    role: ClassVar[Role] = "form"
    decides: ClassVar[bool] = True
    kept: ClassVar[str] = "the options, in their order"
    removed: ClassVar[str] = "the question"
    ruler: ClassVar[Ruler] = Ruler(exact=("characters",), within=())

    def make(self, given: Given) -> Made:
        """Return the task without its questions."""
        return self.changed(given, lambda item, rng: without_question(given.task, item))


@final
class OtherOrder(_Choices):
    """The same question and options, the options rotated by a step drawn for each item."""

    name: ClassVar[str] = "other_order"
    role: ClassVar[Role] = "second form"
    kept: ClassVar[str] = "question and options"
    removed: ClassVar[str] = "only the order of the options"
    source: ClassVar[str] = (
        "Zheng et al. 2024 (PriDe), arXiv 2309.03882; Pezeshkpour & Hruschka 2023, 2308.11483"
    )
    ruler: ClassVar[Ruler] = Ruler(exact=("characters",), within=())

    def make(self, given: Given) -> Made:
        """Return the task with rotated options."""
        return self.changed(given, lambda item, rng: _rotated(given, item, rng))

    def obstacle(self, given: Given) -> str | None:
        """Return why not; also where the prompt does not list the options, so that they have no order."""
        if reason := super().obstacle(given):
            return reason
        if not all(shows_options(given.task, item) for item in given.task.items):
            return "the prompt does not list the options: they have no order"
        return None


@final
class NothingOfTheItem(_Choices):
    """No question, and the options of another item: what position and options as such give."""

    name: ClassVar[str] = "nothing"
    role: ClassVar[Role] = "base"
    kept: ClassVar[str] = "the layout, as many options, which of them counts as right"
    removed: ClassVar[str] = "question and options"

    def make(self, given: Given) -> Made:
        """Return the task without questions, with the options of other items."""
        return self.changed(
            given, lambda item, rng: without_question(given.task, _with_others(given, item, rng))
        )


@final
class OtherQuestion(_Choices):
    """Question and options of two other items: the positive control."""

    name: ClassVar[str] = "other_question"
    role: ClassVar[Role] = "destroyed"
    kept: ClassVar[str] = "a question and options of the same kind"
    removed: ClassVar[str] = "that they belong to each other or to the answer"

    def make(self, given: Given) -> Made:
        """Return the task with questions and options of other items."""

        def change(item: Item, rng: random.Random) -> Item:
            other = _drawn(given, item, rng, 0)
            return with_question_of(given.task, _with_others(given, item, rng), other)

        return self.changed(given, change)

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return nothing: the options of another item have another length."""
        return ()


def _rotated(given: Given, item: Item, rng: random.Random) -> Item:
    count, right = len(item.choices), target_index(item)
    assert right is not None
    turn = rng.randrange(1, count)
    choices = [item.choices[(at + turn) % count] for at in range(count)]
    return with_options(given.task, item, choices, (right - turn) % count)


def _with_others(given: Given, item: Item, rng: random.Random) -> Item:
    """Return the item with the options of another item; which place counts as right is drawn by the item itself."""
    other = _drawn(given, item, rng, len(item.choices))
    right = target_index(item)
    assert right is not None
    return with_options(given.task, item, other.choices, right)


def _drawn(given: Given, item: Item, rng: random.Random, count: int) -> Item:
    """Return another item, one with `count` choices where there is one (0: any)."""
    others = [
        candidate
        for candidate in given.task.items
        if candidate.id != item.id and (not count or len(candidate.choices) == count)
    ]
    return rng.choice(others) if others else item
