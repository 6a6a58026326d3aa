"""What analysis must know beside the rows; kept in artifacts/facts.json, so old runs are analysed anew."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tellapart.controls import CONTROLS, FAMILIES
from tellapart.controls.audit import AuditLine
from tellapart.controls.role import Role
from tellapart.errors import UserMistake
from tellapart.findings.typed import from_json
from tellapart.jsonvalue import Json
from tellapart.stats.form_share import Keeps
from tellapart.studies.form.meanings import Meaning
from tellapart.studies.form.option_bias import OptionBias

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
    option_bias: OptionBias | None = None
    meanings: Mapping[str, Meaning] | None = None
    complexity: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trained: Mapping[str, TrainedFacts] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Return the JSON object that stands in artifacts/facts.json. JSON is written with sorted keys, so the order in
        which arms are shown stands beside them."""
        return {**asdict(self), "order": [[family, list(arms)] for family, arms in self.families.items()]}


def facts_from(fields: Mapping[str, Any]) -> Facts:
    """Return the facts whose `as_json` is `told`. Raises UserMistake where they are none."""
    try:
        order = fields.get("order") or _usual_order(fields["families"])
        kept = {name: value for name, value in fields.items() if name != "order"}
        kept["families"] = {
            family: {arm: _arm_from(fields["families"][family][arm]) for arm in arms}
            for family, arms in order
        }
        kept["complexity"] = {item: (size, steps) for item, (size, steps) in fields["complexity"].items()}
        kept["trained"] = {family: TrainedFacts(**trained) for family, trained in fields["trained"].items()}
        kept["notes"] = tuple(fields["notes"])
        if (bias := fields.get("option_bias")) is not None:
            kept["option_bias"] = from_json(OptionBias, bias)
        if (meanings := fields.get("meanings")) is not None:
            kept["meanings"] = {item: Meaning(*value) for item, value in meanings.items()}
        return Facts(**kept)
    except (KeyError, TypeError, ValueError) as error:
        raise UserMistake(f"artifacts/facts.json does not hold the facts of a form run: {error}") from error


def _arm_from(fields: Mapping[str, Any]) -> ArmFacts:
    return ArmFacts(**{**fields, "audit": tuple(AuditLine(**line) for line in fields["audit"])})


def _usual_order(families: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return families and arms in the order of the controls: runs of older versions did not record it."""
    order = list(CONTROLS)
    place = {name: at for at, name in enumerate(FAMILIES)}
    return [
        (
            family,
            sorted(arms, key=lambda arm: order.index(f"{family}/{arm}") if f"{family}/{arm}" in order else 0),
        )
        for family, arms in sorted(families.items(), key=lambda entry: place.get(entry[0], 0))
    ]


def condition(family: str, arm: str) -> str:
    """Return the name under which rows of an arm are kept."""
    return f"{family}/{arm}"
