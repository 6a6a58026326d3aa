"""Scorers of numbers: numeric (the completion is a number) and last_number (the last one in it).

Read are 1,234 and -3.5 and 6e3 and 3/4, with a currency sign before and % after. The percent sign is dropped:
50% equals 50, not 0.5. Numbers are exact fractions: 0.1 equals 1/10. `tolerance` is relative to the target.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched

MOST_DIGITS = 300
"""A longer run of digits is not read as a number: Python refuses some, and all are slow."""

_PLAIN = (
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2}(?![0-9]))?|\.[0-9]+"
)
_NUMBER = re.compile(
    rf"(?P<in_date>(?<=[0-9]/))?(?:(?<![\w)\]])(?P<sign>[-+\u2212]))?(?:[$\u20ac\u00a3](?P<inner>[-\u2212])?)?"
    rf"(?P<top>{_PLAIN})(?(in_date)|(?:\s?/\s?(?P<bottom>[0-9]+(?:\.[0-9]+)?)(?![0-9]*/))?)\s?(?:\\?%)?"
)


def number(match: re.Match[str]) -> Fraction | None:
    """Return the number that was matched; None where it is too long or divides by zero."""
    top, bottom = match["top"].replace(",", ""), match["bottom"] or "1"
    if len(top) > MOST_DIGITS or len(bottom) > MOST_DIGITS or Fraction(bottom) == 0:
        return None
    negative = (match["sign"] in ("-", "\u2212")) != (match["inner"] is not None)
    value = Fraction(top) / Fraction(bottom)
    return -value if negative else value


@lru_cache(maxsize=1 << 16)
def parse_number(text: str) -> Fraction | None:
    """Return the number that `text` is, a closing full stop aside; None where it is no number.

    >>> parse_number("$1,234.50."), parse_number("3/4"), parse_number("about 3")
    (Fraction(2469, 2), Fraction(3, 4), None)
    """
    match = _NUMBER.fullmatch(text.strip().removesuffix("."))
    return None if match is None else number(match)


def write_number(value: Fraction) -> str:
    """Return the one way of writing a number: an integer, else a decimal where it is exact, else a/b."""
    if value.denominator == 1 or abs(value) > 10**MOST_DIGITS:
        return str(value)
    decimal = repr(float(value))
    return decimal if Fraction(decimal) == value else str(value)


@dataclass(frozen=True)
class Numeric(Matched):
    """The completion is a number and equals a target within `tolerance` (relative; absolute at 0)."""

    tolerance: float = 0.0
    name = "numeric"

    def extract(self, item: Item, completion: str) -> str | None:
        return completion

    def canonical(self, item: Item, text: str) -> str | None:
        value = parse_number(text)
        return None if value is None else write_number(value)

    def score(self, item: Item, completion: str) -> float:
        """Return 1.0 where the number found is within the tolerance of a target."""
        answer = self.answer(item, completion)
        return float(answer is not None and any(self._near(Fraction(answer), text) for text in item.target))

    def _near(self, value: Fraction, target: str) -> bool:
        wanted = parse_number(target)
        if wanted is None:
            return False
        return abs(value - wanted) <= Fraction(self.tolerance) * (abs(wanted) or 1)


@dataclass(frozen=True)
class LastNumber(Numeric):
    """The last number in the completion equals a target within `tolerance`."""

    name = "last_number"

    def extract(self, item: Item, completion: str) -> str | None:
        found = [match.group() for match in _NUMBER.finditer(completion)]
        return found[-1] if found else None
