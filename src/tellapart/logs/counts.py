"""Plain scores: CSV, JSONL or Parquet with item,model,n,c or item,model[,sample],correct, one row a line.

Columns: `item`; `n` and `c` (samples and right ones) or `correct` (or `score`); optionally `model` (several
models in one file are told apart by `path#model`), `sample`, `question`, `completion`, `status`, `cluster`,
`target`, `logprob`, `tokens`; `answer` (as it was read out of the completion) is taken where there is no `completion`.
Other columns are left alone.
"""

from typing import Any

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs.choice import one_of
from tellapart.logs.columns import load, numbers, strings, wholes
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Recorded, from_columns
from tellapart.logs.source import Source
from tellapart.logs.value import short

TOOL = "counts"
TEXTS = ("item", "model", "question", "completion", "status", "cluster", "target", "answer")
NUMBERS = ("n", "c", "sample", "correct", "score", "logprob", "tokens")
MOST = 8_000_000
"""Samples a log may expand to: what fits in 2 GB."""


def read(source: Source) -> Recorded:
    """Return one row a sample, counts expanded; raises UserMistake naming the row that cannot be read."""
    notes: list[str] = []
    table = load(source, TEXTS, NUMBERS, notes)
    model = source.choice
    if "model" in table.column_names:
        names = strings(table, "model", source)
        model = one_of([str(name) for name in names.unique()], source.choice, source.path, "models")
        table = table.filter((names == model).to_numpy()) if names.nunique() > 1 else table
    elif source.choice:
        raise UserMistake(f"{source.path}: has no column `model`, so #{source.choice} cannot be chosen")
    data: dict[str, Any] = {n: strings(table, n, source) for n in TEXTS if n in table.column_names}
    data.pop("model", None)
    answer = data.pop("answer", None)
    if answer is not None:
        data.setdefault("completion", answer)
    if "n" in table.column_names:
        return _expanded(data, wholes(table, "n", source), wholes(table, "c", source), source, model, notes)
    data["score"] = numbers(table, "correct" if "correct" in table.column_names else "score", source)
    if "sample" in table.column_names:
        data["sample"] = wholes(table, "sample", source)
    for name in ("logprob", "tokens"):
        if name in table.column_names:
            data[name] = numbers(table, name, source)
    return from_columns(data, origin(source, TOOL, model), notes)


def _expanded(
    data: dict[str, pd.Series], n: np.ndarray, c: np.ndarray, source: Source, model: str, notes: list[str]
) -> Recorded:
    items = data["item"]
    wrong = np.flatnonzero((n < 1) | (c < 0) | (c > n))
    if len(wrong):
        row = wrong[0]
        raise UserMistake(
            f"{source.path}: item {items[row]!r} has c = {c[row]} of n = {n[row]}; need 0 <= c <= n"
        )
    twice = np.flatnonzero(pd.Index(items).duplicated())
    if len(twice):
        raise UserMistake(f"{source.path}: item {short(items[twice[0]])} has two rows of counts")
    if n.astype(float).sum() > MOST:
        raise UserMistake(f"{source.path}: {n.astype(float).sum():.3g} samples in all; at most {MOST:,}")
    rows = np.repeat(np.arange(len(n)), n)
    sample = np.arange(len(rows)) - np.repeat(np.cumsum(n) - n, n)
    columns: dict[str, Any] = {name: column.take(rows) for name, column in data.items() if name != "status"}
    columns["sample"] = sample
    columns["score"] = (sample < c[rows]).astype(float)
    notes.append("counts only: which sample was right is not known, the right ones are put first")
    return from_columns(columns, origin(source, TOOL, model), notes)


def _recognises(source: Source) -> bool:
    if source.kind not in ("csv", "jsonl", "parquet") or source.has("condition"):
        return False
    return source.has("item") and (source.has("n", "c") or source.has("correct") or source.has("score"))


READER = Reader(TOOL, _recognises, read)
