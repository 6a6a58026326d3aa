"""What the analysis of `hidden` must know beside the rows; kept in artifacts/facts.json for a run analysed anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tellapart.errors import UserMistake
from tellapart.findings.hidden import TheseItems
from tellapart.findings.typed import from_json, to_json
from tellapart.jsonvalue import Json
from tellapart.studies.gain.facts import Facts, measured_in
from tellapart.studies.gain.recorded import ElicitorRecord
from tellapart.studies.hidden.spec import MARGIN

FEWEST_LETTERS = 3


@dataclass(frozen=True)
class HiddenFacts(Facts):
    """Facts as of `gain` (its base is the model in question: `elicitors`, `reference`, `priced`, `planting`), and:

    `benign` by method what is told of the benign model beside its rows; empty with `has_benign` where it was asked
    plainly only. `same_model`: the benign model is the model itself. `gap_margin` is the gap that matters. `options` by
    item are its choices in the order of the prompt, in canonical form; `permuted` what is accepted where they were
    asked in another order; `these_items` what twins.py measured. Of logs, `barred` is what keeps them from being
    compared, each with what removes it, and `lost` the share of answers by which the gap may be too large.
    """

    benign: Mapping[str, ElicitorRecord] = field(default_factory=dict)
    has_benign: bool = False
    gap_margin: float = MARGIN
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    permuted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    these_items: TheseItems | None = None
    barred: tuple[tuple[str, str], ...] = ()
    lost: float = 0.0

    @cached_property
    def lettered(self) -> bool:
        """Whether right answers are option letters: three of them at least, and the first ones of the alphabet."""
        answers = {
            str(answer).strip().strip("().").upper()
            for item in self.items.values()
            for answer in item.get("accepted", ())
        }
        letters = [answer for answer in answers if len(answer) == 1 and "A" <= answer <= "Z"]
        if len(letters) < len(answers) or len(letters) < FEWEST_LETTERS:
            return False
        return ord(max(letters)) - ord("A") < 2 * len(letters)

    def as_json(self) -> dict[str, Json]:
        """Return the JSON object that `hidden_facts_from` reads."""
        return {**self.fields_as_json(), "these_items": to_json(self.these_items or {})}


def hidden_facts_from(value: Mapping[str, Any]) -> HiddenFacts:
    """Return the facts of a JSON object. Raises UserMistake where it is none."""
    try:
        lists = {
            name: {item: tuple(names) for item, names in dict(value.get(name, {})).items()}
            for name in ("options", "permuted")
        }
        barred = tuple((str(what), str(remove)) for what, remove in value.get("barred", ()))
        notes = tuple(value.get("notes", ()))
        met = from_json(TheseItems, value["these_items"]) if value.get("these_items") else None
        own = {"these_items": met, "notes": notes, "barred": barred, **lists}
        return HiddenFacts(**{**value, **measured_in(value), **own})
    except (KeyError, TypeError, ValueError) as error:
        raise UserMistake(f"artifacts/facts.json does not hold the facts of a hidden run: {error}") from error
