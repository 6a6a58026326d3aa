"""A number with its interval, n, unit and method: the only form in which a figure leaves `stats`."""

import math
from dataclasses import asdict, dataclass

from tellapart.jsonvalue import Json


@dataclass(frozen=True)
class Estimate:
    """`low` and `high` bound the central 95 % unless `method` says otherwise; NaN is "not known", never 0."""

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object; NaN and infinities become null, since JSON has none."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


def missing(unit: str, reason: str, n: int = 0) -> Estimate:
    """Return the estimate of a figure that is not available; `reason` stands in its method."""
    return Estimate(math.nan, math.nan, math.nan, n, unit, f"missing: {reason}")
