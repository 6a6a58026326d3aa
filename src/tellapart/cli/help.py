"""The help of a verb in plain words: values named, a default where it tells something, paragraphs wrapped, examples.

tyro draws it from the fields of a spec, which WORDED are the rules for; nothing is parsed by these. `page` puts what
the verb does and its examples around that.
"""

import contextlib
import inspect
import io
import sys
import textwrap
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, UseAppendAction, arg
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from tellapart.cli.overview import columns
from tellapart.studies.options import Verb

CONFIG = (OmitArgPrefixes, OmitSubcommandPrefixes, FlagCreatePairsOff)
KINDS: dict[Any, str] = {str: "TEXT", int: "N", float: "NUMBER", Path: "PATH"}
"""What a value of a type is called, where its field gives no word of its own: Annotated[..., arg(metavar="FILE")]."""
WORDED = ConstructorRegistry()
_reading: set[Any] = set()


@WORDED.struct_rule
def _worded(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Return what tyro makes of a dataclass, its fields in plain words; None for what is none."""
    if not is_dataclass(info.type) or info.type in _reading:  # in there: tyro's own rule is to answer
        return None
    _reading.add(info.type)
    try:
        made = ConstructorRegistry.get_struct_spec(info)
    finally:
        _reading.discard(info.type)
    assert isinstance(made, StructConstructorSpec)  # a default of another type is the only thing else
    return replace(made, fields=tuple(map(_field_worded, made.fields)))


def _field_worded(field: StructFieldSpec) -> StructFieldSpec:
    """Return a field as one text that is to be typed, or as a flag, with all that is said of it."""
    kind, *marks = get_args(field.type) if get_origin(field.type) is Annotated else (field.type,)
    repeated = UseAppendAction in marks
    word = value_word(get_args(kind)[0] if repeated else kind)
    if word is None and kind is not bool:
        return field

    def text() -> str:  # as late as tyro reads it: that takes the source
        said = (field.helptext() if callable(field.helptext) else field.helptext) or ""
        return with_default("\n\n".join(_paragraphs(said)), field.default) + " (repeatable)" * repeated

    required = field.default in (tyro.MISSING, tyro.MISSING_NONPROP)
    # the field's own arg() comes after this one and stands
    marks = [
        arg(metavar=word, help_behavior_hint=""),
        *(mark for mark in marks if mark is not UseAppendAction),
    ]
    shown: Any = Annotated[(bool if word is None else str, *marks)]  # type: ignore[valid-type]
    default = field.default if required else False if word is None else ""
    return replace(field, type=shown, default=default, helptext=text)


def with_default(text: str, value: Any) -> str:
    """Return a text with the default behind it, unless the text tells it already, or it is what anyone expects."""
    if not isinstance(value, str | int | float | Path | tuple) or value in ("", ()) or value is False:
        return text
    shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    shown = repr(shown) if "\n" in shown else shown
    return text if "default" in text else f"{text} (default: {shown})"


def value_word(kind: Any) -> str | None:
    """Return what is to be typed for a type, as TEXT, N, a choice {a,b} or `N ...` for several; None where that is not
    known, or nothing is typed (a flag)."""
    origin, inside = get_origin(kind), [part for part in get_args(kind) if part not in (None, NoneType)]
    if origin is Literal:
        return f"{{{','.join(map(str, inside))}}}"
    if origin is Annotated:
        return value_word(inside[0])
    words = [word for part in inside if part is not Ellipsis and (word := value_word(part))]
    if origin in (Union, UnionType):
        return "|".join(dict.fromkeys(words)) or None
    if origin in (tuple, list, set) and words:
        return " ".join(words) if origin is tuple and Ellipsis not in inside else f"{words[0]} ..."
    return KINDS.get(kind)


class Drawn(io.StringIO):
    """What tyro prints, held back; it colours and draws lines as for the stream that it will go to."""

    def __init__(self) -> None:
        super().__init__()
        self._to = sys.stdout

    def isatty(self) -> bool:
        """Return whether a person reads it."""
        return self._to.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding that decides how boxes are drawn."""
        return self._to.encoding


def page(spec: type[Verb], verb: str) -> str:
    """Return the help of a verb: its usage, what it does, what it takes, examples."""
    with contextlib.redirect_stdout(Drawn()) as drawn, contextlib.suppress(SystemExit):
        tyro.cli(
            spec, prog=f"tellapart {verb}", description="", args=["--help"], config=CONFIG, registry=WORDED
        )
    usage, _, options = drawn.getvalue().partition("\n\n")
    about = [
        textwrap.fill(paragraph, columns(), break_on_hyphens=False, break_long_words=False)
        for paragraph in _paragraphs(spec.__doc__ or "")
    ]
    examples = ["\n  ".join(("examples:", *spec.EXAMPLES))] if spec.EXAMPLES else []
    return "\n\n".join([usage, *about, options.strip("\n"), *examples])


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, each as one line."""
    return [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n")]
