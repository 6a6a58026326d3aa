"""Is the work still done: steps of a chain against the model's own earlier chains and against its length.

A rewarded guess teaches to skip the computation (arXiv 2605.28388). No checker is needed here: a chain's steps are
counted, not judged. An answer is thin where it has fewer than half of the steps that the model's own chains had
before, to this problem or (never seen) to others, or that an answer as long as it had.

    chains = Chains()
    thin = chains.judge(items, counts, tokens)     # then: chains.learn(items, counts, tokens)
"""

import re
from collections.abc import Sequence
from statistics import median

_BREAK = re.compile(r"[\n;]+|\s(?<=[.!?]\s)\s*|>(?<![\s=\-]>)(?![\s=])")
"""Each way begins with a character, so that the search skips what is between: looking behind first takes five times."""
HALF = 0.5
LEAST = 8
"""Chains from which what is usual is told."""
KEPT = 512
"""The first chains, whose median is what is usual: later ones may be thin already."""


def count_steps(completion: str) -> int:
    """Return the parts of a completion before its last: lines, sentences, or what stands between ; and >.

    >>> count_steps("r7583;i8694;c1305>1305"), count_steps(">4271"), count_steps("2 + 2 = 4. So 8 / 4 = 2. It is 2.")
    (3, 0, 2)
    """
    return max(0, sum(bool(part.strip()) for part in _BREAK.split(completion)) - 1)


class Chains:
    """What the model's own chains were like so far: steps a problem, steps in all, steps a token."""

    def __init__(self) -> None:
        self._own: dict[str, list[int]] = {}
        self._steps: list[int] = []
        self._density: list[float] = []

    def judge(
        self, items: Sequence[str], counts: Sequence[int], tokens: Sequence[float]
    ) -> list[bool] | None:
        """Return of each answer whether it is thin against what was learned before; None where too little was."""
        if len(self._steps) < LEAST:
            return None
        usual, density = median(self._steps), median(self._density) if self._density else 0.0
        thin = []
        for item, count, length in zip(items, counts, tokens, strict=True):
            own = self._own.get(item)
            wanted = max(usual if own is None else median(own), density * length if length > 0 else 0.0)
            thin.append(count < HALF * wanted)
        return thin

    def learn(self, items: Sequence[str], counts: Sequence[int], tokens: Sequence[float]) -> None:
        """Add answers to what is known; those without any step are no chains."""
        for item, count, length in zip(items, counts, tokens, strict=True):
            if count:
                self._own.setdefault(item, []).append(count)
                if len(self._steps) < KEPT:
                    self._steps.append(count)
                    if length > 0:
                        self._density.append(count / length)
