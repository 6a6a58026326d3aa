"""What analysis must know beside the rows; kept in artifacts/facts.json, so old runs are analysed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tellapart.errors import UserMistake
from tellapart.findings.typed import from_json
from tellapart.internals.two_by_two import TwoByTwo
from tellapart.jsonvalue import Json, JsonObject
from tellapart.planting.result import ArmControl
from tellapart.rasp.rung import ExpressibleRung
from tellapart.studies.gain.recorded import (
    ElicitorRecord,
    ItemKey,
    ModelSize,
    PairingRecord,
    PlanRecord,
    PricedRecord,
)
from tellapart.training.description import DescriptionLength


@dataclass(frozen=True)
class Facts:
    """`elicitors` maps the name of each value to what is told beside its rows (bits_once, source, oracle, tells, or
    `missing`: why it has none), `reference` the same of the reference model; `plan` tells each look of an adaptive plan
    and why it stopped; `described` is the description length (described.py), `directions` the two-by-two table
    (directions.py). By item: `prompts`, `targets`, and `items`, its answer key (`accepted` answers in canonical form,
    their `kind`, the number of `candidates` in its question, whether a target stands `in_prompt`, and its `slice` by
    the field `slice`, where one was declared); `recognised` is the share of right answers that equal an accepted one.
    `models` says of what architecture and size base and tuned are, `chat` whether they were asked through a chat
    template, `planting` by arm whether it found a planted skill in this base; `series` are the steps of TUNED where it
    is a series of checkpoints, the last of which is `tuned`; `notes` are caveats; `margin` is that of equivalence
    (None: by the scores' size). `priced` tells of the reference whether it was made `by_tool`, and which made-up
    `rules` both models were taught: chance, labels, and scores by dose and draw of `base` and `reference` (or
    `missing`: why there are none). `pairing` says by what key two logs were paired, of how many items, and by which
    metric.
    `expressible` is the ladder's first rung, where the task names a program (rasp/rung.py).
    """

    guess_floor: float | None
    correct_at: float = 1.0
    seed: int = 0
    temperature: float = 1.0
    elicitors: Mapping[str, ElicitorRecord] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, ItemKey] = field(default_factory=dict)
    models: Mapping[str, ModelSize] = field(default_factory=dict)
    chat: Mapping[str, bool] = field(default_factory=dict)
    recognised: float = 1.0
    planting: Mapping[str, ArmControl] = field(default_factory=dict)
    margin: float | None = None
    reference: Mapping[str, ElicitorRecord] = field(default_factory=dict)
    slice: str = ""
    priced: PricedRecord = field(default_factory=PricedRecord)
    plan: PlanRecord = field(default_factory=PlanRecord)
    series: Sequence[int] = ()
    described: Mapping[str, DescriptionLength] = field(default_factory=dict)
    directions: TwoByTwo | None = None
    pairing: PairingRecord = field(default_factory=PairingRecord)
    expressible: ExpressibleRung = field(default_factory=ExpressibleRung)
    same_tokens: bool = False
    same_model: bool = False
    asked_models: bool = True
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Return the JSON object that `facts_from` reads. JSON is written with sorted keys, so the order in which
        methods were asked stands beside them: of two that are equal the first one is named."""
        return {**self.fields_as_json(), "order": list(self.elicitors)}

    def fields_as_json(self) -> dict[str, Json]:
        """Return every field as JSON."""
        return {
            **asdict(self),
            "planting": {arm: control.as_json() for arm, control in self.planting.items()},
            "described": {answers: length.as_json() for answers, length in self.described.items()},
            "directions": {} if self.directions is None else self.directions.as_json(),
        }


def measured_in(value: JsonObject) -> dict[str, Any]:
    """Return what trainings and vectors measured: planting, described, directions."""
    directions = value.get("directions")
    return {
        "planting": from_json(Mapping[str, ArmControl], value.get("planting")),
        "described": from_json(Mapping[str, DescriptionLength], value.get("described")),
        "directions": from_json(TwoByTwo, directions) if directions else None,
    }


def facts_from(value: Mapping[str, Any]) -> Facts:
    """Return the facts of a JSON object. Raises UserMistake where it is none."""
    try:
        kept = {name: field for name, field in value.items() if name != "order"}
        if "order" in value:
            kept["elicitors"] = {name: value["elicitors"][name] for name in value["order"]}
        return Facts(**{**kept, **measured_in(value), "notes": tuple(value.get("notes", ()))})
    except (KeyError, TypeError, ValueError) as error:
        raise UserMistake(f"artifacts/facts.json does not hold the facts of a gain run: {error}") from error
