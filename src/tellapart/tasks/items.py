"""Raw rows made into Items, every one checked: id, target, choices, cluster; all other keys are fields."""

import math
from collections.abc import Sequence

from tellapart.jsonvalue import Json
from tellapart.tasks.choice import choice_letter
from tellapart.tasks.item import Item
from tellapart.tasks.place import Place
from tellapart.tasks.rows import RawRow
from tellapart.tasks.template import LETTERS

OWN_KEYS = ("id", "target", "choices", "cluster")


def make_items(rows: Sequence[RawRow], notes: list[str] | None = None) -> tuple[Item, ...]:
    """Return the rows as Items, in order; what was read as something else is added to `notes`.

    Raises UserMistake, with the place, for a missing or repeated id, a missing or empty target, choices that are
    not two to 26 different texts, a target that is none of the choices, and values of the wrong type.
    """
    seen: dict[str, Place] = {}
    items = []
    for row in rows:
        item = make_item(row)
        if item.id in seen:
            earlier = seen[item.id]
            raise row.place.mistake(
                f"id {item.id!r} stands already in {earlier.unit} {earlier.line}: give each item its own"
            )
        seen[item.id] = row.place
        items.append(item)
    if notes is not None:
        notes.extend(_readings(rows))
    return tuple(items)


def make_item(row: RawRow) -> Item:
    """Return one row as an Item. Raises UserMistake as `make_items` does."""
    place, values = row
    for key, way in (("id", "give text or an integer"), ("target", "give the accepted answer")):
        if key in values and values[key] is None:
            raise place.mistake(f"{key} is null: {way}")
        if key not in values:
            have = ", ".join(map(repr, values)) or "nothing"
            raise place.mistake(f"no {key!r}: every item needs id and target; this one has {have}")
    targets = values["target"] if isinstance(values["target"], list) else [values["target"]]
    if not targets:
        raise place.mistake("target is an empty list: give at least one accepted answer")
    choices = values.get("choices")
    item = Item(
        id=_word(values["id"], "id", place),
        fields={key: value for key, value in values.items() if key not in OWN_KEYS},
        target=tuple(_text(target, "target", place) for target in targets),
        choices=() if choices is None else _choices(choices, place),
        cluster=None if values.get("cluster") is None else _word(values["cluster"], "cluster", place),
    )
    _check_targets(item, place)
    return item


def _word(value: Json, key: str, place: Place) -> str:
    """Return an id or a cluster as text: text or an integer."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise place.mistake(f"{key} is {type(value).__name__} {value!r}: give text or an integer")
    if not str(value).strip():
        raise place.mistake(f"{key} is empty")
    return str(value)


def _text(value: Json, key: str, place: Place) -> str:
    """Return a target or a choice as text: text or a finite number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise place.mistake(
            f"{key} is {type(value).__name__} {value!r}: give text in quotes, or a list of texts"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise place.mistake(f"{key} is {value!r}: give a finite number, or text")
    if not str(value).strip():
        raise place.mistake(f"{key} is empty: give the accepted answer")
    return str(value)


def _choices(value: Json, place: Place) -> tuple[str, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= len(LETTERS):
        raise place.mistake(f"choices must be a list of 2 to {len(LETTERS)} texts, not {str(value)[:60]!r}")
    choices = tuple(_text(choice, "a choice", place) for choice in value)
    stripped = [choice.strip() for choice in choices]
    if len(set(stripped)) < len(choices):
        raise place.mistake(f"a choice stands twice among {list(choices)}")
    for index, choice in enumerate(stripped):
        if (
            len(choice) == 1
            and choice.upper() in LETTERS[: len(choices)]
            and choice.upper() != LETTERS[index]
        ):
            raise place.mistake(
                f"choice {choice!r} comes at letter {LETTERS[index]}, so {choice!r} would name two choices: "
                "order them, or write them out"
            )
    return choices


def _check_targets(item: Item, place: Place) -> None:
    for target in item.target if item.choices else ():
        if choice_letter(item.choices, target) is None:
            raise place.mistake(
                f"target {target!r} is none of the choices {list(item.choices)}, nor a letter of one"
            )


def _readings(rows: Sequence[RawRow]) -> list[str]:
    numbers = [row for row in rows if not isinstance(row.values["id"], str)]
    notes = [f"{len(numbers)} ids are integers and were read as text"] if numbers else []
    targets = [row for row in rows if isinstance(row.values["target"], int | float)]
    return [*notes, *([f"{len(targets)} targets are numbers and were read as text"] if targets else [])]
