"""Every table of a finding keeps its types into findings.json and back; what is not known never becomes 0."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

import pytest

from tellapart.findings import expressible, form, gain, guard, hidden, improve, inside, scale, shown, skills
from tellapart.findings.finding import Finding
from tellapart.findings.table import Named, Rows, Single
from tellapart.findings.typed import from_json, to_json

MODULES = (expressible, form, gain, guard, hidden, improve, inside, scale, shown, skills)
TABLES = [
    pytest.param(table, id=f"{module.__name__.rpartition('.')[2]}.{table.name}")
    for module in MODULES
    for table in vars(module).values()
    if isinstance(table, Rows | Single | Named)
]


def example(kind: Any, number: float) -> Any:
    """Return a value of a kind whose floats are all `number`."""
    if kind is float:
        return number
    if kind in (int, str, bool):
        return {int: 3, str: "x", bool: True}[kind]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        return typing.cast(Any, kind)(
            **{
                name: None if kind in typing.get_args(hints[name]) else example(hints[name], number)
                for name in names
            }
        )
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if number != number and types.NoneType in inner else example(inner[0], number)
    if origin is tuple:
        parts = inner[:1] if inner[-1] is Ellipsis else inner
        return tuple(example(part, number) for part in parts)
    if origin is Mapping:
        return {"a": example(inner[1], number)}
    assert origin is typing.Literal, kind
    return inner[0]


def finding_with(tables: dict[str, Any]) -> Finding:
    written = Finding("", "", math.nan, "", {}, tables=tables).as_json()["tables"]
    return Finding("", "", math.nan, "", {}, tables=json.loads(json.dumps(written, allow_nan=False)))


@pytest.mark.parametrize("number", [0.0, 0.25, math.nan])
@pytest.mark.parametrize("table", TABLES)
def test_a_table_comes_back_as_it_was_written(table: Any, number: float) -> None:
    row = example(table.row, number)
    rows = {Rows: (row,), Single: row, Named: {"one": row}}[type(table)]
    back = table.read(finding_with(table.write(rows)))
    assert repr(back) == repr(rows)  # NaN equals itself as text


@pytest.mark.parametrize("table", TABLES)
def test_a_finding_without_the_table_has_none(table: Any) -> None:
    assert not table.read(finding_with({}))


def test_a_number_that_is_null_is_not_known_and_a_missing_one_is_refused() -> None:
    whole = to_json(shown.Rung("latent", 0.5, 0.4, 0.6, ""))
    assert math.isnan(from_json(shown.Rung, {**whole, "value": None}).value)
    del whole["value"]
    with pytest.raises(KeyError, match="value"):
        from_json(shown.Rung, whole)
    assert math.isnan(
        from_json(gain.Bound, {"bound": "held at least"}).share
    )  # older runs lack some of its fields


def test_a_count_that_is_missing_is_no_zero() -> None:
    whole = to_json(shown.Counted("base/plain", 4, 1, 1, 1, 1, 0))
    assert whole == {
        "condition": "base/plain",
        "asked": 4,
        "correct": 1,
        "wrong": 1,
        "cut off": 1,
        "failed": 1,
        "unscored": 0,
    }
    del whole["unscored"]
    assert from_json(shown.Counted, whole).unscored is None
    del whole["failed"]
    with pytest.raises(KeyError, match="failed"):
        from_json(shown.Counted, whole)


@pytest.mark.parametrize("value", [[], "text", 3])
def test_what_is_no_object_is_no_row(value: object) -> None:
    with pytest.raises(TypeError, match="an object is needed"):
        from_json(gain.Bound, value)
