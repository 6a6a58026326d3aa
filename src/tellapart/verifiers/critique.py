"""Chain-of-thought, binary: the model works the problem through and ends in a verdict.

Three of them: asked of the model itself (`critique`), of what it was at the start (`past`), of another model
(`judge:MODEL`).
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, final

import numpy as np

from tellapart.models.model import Model, Request, Sampling
from tellapart.tasks.item import CRITIQUE_TEMPLATE
from tellapart.verifiers.verifier import (
    Bench,
    Utilities,
    Verifier,
    ask,
    filled,
    judging_prompt,
    judging_seed,
    pairs,
)

WANTED = (
    "{question}{answer}\n\nIs this answer right? Think step by step, then end with the one word yes or no.\n"
)
DRAWS = 4
TEMPERATURE = 1.0
LONGER = 2
"""A critique may be this many times as long as an answer."""
Who = Callable[[], AbstractContextManager[Model]]


@final
class Critique(Verifier):
    """Ask for DRAWS critiques of each answer; u is the share of the readable ones that say right."""

    name = "critique"
    source: ClassVar[str] = "Song et al. 2024, arXiv 2412.02674 (chain of thought, binary)"

    def judge(self, bench: Bench) -> Utilities:
        """Return the share of readable critiques that call the answer right; NaN where none can be read."""
        return criticised(bench, bench.now)


@final
class Past(Verifier):
    """The same, asked of the model as it was before the first round."""

    name = "past"
    source: ClassVar[str] = "Song et al. 2024, arXiv 2412.02674"

    def judge(self, bench: Bench) -> Utilities:
        """Return what the model of the start says."""
        return criticised(bench, bench.past)


@final
class Judge(Verifier):
    """The same, asked of another model."""

    source: ClassVar[str] = "Zheng et al. 2023, arXiv 2306.05685"
    outside = True

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = f"judge:{model.reference}"

    def judge(self, bench: Bench) -> Utilities:
        """Return what the other model says."""
        return criticised(bench, lambda: nullcontext(self.model))


def criticised(bench: Bench, who: Who) -> Utilities:
    """Return the share of `who`'s readable critiques that call each answer right."""
    judged = pairs(bench)
    own = bench.task.critique_template != CRITIQUE_TEMPLATE
    stop = bench.task.stop if own else ()
    sampling = Sampling(TEMPERATURE, max_tokens=LONGER * bench.task.max_tokens, stop=stop)
    requests = [
        Request(
            judging_prompt(bench.task, bench.items[pair[0]], pair[1], WANTED),
            judging_seed(bench, "critique", pair, draw),
            sampling,
        )
        for pair in judged
        for draw in range(DRAWS)
    ]
    with who() as model:
        texts = ask(model, requests)
    said = np.array([read_verdict(text, bench.task.verdicts) for text in texts]).reshape(-1, DRAWS)
    scored = np.isfinite(said)
    counts = scored.sum(1)
    shares = np.where(counts > 0, np.nan_to_num(said).sum(1) / np.maximum(counts, 1), np.nan)
    return filled(bench, dict(zip(judged, shares.tolist(), strict=True)))


def read_verdict(text: str | None, verdicts: tuple[str, str]) -> float:
    """Return 1 where the last verdict word in `text` is the right one, 0 for the wrong one, NaN without either.

    >>> read_verdict("The sum is off by 2, so no.", ("yes", "no"))
    0.0
    """
    if not text:
        return np.nan
    words = "|".join(re.escape(word) for word in verdicts)
    edge = r"\b" if all(len(word) > 1 for word in verdicts) else ""
    matches = re.findall(f"{edge}(?:{words}){edge}", text, re.IGNORECASE)
    return float(matches[-1].lower() == verdicts[0].lower()) if matches else np.nan
