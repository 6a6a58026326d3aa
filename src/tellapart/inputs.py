"""What Python hands over in place of a path: kept as a file under its content's hash, `given:NAME-HASH.jsonl`.

The name stands in spec.json as a path would; the file is copied into the run folder's `inputs/`, where `analyse` and
`export` find it again and anyone can read what was asked.

    reference = hold("items", ".jsonl", data)       # "given:items-3f2a91bc0d5e7a10.jsonl"
"""

import contextlib
import datetime
import hashlib
import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path, PurePath
from typing import Any, Protocol, runtime_checkable

from tellapart.errors import InvalidInput, Refused, UserMistake
from tellapart.jsonvalue import Json, JsonObject

KIND = "given"
FOLDER = "inputs"
"""Where a run folder keeps what it was given."""
REFERENCE = re.compile(
    rf"{KIND}:(?P<stem>[A-Za-z0-9_]{{1,40}}-(?P<hash>[0-9a-f]{{16}}))(?P<suffix>\.[a-z]{{2,7}})?"
)
_PLACES: ContextVar[tuple[Path, ...]] = ContextVar("where files that were given lie", default=())


@contextlib.contextmanager
def holding() -> Iterator[None]:
    """Keep what is held inside until the end, in a folder of its own; a mistake names a file as it was given."""
    with tempfile.TemporaryDirectory(prefix="tellapart-") as place, looking_in(Path(place)):
        try:
            yield
        except UserMistake as mistake:
            words = str(mistake).replace(f"{place}/", f"{KIND}:")
            raise (mistake if words == str(mistake) else type(mistake)(words)) from mistake.__cause__


@contextlib.contextmanager
def looking_in(folder: Path) -> Iterator[None]:
    """Find what was given in this folder too."""
    before = _PLACES.set((folder, *_PLACES.get()))
    try:
        yield
    finally:
        _PLACES.reset(before)


def hold(name: str, suffix: str, data: bytes) -> str:
    """Keep a file for as long as `holding` lasts and return its reference."""
    reference = reference_of(name, hash_of(data), suffix)
    write(reference.partition(":")[2], data)
    return reference


def write(name: str, data: bytes) -> None:
    """Write a file beside those that are held."""
    (_PLACES.get()[0] / name).write_bytes(data)


def reference_of(name: str, content: str, suffix: str = "") -> str:
    """Return the reference of what has the content hash `content` (hex digits)."""
    readable = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:40] or KIND
    return f"{KIND}:{readable}-{content[:16]}{suffix}"


def hash_of(data: bytes) -> str:
    """Return the hash (hex digits) of a file's content."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def is_given(reference: str) -> bool:
    """Return whether a text is a reference to what was given."""
    return REFERENCE.fullmatch(reference) is not None


def path_of(reference: str) -> Path:
    """Return the file of a reference to a log. Raises UserMistake where it is not there, Refused where it was changed
    since."""
    match = REFERENCE.fullmatch(reference)
    path = match and find(match["stem"] + (match["suffix"] or ""))
    if match and path:
        if hash_of(path.read_bytes())[:16] != match["hash"]:
            raise Refused(f"{path} has changed since it was given: it is not what its name says")
        return path
    raise gone(reference)


def find(name: str) -> Path | None:
    """Return where a file that was given lies; None where it lies nowhere. No link is followed."""
    return next((path for place in _PLACES.get() if _is_plain(path := place / name)), None)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def gone(reference: str) -> UserMistake:
    """Return the mistake of naming what is not there any more; to be raised."""
    return UserMistake(
        f"{reference} was given as an object in Python and is not there any more: give it again, or the file under "
        f"{FOLDER}/ of its run"
    )


def files_of(text: str) -> list[Path]:
    """Return the files that are held for the references in a text: one reference may have several (items, settings). No
    link is followed."""
    result = []
    for reference in dict.fromkeys(match["stem"] for match in REFERENCE.finditer(text)):
        for place in _PLACES.get():
            result += [path for path in sorted(place.glob(f"{reference}*")) if _is_plain(path)]
    return result


@runtime_checkable
class Tabular(Protocol):
    """A table of another package (datasets.Dataset, polars): it makes a pandas frame of itself."""

    def to_pandas(self) -> Any: ...


def is_table(value: object) -> bool:
    """Return whether a value holds rows: a list of dicts, a pandas frame, or what makes one of itself."""
    import pandas as pd

    rows = isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)
    return rows or isinstance(value, pd.DataFrame | Tabular)


def rows_of(value: Any, what: str) -> list[dict[str, Json]]:
    """Return a table (`is_table`) as rows of JSON values; a missing value of a frame is None. Raises InvalidInput, with
    `what` was given, for an empty one, and a value that JSON has none of."""
    import pandas as pd

    if isinstance(value, Tabular) and not isinstance(value, pd.DataFrame):
        value = value.to_pandas()
        if not isinstance(value, pd.DataFrame):
            raise InvalidInput(
                f"{what}: its to_pandas() gave {type(value).__name__}, not a frame; give one split of it"
            )
    if isinstance(value, pd.DataFrame):
        named = [name for name in value.index.names if name is not None]
        value = (value.reset_index() if named else value).to_dict("records")
    rows = [{str(key): _json_value(field, (what, key)) for key, field in row.items()} for row in value]
    if not rows:
        raise InvalidInput(f"{what}: the table holds no rows")
    return rows


def as_jsonl(rows: Sequence[JsonObject]) -> bytes:
    """Return rows as JSONL, UTF-8; half a character is written as an escape."""
    return "".join(f"{json.dumps(row, ensure_ascii=True)}\n" for row in rows).encode()


def _json_value(value: Any, at: tuple[str, object]) -> Json:
    import numpy as np

    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if value == value and abs(value) != math.inf:
            return value
        if value != value:
            return None
    elif isinstance(value, Mapping):
        return {str(key): _json_value(inner, at) for key, inner in value.items()}
    elif isinstance(value, list | tuple):
        return [_json_value(inner, at) for inner in value]
    elif isinstance(value, datetime.date | PurePath):
        return str(value)
    elif str(value) in ("<NA>", "NaT"):
        return None
    raise InvalidInput(
        f"{at[0]}: {at[1]} holds {type(value).__name__} {str(value)[:40]!r}: give texts, numbers, lists or None"
    )
