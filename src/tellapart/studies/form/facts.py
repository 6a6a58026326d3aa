"""What analysis must know beside the rows; kept in artifacts/facts.json, so old runs are analysed anew."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tellapart.controls.audit import AuditLine
from tellapart.controls.role import Role
from tellapart.stats.form_share import Keeps

NoEffect = Literal["cannot tell", "form"]
GIVEN = "given"
"""The family of arms that logs of other tools hold."""


@dataclass(frozen=True)
class ArmFacts:
    """An arm: its role, what it `says` it keeps and removes, its audit, one `example` of what was shown."""

    role: Role
    keeps: Keeps = "form"
    kept: str = ""
    removed: str = ""
    source: str = ""
    decides: bool = False
    audit: tuple[AuditLine, ...] = ()
    example: str = ""


@dataclass(frozen=True)
class TrainedFacts:
    """Of a family whose arms are trained: `seeds` trainings an arm on `labels` items each, `samples` answers of each
    training to an item, and what a random guess of the output space is expected to score on each item."""

    seeds: int
    samples: int
    labels: int
    guesses: Mapping[str, float]


@dataclass(frozen=True)
class Facts:
    """`families` maps a family to its arms by name, in the order shown. `no_effect` says what it means where full
    equals base: nothing can be told (prompts), or the substance is not used (a model's own steps). `false_premise` says
    of an item whether its question rests on a false premise, where the task does; `option_bias`
    holds the letters' log-probabilities (option_bias.py); `complexity` is (size, steps) by item; `trained`
    tells of a family's trainings."""

    families: Mapping[str, Mapping[str, ArmFacts]]
    questions: Mapping[str, str] = field(default_factory=dict)
    no_effect: Mapping[str, NoEffect] = field(default_factory=dict)
    margin: float = 0.05
    correct_at: float = 1.0
    seed: int = 0
    guess_floor: float | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    false_premise: Mapping[str, bool] = field(default_factory=dict)
    option_bias: Mapping[str, Any] | None = None
    meanings: Mapping[str, Any] | None = None
    complexity: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trained: Mapping[str, TrainedFacts] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that stands in artifacts/facts.json."""
        return asdict(self)


def condition(family: str, arm: str) -> str:
    """Return the name under which rows of an arm are kept."""
    return f"{family}/{arm}"
