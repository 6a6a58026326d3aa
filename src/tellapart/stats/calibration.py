"""A fitted verdict: a multinomial model, and the chance that its likeliest class must have before it is named."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats
from tellapart.stats.multinomial import Multinomial, multinomial_from

CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Calibrated:
    """A model, and the chance that the likeliest class must have before it is named."""

    model: Multinomial
    threshold: float

    def probabilities(self, values: ArrayLike) -> Floats:
        """Return the chances (n, classes) of features (n, f)."""
        return self.model.probabilities(values)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object; `calibrated_from` reads it."""
        return {"model": asdict(self.model), "threshold": self.threshold}


def calibrated_from(told: Mapping[str, Any]) -> Calibrated:
    """Return the model of a JSON object. Raises UserMistake where it is not one."""
    try:
        threshold = float(told["threshold"])
        stored = dict(told["model"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserMistake(f"not a stored calibration: {error!r}") from error
    if not 0 <= threshold <= 1:
        raise UserMistake(f"not a stored calibration: threshold {threshold:g}")
    return Calibrated(multinomial_from(stored), threshold)
