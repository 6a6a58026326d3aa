"""Two answers to one question and which of them a judge preferred, as other tools write them."""

from typing import NamedTuple


class Compared(NamedTuple):
    """One judged pair: `won` is 1 where the first answer was preferred, 0 where the second was, 0.5 for a tie."""

    item: str
    question: str
    models: tuple[str, str]
    answers: tuple[str, str]
    won: float
