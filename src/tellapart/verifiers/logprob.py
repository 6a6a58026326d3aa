"""Multiple choice by log-probability: is this answer right, yes or no?"""

from typing import ClassVar, final

import numpy as np

from tellapart.verifiers.verifier import (
    Bench,
    Utilities,
    Verifier,
    filled,
    judging_prompt,
    log_probabilities,
    pairs,
)

WANTED = "{question}{answer}\n\nIs this answer right, yes or no? Answer:"


@final
class Logprob(Verifier):
    """The model's p(right) / (p(right) + p(wrong)), read off directly after the answer; the best fifth is accepted."""

    name = "logprob"
    source: ClassVar[str] = "Song et al. 2024, arXiv 2412.02674 (multiple choice)"
    graded: ClassVar[bool] = True

    def judge(self, bench: Bench) -> Utilities:
        """Return the probability of the right verdict. Raises UserMistake where the model gives none."""
        judged = pairs(bench)
        own = bench.task.verdicts
        options = own if own != ("yes", "no") else (" yes", " no")
        prompts = [judging_prompt(bench.task, bench.items[i], text, WANTED) for i, text in judged]
        with bench.now() as model:
            logs = log_probabilities(model, prompts, options)
        chances = 1 / (1 + np.exp(logs[:, 1] - logs[:, 0]))
        return filled(bench, dict(zip(judged, chances.tolist(), strict=True)))
