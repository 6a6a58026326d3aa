"""Low-rank adapters of growing rank (Hu et al. 2021, arXiv 2106.09685) as a way to elicit: how small may an adapter be?

`lora@4` has rank 4 on every attention and MLP matrix. What it is trained on, its null control and its bits: adapted.py.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from tellapart.elicit.adapted import Adapting
from tellapart.jsonvalue import JsonObject


@final
@dataclass(frozen=True)
class LowRank(Adapting):
    """A curve over the rank."""

    name: ClassVar[str] = "lora"
    source: ClassVar[str] = "Hu et al. 2021, arXiv 2106.09685"

    sizes: tuple[int, ...] = (1, 2, 4, 8)
    main: int = 4

    def change(self, size: int) -> JsonObject:
        """Return adapters of rank `size`."""
        return {"kind": "lora", "rank": size}
