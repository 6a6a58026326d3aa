"""What most of the model's answers say: self-consistency as a verifier."""

from collections import Counter
from typing import ClassVar, final

import numpy as np

from tellapart.verifiers.verifier import Bench, Utilities, Verifier

AT_LEAST = 2


@final
class Majority(Verifier):
    """Accept the commonest answer of each item, if at least two answers say it (of equals the first written)."""

    name = "majority"
    source: ClassVar[str] = "Wang et al. 2022, arXiv 2203.11171; Huang et al. 2022, arXiv 2210.11610"

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 for the commonest answer, else 0."""
        utilities = np.zeros((len(bench.answers), len(bench.answers[0]) if bench.answers else 0))
        for i, row in enumerate(bench.answers):
            read = [None if text is None else bench.task.scorer.answer(bench.items[i], text) for text in row]
            votes = Counter(answer for answer in read if answer is not None)
            winner, count = votes.most_common(1)[0] if votes else (None, 0)
            for s, answer in enumerate(read):
                if row[s] is None:
                    utilities[i, s] = np.nan
                else:
                    utilities[i, s] = float(count >= AT_LEAST and answer == winner)
        return utilities
