"""What a spec's fields are on the command line: positionals, and options that take several values."""

import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_origin

from tyro.conf import Positional, UseAppendAction


@dataclass(frozen=True)
class Option:
    """One field of a spec: given by its place, by an option that is repeated (--task a --task b), of any number of
    values, of none (a flag)."""

    positional: bool
    repeated: bool
    several: bool
    flag: bool


def options_of(spec: type) -> dict[str, Option]:
    """Return the fields of a spec by name, in their order."""
    hints = typing.get_type_hints(spec, include_extras=True)
    return {field.name: _option(hints[field.name]) for field in fields(spec)}


def _option(hint: Any) -> Option:
    plain, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    several = any(map(_is_several, _parts(plain)))
    return Option(Positional in marks, UseAppendAction in marks, several, plain is bool)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from _parts(part)


def _is_several(part: Any) -> bool:
    return get_origin(part) is tuple and get_args(part)[-1] is Ellipsis
