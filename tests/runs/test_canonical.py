"""canonical: JSON that reads back equal, one text a value, a row of a table on one line."""

import json

import pytest

from tellapart.runs.folder import canonical

VALUES = [
    {}, [], None, 1.5, "ü\u2028", {"b": [], "a": {}}, {"a": [1, [2, {"c": None}]]}, {2: "x", 10: "y"},
    {"findings": [{"tables": {"items": [{"b": 1, "a": {"deep": [1, 2]}}, {"a": 2}]}}]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_it_is_the_value_with_sorted_keys(value: object) -> None:
    text = canonical(value)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert json.dumps(json.loads(text)) == json.dumps(value, sort_keys=True)


def test_a_row_is_a_line() -> None:
    lines = canonical(VALUES[-1]).split("\n")
    assert '     {"a": {"deep": [1, 2]}, "b": 1},' in lines
    assert '     {"a": 2}' in lines


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": [{"b": float("nan")}]})
