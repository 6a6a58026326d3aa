"""TinyLoRA (arXiv 2602.04118) as a way to elicit: how much comes back for 1, 13 or 64 trained numbers?

The left end of the bits axis: 13 numbers are 416 bits. The paper trains v by RL; here it learns from the base's own
right answers, as every adapter here does. What it is trained on, its null control and its bits: adapted.py.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from tellapart.elicit.adapted import Adapting
from tellapart.jsonvalue import JsonObject


@final
@dataclass(frozen=True)
class TinyAdapter(Adapting):
    """A curve over how many numbers all matrices share."""

    name: ClassVar[str] = "tiny_lora"
    source: ClassVar[str] = "arXiv 2602.04118"

    sizes: tuple[int, ...] = (1, 13, 64)
    main: int = 13

    def change(self, size: int) -> JsonObject:
        """Return v of `size` numbers over the two largest singular directions of every matrix."""
        return {"kind": "tiny_lora", "scalars": size}
