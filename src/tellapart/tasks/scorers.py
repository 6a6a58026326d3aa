"""The scorers by name, and the making of one from a task file's settings.

Adding a scorer: its class (a frozen dataclass whose fields are its settings) and one entry in `_ALL`.

>>> from tellapart.tasks.item import Item
>>> make_scorer("after_marker", {"marker": ">"}).score(Item("1", {}, ("42",)), "40+2=42>42")
1.0
"""

import dataclasses
import math
import typing
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from tellapart.errors import UserMistake, closest
from tellapart.jsonvalue import Json, JsonObject
from tellapart.tasks.boxed import Boxed
from tellapart.tasks.choice import Choice, ChoiceLogprob
from tellapart.tasks.contains import Contains
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.match import Matched
from tellapart.tasks.numeric import LastNumber, Numeric
from tellapart.tasks.pattern import Regex
from tellapart.tasks.python_code import load_scorer
from tellapart.tasks.text_match import AfterMarker, AnswerIs, Exact, Normalised

_ALL: tuple[type[Matched], ...] = (
    Exact,
    Normalised,
    Numeric,
    LastNumber,
    Contains,
    Boxed,
    Choice,
    ChoiceLogprob,
    Regex,
    AfterMarker,
    AnswerIs,
)

SCORERS: dict[str, type[Matched]] = {scorer.name: scorer for scorer in _ALL}

SETTINGS: tuple[str, ...] = tuple(
    dict.fromkeys(field.name for scorer in _ALL for field in dataclasses.fields(scorer))
)
"""Every setting that some scorer takes: keys that a task file may hold."""


def make_scorer(name: str, settings: JsonObject | None = None, folder: Path | None = None) -> Scorer:
    """Return the scorer called `name` with its settings (the fields of its class).

    `folder` is where a `python:module:function` is looked for first. Raises UserMistake for an unknown name,
    a setting that the scorer does not take, one that it needs and lacks, and one of the wrong type or value.
    """
    settings = settings or {}
    if name.startswith("python:"):
        _refuse_spare(name, settings, ())
        return load_scorer(name, folder)
    if name not in SCORERS:
        raise UserMistake(
            f"unknown scorer {name!r}{closest(name, SCORERS)}: use {', '.join(SCORERS)} "
            "or python:module:function"
        )
    kinds = typing.get_type_hints(SCORERS[name])
    fields = {field.name: field for field in dataclasses.fields(SCORERS[name])}
    _refuse_spare(name, settings, fields)
    for key, field in fields.items():
        if key in settings:
            _check_setting(name, key, settings[key], kinds[key])
        elif field.default is dataclasses.MISSING:
            raise UserMistake(f'scorer {name!r} needs {key!r}: add {key} = "..." to the task file')
    return SCORERS[name](
        **{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    )


def settings_of(scorer: Scorer) -> dict[str, Json]:
    """Return what identifies a scorer, as JSON values: its name, its class, and the fields of its dataclass that
    are no functions (those of task files carry a hash of their source instead)."""
    settings: dict[str, Json] = {"name": scorer.name, "class": type(scorer).__qualname__}
    if dataclasses.is_dataclass(scorer):
        values = {field.name: vars(scorer)[field.name] for field in dataclasses.fields(scorer)}
        settings |= {key: value for key, value in values.items() if not callable(value)}
    return settings


def target_mistake(scorer: Scorer, item: Item) -> str | None:
    """Return why the scorer could never accept one of the item's targets; None where it can accept all."""
    if not isinstance(scorer, Matched):
        return None
    for target in item.target:
        if scorer.canonical(item, target) is None:
            return f"target {target!r} can never match under scorer {scorer.name!r}"
    return None


def extracted_share(task: Task, completions: Iterable[tuple[Item, str]]) -> float:
    """Return the share of the completions in which the task's scorer finds an answer at all, right or wrong.

    NaN where there are none. A share of 0 says that the scorer does not fit the form of the answers.
    """
    read = [task.scorer.answer(item, completion) is not None for item, completion in completions]
    return sum(read) / len(read) if read else math.nan


def _refuse_spare(name: str, settings: Iterable[str], takes: Collection[str]) -> None:
    for key in settings:
        if key not in takes:
            raise UserMistake(
                f"scorer {name!r} takes no {key!r}: it takes {', '.join(takes) or 'no settings'}"
            )


def _check_setting(scorer: str, key: str, value: Json, kind: Any) -> None:
    """Refuse a value that is not of the setting's declared kind: text, a list of texts, a number, or a listed word."""
    allowed = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or not all(
            isinstance(word, str) and word.strip() for word in value
        ):
            raise UserMistake(
                f"scorer {scorer!r}: {key} = {value!r}: give a list of texts that are not empty"
            )
    elif allowed:
        if value not in allowed:
            raise UserMistake(f"scorer {scorer!r}: {key} = {value!r}: use {' or '.join(map(repr, allowed))}")
    elif kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise UserMistake(f"scorer {scorer!r}: {key} = {value!r}: give a number from 0 up")
    elif not isinstance(value, str) or not value:
        raise UserMistake(f"scorer {scorer!r}: {key} = {value!r}: give text that is not empty")
