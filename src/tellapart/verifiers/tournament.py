"""Answers meet in pairs and the better one goes on: one winner an item."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, final

import numpy as np

from tellapart.errors import UserMistake
from tellapart.verifiers.verifier import Bench, Utilities, Verifier, filled, log_probabilities, put

WANTED = (
    "{question}\n\nAnswer A: {first}\nAnswer B: {second}\n\nWhich answer is right? Give the letter A or B.\n"
    "The letter is"
)
LETTERS = (" A", " B")


class _Match(NamedTuple):
    item: int
    first: str
    second: str


@final
class Tournament(Verifier):
    """Single elimination among the distinct answers of an item, by log-probability, each pair in both orders."""

    name = "tournament"
    source: ClassVar[str] = "Song et al. 2024, arXiv 2412.02674 (tournament)"
    levelled: ClassVar[bool] = False

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 for the winner of each item, 0 for the others. Raises UserMistake without log-probabilities."""
        left = [list(dict.fromkeys(text for text in row if text is not None)) for row in bench.answers]
        wins = {(i, text): 0.0 for i, row in enumerate(left) for text in row}
        with bench.now() as model:
            while any(len(row) > 1 for row in left):
                matches = [
                    _Match(i, row[at], row[at + 1])
                    for i, row in enumerate(left)
                    for at in range(0, len(row) - 1, 2)
                ]
                prompts = [text for match in matches for text in _prompts(bench, match)]
                logs = log_probabilities(model, prompts, LETTERS)
                if not np.isfinite(logs).all():
                    raise UserMistake(
                        f"{model.reference}: two answers at once do not fit its context: use another verifier"
                    )
                left = _winners(left, matches, logs)
        return filled(bench, wins | {(i, row[0]): 1.0 for i, row in enumerate(left) if row})


def _prompts(bench: Bench, match: _Match) -> tuple[str, str]:
    question = bench.task.prompt(bench.items[match.item])
    orders = ((match.first, match.second), (match.second, match.first))
    first, second = (
        put(WANTED, {"question": question, "first": first, "second": second}) for first, second in orders
    )
    return first, second


def _winners(left: Sequence[list[str]], matches: Sequence[_Match], logs: np.ndarray) -> list[list[str]]:
    """Return who goes on; an answer without an opponent does."""
    margins = logs[:, 0] - logs[:, 1]
    gone = {
        (match.item, match.second if margins[2 * at] >= margins[2 * at + 1] else match.first)
        for at, match in enumerate(matches)
    }
    return [[text for text in row if (i, text) not in gone] for i, row in enumerate(left)]
