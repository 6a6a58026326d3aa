r"""The scorer `boxed`: the last \boxed{...} of a completion, as in MATH and GSM8K with worked answers.

Answers that are written differently and mean the same are one: \dfrac12, \frac{1}{2}, 1/2 and 0.5; 1{,}234 and 1234;
5\text{ cm}, 5 cm and 5; 90^\circ and 90; 50\% and 50. Nothing is computed or simplified.
Source: the normalisation of Hendrycks et al. 2021 (MATH, arXiv 2103.03874), with exact numbers.

>>> Boxed().answer(Item("1", {}, ()), r"so \boxed{3}, no: $\boxed{\dfrac{1}{2}\text{ cm}}$.")
'0.5'
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched
from tellapart.tasks.numeric import MOST_DIGITS, parse_number, write_number

Fallback = Literal["none", "####", "answer is", "any"]

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_ANSWER_IS = re.compile(r"\b(?i:answer is|answer:)[ \t:]*([^\n]+)")
_WRAPPED = r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}"
_UNIT = re.compile(rf"(?<=[^\s=(,])\s*(?:\\[ ,;:!])*{_WRAPPED}(?:\^\{{?[0-9]\}}?)?\s*$")
_PLAIN_UNIT = re.compile(r"^(\$?[-+]?[0-9][0-9.,/]*)\s*(?:[A-Za-z]{2,}[A-Za-z .]*|[mgsl])(?:\^\{?[0-9]\}?)?$")
_THOUSANDS = re.compile(r"(?<![0-9.,])([0-9]{1,3}(?:,[0-9]{3})+)(?![0-9,])")
_NAMED = re.compile(
    r"^(?:[A-Za-z](?:\([A-Za-z]\)|_\{?[A-Za-z0-9]\}?)?|\\theta|\\[a-z]+)\s*(?:=|\\in(?![a-z]))\s*(?=[^\s=])"
)
_OPTION = re.compile(r"^\(([A-Za-z])\)$")
"""An option's letter, as A of (A)."""
_FRACTION = re.compile(r"^(-?)\\frac\{(-?[0-9]+)\}\{(-?[0-9]+)\}$")
_MIXED = re.compile(r"^(-?)([0-9]+)\\frac\{([0-9]+)\}\{([0-9]+)\}$")
_REPLACED = (
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-z])\.?"), ""),
    (re.compile(r"\\(?:displaystyle|limits|rm)(?![a-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\(?:leq|leqslant)(?![a-z])"), r"\\le"),
    (re.compile(r"\\(?:geq|geqslant)(?![a-z])"), r"\\ge"),
    (re.compile(r"\\neq(?![a-z])"), r"\\ne"),
    (re.compile(r"\^\s*\{?\s*\\(?:circ|degree)\s*\}?|\\degree(?![a-z])|\u00b0"), ""),
    (re.compile(r"\\?[%$]"), ""),
    (re.compile(r"(?<=[0-9])(?:\{,\}|\\!,|,\\!|\\,)(?=[0-9]{3})"), ","),
    (re.compile(r"(?<!\\)\\[!,;: ]|\\q?quad(?![a-z])|~"), " "),
    (re.compile(r"\u2212|\u2013"), "-"),
    (re.compile(r",?\s*\\text\s*\{\s*(?:and|or)\s*\}\s*"), ", "),
)


@dataclass(frozen=True)
class Boxed(Matched):
    r"""What stands in the last \boxed{...} equals a target. Without one there is no answer, unless `fallback` names
    what is read then: "####", "answer is", or "any" of them, whichever stands last."""

    fallback: Fallback = "none"
    name = "boxed"

    def extract(self, item: Item, completion: str) -> str | None:
        opened = list(_BOX.finditer(completion))
        return _inside(completion, opened[-1].end()) if opened else self._otherwise(completion)

    def canonical(self, item: Item, text: str) -> str | None:
        return normal_form(text) or None

    def _otherwise(self, completion: str) -> str | None:
        patterns = {"none": (), "####": (_HASHES,), "answer is": (_ANSWER_IS,), "any": (_HASHES, _ANSWER_IS)}
        matches = [match for pattern in patterns[self.fallback] for match in pattern.finditer(completion)]
        return max(matches, key=lambda match: match.start())[1] if matches else None


def _inside(text: str, start: int) -> str | None:
    r"""Return what the braces that open at `start` hold, or the one character there (\boxed 5); None where the
    answer was cut short before they close."""
    if text[start : start + 1] != "{":
        return re.match(r"[0-9.]*[0-9]|\S?", text[start:])[0] or None  # pyright: ignore[reportOptionalSubscript]
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return text[start + 1 : match.start()]
    return None


def normal_form(text: str) -> str:
    r"""Return an answer in LaTeX or plain text in the one form in which equal answers are equal strings.

    >>> [normal_form(t) for t in (r"\dfrac{3}{4}", r"x = 1{,}234", r"12\text{ cm}^2", r"(\frac12, 3)", r"\text{Even}")]
    ['0.75', '1234', '12', '(0.5,3)', 'even']
    """
    inside = _without_shell(text)
    for pattern, new in _REPLACED:
        inside = pattern.sub(new, inside)
    inside = _NAMED.sub("", inside.strip().removesuffix(".").strip())
    inside = _without_units(inside)
    inside = re.sub(_WRAPPED, r"\1", inside).strip()
    inside = _OPTION.sub(r"\1", inside)
    if "\\" not in inside and (plain := _PLAIN_UNIT.match(inside)):
        inside = plain[1]
    whole = _number(_THOUSANDS.sub(lambda match: match[1].replace(",", ""), _braced(inside)))
    if whole is not None:
        return whole
    return _pieces(_braced(inside))


def _without_shell(text: str) -> str:
    """Return text without the dollar signs or brackets of mathematics around the whole of it."""
    inside = text.strip().removesuffix(".").strip()
    for left, right in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**")):
        if len(inside) > len(left + right) and inside.startswith(left) and inside.endswith(right):
            inside = inside[len(left) : -len(right)].strip()
    boxes = list(_BOX.finditer(inside))
    return (_inside(inside, boxes[0].end()) or inside) if boxes and boxes[0].start() == 0 else inside


def _without_units(text: str) -> str:
    r"""Return text without the \text{...} after a value; one that is the value itself is kept."""
    match = _UNIT.search(text)
    if match is None or match.start() == 0:
        return text
    return text[: match.start()].strip()


def _braced(text: str) -> str:
    r"""Return text with one way of writing braces: \frac12 is \frac{1}{2}, \sqrt3 is \sqrt{3}, x^{2} is x^2."""
    text = re.sub(r"\\frac\s*([0-9a-z])\s*([0-9a-z])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac\s*([0-9a-z])\s*\{", r"\\frac{\1}{", text)
    text = re.sub(r"(\\frac\s*\{(?:[^{}]|\{[^{}]*\})*\})\s*([0-9a-z])", r"\1{\2}", text)
    text = re.sub(r"\\sqrt\s*([0-9a-z])", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![0-9.}a-z])\(?(-?[0-9]+)\s*/\s*([0-9]+)\)?(?![0-9./])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"([_^])\{([0-9A-Za-z])\}", r"\1\2", text)
    return re.sub(r"\s+", "", text) if re.search(r"[\\0-9^_=+(]", text) else " ".join(text.casefold().split())


def _pieces(text: str) -> str:
    """Return text with every number between commas and brackets in its one form."""
    parts = re.split(r"([,()\[\]]|\\[{}]|\\cup|=)", text)
    return "".join(_number(part) or part.strip() for part in parts)


def _number(text: str) -> str | None:
    """Return the one way of writing the number that `text` is; None where it is none."""
    text = text.strip()
    if len(text) > MOST_DIGITS:
        return None
    if (match := _FRACTION.match(text)) and int(match[3]):
        return write_number(Fraction(int(match[2]), int(match[3])) * (-1 if match[1] else 1))
    if (match := _MIXED.match(text)) and int(match[4]):
        value = int(match[2]) + Fraction(int(match[3]), int(match[4]))
        return write_number(-value if match[1] else value)
    value = parse_number(text)
    return None if value is None else write_number(value)
