"""Whole columns out of CSV, JSONL and Parquet, a million rows in about a second (pyarrow)."""

import csv
import io
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.logs.recorded import encodable
from tellapart.logs.source import Source, parse, records
from tellapart.logs.value import number, short, text


def load(source: Source, texts: Sequence[str], numeric: Sequence[str], notes: list[str]) -> pa.Table:
    """Return the named columns that the file has; raises UserMistake where the file is malformed."""
    try:
        if source.kind == "parquet":
            present = pq.read_schema(source.path).names
            table = pq.read_table(source.path, columns=[n for n in (*texts, *numeric) if n in present])
        elif source.kind == "csv":
            table = _csv(source, (*texts, *numeric))
        else:
            table = _jsonl(source, texts, numeric, notes)
    except (pa.ArrowException, OSError, KeyError) as error:
        way = "; save it as UTF-8 (Excel: CSV UTF-8)" if "invalid UTF8" in str(error) else ""
        raise UserMistake(f"{source.path}: cannot be read: {str(error)[:200]}{way}") from None
    if table.num_rows == 0:
        raise UserMistake(f"{source.path}: has no rows")
    return table


def _csv(source: Source, wanted: Sequence[str]) -> pa.Table:
    names = [name for name in wanted if name in source.head]
    parsing = pa_csv.ParseOptions(delimiter=source.separator, newlines_in_values=b'"' in source.data)
    converting = pa_csv.ConvertOptions(
        include_columns=names, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    header = source.data.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace").split(source.separator)
    for name in names:
        if sum(column.strip().strip('"') == name for column in header) > 1:
            raise UserMistake(f"{source.path}: the column {name!r} is there twice")
    reading = pa_csv.ReadOptions(use_threads=False)
    data = source.data
    columns = next(
        csv.reader([data.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")], delimiter=source.separator)
    )
    if [name.strip() for name in columns] != columns:  # item, correct
        data = data.lstrip()
        reading = pa_csv.ReadOptions(
            use_threads=False, skip_rows=1, column_names=[name.strip() for name in columns]
        )
    return pa_csv.read_csv(
        io.BytesIO(data), read_options=reading, parse_options=parsing, convert_options=converting
    )


def _jsonl(source: Source, texts: Sequence[str], numeric: Sequence[str], notes: list[str]) -> pa.Table:
    first = _first_values(source, (*texts, *numeric))
    names = list(first)
    kinds = {
        str: pa.string(),
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        type(None): pa.string(),
    }
    fast = source.rows is None and b"NaN" not in source.data
    if fast and all(type(value) in kinds for value in first.values()):
        schema = pa.schema([(name, kinds[type(value)]) for name, value in first.items()])
        options = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        try:
            return pa_json.read_json(io.BytesIO(source.data), parse_options=options)
        except pa.ArrowException:
            pass  # mixed types or a bad line: read it slowly, which names the line
    columns: dict[str, list[str]] = {name: [] for name in names}
    for _, record in records(source, notes):
        for name in names:
            columns[name].append(text(record.get(name)))
    return pa.table(
        {name: pa.array(encodable(column, name, notes), pa.string()) for name, column in columns.items()}
    )


def _first_values(source: Source, wanted: Sequence[str]) -> dict[str, Json]:
    """Return the wanted keys that any row has, with the first value that is there: the first line may lack some."""
    if source.rows is not None:
        return {name: None for name in wanted if any(name in row for row in source.rows)}
    result: dict[str, Json] = {}
    for name in wanted:
        value, there = source.head.get(name), name in source.head
        mark, at = f'"{name}"'.encode(), 0
        for _ in range(LOOKED_AT):
            at = source.data.find(mark, at) if value is None else -1
            if at < 0:
                break
            start, end = source.data.rfind(b"\n", 0, at) + 1, source.data.find(b"\n", at)
            line = source.data[start : end if end >= 0 else None]
            at = end if end >= 0 else len(source.data)
            try:
                row = parse(line, "")
            except UserMistake:
                continue  # a bad line is named when it is read
            if isinstance(row, dict) and name in row:
                value, there = row[name], True
        if there:
            result[name] = value
    return result


LOOKED_AT = 200
"""Lines in which a key that the first line lacks is looked for: a text may hold its name as well."""


def without_blank_end(table: pa.Table, notes: list[str]) -> pa.Table:
    """Return the table without rows of empty cells at its end, which spreadsheets write, with a note."""
    kept = table.num_rows
    while kept and all(not table[name][kept - 1].as_py() for name in table.column_names):
        kept -= 1
    if not 0 < kept < table.num_rows:
        return table
    notes.append(f"{table.num_rows - kept} empty rows at the end were left out")
    return table.slice(0, kept)


def strings(table: pa.Table, name: str, source: Source) -> pd.Series:
    """Return a column as text, "" where missing (an item's id must be there)."""
    column = table[name]
    try:
        column = pc.fill_null(column.cast(pa.string()), "")
    except pa.ArrowException:
        raise UserMistake(f"{source.path}: the column {name!r} is {column.type}, not text") from None
    row = pc.index(column, "").as_py() + 1
    if name in ("item", "model") and row > 0:
        raise UserMistake(f"{source.path}, row {row}: the column {name!r} is empty")
    return column.to_pandas()


def numbers(table: pa.Table, name: str, source: Source) -> np.ndarray:
    """Return a column as floats, NaN where missing; raises UserMistake naming the row that is no number."""
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            return column.cast(pa.float64(), safe=False).to_numpy().astype(float)
        except pa.ArrowException:
            raise UserMistake(f"{source.path}: the column {name!r} is {column.type}, not numbers") from None
    encoded = column.combine_chunks().dictionary_encode()
    values = []
    every = encoded.dictionary.to_pylist()
    if source.separator == ";":  # where columns are cut by semicolons, commas are decimal
        every = [_DECIMAL.sub(r"\1.\2", value) if value else value for value in every]
    said = {*RIGHT, *RIGHT.values()}
    words = [value for value in every if value and value.strip().lower() in said and not _fine(value)]
    if words and name in ("correct", "score"):
        right = next((word for word in words if word.strip().lower() in RIGHT), "WORD")
        row = pc.index(column, words[0]).as_py() + 1
        raise UserMistake(
            f"{source.path}, row {row}, {name}: {short(words[0])} is not a number; where words say what is right, give "
            f"--map \"item=item,correct={name}=='{right.strip()}'\""
        )
    for value in every:
        row = pc.index(column, value).as_py() + 1 if not _fine(value) else 0
        values.append(number(value, f"{source.path}, row {row}, {name}"))
    codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return np.append(np.array(values, dtype=float), np.nan)[codes]


RIGHT = {
    "pass": "fail", "passed": "failed", "correct": "incorrect", "right": "wrong", "yes": "no", "true": "false",
    "success": "failure", "successful": "failed", "resolved": "unresolved", "solved": "unsolved",
}  # fmt: skip
"""Words for right answers, each with its opposite."""
_DECIMAL = re.compile(r"^(\s*[-+]?[0-9]+),([0-9]+\s*)$")


def _fine(value: str) -> bool:
    try:
        number(value, "")
    except UserMistake:
        return False
    return True


def wholes(table: pa.Table, name: str, source: Source) -> np.ndarray:
    """Return a column as whole numbers; raises UserMistake naming the row that is not one."""
    values = numbers(table, name, source)
    bad = np.flatnonzero(~(np.abs(values) < 2**53) | (values != np.floor(values)))
    if len(bad):
        row = int(bad[0])
        given = short(table[name][row].as_py())
        raise UserMistake(f"{source.path}, row {row + 1}: {name} is {given}, not a whole number")
    return values.astype(np.int64)
