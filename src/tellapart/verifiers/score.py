"""A mark from 1 to 10 after some thought."""

import re
from typing import ClassVar, final

import numpy as np

from tellapart.models.model import Request, Sampling
from tellapart.verifiers.verifier import Bench, Utilities, Verifier, ask, filled, judging_seed, pairs, put

WANTED = (
    "{question}{answer}\n\nHow likely is it that this answer is right? Think step by step, then end with a whole "
    "number from 1 (surely wrong) to 10 (surely right).\n"
)
LONGER = 2
"""A verdict may be this many times as long as an answer."""
LOWEST, HIGHEST = 1, 10
_NUMBER = re.compile(r"(?<![\d.])(10|[1-9])(?![\d.]*\d)")


@final
class Score(Verifier):
    """The last whole number from 1 to 10 in what the model says, as a share; the best fifth is accepted."""

    name = "score"
    source: ClassVar[str] = "Song et al. 2024, arXiv 2412.02674 (chain of thought, score)"
    graded: ClassVar[bool] = True

    def judge(self, bench: Bench) -> Utilities:
        """Return (mark - 1) / 9; NaN where no mark can be read."""
        judged = pairs(bench)
        sampling = Sampling(0.0, max_tokens=LONGER * bench.task.max_tokens)
        requests = [
            Request(
                put(WANTED, {"question": bench.task.prompt(bench.items[pair[0]]), "answer": pair[1]}),
                judging_seed(bench, "score", pair, 0),
                sampling,
            )
            for pair in judged
        ]
        with bench.now() as model:
            texts = ask(model, requests)
        return filled(bench, {pair: read_mark(text) for pair, text in zip(judged, texts, strict=True)})


def read_mark(text: str | None) -> float:
    """Return the last whole number from 1 to 10 as a share of the way from 1 to 10; NaN without one.

    >>> read_mark("Step 2 is wrong. Mark: 1")
    0.0
    """
    marks = _NUMBER.findall(text or "")
    return (int(marks[-1]) - LOWEST) / (HIGHEST - LOWEST) if marks else np.nan
