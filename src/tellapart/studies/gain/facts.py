"""What analysis must know beside the rows; kept in artifacts/facts.json, so old runs are analysed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tellapart.errors import UserMistake
from tellapart.rasp.rung import ExpressibleRung
from tellapart.studies.gain.recorded import (
    ElicitorRecord,
    ItemKey,
    ModelSize,
    PairingRecord,
    PlanRecord,
    PricedRecord,
)


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
    planting: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    margin: float | None = None
    reference: Mapping[str, ElicitorRecord] = field(default_factory=dict)
    slice: str = ""
    priced: PricedRecord = field(default_factory=PricedRecord)
    plan: PlanRecord = field(default_factory=PlanRecord)
    series: Sequence[int] = ()
    described: Mapping[str, Any] = field(default_factory=dict)
    directions: Mapping[str, Any] = field(default_factory=dict)
    pairing: PairingRecord = field(default_factory=PairingRecord)
    expressible: ExpressibleRung = field(default_factory=ExpressibleRung)
    same_tokens: bool = False
    same_model: bool = False
    asked_models: bool = True
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `facts_from` reads. JSON is written with sorted keys, so the order in which
        methods were asked stands beside them: of two that are equal the first one is named."""
        return {**asdict(self), "order": list(self.elicitors)}


def facts_from(value: Mapping[str, Any]) -> Facts:
    """Return the facts of a JSON object. Raises UserMistake where it is none."""
    try:
        kept = {name: field for name, field in value.items() if name != "order"}
        if "order" in value:
            kept["elicitors"] = {name: value["elicitors"][name] for name in value["order"]}
        return Facts(**{**kept, "notes": tuple(value.get("notes", ()))})
    except (KeyError, TypeError) as error:
        raise UserMistake(f"artifacts/facts.json does not hold the facts of a gain run: {error}") from error
