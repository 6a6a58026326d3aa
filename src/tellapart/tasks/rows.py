"""Raw rows of item files: .jsonl, .csv and .parquet read into (place, object) pairs, nothing interpreted yet."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.tasks.place import Place, read_bytes, read_text

SUFFIXES = (".jsonl", ".csv", ".parquet")


class RawRow(NamedTuple):
    """One row as it stands in its file, and where."""

    place: Place
    values: JsonObject


def read_rows(path: Path) -> list[RawRow]:
    """Return the rows of a .jsonl, .csv or .parquet file. Raises UserMistake with file, line and the way out."""
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise UserMistake(
            f"{path}: items are read from {', '.join(SUFFIXES)}, not {path.suffix or 'no suffix'!r}"
        )
    rows = list(readers[path.suffix](path))
    if not rows:
        raise UserMistake(f"{path}: the file holds no items")
    return rows


def read_json(text: str, place: Place) -> Any:
    """Return parsed JSON. Raises UserMistake for bad JSON, NaN, a key given twice, and half a character."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        line = place.line + error.lineno - 1 if place.line else error.lineno
        raise place._replace(line=line).mistake(f"not JSON: {error.msg} (column {error.colno})") from None
    except UnicodeEncodeError:
        raise place.mistake("half a surrogate pair (\\ud800 to \\udfff) is no character") from None
    except RecursionError:
        raise place.mistake("nested too deeply") from None
    except (ValueError, OverflowError) as error:
        raise place.mistake(str(error)) from None
    return value


def _read_jsonl(path: Path) -> Iterator[RawRow]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        place = Place(path, number)
        value = read_json(line.rstrip("\r"), place)
        if not isinstance(value, dict):
            raise place.mistake(
                f'not an object: give {{"id": ..., "prompt": ..., "target": ...}}, not {line[:40]!r}'
            )
        yield RawRow(place, value)


def _read_csv(path: Path) -> Iterator[RawRow]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            place = Place(path, reader.line_num)
            if not header:
                header = cells
                if len(set(header)) < len(header):
                    raise place.mistake(f"a column is named twice: {', '.join(header)}")
            elif cells:
                if len(cells) != len(header):
                    raise place.mistake(
                        f"{len(cells)} cells under {len(header)} columns: quote cells with commas"
                    )
                yield RawRow(place, _csv_values(dict(zip(header, cells, strict=True)), place))
    except csv.Error as error:
        raise Place(path, reader.line_num).mistake(f"not CSV: {error}") from None


def _csv_values(cells: dict[str, str], place: Place) -> dict[str, Json]:
    """Return a CSV row's values: `choices` is a JSON list, an empty `choices` or `cluster` is none, all else text."""
    values: dict[str, Json] = {
        key: text for key, text in cells.items() if text or key not in ("choices", "cluster")
    }
    if "choices" in values:
        values["choices"] = read_json(cells["choices"], place)
    return values


def _read_parquet(path: Path) -> Iterator[RawRow]:
    import pyarrow
    from pyarrow import parquet

    content = read_bytes(path)
    try:
        rows = parquet.read_table(pyarrow.BufferReader(content)).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise UserMistake(f"{path}: not a readable Parquet file: {str(error)[:200]}") from None
    for number, row in enumerate(rows, start=1):
        yield RawRow(
            Place(path, number, "row"), {str(key): value for key, value in row.items() if value is not None}
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed: leave the field out, or give text")


def _refuse_twice(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return result
