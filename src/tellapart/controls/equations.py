"""Equations in text, evaluated exactly: "(3 + 5) * 2 = 16", "$4 x 3 = $12", "not True and False = False".

A step whose equations are false is wrong, and that is a proof. Nothing is executed: a small parser reads numbers, + - *
/ x × ÷ and brackets (arithmetic), or True, False, not, and, or and brackets (logic).
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>[$€£]?(?:{_NUMBER})%?)|(?P<word>\b(?:True|False|not|and|or)\b)|(?P<sign>[-+*/×÷()]|x(?=[\s\d$])))"
)
_LEFT = re.compile(
    rf"(?:[$€£]?(?:{_NUMBER})%?|\b(?:True|False|not|and|or)\b|[-+*/×÷()]|(?<=[\d)\s])x(?=[\s\d$(])|\s)+$"
)
_RIGHT = re.compile(rf"\s*(?P<value>-?[$€£]?(?:{_NUMBER})%?|True\b|False\b)")
LONGEST = 200
"""Characters of a left side that are read."""

Value = Fraction | bool


class Equation(NamedTuple):
    """An equation in a text: its left side, its stated value, and where the value stands."""

    left: str
    stated: str
    start: int
    end: int
    true: bool


def equations(text: str) -> list[Equation]:
    """Return the equations with an expression on the left and a plain value on the right, in order.

    A value rounded as it is written counts as true (8 / 3 = 2.67).

    >>> [(e.left.strip(), e.stated, e.true) for e in equations("So 16 - 3 - 4 = 9 eggs and 9 * 2 = $19.")]
    [('16 - 3 - 4', '9', True), ('9 * 2', '$19', False)]
    """
    parsed = []
    for sign in re.finditer(r"=", text):
        right = _RIGHT.match(text, sign.end())
        left = _LEFT.search(text[max(0, sign.start() - LONGEST) : sign.start()])
        if right is None or left is None:
            continue
        stated, value = read_value(right["value"]), evaluate(left.group())
        if (
            stated is None
            or value is None
            or type(stated) is not type(value)
            or not _says_something(left.group())
        ):
            continue
        start = right.start("value")
        parsed.append(
            Equation(
                left.group(), right["value"], start, right.end("value"), _equal(value, stated, right["value"])
            )
        )
    return parsed


def _equal(value: Value, stated: Value, written: str) -> bool:
    """Return whether the value is the stated one, as exactly as it is written."""
    if isinstance(value, bool) or isinstance(stated, bool):
        return value == stated
    places = len(re.sub(r"[^\d.]", "", written).partition(".")[2])
    return value == stated or (places > 0 and abs(value - stated) <= Fraction(1, 2 * 10**places))


def _says_something(left: str) -> bool:
    """Return whether a left side holds an operator: "5 = 5" restates a value and proves nothing."""
    return bool(re.search(r"\w[\s%)]*[-+*/×÷x]|\bnot\b|\band\b|\bor\b", left))


def read_value(text: str) -> Value | None:
    """Return the number or truth value that `text` is."""
    stripped = text.strip()
    if stripped in ("True", "False"):
        return stripped == "True"
    plain = re.sub(r"[$€£%,]", "", stripped)
    return Fraction(plain) if re.fullmatch(r"-?(?:\d{1,40}(?:\.\d{1,40})?|\.\d{1,40})", plain) else None


def evaluate(text: str) -> Value | None:
    """Return the value of the longest ending of `text` that is an expression ("and 9 * 2" is 18); None for none."""
    tokens = _tokens(text.strip())
    for first in range(len(tokens)):
        if first and tokens[first - 1] not in _BREAKS:
            continue
        ending = tokens[first:]
        try:
            value, rest = (_logic if any(t in _WORDS for t in ending) else _sum)(ending)
        except ZeroDivisionError:
            return None
        except (ValueError, RecursionError):
            continue
        if not rest:
            return value
    return None


_WORDS = frozenset({"True", "False", "not", "and", "or"})
_BREAKS = _WORDS | {"(", ")"}
"""What may stand before an expression without being part of it."""


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return []
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


def _sum(tokens: Sequence[str]) -> tuple[Value, Sequence[str]]:
    value, rest = _product(tokens)
    while rest and rest[0] in "+-":
        other, after = _product(rest[1:])
        value, rest = (value + other if rest[0] == "+" else value - other), after
    return value, rest


def _product(tokens: Sequence[str]) -> tuple[Fraction, Sequence[str]]:
    value, rest = _factor(tokens)
    while rest and rest[0] in ("*", "x", "×", "/", "÷"):
        other, after = _factor(rest[1:])
        value, rest = (value / other if rest[0] in "/÷" else value * other), after
    return value, rest


def _factor(tokens: Sequence[str]) -> tuple[Fraction, Sequence[str]]:
    if not tokens:
        raise ValueError("nothing to read")
    head, rest = tokens[0], tokens[1:]
    if head == "-":
        value, rest = _factor(rest)
        return -value, rest
    if head == "(":
        inner, rest = _sum(rest)
        if not rest or rest[0] != ")" or isinstance(inner, bool):
            raise ValueError("bracket not closed")
        return inner, rest[1:]
    value = read_value(head)
    if value is None or isinstance(value, bool):
        raise ValueError(head)
    return (value / 100 if head.endswith("%") else value), rest


def _logic(tokens: Sequence[str]) -> tuple[bool, Sequence[str]]:
    value, rest = _conjunction(tokens)
    while rest and rest[0] == "or":
        other, rest = _conjunction(rest[1:])
        value = value or other
    return value, rest


def _conjunction(tokens: Sequence[str]) -> tuple[bool, Sequence[str]]:
    value, rest = _truth(tokens)
    while rest and rest[0] == "and":
        other, rest = _truth(rest[1:])
        value = value and other
    return value, rest


def _truth(tokens: Sequence[str]) -> tuple[bool, Sequence[str]]:
    if not tokens:
        raise ValueError("nothing to read")
    head, rest = tokens[0], tokens[1:]
    if head == "not":
        value, rest = _truth(rest)
        return not value, rest
    if head == "(":
        inner, rest = _logic(rest)
        if not rest or rest[0] != ")":
            raise ValueError("bracket not closed")
        return inner, rest[1:]
    if head in ("True", "False"):
        return head == "True", rest
    raise ValueError(head)
