"""What a path holds, found from its content: `open_source("path#choice")`, then `document` or `records`.

A reader sees the head of the file (the first JSON object, or the columns of a table) and says whether it is its.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.logs.value import short

Kind = Literal["json", "jsonl", "csv", "parquet", "zip"]
LARGEST = 8 * 2**30
"""Bytes of a text file that is read whole; larger ones are refused."""


@dataclass(frozen=True)
class Source:
    """A file that may be a log. `first` is the whole document (json), the first object (jsonl) or a mapping
    with the column names as keys (csv, parquet); empty for a zip. `choice` is what came after `#`."""

    reference: str
    path: Path
    choice: str
    kind: Kind
    first: Any
    data: bytes = field(default=b"", repr=False)

    def has(self, *names: str) -> bool:
        """Say whether the first object has all these fields."""
        return isinstance(self.first, Mapping) and all(name in self.first for name in names)


FORM = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)


@contextlib.contextmanager
def in_form(path: object) -> Iterator[None]:
    """Turn whatever reading a hostile file may raise into a UserMistake that names it: a reader checks what it needs,
    and a value of a kind that nobody thought of must not end in a traceback."""
    try:
        yield
    except (
        pa.ArrowException,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        RecursionError,
    ) as error:
        told = f"{type(error).__name__}: {error}"
        raise UserMistake(f"{path}: cannot be read, a value is not in its form ({told[:200]})") from error


def split(reference: str) -> tuple[Path, str]:
    """Return the path that exists and the choice after `#`, "" where there is none."""
    try:
        if Path(reference).exists():
            return Path(reference), ""
        for index in range(len(reference) - 1, 0, -1):
            if reference[index] == "#" and Path(reference[:index]).exists():
                return Path(reference[:index]), reference[index + 1 :]
    except (OSError, ValueError) as error:
        raise UserMistake(f"{short(reference)}: cannot be a path ({error})") from None
    raise UserMistake(f"{reference}: no such file or folder")


def open_source(reference: str, path: Path, choice: str) -> Source:
    """Return the file's source; raises UserMistake where it is empty, unreadable or of no known kind."""
    if not path.is_file():
        raise UserMistake(f"{path}: is not a file")
    try:
        if path.stat().st_size > LARGEST:
            raise UserMistake(f"{path}: larger than {LARGEST >> 30} GiB; split it")
        with path.open("rb") as file:
            magic = file.read(4)
            if magic == b"PAR1":
                columns = dict.fromkeys(pq.read_schema(path).names)
                return Source(reference, path, choice, "parquet", columns)
            if magic[:2] == b"PK":
                return Source(reference, path, choice, "zip", {})
            data = magic + file.read()
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise UserMistake(f"{path}: cannot be read ({error})") from None
    return _text_source(reference, path, choice, data)


def _text_source(reference: str, path: Path, choice: str, data: bytes) -> Source:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserMistake(f"{path}: is UTF-16; save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    body = data.lstrip()
    if not body:
        raise UserMistake(f"{path}: is empty")
    if body[:1] not in b"{[":
        header = body.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
        columns = dict.fromkeys(name.strip().strip('"') for name in header.split(","))
        return Source(reference, path, choice, "csv", columns, data)
    line, _, rest = body.partition(b"\n")
    try:
        first = parse(line, f"{path}, line 1")
        lines = bool(rest.strip()) or path.suffix == ".jsonl"
    except UserMistake as error:
        if path.suffix == ".jsonl" and not body.startswith(b"["):
            raise
        if rest.lstrip()[:1] == b"{" and body.startswith(b"{"):
            raise error from None
        return Source(reference, path, choice, "json", parse(data, str(path)))
    if lines and isinstance(first, dict):
        return Source(reference, path, choice, "jsonl", first, data)
    return Source(reference, path, choice, "json", first if not rest.strip() else parse(data, str(path)))


def parse(data: bytes | str, where: str) -> Any:
    """Return the JSON value; raises UserMistake for anything malformed, too deep or with a key twice."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise UserMistake(f"{where}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except RecursionError:
        raise UserMistake(f"{where}: is nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f" (line {error.lineno}, column {error.colno})"
        raise UserMistake(f"{where}: is not valid JSON: {error.msg}{place}") from None
    except ValueError as error:
        raise UserMistake(f"{where}: {str(error)[:120]}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {short(twice)} is there twice in one object")
    return result


def records(source: Source, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, object) for each line of a JSONL file. A torn last line is noted and left out; any other
    bad line raises UserMistake naming it."""
    lines = source.data.split(b"\n")
    last = max(index for index, line in enumerate(lines) if line.strip())
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        where = f"{source.path}, line {index + 1}"
        try:
            value = parse(line, where)
        except UserMistake:
            if index == last and index > 0 and index == len(lines) - 1:
                notes.append(f"line {index + 1}, the last, is torn and was left out")
                return
            raise
        if not isinstance(value, dict):
            raise UserMistake(f"{where}: expected an object, found {short(value)}")
        yield where, value
