"""`gain --logs A B`: the same rows, read from other tools' logs instead of asked."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tellapart.logs import pair, read_log
from tellapart.runs.table import from_frame


class FromLogs(NamedTuple):
    """The rows of both logs, where they came from, and what is odd about them."""

    table: pa.Table
    sources: dict[str, dict[str, str]]
    notes: tuple[str, ...]
    keys: dict[str, dict[str, Any]]


def rows_from_logs(base: str, tuned: str) -> FromLogs:
    """Read two logs and return their rows as base/plain and tuned/plain; items are paired by question text
    where both logs hold it. Raises UserMistake (one line) where a log cannot be read or nothing pairs."""
    logs = {"base": read_log(base), "tuned": read_log(tuned)}
    paired = pair(logs["base"], logs["tuned"])
    frames = {"base": [paired.a, paired.a_rest], "tuned": [paired.b, paired.b_rest]}
    rows = pd.concat(
        [log_rows("gain", f"{role}/plain", p) for role, parts in frames.items() for p in parts if len(p)]
    )
    sources = {
        role: {"source": log.source, "tool": log.tool, "model": log.model} for role, log in logs.items()
    }
    notes = tuple(dict.fromkeys((*logs["base"].notes, *logs["tuned"].notes, *paired.notes)))
    return FromLogs(from_frame(rows), sources, notes, {})


def log_rows(study: str, condition: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a log (Recorded.frame, or a part of it) as rows of a run's condition."""
    tokens = frame["tokens"].to_numpy(dtype=np.float64)
    columns = {
        "study": study,
        "condition": condition,
        "item": frame["item"],
        "sample": frame["sample"],
        "split": "report",
        "cluster": frame["cluster"],
        "completion": frame["completion"],
        "score": frame["score"],
        "status": frame["status"],
        "logprob": frame["logprob"],
        "tokens": pd.array(np.nan_to_num(tokens, nan=-1).astype(np.int64)).astype("Int64"),
        "token_logprobs": frame["token_logprobs"],
        "steps": frame["steps"],
    }
    rows = pd.DataFrame(columns)
    rows.loc[np.isnan(tokens), "tokens"] = pd.NA
    return rows
