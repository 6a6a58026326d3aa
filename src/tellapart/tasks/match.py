"""The base of scorers that find one answer in a completion and compare it with the accepted targets."""

import abc
from dataclasses import dataclass

from tellapart.tasks.item import Item, Scorer
from tellapart.tasks.reasoning import answered


@dataclass(frozen=True)
class Matched(Scorer):
    """Finds an answer, brings it into canonical form, and scores 1 where a target has the same form.

    Several accepted targets are not merged into one answer: a majority vote must not see the targets.
    """

    @abc.abstractmethod
    def extract(self, item: Item, completion: str) -> str | None:
        """Return the raw text of the answer in `completion`; None where there is none."""

    @abc.abstractmethod
    def canonical(self, item: Item, text: str) -> str | None:
        """Return the canonical form of an answer already found; None where `text` is no answer at all."""

    def answer(self, item: Item, completion: str) -> str | None:
        """Return the canonical form of the answer in `completion`, reasoning between <think> and </think> left out."""
        extracted = self.extract(item, answered(completion))
        return None if extracted is None else self.canonical(item, extracted)

    def score(self, item: Item, completion: str) -> float:
        """Return 1.0 where the answer is an accepted target, 0.0 where not or where there is none."""
        answer = self.answer(item, completion)
        return float(answer is not None and any(answer == self.canonical(item, text) for text in item.target))
