"""Length alone: a control, since a verifier that likes long answers looks wise where right answers are long."""

from typing import ClassVar, final

import numpy as np

from tellapart.verifiers.verifier import Bench, Utilities, Verifier


@final
class Longest(Verifier):
    """Accept the longest answers of each item, by characters."""

    name = "longest"
    source: ClassVar[str] = "Dubois et al. 2024, arXiv 2404.04475 (length as a confounder)"
    levelled: ClassVar[bool] = False

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 for the longest answers of each item, else 0."""
        lengths = np.array([[np.nan if text is None else len(text) for text in row] for row in bench.answers])
        longest = np.array(
            [[max((len(text) for text in row if text is not None), default=0)] for row in bench.answers]
        )
        return np.where(np.isnan(lengths), np.nan, (lengths == longest).astype(np.float64))
