"""A method with its settings as text: `best_of_k:draws=32`, `steering_rl:steps=100,group=8`, `svf:sizes=1+2`.

Settings are the fields of the method's dataclass; several values of one are joined by +, and a field of a field is
written with a dot (`few_labels:settings.steps=60`). `write_elicitor` is the inverse of `read_elicitor`, so the command
line, a spec and Python (`elicitors=(BestOfK(draws=32),)`) say the same.

>>> from tellapart.elicit.voting import BestOfK
>>> write_elicitor(read_elicitor("best_of_k:draws=32", {"best_of_k": BestOfK()}))
'best_of_k:draws=32'
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tellapart.elicit.elicitor import Elicitor
from tellapart.errors import InvalidInput, closest

PLAIN = (bool, int, float, str, Path)
"""What a setting may be, or a tuple of."""
MANY = "+"


def read_elicitor(text: str, elicitors: Mapping[str, Elicitor]) -> Elicitor:
    """Return the method that `text` names, with the settings that it gives. Raises InvalidInput for an unknown method
    or setting, or a value that cannot be."""
    name, _, rest = text.partition(":")
    if name not in elicitors:
        raise InvalidInput(
            f"no elicitor {name!r}{closest(name, elicitors)}; there are: {', '.join(elicitors)}"
        )
    elicitor = elicitors[name]
    given: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        field, equals, value = part.partition("=")
        if not equals:
            raise InvalidInput(f"{text}: write settings as {name}:FIELD=VALUE,FIELD=VALUE")
        if field in given:
            raise InvalidInput(f"{text}: {field} is given twice")
        given[field] = value
    return _with(elicitor, given, name)


def write_elicitor(elicitor: Elicitor) -> str:
    """Return the text from which `read_elicitor` makes an equal method: its name, and what differs from its defaults.
    Raises InvalidInput where a setting has no text (a loaded model)."""
    said = [f"{field}={value}" for field, value in _changed(elicitor, elicitor.name)]
    return f"{elicitor.name}:{','.join(said)}" if said else elicitor.name


def settings_of(value: object) -> dict[str, str]:
    """Return the settings of a method that text can give, and their values as text ("" for none)."""
    result: dict[str, str] = {}
    for field, kind in _fields(value).items():
        now = getattr(value, field)
        if dataclasses.is_dataclass(now):
            result |= {f"{field}.{inner}": said for inner, said in settings_of(now).items()}
        elif kind is not None:
            result[field] = "" if now is None else _written(now)
    return result


def _fields(value: object) -> dict[str, "Kind | None"]:
    if not dataclasses.is_dataclass(value):
        return {}
    return {field.name: _kind(field.type) for field in dataclasses.fields(value)}


class Kind(typing.NamedTuple):
    """What a setting's text is read as: one value of a type, or several; and whether it may be none."""

    type: type
    many: bool
    optional: bool


def _kind(hint: object) -> Kind | None:
    """Return how a setting with this annotation is read; None where text cannot give it."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    optional = type(None) in options
    for option in options:
        if option in PLAIN:
            return Kind(typing.cast(type, option), False, optional)
        inner = typing.get_args(option)
        if typing.get_origin(option) is tuple and len(inner) == 2 and inner[1] is ... and inner[0] in PLAIN:
            return Kind(inner[0], True, optional)
    return None


def _with(value: Any, given: Mapping[str, str], where: str) -> Any:
    """Return a dataclass with the settings that are given as text."""
    kinds, own, inner = _fields(value), {}, {}
    for name, text in given.items():
        field, dot, rest = name.partition(".")
        if dot and dataclasses.is_dataclass(getattr(value, field, None)):
            inner.setdefault(field, {})[rest] = text
            continue
        kind = kinds.get(name)
        if kind is None:
            able = settings_of(value)
            names = ", ".join(able) or "none"
            raise InvalidInput(f"{where} has no setting {name!r}{closest(name, able)}: there are {names}")
        own[name] = _read(text, kind, f"{where}:{name}={text}")
    for field, rest in inner.items():
        own[field] = _with(getattr(value, field), rest, f"{where}:{field}")
    return dataclasses.replace(value, **own) if own else value


def _read(text: str, kind: Kind, where: str) -> Any:
    if kind.many:
        parts = [part for part in text.split(MANY) if part]
        if not parts:
            raise InvalidInput(f"{where}: give one value or more, joined by {MANY}")
        return tuple(_read_plain(part, kind.type, where) for part in parts)
    return _read_plain(text, kind.type, where)


def _read_plain(text: str, kind: type, where: str) -> Any:
    if kind is bool:
        if text not in ("true", "false"):
            raise InvalidInput(f"{where}: give true or false")
        return text == "true"
    if kind in (str, Path):
        if not text:
            raise InvalidInput(f"{where}: give a text")
        return kind(text)
    try:
        number = kind(text)
    except ValueError:
        raise InvalidInput(f"{where}: give {'a whole number' if kind is int else 'a number'}") from None
    if not (math.isfinite(number) and number > 0):
        raise InvalidInput(f"{where}: give a number above 0")
    return number


def _changed(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Yield (field, text) of what differs from the defaults of the value's class."""
    if not dataclasses.is_dataclass(value):
        return
    usual = type(value)()
    for field, kind in _fields(value).items():
        now, before = getattr(value, field), getattr(usual, field)
        if now == before:
            continue
        if dataclasses.is_dataclass(now) and type(now) is type(before):
            for inner in dataclasses.fields(now):
                if getattr(now, inner.name) != getattr(before, inner.name):
                    yield (
                        f"{field}.{inner.name}",
                        _write_setting(getattr(now, inner.name), _kind(inner.type), where),
                    )
        else:
            yield field, _write_setting(now, kind, where)


def _write_setting(value: object, kind: Kind | None, where: str) -> str:
    if kind is None or value is None or not isinstance(value, tuple if kind.many else (*PLAIN,)):
        raise InvalidInput(
            f"{where}: {value!r} cannot be written as a setting; register the method under a name"
        )
    return _written(value)


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return MANY.join(map(_written, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    return str(int(value)) if isinstance(value, float) else str(value)
