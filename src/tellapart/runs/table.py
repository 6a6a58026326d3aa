"""Rows as one table: what analysis reads. The columns are the fields of Row, in order (rows.parquet)."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.runs.files import replacing
from tellapart.runs.row import ROW_FIELDS, Row

SCHEMA = pa.schema(
    [
        ("study", pa.string()),
        ("condition", pa.string()),
        ("item", pa.string()),
        ("sample", pa.int64()),
        ("seed", pa.int64()),
        ("key", pa.string()),
        ("split", pa.string()),
        ("cluster", pa.string()),
        ("prompt_hash", pa.string()),
        ("completion", pa.string()),
        ("score", pa.float64()),
        ("status", pa.string()),
        ("steps", pa.string()),
        ("logprob", pa.float64()),
        ("tokens", pa.int64()),
        ("prompt_tokens", pa.int64()),
        ("seconds", pa.float64()),
        ("token_ids", pa.list_(pa.int64())),
        ("token_texts", pa.list_(pa.string())),
        ("token_logprobs", pa.list_(pa.float64())),
        ("bits", pa.float64()),
        ("measures", pa.map_(pa.string(), pa.float64())),
        ("error", pa.string()),
        ("answer", pa.string()),
        ("lenient", pa.float64()),
        ("question", pa.string()),
    ]
)
assert tuple(SCHEMA.names) == ROW_FIELDS
_TEXT = {"completion", "error", "item", "answer"}
LATER = ("answer", "lenient", "question")
"""Columns that the first runs of this format lack: they are read as not recorded."""


EMPTY = {"answer": None, "lenient": math.nan, "question": ""}


def to_table(rows: Iterable[Row]) -> pa.Table:
    """Return the rows as an Arrow table, sorted by condition, item and sample."""
    ordered = sorted(rows, key=lambda row: (row.condition, row.item, row.sample))
    columns = [[getattr(row, name) for row in ordered] for name in ROW_FIELDS]
    arrays = [
        pa.array([_encodable(name, value) for value in column], type=SCHEMA.field(name).type)
        for name, column in zip(ROW_FIELDS, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _encodable(name: str, value: object) -> object:
    """Return `value` with lone surrogates (legal in JSON, not in UTF-8) written as escapes."""
    if name in _TEXT and isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if name == "measures" and isinstance(value, dict):
        return list(value.items())
    if name == "token_texts" and value is not None:
        return [text.encode("utf-8", "backslashreplace").decode("utf-8") for text in value]  # type: ignore[attr-defined]
    return value


def from_frame(frame: pd.DataFrame) -> pa.Table:
    """Return a frame that holds some of the columns as a whole table; columns it lacks are empty."""
    count = len(frame)
    arrays = []
    for field in SCHEMA:
        if field.name in frame:
            arrays.append(
                pa.array(frame[field.name], type=field.type, from_pandas=field.type != pa.float64())
            )
        elif field.name == "answer":
            arrays.append(pa.nulls(count, field.type))
        elif field.type == pa.string():
            arrays.append(pa.array(np.full(count, "", dtype=object), type=field.type))
        elif field.type == pa.float64():
            arrays.append(pa.array(np.full(count, np.nan)))
        else:
            arrays.append(pa.nulls(count, field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def write_table(folder: Path, table: pa.Table) -> Path:
    """Write rows.parquet whole or not at all, and return its path."""
    path = folder / "rows.parquet"
    _write_parquet(path, table)
    return path


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame that is no table of rows (points, answers of other tools) as Parquet, whole or not at all."""
    _write_parquet(path, pa.Table.from_pandas(frame, preserve_index=False))


def _write_parquet(path: Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(folder: Path) -> pd.DataFrame:
    """Return rows.parquet of a run as a frame. Raises UserMistake where it is missing or is no such table."""
    path = folder / "rows.parquet"
    if not path.is_file():
        raise UserMistake(f"{folder} has no rows.parquet: the run is not finished; run its command again")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserMistake(
            f"{path} cannot be read ({type(error).__name__}); delete it and run again"
        ) from error
    absent = [name for name in ROW_FIELDS if name not in table.column_names]
    if set(absent) - set(LATER):
        raise UserMistake(f"{path} lacks the columns {', '.join(absent)}: it is no table of rows")
    frame = table.to_pandas()
    return frame.assign(**{name: EMPTY[name] for name in absent}) if absent else frame
