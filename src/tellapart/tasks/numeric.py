"""Scorers of numbers: numeric (the completion is a number) and last_number (the last one in it).

Read are 1,234 and 1 234 and 1'234, -3.5, 6e3 and 6 x 10^3, 2^10, 3/4, 1 1/2, the signs of fractions (a half) and
\\frac{3}{4}, 10:30 (as 10.5), with a currency sign before and % after. The percent sign is dropped: 50% equals 50, not
0.5. A digit that is part of a word, an exponent or an index is no number: of "12 m2" and "x_1 = 12" the last is 12.
Numbers are exact fractions: 0.1 equals 1/10. `tolerance` is relative to the target.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched

MOST_DIGITS = 300
"""A longer run of digits is not read as a number: Python refuses some, and all are slow."""
HALVES = {
    sign: str(Fraction(unicodedata.numeric(sign)).limit_denominator(10))
    for sign in "\u00bd\u2153\u2154\u00bc\u00be\u2155\u2156\u2157\u2158\u2159\u215a\u215b\u215c\u215d\u215e"
}
"""Signs of fractions as text."""
_ALIKE = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", "\u2044": "/", "\u00d7": "x",
                        **{chr(0xFF10 + digit): str(digit) for digit in range(10)}})  # fmt: skip
_MIXED_SIGN = re.compile(f"([0-9])?\\s?([{''.join(HALVES)}])")
_FRAC = re.compile(
    r"(?:([0-9]{1,30})\s{0,9})?\\[dtc]?frac\s*(?:\{\s*(-?[0-9.,]+)\s*\}|([0-9]))\s*(?:\{\s*(-?[0-9.,]+)\s*\}|([0-9]))"
)
_GROUPED = re.compile(
    r"(?<=[0-9])(?:\{,\}|\\,|\\!|\\ |~|[\u00a0\u2009\u202f\u2007'\u2019_])(?=[0-9]{3}(?![0-9]))"
)
_SPACED = re.compile(
    r"(?<![0-9.,/:-])(?<![0-9][ ])([0-9]{1,3})((?: [0-9]{3})+)(?![0-9]|[ ][0-9]|[.,/:][0-9])"
)

_PLAIN = (
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?![0-9])|[0-9]+)(?:\.[0-9]+)?"
    r"(?:[eE][+-]?[0-9]{1,2}(?![0-9])|\s?(?:x|\*|\\times|\\cdot)\s?10\s?\^\s?\{?[+-]?[0-9]{1,2}(?![0-9])\}?)?|\.[0-9]+"
)
_NUMBER = re.compile(
    rf"(?P<in_date>(?<=[0-9]/))?(?:(?<![\w)\]])(?P<sign>[-+]))?(?:[$\u20ac\u00a3\u00a5]\s?(?P<inner>-)?)?"
    rf"(?:(?P<whole>[0-9]+)\s(?=[0-9]+\s?/\s?[0-9]))?"
    rf"(?P<top>{_PLAIN})(?(in_date)|(?:(?P<time>(?::[0-5][0-9]){{1,2}})(?![0-9:])|\^\s?\{{?(?P<power>[0-9]{{1,3}})(?![0-9])\}}?"
    r"|(?:\s?/\s?(?P<bottom>[0-9]+(?:\.[0-9]+)?)(?![0-9]*/))?))\s?(?:\\?%)?"
)
_PART_OF = re.compile(r"(?:(?P<word>[A-Za-z]+)|[_^]\s?\{?-?)\Z")
_CURRENCY = ("rs", "usd", "eur", "gbp", "inr", "us", "aud", "cad", "chf", "kr", "r")


def alike(text: str) -> str:
    """Return text with numbers in one way of writing: thousands by commas, fractions as a/b, one minus sign."""
    text = text.translate(_ALIKE)
    text = _MIXED_SIGN.sub(lambda match: (f"{match[1]} " if match[1] else "") + HALVES[match[2]], text)
    if "frac" in text:  # each long number would be looked at once for every digit of it
        text = _FRAC.sub(_fraction, text)
    text = _GROUPED.sub(",", text)
    return _SPACED.sub(_thousands, text)


def _fraction(match: re.Match[str]) -> str:
    whole, top, bottom = match[1], match[2] or match[3], match[4] or match[5]
    negative = top.startswith("-") != bottom.startswith("-")
    written = f"{top.lstrip('-').replace(',', '')}/{bottom.lstrip('-').replace(',', '')}"
    before = f"{whole} " if whole else ""
    return f"{before}-{written}" if negative else f"{before}{written}"


def _thousands(match: re.Match[str]) -> str:
    """Join 1 000 and 12 345 678; "100 200 300" is a list: three digits lead only what is round."""
    groups = match[2].split()
    if len(match[1]) == 3 and any(group != "000" for group in groups):
        return match[0]
    return ",".join([match[1], *groups])


def numbers_in(text: str) -> list[re.Match[str]]:
    """Return the numbers in text (as `alike` writes it), without digits of words, exponents and indices."""
    return [match for match in _NUMBER.finditer(text) if not _is_part(text, match)]


def _is_part(text: str, match: re.Match[str]) -> bool:
    near = text[max(0, match.start() - 24) : match.start()]
    before = _PART_OF.search(near) if near[-1:].isalpha() or "_" in near[-4:] or "^" in near[-4:] else None
    if before is None or match["sign"] or text[match.start()] in "$\u20ac\u00a3\u00a5":
        return False
    return before["word"] is None or before["word"].lower() not in _CURRENCY


def number(match: re.Match[str]) -> Fraction | None:
    """Return the number that was matched; None where it is too long or divides by zero."""
    top, bottom = match["top"].replace(",", ""), match["bottom"] or "1"
    if len(top) > MOST_DIGITS or len(bottom) > MOST_DIGITS or Fraction(bottom) == 0:
        return None
    head, _, ten = re.sub(r"[\s{}]", "", top).partition("^")
    if ten:
        base = re.sub(r"(?:x|\*|\\times|\\cdot)10$", "", head)
        value = Fraction(base) * Fraction(10) ** int(ten)
    else:
        value = Fraction(head)
    value /= Fraction(bottom)
    if match["power"]:
        if abs(value) > 10**6 or value.denominator != 1 or int(match["power"]) > 64:
            return None
        value = value ** int(match["power"])
    for place, part in enumerate((match["time"] or "").split(":")[1:], 1):
        value += Fraction(int(part), 60**place)
    if match["whole"]:
        value += int(match["whole"][:MOST_DIGITS])
    negative = (match["sign"] == "-") != (match["inner"] is not None)
    return -value if negative else value


@lru_cache(maxsize=1 << 16)
def parse_number(text: str) -> Fraction | None:
    """Return the number that `text` is, a closing full stop aside; None where it is no number.

    >>> parse_number("$1,234.50."), parse_number("3/4"), parse_number("about 3")
    (Fraction(2469, 2), Fraction(3, 4), None)
    """
    match = _NUMBER.fullmatch(alike(text.strip().removesuffix(".")))
    return None if match is None else number(match)


def write_number(value: Fraction) -> str:
    """Return the one way of writing a number: an integer, else a decimal where it is exact, else a/b."""
    if value.denominator == 1 or abs(value) > 10**MOST_DIGITS:
        return str(value)
    decimal = repr(float(value))
    return decimal if Fraction(decimal) == value else str(value)


def _endings(text: str) -> Iterator[str]:
    """Yield ends of a long text, in which its last number is looked for, then the whole. An end begins at a white space
    and a letter that no number holds (x is part of 6 x 10^3), so that its numbers are those of the whole."""
    for characters in ENDINGS:
        if len(text) > 2 * characters:
            start = _OUTSIDE.search(text, len(text) - characters)
            if start is not None:
                yield text[start.start() :]
    yield text


_LAST = re.compile(r"(?:\s[A-Za-z]{0,15}[A-WYZa-wyz]:?|#) ([0-9]{1,15})\.?\s*\Z")
"""A plain integer at the end, behind a word (x is part of 6 x 10^3, \\frac of 1/0): nothing before it changes it."""
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
ENDINGS = (40, 200)
"""Characters of a long text that are read first: most name their answer at the end."""
_OUTSIDE = re.compile(r"\s(?=[A-WYZa-wyz])")


@dataclass(frozen=True)
class Numeric(Matched):
    """The completion is a number and equals a target within `tolerance` (relative; absolute at 0)."""

    tolerance: float = 0.0
    name = "numeric"

    def extract(self, item: Item, completion: str) -> str | None:
        return completion

    def canonical(self, item: Item, text: str) -> str | None:
        if _INTEGER.fullmatch(text):  # most answers, and six times as fast
            return text
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
        last = _LAST.search(completion[-40:])  # takes a third of the time of looking for any number
        if last is not None:
            return last[1]
        for text in _endings(completion):
            text = alike(text)
            for match in reversed(list(_NUMBER.finditer(text))):
                if not _is_part(text, match):
                    return match.group()
        return None
