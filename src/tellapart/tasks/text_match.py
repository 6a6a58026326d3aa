"""Scorers that compare text: exact, normalised, after_marker, answer_is."""

import re
import string
from dataclasses import dataclass
from fractions import Fraction

from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched
from tellapart.tasks.numeric import alike, number, numbers_in, parse_number, write_number

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ANSWER_IS = re.compile(r"\banswer is:?", re.IGNORECASE)
_LETTER = re.compile(r"\(([A-Za-z])\)")


def squad_normalised(text: str) -> str:
    """Return text in lower case without punctuation, articles and spare white space.

    Source: Rajpurkar et al. 2016 (SQuAD), normalize_answer of the official evaluation script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


@dataclass(frozen=True)
class Exact(Matched):
    """The completion, without white space at its ends, is a target."""

    name = "exact"

    def extract(self, item: Item, completion: str) -> str | None:
        return completion

    def canonical(self, item: Item, text: str) -> str | None:
        return text.strip() or None


@dataclass(frozen=True)
class Normalised(Matched):
    """As exact, but blind to case, punctuation, articles and white space (SQuAD)."""

    name = "normalised"

    def extract(self, item: Item, completion: str) -> str | None:
        return completion

    def canonical(self, item: Item, text: str) -> str | None:
        return squad_normalised(text) or None


@dataclass(frozen=True)
class AfterMarker(Matched):
    """What stands on the line after the last `marker` is a target: a number by its value ("#### $1,000." is
    1000, units and all behind it are dropped), text without a closing full stop, quotes and emphasis.

    A base model runs on: what follows the answer from the next question on is not read. A target of several lines is
    compared with all that follows the marker.
    """

    marker: str
    name = "after_marker"

    def extract(self, item: Item, completion: str) -> str | None:
        first = completion.find(self.marker)
        if first < 0:
            return None
        again = _NEXT_QUESTION.search(completion, first)
        after = completion[: again.start() if again else None].rpartition(self.marker)[2]
        if any("\n" in target.strip() for target in item.target):
            return after
        return next((line for line in after.split("\n") if line.strip()), None)

    def canonical(self, item: Item, text: str) -> str | None:
        plain = _bare(text)
        if _LEADING_ZERO.match(plain):
            return plain or None  # 007 is a code
        value = parse_number(plain)
        if (
            value is None
            and item.target
            and all(parse_number(_bare(target)) is not None for target in item.target)
        ):
            value = _only_number(plain)
        return (plain or None) if value is None else write_number(value)


_NEXT_QUESTION = re.compile(
    r"\n\s*(?:\*\*)?(?:Question|Q|Problem|Exercise|User|Human)\s*(?:\d+\s*)?[:.]", re.IGNORECASE
)
_UNKNOWN = re.compile(r"[abcnpqrtuwxyz](?![A-Za-z])")
"""A letter behind a number that is no unit in use (18m, 5s, 3k are)."""
_LEADING_ZERO = re.compile(r"0[0-9]")
_BOXED = re.compile(r"^\\(?:boxed|text|mathrm|mathbf)\s*\{(.*)\}$", re.DOTALL)


def _bare(text: str) -> str:
    """Return text without white space, a full stop, quotes, emphasis or mathematics' signs around the whole of it."""
    before, plain = None, text.strip()
    while plain != before:
        before = plain
        for left, right in (
            ("**", "**"),
            ("*", "*"),
            ("`", "`"),
            ('"', '"'),
            ("'", "'"),
            ("$", "$"),
            ("\\(", "\\)"),
        ):
            if len(plain) > len(left + right) and plain.startswith(left) and plain.endswith(right):
                plain = plain[len(left) : -len(right)].strip()
        plain = plain[:-1].strip() if plain.endswith(".") and not plain.endswith("..") else plain
        boxed = _BOXED.match(plain)
        plain = boxed[1].strip() if boxed else plain
    return plain


def _only_number(text: str) -> Fraction | None:
    """Return the number of a line that holds one: 18 dollars; of an equation the one behind the last =. 18x is a term,
    not a number with its unit."""
    line = alike(text.rpartition("=")[2] if "=" in text else text)
    numbers = numbers_in(line)
    if len(numbers) != 1 or _UNKNOWN.match(line, numbers[0].end()):
        return None
    return number(numbers[0])


@dataclass(frozen=True)
class AnswerIs(Matched):
    """What follows the last "answer is" on its line, without the closing full stop; the first line of the
    completion where the phrase is missing. "(B) because" is "(B)", "(A) or (B)" is no letter. This is how
    BIG-Bench Hard is scored (Suzgun et al. 2022, arXiv 2210.09261)."""

    name = "answer_is"

    def extract(self, item: Item, completion: str) -> str | None:
        starts = [match.end() for match in _ANSWER_IS.finditer(completion)]
        rest = completion[starts[-1] if starts else 0 :].strip()
        return rest.split("\n", 1)[0]

    def canonical(self, item: Item, text: str) -> str | None:
        stripped = text.strip()
        letters = _LETTER.findall(stripped)
        if len(letters) == 1 and stripped.startswith("("):
            return f"({letters[0].upper()})"
        return stripped.removesuffix(".").strip() or None
