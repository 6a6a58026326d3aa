"""Singular value fine-tuning (Sun, Cetin & Tang 2025, Transformer-squared, arXiv 2501.06252) as a way to elicit.

One factor z for each singular value of every attention and MLP matrix: W' = U diag(sigma * z) V^T. The paper trains
z by REINFORCE with a KL penalty; here z learns from the base's own right answers, which is its first step without the
penalty (see adapted.py for what it is trained on, its null control and its bits).
"""

from dataclasses import dataclass
from typing import ClassVar, final

from tellapart.elicit.adapted import Adapting
from tellapart.jsonvalue import JsonObject


@final
@dataclass(frozen=True)
class SingularValues(Adapting):
    """One z for each singular value."""

    name: ClassVar[str] = "svf"
    source: ClassVar[str] = "Sun, Cetin & Tang 2025, arXiv 2501.06252"

    def change(self, size: int) -> JsonObject:
        """Return z on every matrix."""
        return {"kind": "svf", "targets": []}
