"""Dataclasses to the JSON of a run folder and back, by their fields and annotations.

A number that is not known is NaN here and null there. A field whose default is None is left out of the JSON where it is
None; in old JSON a field may be missing that has a default, or that may be None.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar

from tellapart.findings.finding import PLAIN
from tellapart.jsonvalue import Json, JsonObject

KindT = TypeVar("KindT")


def key(name: str) -> dict[str, str]:
    """Return the metadata of a field whose key in JSON is no name of Python's, as "cut off"."""
    return {"key": name}


def to_json(value: Any) -> Any:
    """Return a JSON value: dataclasses as objects, NaN and infinities as null."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value):
        return {
            written: given if type(given) in PLAIN else to_json(given)
            for name, written, always in _written(type(value))
            if (given := getattr(value, name)) is not None or always
        }
    if isinstance(value, Mapping):
        return {name: to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return value


@cache
def _written(kind: type) -> tuple[tuple[str, str, bool], ...]:
    """Return each field's name, its key, and whether it is written where it is None."""
    return tuple(
        (field.name, field.metadata.get("key", field.name), field.default is not None)
        for field in dataclasses.fields(kind)
    )


def from_json(kind: type[KindT], value: Any) -> KindT:
    """Return the `kind` whose `to_json` is `value`. Raises KeyError where a field is missing, TypeError or ValueError
    where a value is of another kind."""
    return _read(kind, value)


@cache
def _fields(kind: type) -> tuple[tuple[str, str, Any, dataclasses.Field[Any]], ...]:
    """Return each field's name, its key, its type, and the field."""
    hints = typing.get_type_hints(kind)
    return tuple(
        (
            field.name,
            field.metadata.get("key", field.name),
            Any if field.type in (Json, JsonObject) else hints[field.name],  # JSON stays as it is
            field,
        )
        for field in dataclasses.fields(kind)
    )


def _read(kind: Any, value: Any) -> Any:
    if kind is float:
        return math.nan if value is None else float(value)
    if kind is str:
        return "" if value is None else str(value)
    if kind in (int, bool):
        return kind(value)
    if dataclasses.is_dataclass(kind):
        return _object(kind, value)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and types.NoneType in inner:
            return None
        parts = [part for part in inner if part is not types.NoneType]
        text = len(parts) > 1 and (value is None or isinstance(value, str))  # a text or a list of texts
        return _read(
            str if text else next(part for part in parts if len(parts) == 1 or part is not str), value
        )
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return tuple(_read(inner[0], item) for item in value or ())
        return tuple(_read(part, item) for part, item in zip(inner, value, strict=True))
    if origin in (Mapping, dict):
        return {str(name): _read(inner[1], item) for name, item in (value or {}).items()}
    if origin is Sequence:
        return [_read(inner[0], item) for item in value or ()]
    return str(value) if origin is Literal else value


def _object(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"{kind.__name__}: an object is needed, not {type(value).__name__}")
    read: dict[str, Any] = {}
    for name, written, hint, field in _fields(kind):
        if written in value:
            given = value[written]
            read[name] = given if type(given) is hint and hint in PLAIN else _read(hint, given)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            if types.NoneType not in typing.get_args(hint):
                raise KeyError(f"{kind.__name__} without {written!r}")
            read[name] = None
    return kind(**read)
