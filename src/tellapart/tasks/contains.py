"""The scorer `contains`: an accepted answer stands in the completion as whole words, and the completion is no list.

>>> Contains().score(Item("1", {}, ("Paris",)), "The capital of France is **paris**."), Contains().score(
...     Item("1", {}, ("Paris",)), "A parisian town")
(1.0, 0.0)
"""

from dataclasses import dataclass
from functools import lru_cache

from tellapart.tasks.choice import choice_letter
from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched
from tellapart.tasks.template import LETTERS
from tellapart.tasks.words import Words, find, phrase, words

MOST_OTHERS = 2
"""An answer that names more wrong candidates than these (of an open space) beside the right one is a list."""


@dataclass(frozen=True)
class Contains(Matched):
    """An accepted answer stands in the completion as whole words, blind to case, punctuation, white space and
    Unicode form; "not Paris" does not name it.

    A completion that lists candidates gives no answer: another of the item's choices, or more than MOST_OTHERS of
    `others` (in a task file: the targets of the other items) that do not stand in the question.
    """

    others: tuple[str, ...] = ()
    name = "contains"

    def extract(self, item: Item, completion: str) -> str | None:
        return None if self._listed(item, self._named(item, completion)) else completion

    def canonical(self, item: Item, text: str) -> str | None:
        return " ".join(phrase(text)) or None

    def score(self, item: Item, completion: str) -> float:
        """Return 1.0 where an accepted answer is contained in a completion that is no list."""
        named = self._named(item, completion)
        return float(bool(named & accepted_phrases(item)) and not self._listed(item, named))

    def _named(self, item: Item, completion: str) -> frozenset[Words]:
        """Return the candidates, right and wrong, that the completion names."""
        candidates = accepted_phrases(item) | self._wrong(item)
        return frozenset(hit.phrase for hit in find(candidates, words(completion)))

    def _listed(self, item: Item, named: frozenset[Words]) -> bool:
        wrong = named - accepted_phrases(item)
        if item.choices:
            return bool(wrong) and len(named) > 1
        question = words(" ".join(str(value) for value in item.fields.values()))
        return sum(not find((other,), question) for other in wrong) > MOST_OTHERS

    def _wrong(self, item: Item) -> frozenset[Words]:
        return frozenset(map(phrase, item.choices)) | _phrases(self.others)


def accepted_phrases(item: Item) -> frozenset[Words]:
    """Return the accepted answers as words; a letter that names a choice stands for the choice's text."""
    letters = [choice_letter(item.choices, target) for target in item.target] if item.choices else []
    texts = [item.choices[LETTERS.index(letter)] for letter in letters if letter]
    return frozenset(map(phrase, texts or item.target))


@lru_cache(maxsize=16)
def _phrases(texts: tuple[str, ...]) -> frozenset[Words]:
    return frozenset(map(phrase, texts))
