"""What a path holds, found from its content: `open_source("path#choice")`, then `document` or `records`.

A reader sees the head of the file (the first JSON object, or the columns of a table) and says whether it is its.
Files packed with gzip, bzip2, xz or zstd are unpacked in memory; a table may be cut by commas, semicolons or tabs.
"""

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tellapart import inputs, remote
from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.value import short

Kind = Literal["json", "jsonl", "csv", "parquet", "zip"]
LARGEST = 8 * 2**30
"""Bytes of a text file that is read whole; larger ones are refused."""
LARGEST_UNPACKED = 2 * 2**30
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
ARROW = (b"ARROW1", b"\xff\xff\xff\xff")
SAVED = (
    "as datasets.save_to_disk writes it; write Parquet or JSONL "
    "(datasets.load_from_disk(FOLDER).to_parquet(FILE))"
)
EXCEL_FIRST = re.compile(rb"sep=.\r?\n(?=.)")
"""A first line that tells a spreadsheet what cuts the columns."""
LFS = b"version https://git-lfs.github.com/spec/"
HEAD_LINES = 20
"""Lines after the first whose keys count for what a file is."""
SEPARATORS = (",", ";", "\t", "|")
NESTED_LISTS = ("results", "data", "rows", "samples", "examples", "records", "instances", "details", "items",
                "simulations", "testCases", "test_cases")  # fmt: skip
"""Keys under which a document holds its rows, where there are several lists of objects in it."""


@dataclass(frozen=True)
class Source:
    """A file that may be a log. `first` is the whole document (json), the first object (jsonl) or a mapping
    with the column names as keys (csv, parquet); empty for a zip. `choice` is what came after `#`, `separator` what
    cuts the columns of a csv, `rows` the objects where they come from one JSON document."""

    reference: str
    path: Path
    choice: str
    kind: Kind
    first: Json
    data: bytes = field(default=b"", repr=False)
    separator: str = ","
    rows: tuple[dict[str, Json], ...] | None = field(default=None, repr=False)

    def has(self, *names: str) -> bool:
        """Say whether the first object has all these fields."""
        return isinstance(self.first, Mapping) and all(name in self.first for name in names)

    @property
    def head(self) -> JsonObject:
        """The first object; empty where the document is none."""
        return self.first if isinstance(self.first, dict) else {}

    @property
    def name(self) -> str:
        """The file's name without what says that it is packed."""
        name = self.path.name
        return self.path.stem if name.endswith(SUFFIXES) else name


FORM = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)


@contextlib.contextmanager
def in_form(path: str | Path) -> Iterator[None]:
    """Turn whatever reading a hostile file may raise into a UserMistake that names it: a reader checks what it needs,
    and a value of a kind that nobody thought of must not end in a traceback."""
    try:
        yield
    except (*FORM, pa.ArrowException) as error:
        fault = f"{type(error).__name__}: {error}"
        raise UserMistake(f"{path}: cannot be read, a value is not in its form ({fault[:200]})") from error


def split(reference: str) -> tuple[Path, str]:
    """Return the path that exists and the choice after `#`, "" where there is none."""
    if reference.startswith(f"{inputs.KIND}:"):
        given, _, choice = reference.partition("#")
        return inputs.path_of(given), choice
    if remote.is_remote(reference):
        return _fetched(reference)
    try:
        if Path(reference).exists():
            return Path(reference), ""
        for index in range(len(reference) - 1, 0, -1):
            if reference[index] == "#" and Path(reference[:index]).exists():
                return Path(reference[:index]), reference[index + 1 :]
    except (OSError, ValueError) as error:
        raise UserMistake(f"{short(reference)}: cannot be a path ({error})") from None
    raise UserMistake(f"{reference}: no such file or folder")


COMPANIONS = (
    "results*.json", "metadata.json", "run_spec.json", "scenario_state.json", "per_instance_stats.json",
)  # fmt: skip
"""Files in which readers look, beside a log, for what it does not say itself."""


def _fetched(reference: str) -> tuple[Path, str]:
    """Return the copy of a remote log and the choice after `#`; a name may hold a `#` of its own."""
    *ends, last = len(reference), *(at for at in range(len(reference) - 1, 0, -1) if reference[at] == "#")
    for end in ends:
        with contextlib.suppress(UserMistake):
            return _copy_of(reference[:end]), reference[end + 1 :]
    return _copy_of(reference[:last]), reference[last + 1 :]


def _copy_of(url: str) -> Path:
    aggregate = url.rpartition("/")[2].replace("_samples.jsonl", ".json")
    return remote.fetch(url, beside=(*COMPANIONS, aggregate))


def open_source(reference: str, path: Path, choice: str) -> Source:
    """Return the file's source; raises UserMistake where it is empty, unreadable or of no known kind."""
    if not path.is_file():
        raise UserMistake(f"{path}: is not a file")
    try:
        if path.stat().st_size > LARGEST:
            raise UserMistake(f"{path}: larger than {LARGEST >> 30} GiB; split it")
        with path.open("rb") as file:
            magic = file.read(6)
            if magic[:4] == b"PAR1":
                columns = dict.fromkeys(pq.read_schema(path).names)
                return Source(reference, path, choice, "parquet", columns)
            if magic[:2] == b"PK":
                return Source(reference, path, choice, "zip", {})
            file.seek(0)
            data = file.read()
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise UserMistake(f"{path}: cannot be read ({error})") from None
    return _text_source(reference, path, choice, _unpacked(data, path))


def _unpacked(data: bytes, path: Path) -> bytes:
    """Return the content of a packed file; raises UserMistake where it is damaged, too large or an archive."""
    kind = next((name for magic, name in PACKED.items() if data.startswith(magic)), None)
    if kind is None:
        return data
    opened: dict[
        str, Callable[[], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile | zstandard.ZstdDecompressionReader]
    ] = {
        "gzip": partial(gzip.GzipFile, fileobj=io.BytesIO(data)),
        "bzip2": partial(bz2.BZ2File, io.BytesIO(data)),
        "xz": partial(lzma.LZMAFile, io.BytesIO(data)),
        "zstd": lambda: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True),
    }
    try:
        with opened[kind]() as stream:
            unpacked = stream.read(LARGEST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError) as error:
        raise UserMistake(f"{path}: is packed with {kind} and damaged ({error})") from None
    if len(unpacked) > LARGEST_UNPACKED:
        raise UserMistake(f"{path}: unpacks to more than {LARGEST_UNPACKED >> 30} GiB; unpack and split it")
    if unpacked[:4] == b"PAR1" or unpacked[:2] == b"PK" or unpacked[257:262] == b"ustar":
        raise UserMistake(f"{path}: is packed with {kind} and holds an archive or Parquet; unpack it first")
    return unpacked


def _text_source(reference: str, path: Path, choice: str, data: bytes) -> Source:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserMistake(f"{path}: is UTF-16; save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    body = data.lstrip()
    if excel := EXCEL_FIRST.match(body):
        data = body = body[excel.end() :].lstrip()
    if not body:
        raise UserMistake(f"{path}: is empty")
    if body.startswith(ARROW):
        raise UserMistake(f"{path}: is an Arrow file, {SAVED}")
    if b"\0" in body[:2000]:
        raise UserMistake(f"{path}: is a binary file of no known kind; give JSON, JSONL, CSV or Parquet")
    if body.startswith(LFS):
        raise UserMistake(
            f"{path}: is a Git LFS pointer, not the file itself: fetch it (git lfs pull) and try again"
        )
    if body[:1] not in b"{[":
        if b"\n" not in body and b"\r" in body:  # lines as old spreadsheets end them
            data = body = body.replace(b"\r", b"\n")
        separator, columns = _header(body)
        return Source(reference, path, choice, "csv", columns, data, separator)
    line, _, rest = body.partition(b"\n")
    lined = path.name.removesuffix(path.suffix if path.name.endswith(SUFFIXES) else "").endswith(".jsonl")
    try:
        first = parse(line, f"{path}, line 1")
        lines = bool(rest.strip()) or lined
    except UserMistake as error:
        if lined and not body.startswith(b"["):
            raise
        if rest.lstrip()[:1] == b"{" and body.startswith(b"{"):
            raise error from None
        return Source(reference, path, choice, "json", parse(data, str(path)))
    if lines and isinstance(first, dict):
        return Source(reference, path, choice, "jsonl", _with_later_keys(first, rest), data)
    return Source(reference, path, choice, "json", first if not rest.strip() else parse(data, str(path)))


def _with_later_keys(first: dict[str, Json], rest: bytes) -> dict[str, Json]:
    """Return the first object with the keys that it lacks and the next lines have: a script may have come to
    write more."""
    merged = dict(first)
    for line in rest.split(b"\n", HEAD_LINES)[:HEAD_LINES]:
        try:
            value = parse(line, "") if line.strip() else None
        except UserMistake:
            continue  # a bad line is named when it is read
        if isinstance(value, dict):
            merged = {**value, **merged}
    return merged if len(merged) > len(first) else first


def _header(body: bytes) -> tuple[str, dict[str, None]]:
    """Return what cuts the columns of a table and their names: of the signs that cut the first lines into equally many
    columns, else of all, the one that makes most."""
    head = body.split(b"\n", HEAD_LINES)[:HEAD_LINES]
    lines = [line.decode("utf-8", "replace").strip("\r\n") for line in head if line.strip()]
    candidates: list[tuple[bool, int, str, list[str]]] = []
    for separator in SEPARATORS:
        try:
            rows = [next(csv.reader([line], delimiter=separator), []) for line in lines]
        except csv.Error:
            continue
        if len(rows[0]) > 1:
            even = sum(len(row) == len(rows[0]) for row in rows[1:]) > (len(rows) - 1) / 2
            candidates.append((even, len(rows[0]), separator, rows[0]))
    if not candidates:
        return ",", {lines[0].strip(): None}
    _, _, separator, names = max(candidates, key=lambda candidate: candidate[:2])
    return separator, dict.fromkeys(name.strip() for name in names)


def parse(data: bytes | str, where: str) -> Json:
    """Return the JSON value; raises UserMistake for anything malformed, too deep or with a key twice."""
    if isinstance(data, bytes) and data.startswith(LFS):
        raise UserMistake(f"{where}: is a Git LFS pointer, not the file itself: fetch it (git lfs pull)")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        return _decode(text)
    except UnicodeDecodeError as error:
        raise UserMistake(f"{where}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except RecursionError:
        raise UserMistake(f"{where}: is nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f" (line {error.lineno}, column {error.colno})"
        raise UserMistake(f"{where}: is not valid JSON: {error.msg}{place}") from None
    except ValueError as error:
        raise UserMistake(f"{where}: {str(error)[:120]}") from None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {short(twice)} is there twice in one object")
    return result


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)  # json.loads makes one a line


def _decode(text: str) -> Json:
    if text.startswith("\ufeff"):
        return json.loads(text)  # which says what is wrong with it
    return _DECODER.decode(text)


def as_rows(source: Source) -> Source | None:
    """Return a JSON document as the rows that it holds, None where it holds none: a list of objects (alone or under one
    key), columns ({"item": [..], "correct": [..]}, as pandas and datasets write them), or {"columns", "data"}."""
    if source.kind != "json":
        return None
    objects = _objects(source.first)
    return replace(source, kind="jsonl", first=objects[0], rows=tuple(objects)) if objects else None


def _objects(document: Json) -> list[dict[str, Json]]:
    if isinstance(document, list):
        rows = [row for row in document if isinstance(row, dict)]
        return rows if len(rows) == len(document) else []
    if not isinstance(document, dict) or not document:
        return []
    names, data = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(data, list) and data:
        rows = [row for row in data if isinstance(row, list) and len(row) == len(names)]
        if len(rows) == len(data):
            return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    lists = {
        key: rows for key, value in document.items() if isinstance(value, list) and (rows := _objects(value))
    }
    if lists:
        nested = [lists[name] for name in NESTED_LISTS if name in lists]  # a list of results may be a summary
        return max(nested, key=len) if nested else next(iter(lists.values())) if len(lists) == 1 else []
    return _transposed(document) or _under_keys(document)


def _transposed(document: dict[str, Json]) -> list[dict[str, Json]]:
    """Return the rows of columns that are all lists, or all objects under the same keys."""
    columns = list(document.values())
    if len(columns) < 2:
        return []
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) == len(columns) and len({len(column) for column in lists}) == 1:
        return [dict(zip(document, values, strict=True)) for values in zip(*lists, strict=True)]
    objects = {name: column for name, column in document.items() if isinstance(column, dict) and column}
    if len(objects) == len(columns):
        keys = list(next(iter(objects.values())))
        numbered = all(key.isdigit() for key in keys)
        if numbered and all(list(column) == keys for column in objects.values()):
            return [{name: column[key] for name, column in objects.items()} for key in keys]
    return []


def _under_keys(document: dict[str, Json]) -> list[dict[str, Json]]:
    """Return objects that lie under their ids, the id as `_key`."""
    objects = {key: row for key, row in document.items() if isinstance(row, dict) and row}
    if len(document) < 2 or len(objects) < len(document):
        return []
    first = set(next(iter(objects.values())))
    if not all(first & set(row) for row in objects.values()):
        return []
    return [{"_key": key, **row} for key, row in objects.items()]


def records(source: Source, notes: list[str]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield (place, object) for each line of a JSONL file, object of a document's list or row of Parquet. A torn last
    line is noted and left out; any other bad line raises UserMistake naming it."""
    if source.rows is not None:
        for index, row in enumerate(source.rows):
            yield f"{source.path}, entry {index + 1}", row
        return
    if source.kind == "parquet":
        for index, row in enumerate(pq.read_table(source.path).to_pylist()):
            yield f"{source.path}, row {index + 1}", row
        return
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
