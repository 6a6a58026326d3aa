"""A study as a Python function: its spec's fields are the arguments, and `help` reads as a library's.

The text is the spec's own: what the command line's help says of an option is said of the argument.
"""

import ast
import dataclasses
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tellapart.studies.options import RunOptions
from tellapart.studies.study import Study

if TYPE_CHECKING:
    from tellapart.studies.outcome import Run

WIDTH = 88
KINDS = {
    "base": "path, hub id or loaded (model, tokenizer)",
    "task": "path or name, Task, list of dicts, data frame or Dataset",
    "way": "dict from a name to a log",
    "null": "dict from a name to a log",
    "bits": "dict from a name to a number",
    "results": "paths, list of dicts or data frames",
    "data": "path, list of dicts or data frame",
}
"""What an argument takes beyond what its option does, where it is more than text."""
LIKE: dict[str, str] = dict.fromkeys(
    ("tuned", "reference", "model", "benign", "judge", "paraphraser", "entailment"), "base"
)
_OPTION = re.compile(r"--([a-z][a-z-]*[a-z])")


def call_of(study: Study) -> "Callable[..., Run]":
    """Return the function that runs a study: it takes the fields of its spec, and objects for paths (objects.py)."""
    spec = study.spec

    def call(*args: Any, **kwargs: Any) -> "Run":
        from tellapart.studies import run_study
        from tellapart.studies.objects import given

        with given(spec, args, kwargs) as made:
            return run_study(made, quiet=True)

    call.__name__ = call.__qualname__ = study.name
    call.__module__ = "tellapart"
    call.__doc__ = described(study)
    signature = inspect.signature(spec)
    shown = [
        parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()
    ]
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=shown, return_annotation=inspect.Signature.empty
    )
    return call


def described(study: Study) -> str:
    """Return the docstring of a study's call: what it asks, its arguments, what it returns and raises."""
    said = {name: text for kind in reversed(study.spec.__mro__) for name, text in _fields_of(kind).items()}
    hints = typing.get_type_hints(study.spec)
    lines = [_prose(inspect.getdoc(study.spec) or ""), "", "Arguments"]
    for field in dataclasses.fields(study.spec):
        default = "" if field.default is dataclasses.MISSING else f", default {field.default!r}"
        lines.append(f"    {field.name} : {_kind(study, field.name, hints[field.name])}{default}")
        lines += textwrap.wrap(
            _prose(said.get(field.name, "")), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8
        )
    verdicts = ", ".join(study.verdicts)
    lines += [
        "",
        "Returns",
        *textwrap.wrap(
            f"A Run: `run.findings` (verdicts: {verdicts or 'none'}), `run.to_pandas()`, `run.rows`, `run.plot()`, "
            '`run.export("latex")`; a notebook shows it. It is a folder: the same call with the same `out` resumes it.',
            WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
        ),
        "",
        "Raises",
        "    UserMistake, in one line, for all that is wrong with what was given.",
    ]
    return "\n".join(lines)


def _kind(study: Study, name: str, hint: Any) -> str:
    word = KINDS.get(LIKE.get(name, name))
    if name == "logs":
        pair = study.name == "gain"
        word = "pair of paths, lists of dicts or data frames" if pair else "dict from an arm or role to a log"
    return word if word and _words(hint) else _written(hint)


def _words(hint: Any) -> bool:
    return "str" in _written(hint)


def _written(hint: Any) -> str:
    """Return a type as it is read: Annotated and positional marks are the command line's."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _written(inside[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_written(part) for part in inside)
    if origin is typing.Literal:
        return " or ".join(repr(value) for value in inside)
    if origin is tuple:
        kinds = dict.fromkeys(_written(part) for part in inside if part is not Ellipsis)
        return f"tuple of {' and '.join(kinds)}"
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))


def _prose(text: str) -> str:
    """Return a text with options named as arguments."""
    words = _OPTION.sub(lambda match: f"`{match[1].replace('-', '_')}`", text)
    return words if "\n" in text and "\n\n" in text else " ".join(words.split())


def _fields_of(kind: type) -> dict[str, str]:
    """Return what a spec's source says below each of its fields."""
    if (
        not (dataclasses.is_dataclass(kind) and issubclass(kind, RunOptions))
        or kind.__module__ not in sys.modules
    ):
        return {}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    except (OSError, TypeError, SyntaxError):  # no source: a zipped or frozen package
        return {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        line.target.id: inspect.cleandoc(str(below.value.value))
        for line, below in pairwise(body)
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }
