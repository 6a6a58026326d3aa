"""The .toml beside an item file: how the items are put and scored. Read, typed and checked; unknown keys refused."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tellapart.errors import UserMistake, closest
from tellapart.jsonvalue import Json, JsonObject
from tellapart.tasks.place import Place, read_text
from tellapart.tasks.scorers import SETTINGS
from tellapart.tasks.template import field_names


@dataclass(frozen=True)
class Settings:
    """The keys of a task file, with their defaults. `scorer_settings` holds pattern, marker, tolerance and such.

    `answer` is how a demonstration's answer is written after its prompt, `worked` the same with its steps; both
    are templates that may name {target} as well as the item's fields. `program` names what computes the answers
    (docs/expressible.md).
    """

    name: str = ""
    items: str = ""
    template: str = "{prompt}"
    answer: str = " {target}"
    worked: str = ""
    scorer: str = ""
    guess_floor: float | None = None
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    steps: str = ""
    program: str = ""
    demonstrations: str = ""
    demonstrations_from: int = 0
    scorer_settings: JsonObject = field(default_factory=dict)
    path: Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, key: str, otherwise: Path) -> Place:
        """Return where `key` stands in the task file; the file `otherwise` where there is no task file."""
        return Place(otherwise) if self.path is None else Place(self.path, self.lines.get(key, 0))


_TEXTS = ("name", "items", "template", "answer", "worked", "scorer", "steps", "program", "demonstrations")
_COUNTS = {"max_tokens": 1, "demonstrations_from": 0}
KEYS = (
    tuple(f.name for f in fields(Settings) if f.name not in ("scorer_settings", "path", "lines")) + SETTINGS
)


def read_settings(path: Path) -> Settings:
    """Return the settings in a .toml. Raises UserMistake with file, line and the way out."""
    text = read_text(path)
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise UserMistake(f"{path}: nested too deeply") from None
    except (ValueError, OverflowError) as error:
        raise UserMistake(f"{path}: not TOML: {error}") from None
    lines = _key_lines(text)
    for key, value in values.items():
        place = Place(path, lines.get(key, 0))
        if key not in KEYS:
            raise place.mistake(f"unknown key {key!r}{closest(key, KEYS)}: the keys are {', '.join(KEYS)}")
        check_setting(key, value, place)
    own: dict[str, Any] = {key: value for key, value in values.items() if key not in SETTINGS}
    own["stop"] = tuple(own.get("stop", ()))
    return Settings(
        **own,
        scorer_settings={key: value for key, value in values.items() if key in SETTINGS},
        path=path,
        lines=lines,
    )


def check_setting(key: str, value: Json, place: Place) -> None:
    """Raise UserMistake for a value of the wrong type; scorers check their own settings."""
    if key in _TEXTS and (not isinstance(value, str) or not value):
        raise place.mistake(f"{key} = {value!r}: give text in quotes")
    if key in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < _COUNTS[key]):
        raise place.mistake(f"{key} = {value!r}: give a whole number from {_COUNTS[key]} up")
    if key == "stop" and not (isinstance(value, list) and all(isinstance(s, str) and s for s in value)):
        raise place.mistake(f'stop = {value!r}: give a list of texts that are not empty, as in ["\\n"]')
    if key in ("template", "answer", "worked"):
        try:
            names = field_names(str(value))
        except UserMistake as mistake:
            raise place.mistake(str(mistake)) from None
        if key == "template" and "target" in names:
            raise place.mistake("the template names {target}: that would show the answer")


def _key_lines(text: str) -> dict[str, int]:
    """Return the line (from 1) on which each key is set, as far as it stands at the beginning of one."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        match = re.match(r"\s*\[*\s*[\"']?([\w-]+)[\"']?\s*(?:[=.\]])", line)
        if match:
            lines.setdefault(match.group(1), number)
    return lines
