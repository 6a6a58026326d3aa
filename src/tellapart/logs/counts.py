"""Plain scores: CSV, JSONL or Parquet with item,model,n,c or item,model[,sample],correct, one row a line.

Columns: `item`; `n` and `c` (samples and right ones) or `correct` (or `score`); optionally `model` (several
models in one file are told apart by `path#model`), `sample`, `question`, `completion`, `status`, `cluster`,
`target`, `logprob`, `tokens`; `answer` (as it was read out of the completion) is taken where there is no
`completion`. Other columns are left alone. A JSON list of such rows is read as well.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tellapart.errors import UserMistake
from tellapart.logs.choice import one_of
from tellapart.logs.columns import load, numbers, strings, wholes, without_blank_end
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Column, Recorded, from_columns
from tellapart.logs.source import Source
from tellapart.logs.value import short

TOOL = "counts"
GROUPS = ("category", "subject", "subset", "subtask", "task", "domain", "dataset", "split")
"""Columns that may name the part in which an id stands, where ids start again in each part."""
TEXTS = ("item", "model", "question", "completion", "status", "cluster", "target", "answer")
NUMBERS = ("n", "c", "sample", "correct", "score", "logprob", "tokens")
MOST = 8_000_000
"""Samples a log may expand to: what fits in 2 GB."""


class TableSource(NamedTuple):
    """Where a table comes from, who read it, and what its scores are."""

    source: Source
    tool: str
    metric: Metric


def read(source: Source) -> Recorded:
    """Return one row a sample, counts expanded; raises UserMistake naming the row that cannot be read."""
    notes: list[str] = []
    table = load(source, (*TEXTS, "error", *GROUPS), NUMBERS, notes)
    if source.kind == "csv":
        table = without_blank_end(table, notes)
    return from_table(table, TableSource(source, TOOL, Metric()), source.choice, notes)


def from_table(table: pa.Table, described: TableSource, choice: str, notes: list[str]) -> Recorded:
    """Return the log of a table with the columns of TEXTS and NUMBERS; `choice` is a model where it has several."""
    source = described.source
    model = choice
    if "model" in table.column_names and set(table["model"].unique().to_pylist()) <= {None, ""}:
        table = table.drop_columns(["model"])  # a key that names none
    if "model" in table.column_names:
        names = strings(table, "model", source)
        where_from = (
            source.path if described.tool == TOOL else Path(source.reference)
        )  # with the map that reads it
        model = one_of([str(name) for name in names.unique()], choice, where_from, "models")
        table = table.filter((names == model).to_numpy()) if names.nunique() > 1 else table
    elif choice:
        raise UserMistake(f"{source.path}: has no column `model`, so #{choice} cannot be chosen")
    texts = {name: strings(table, name, source) for name in TEXTS if name in table.column_names}
    texts.pop("model", None)
    if not {"question", "cluster"} & set(table.column_names):
        texts |= _grouped(table, source, notes)
    if "status" in texts:
        texts["status"] = texts["status"].where(texts["status"] != "", "ok")  # as where no row has one
    answer = texts.pop("answer", None)
    if answer is not None:
        texts.setdefault("completion", answer)
    where = origin(source, described.tool, model, metric=described.metric)
    if "n" in table.column_names and "c" in table.column_names:
        expanded = _expanded(texts, wholes(table, "n", source), wholes(table, "c", source), source)
        notes.append("counts only: which sample was right is not known, the right ones are put first")
        return from_columns(expanded, where, notes)
    score = numbers(table, "correct" if "correct" in table.column_names else "score", source)
    if "status" in texts:
        score = np.where((texts["status"] == "failed").to_numpy(), np.nan, score)
    columns: dict[str, Column] = {**texts, "score": score}
    if "sample" in table.column_names:
        columns["sample"] = wholes(table, "sample", source)
    for name in ("logprob", "tokens"):
        if name in table.column_names:
            columns[name] = numbers(table, name, source)
    notes += _with_errors(table, score, source)
    if {"sample", "question", "cluster"} & set(columns):
        return from_columns(columns, where, notes)
    notes += _repeated(texts["item"])
    untold = texts["item"].duplicated().any() and "target" not in texts
    return replace(from_columns(columns, where, notes), untold_samples=bool(untold))


def _grouped(table: pa.Table, source: Source, notes: list[str]) -> dict[str, pd.Series]:
    """Return {"cluster": column} where ids start again in each of its parts: most ids lie in several of them, each in
    each as often as any other."""
    names = [n for n in GROUPS if n in table.column_names and not pa.types.is_nested(table[n].type)]
    items = strings(table, "item", source) if names else pd.Series(dtype="str")
    numbered = (
        [items, strings(table, "sample", source)] if names and "sample" in table.column_names else [items]
    )
    if not pd.concat(numbered, axis=1).duplicated().any():
        return {}
    for name in names:
        parts = strings(table, name, source)
        times = pd.concat([items, parts], axis=1, keys=["item", "part"]).groupby(["item", "part"]).size()
        if times.nunique() == 1 and (times.groupby(level="item").size() > 1).mean() > 0.5:
            notes.append(f"ids start again in each {name}: items are told apart by it")
            return {"cluster": parts}
    return {}


def _with_errors(table: pa.Table, score: np.ndarray, source: Source) -> list[str]:
    """Return a note where rows that have a score also name an error: a request that failed is no wrong answer."""
    if "error" not in table.column_names or pa.types.is_nested(table["error"].type):
        return []
    said = ~strings(table, "error", source).str.strip().str.lower().isin(
        ("", "none", "null", "nan", "false", "0")
    )
    both = said.to_numpy() & ~np.isnan(score)
    if not both.any():
        return []
    return [
        f"{int(both.sum())} rows name an error and have a score, which counts: where the answer failed to come, leave "
        "the score empty or give `status` = failed"
    ]


def _repeated(items: pd.Series) -> list[str]:
    """Return a note where ids repeat: samples, or other items under one id (runs or shards put together)?"""
    times = items.value_counts()
    if times.empty or times.max() == 1:
        return []
    rows = f"{times.min()} to {times.max()}" if times.min() < times.max() else str(times.max())
    return [
        f"an id stands in {rows} rows: they are taken for its samples (`sample` would say that they are); "
        "where ids start again in each "
        "part, give `cluster` or `question`"
    ]


def _expanded(
    texts: Mapping[str, pd.Series], n: np.ndarray, c: np.ndarray, source: Source
) -> dict[str, Column]:
    """Return the columns of one row a sample, made of counts: `n` samples an item, `c` of them right."""
    items = texts["item"]
    wrong = np.flatnonzero((n < 1) | (c < 0) | (c > n))
    if len(wrong):
        row = wrong[0]
        raise UserMistake(
            f"{source.path}: item {items[row]!r} has c = {c[row]} of n = {n[row]}; need 0 <= c <= n"
        )
    keys = [texts[name] for name in ("item", "cluster", "question", "target") if name in texts]
    twice = np.flatnonzero(pd.concat(keys, axis=1).duplicated())
    if len(twice):
        raise UserMistake(f"{source.path}: item {short(items[twice[0]])} has two rows of counts")
    if n.astype(float).sum() > MOST:
        raise UserMistake(f"{source.path}: {n.astype(float).sum():.3g} samples in all; at most {MOST:,}")
    rows = np.repeat(np.arange(len(n)), n)
    sample = np.arange(len(rows)) - np.repeat(np.cumsum(n) - n, n)
    columns: dict[str, Column] = {
        name: column.take(rows) for name, column in texts.items() if name != "status"
    }
    columns["sample"] = sample
    columns["score"] = (sample < c[rows]).astype(float)
    return columns


def _recognises(source: Source) -> bool:
    if source.kind not in ("csv", "jsonl", "parquet") or source.has("condition"):
        return False
    return source.has("item") and (source.has("n", "c") or source.has("correct") or source.has("score"))


READER = Reader(TOOL, _recognises, read)
