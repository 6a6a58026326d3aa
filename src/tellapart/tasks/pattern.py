"""The scorer by regular expression: the first group of a match is the answer.

Matching a bad pattern can take time exponential in the text, and the text comes from a model. So the search
sees the last MOST_CHARACTERS only and stops after MOST_SECONDS of processor time (`regex` can; `re` cannot).
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import regex

from tellapart.errors import Unscorable, UserMistake
from tellapart.tasks.choice import Take
from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched

MOST_CHARACTERS = 100_000
MOST_SECONDS = 5.0


@lru_cache(maxsize=64)
def compiled(pattern: str) -> "regex.Pattern[str]":
    """Return the compiled pattern. Raises UserMistake where it does not compile or has no group."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = regex.compile(pattern)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise UserMistake(f"pattern {pattern!r} is no regular expression: {error}") from None
    if made.groups < 1:
        raise UserMistake(
            f"pattern {pattern!r} has no group: put the answer in brackets, as in 'answer is (.+)'"
        )
    return made


@dataclass(frozen=True)
class Regex(Matched):
    """The first group of the pattern's last match (or first: `take`), without white space at its ends, is a
    target."""

    pattern: str
    take: Take = "last"
    name = "regex"

    def __post_init__(self) -> None:
        compiled(self.pattern)

    def extract(self, item: Item, completion: str) -> str | None:
        extracted: str | None = None
        try:
            for match in compiled(self.pattern).finditer(completion[-MOST_CHARACTERS:], timeout=MOST_SECONDS):
                if match.group(1) is not None:
                    extracted = match.group(1)
                    if self.take == "first":
                        break
        except TimeoutError:
            raise Unscorable(
                f"pattern {self.pattern!r} took more than {MOST_SECONDS:g} s on an answer to {item.id!r}: "
                "write it without a repeat inside a repeat"
            ) from None
        return extracted

    def canonical(self, item: Item, text: str) -> str | None:
        return text.strip() or None
