"""Randomly masked adapters (after Donoway et al. 2025, openreview Dkgx2pS4Ww): how few numbers elicit a skill?

`masked_adapter@16` trains 16 scalars drawn at random over the whole model, training/masked.py says which. The recovered
share against log p follows a generalised logistic; `sizes_for` gives the p for 50 % and 90 % of the gain (published for
Llama 1B on GSM8K-choice: 39 and 1036). What they are trained on, the null control and the bits: adapted.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from tellapart.elicit.adapted import Adapting
from tellapart.errors import InvalidInput
from tellapart.jsonvalue import JsonObject

if TYPE_CHECKING:
    from tellapart.stats.arrays import Floats
    from tellapart.stats.logistic_curve import Ends, LogisticCurve


@final
@dataclass(frozen=True)
class MaskedAdapter(Adapting):
    """A curve over the number of scalars."""

    name: ClassVar[str] = "masked_adapter"
    source: ClassVar[str] = "Donoway et al. 2025, openreview Dkgx2pS4Ww"

    sizes: tuple[int, ...] = (4, 16, 64, 256, 1024, 4096)
    main: int = 256

    def change(self, size: int) -> JsonObject:
        """Return a masked adapter of `size` scalars; a smaller one's are the first of a larger one's."""
        return {"kind": "masked", "scalars": size}


def sizes_for(means: "Mapping[str, Floats]", ends: "Ends") -> "LogisticCurve":
    """Fit score against log p over the ways called masked_adapter@p; other names and null controls are left out.

    `means` are the per-item scores (items,), aligned with those of `ends`, by the name of the way. `half` and `most` of
    what is returned are the p for 50 % and 90 % of the gain, missing where there are fewer than four p, or no gain.
    """
    from tellapart.stats.logistic_curve import fit_generalised_logistic

    mark = f"{MaskedAdapter.name}@"
    sizes = {
        int(name.removeprefix(mark)): name for name in means if name.startswith(mark) and "~" not in name
    }
    if not sizes:
        raise InvalidInput(f"no way called {mark}p given: there are {', '.join(means) or 'none'}")
    scores = np.stack([means[sizes[size]] for size in sorted(sizes)])
    return fit_generalised_logistic(sorted(sizes), scores, ends, "parameters")
