"""A Finding answers one question: verdict, probability, estimates, controls, caveats, the rows that show it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tellapart.jsonvalue import Json, JsonObject
from tellapart.stats.estimate import Estimate

FINDINGS_VERSION = 1


@dataclass(frozen=True)
class Finding:
    """`estimates` are keyed by the public names (docs/run-folder.md). `evidence` are the verdict's terms,
    each (what was seen, its value, what it adds). `rows` name the rows that show it, as (condition, item)."""

    question: str
    verdict: str
    probability: float
    sentence: str
    estimates: Mapping[str, Estimate]
    controls: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    evidence: tuple[tuple[str, float, float], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    tables: JsonObject = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """Return the object that stands in findings.json."""
        return {
            "question": self.question,
            "verdict": self.verdict,
            "probability": without_nan(self.probability),
            "sentence": self.sentence,
            "estimates": {name: estimate.as_json() for name, estimate in self.estimates.items()},
            "controls": dict(self.controls),
            "caveats": list(self.caveats),
            "evidence": [without_nan(list(term)) for term in self.evidence],
            "rows": [list(row) for row in self.rows],
            "tables": without_nan(dict(self.tables)),
        }


PLAIN = frozenset({str, int, bool})
"""Types whose values are JSON as they are."""


def without_nan(value: Json) -> Json:
    """Return a JSON value with NaN and infinities as None: "not known", since JSON has neither."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):  # whose values are plain for the most part, and may be a million
        return {key: inner if type(inner) in PLAIN else without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return value
