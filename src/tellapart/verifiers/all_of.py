"""Several verifiers at once: an answer is accepted where all of them accept it."""

from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np

from tellapart.verifiers.verifier import Bench, Utilities, Verifier


@final
class AllOf(Verifier):
    """The AND of its parts; written `majority+critique`."""

    source: ClassVar[str] = "Song et al. 2024, arXiv 2412.02674 (AND-ensembles)"

    def __init__(self, parts: Sequence[Verifier]) -> None:
        self.parts = tuple(parts)
        self.name = "+".join(part.name for part in parts)
        self.outside = any(part.outside for part in parts)

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 where every part accepts, else 0; NaN where one of them gave no verdict."""
        judged = [part.judge(bench) for part in self.parts]
        accepted = [part.accept(utilities) for part, utilities in zip(self.parts, judged, strict=True)]
        unknown = np.isnan(np.stack(judged)).any(axis=0)
        return np.where(unknown, np.nan, np.stack(accepted).all(axis=0).astype(np.float64))
