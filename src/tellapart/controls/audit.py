"""Measure the form of a text, and check that a control kept it: characters, words, steps, operators, numbers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.controls.worked import split_steps

_OPERATORS = re.compile(r"[+\-*/=×÷<>]")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
"""A run of digits, whatever letters it touches."""


@dataclass(frozen=True)
class Ruler:
    """Which properties of the form must be kept: `exact` ones to the last, `within` ones up to the run's tolerance.

    `whole` compares the texts taken together, for controls that move whole texts about; else each with its own.
    """

    exact: tuple[str, ...] = ("steps", "operators")
    within: tuple[str, ...] = ("characters",)
    whole: bool = False


@dataclass(frozen=True)
class AuditLine:
    """One property in the full arm and in this one (means a text); `off` is the largest relative difference."""

    what: str
    full: float
    arm: float
    off: float
    tolerance: float
    held: bool


def form_of(text: str) -> dict[str, float]:
    """Return the properties of one text.

    >>> form_of("2 + 3 = 5. So 5 - 1 = 4.")
    {'characters': 24.0, 'words': 13.0, 'steps': 2.0, 'operators': 4.0, 'numbers': 6.0}
    """
    return {
        "characters": float(len(text)),
        "words": float(len(text.split())),
        "steps": float(len(split_steps(text).steps)),
        "operators": float(len(_OPERATORS.findall(text))),
        "numbers": float(len(NUMBER.findall(text))),
    }


def compare(full: Sequence[str], arm: Sequence[str], ruler: Ruler, tolerance: float) -> tuple[AuditLine, ...]:
    """Return one line a property that must be kept; the number of texts itself is the first."""
    lines = [_line("texts", [float(len(full))], [float(len(arm))], 0.0)]
    if len(full) != len(arm):
        return tuple(lines)
    before, after = ([form_of(text) for text in texts] for texts in (full, arm))
    if ruler.whole:
        before, after = [_summed(before)], [_summed(after)]
    for what, allowed in (*((w, 0.0) for w in ruler.exact), *((w, tolerance) for w in ruler.within)):
        lines.append(_line(what, [row[what] for row in before], [row[what] for row in after], allowed))
    return tuple(lines)


def _line(what: str, before: Sequence[float], after: Sequence[float], allowed: float) -> AuditLine:
    count = max(len(before), 1)
    off = max((abs(b - a) / max(b, 1.0) for b, a in zip(before, after, strict=True)), default=0.0)
    return AuditLine(what, sum(before) / count, sum(after) / count, off, allowed, off <= allowed + 1e-12)


def _summed(forms: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {what: sum(form[what] for form in forms) for what in forms[0]} if forms else form_of("")
