"""A verifier of one's own: python:module:function, (item, completion) -> number in [0, 1] or None."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, final

from tellapart.errors import UserMistake
from tellapart.tasks.python_code import load_function
from tellapart.verifiers.verifier import Bench, Utilities, Verifier, filled, pairs


@final
class PythonVerifier(Verifier):
    """Accept what the function gives more than one half."""

    source: ClassVar[str] = "the user's"
    outside = True

    def __init__(self, reference: str) -> None:
        self.name = reference
        self.function: Callable[..., Any]
        self.function, self.source_hash = load_function(reference)

    def judge(self, bench: Bench) -> Utilities:
        """Return what the function gives; None is no verdict. Raises UserMistake for anything outside [0, 1]."""
        return filled(bench, {(i, text): self._judge_text(bench, i, text) for i, text in pairs(bench)})

    def _judge_text(self, bench: Bench, index: int, text: str) -> float:
        item = bench.items[index]
        try:
            value = self.function(item, text)
        except Exception as error:
            raise UserMistake(f"{self.name} failed on item {item.id!r}: {error!r}") from error
        if value is None:
            return math.nan
        if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
            raise UserMistake(
                f"{self.name} gave {value!r} for item {item.id!r}: give a number in [0, 1] or None"
            )
        return float(value)
