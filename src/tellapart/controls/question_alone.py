"""The ends of the knowledge family: the text as it is, its question alone, the premises of another item, and the same
text one sentence a line."""

import abc
from collections.abc import Callable
from typing import ClassVar, final

from tellapart.controls.audit import AuditLine, Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.exemplars import drawing
from tellapart.controls.premises import Text, rewritten, text_of, too_few_able
from tellapart.controls.role import Role
from tellapart.tasks.item import Item


class _Plain(Control):
    """An arm that can be made of every item with two premises."""

    family: ClassVar[str] = "knowledge"
    source: ClassVar[str] = "baseline of the family"

    @abc.abstractmethod
    def changed(self, given: Given) -> Callable[[Item, Text], Text | None]:
        """Return what is done to a text."""

    def make(self, given: Given) -> Made:
        """Return the task with its texts changed."""
        return rewritten(given, self.changed(given))

    def obstacle(self, given: Given) -> str | None:
        """Return why not: too few items with two premises before a question, on one line."""
        return too_few_able(given, self.make(given), "have two sentences before their question")


@final
class WholeText(_Plain):
    """Premises and question."""

    name: ClassVar[str] = "whole_text"
    role: ClassVar[Role] = "full"
    kept: ClassVar[str] = "premises and question"
    removed: ClassVar[str] = "nothing"

    def changed(self, given: Given) -> Callable[[Item, Text], Text | None]:
        """Return the text as it is."""
        return lambda item, text: text


@final
class QuestionAlone(_Plain):
    """The question without any premise: what is known by heart, or guessed."""

    name: ClassVar[str] = "question_alone"
    role: ClassVar[Role] = "base"
    kept: ClassVar[str] = "the last sentence"
    removed: ClassVar[str] = "all premises"

    def changed(self, given: Given) -> Callable[[Item, Text], Text | None]:
        """Return the question only."""
        return lambda item, text: text._replace(premises=())


@final
class OneSentenceALine(_Plain):
    """The same text, one sentence a line: the second valid form."""

    name: ClassVar[str] = "one_sentence_a_line"
    role: ClassVar[Role] = "second form"
    kept: ClassVar[str] = "every sentence, their order"
    removed: ClassVar[str] = "only the layout"
    ruler: ClassVar[Ruler] = Ruler(exact=("words", "characters", "numbers"), within=())

    def changed(self, given: Given) -> Callable[[Item, Text], Text | None]:
        """Return the text with line breaks for spaces between sentences."""
        return lambda item, text: Text(text.field, (), "\n".join((*text.premises, text.question)))


@final
class OtherPremises(_Plain):
    """The premises of another item before this item's question: the positive control."""

    name: ClassVar[str] = "other_premises"
    role: ClassVar[Role] = "destroyed"
    kept: ClassVar[str] = "premises of the same kind, the question"
    removed: ClassVar[str] = "that they belong together"

    def changed(self, given: Given) -> Callable[[Item, Text], Text | None]:
        """Return the question after premises drawn from another item."""
        rng = drawing(given, self.name)
        every = {
            item.id: text for item in given.task.items if (text := text_of(given.task, item)) is not None
        }

        def change(item: Item, text: Text) -> Text | None:
            others = [
                other for name, other in every.items() if name != item.id and other.premises != text.premises
            ]
            return text._replace(premises=rng.choice(others).premises) if others else None

        return change

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return nothing: other premises have another length."""
        return ()
