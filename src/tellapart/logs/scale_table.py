"""Scores of models at scales out of CSV, JSONL or Parquet: one row a score (long), or one row a model (wide).

Long: `model, task, metric, value` and a scale: `parameters`, `tokens`, `steps`, `compute` or `loss`, or `scale`
(whose meaning `--scale` tells); optionally `n` (items), `error` (standard error), `seed`, `family`, `setting`, `kind`
(discontinuous | continuous), `higher_is_better` (true | false), `length` (answer tokens). Wide: `Model`, its sizes
(`Model Size (B)`, `Pretraining Data Size (T)`, `FLOPs (1E21)`), and a column a task.
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tellapart.errors import UserMistake
from tellapart.logs.columns import load, numbers, strings
from tellapart.logs.scale_points import NUMBERS, SCALES, TEXTS, parameters_of, to_frame
from tellapart.logs.source import Source
from tellapart.logs.value import listed

SYNONYMS = {
    "model": ("model", "model_name", "name"),
    "task": ("task", "benchmark", "dataset"),
    "metric": ("metric",),
    "value": ("value", "score"),
    "family": ("family", "model family", "model_family", "series"),
    "setting": ("setting", "shots", "num_fewshot"),
    "seed": ("seed",),
    "kind": ("kind",),
    "higher_is_better": ("higher_is_better",),
    "n": ("n", "items"),
    "error": ("error", "stderr", "standard_error"),
    "length": ("length", "answer_tokens"),
    "parameters": ("parameters", "params", "n_params", "model size", "size"),
    "tokens": ("tokens", "training_tokens", "pretraining data size", "data size"),
    "steps": ("steps", "step"),
    "compute": ("compute", "flops", "training_flops"),
    "loss": ("loss", "pretraining_loss"),
    "scale": ("scale",),
}
_UNIT = re.compile(r"\s*\((?P<unit>[^)]*)\)\s*$")
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "": 1.0}


class _Column(NamedTuple):
    """A column of the file, the field of Point that it is, and what its numbers are multiplied by."""

    name: str
    field: str
    factor: float


def recognises(source: Source) -> bool:
    """Say whether the table names a model, and a scale or values."""
    if source.kind not in ("csv", "jsonl", "parquet") or not isinstance(source.first, dict):
        return False
    columns = {column.field: column for column in _columns(source)}
    if "value" in columns:
        return True
    if "model" not in columns or "doc_id" in source.head:
        return False
    # a table of names is one of models where it says how large they are
    return columns["model"].name.strip().lower() != "name" or bool(set(columns) & set(SCALES))


def read(source: Source) -> pd.DataFrame:
    """Return the points of the table; a cell that is empty is no point. Raises UserMistake naming what is wrong."""
    columns = _columns(source)
    fields = {column.field for column in columns}
    if "value" not in fields:
        return _wide(source, columns)
    missing = [name for name in ("task", "metric", "value") if name not in fields]
    if missing:
        raise UserMistake(
            f"{source.path}: no column {missing[0]!r} (has {listed(source.head)}); a table of scores has "
            "model, task, metric, value, a scale and n"
        )
    table = _table(
        source, [c.name for c in columns if c.field in TEXTS], [c for c in columns if c.field in NUMBERS]
    )
    return _framed(source, table, columns)


def _framed(source: Source, table: pa.Table, columns: list[_Column]) -> pd.DataFrame:
    frame = to_frame([]).reindex(range(table.num_rows))
    for name in TEXTS:
        frame[name] = ""
    for column in columns:
        if column.field in TEXTS:
            frame[column.field] = strings(table, column.name, source)
        elif column.field in NUMBERS:
            frame[column.field] = numbers(table, column.name, source) * column.factor
    if "parameters" not in {column.field for column in columns} and "scale" not in {c.field for c in columns}:
        frame["parameters"] = [parameters_of(name) for name in frame["model"]]
    return frame


def _wide(source: Source, columns: list[_Column]) -> pd.DataFrame:
    named = {column.name for column in columns}
    tasks = [str(name) for name in source.head if name not in named and str(name).strip()]
    if not tasks:
        raise UserMistake(f"{source.path}: has models but no scores (columns {listed(source.head)})")
    numeric = [c for c in columns if c.field in NUMBERS] + [_Column(task, "value", 1.0) for task in tasks]
    table = _table(source, [c.name for c in columns if c.field in TEXTS], numeric)
    base = _framed(source, table, columns)
    parts = [base.assign(task=task, metric="score", value=numbers(table, task, source)) for task in tasks]
    return pd.concat(parts, ignore_index=True)


def _table(source: Source, texts: list[str], numeric: list[_Column]) -> pa.Table:
    return load(source, texts, [column.name for column in numeric], [])


def _columns(source: Source) -> list[_Column]:
    by_field: dict[str, _Column] = {}
    for name in source.head:
        unit = _UNIT.search(str(name))
        bare = _UNIT.sub("", str(name)).strip().lower()
        field = next((field for field, names in SYNONYMS.items() if bare in names), "")
        factor = _factor(unit["unit"].strip()) if unit else 1.0
        if field and field not in by_field and np.isfinite(factor):
            by_field[field] = _Column(str(name), field, factor)
    return list(by_field.values())


def _factor(unit: str) -> float:
    """Return what a unit in a column's name multiplies by: (B), (T), (1E21); NaN where it is none."""
    if unit.upper() in _UNITS:
        return _UNITS[unit.upper()]
    try:
        return float(unit)
    except ValueError:
        return float("nan")
