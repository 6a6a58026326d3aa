"""The run folder: spec.json, rows/*.jsonl (append-only), artifacts/, findings.json, report.html.

A run is what its folder holds. Opening it again with the same spec goes on with what is missing; another spec
is refused. A row is one line, written and flushed whole; a line torn by a kill is dropped and asked again. Nothing in a
folder is trusted: its files are opened by runs/files.py and its rows checked by runs/row.py.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart import inputs, remote
from tellapart.errors import UserMistake, of_system, one_line
from tellapart.jsonvalue import Json, JsonObject
from tellapart.runs import files
from tellapart.runs.files import subfolder, write_atomically
from tellapart.runs.provenance import answering
from tellapart.runs.row import Row, from_line, to_line

FOLDER_VERSION = 1
LONGEST_ROW = 2**26
"""Bytes of a row's line."""
LARGEST_ARRAYS = 2**38
"""Bytes of a file of arrays."""
FILES = ("spec.json", "findings.json", "report.html", "rows.parquet", ".lock")
FOLDERS = ("rows", "artifacts", "scratch", inputs.FOLDER)


@dataclass(frozen=True)
class RunFolder:
    """A run on disk. Made by `open_run`; every write is whole or not at all."""

    path: Path
    context: JsonObject = field(default_factory=dict)

    def shard(self, name: str) -> Path:
        """Return the path of the JSONL shard of a condition; its name is hashed, so any text is a safe file."""
        readable = "".join(char if char.isalnum() else "-" for char in name)[:60]
        return self.path / "rows" / f"{readable}-{digest(name)[:8]}.jsonl"

    def read_rows(self, name: str, check: Callable[[Row], None] = lambda row: None) -> list[Row]:
        """Return the whole rows of a shard, in the order written; a torn last line is dropped from the file.

        Raises UserMistake for a line that is no row of this condition, or of which `check` raises ValueError.
        """
        path = self.shard(name)
        subfolder(self.path, "rows")

        def whole(row: Row) -> None:
            if row.condition != name:
                raise ValueError(f"of condition {row.condition!r:.60}")
            check(row)

        lines = files.whole_lines(path, LONGEST_ROW)
        return [_parsed(line, (path, number), whole) for number, line in enumerate(lines, 1) if line]

    @contextlib.contextmanager
    def appending(self, name: str) -> Iterator["RowWriter"]:
        """Yield a writer that appends rows to a shard, each flushed to the operating system as one line."""
        self._note_versions()
        subfolder(self.path, "rows")
        with files.appending(self.shard(name)) as lines:
            yield RowWriter(lines)

    def _note_versions(self) -> None:
        """Add to spec.json under which versions rows are made from now on, where these are other ones."""
        place, now = self.path / "spec.json", self.context.get("provenance")
        data = files.read_whole(place)
        if data is None or now is None:
            return
        provenance_file = _object(data, place)
        resumed = [later for later in provenance_file.get("resumed") or () if isinstance(later, dict)]
        settings = [answering(entry) for entry in (provenance_file.get("provenance"), *resumed)]
        if answering(now) not in settings:
            write_atomically(place, canonical({**provenance_file, "resumed": [*resumed, now]}))

    def artifact(self, name: str) -> Path:
        """Return the path of a file under artifacts/, whose folder is made where it is missing."""
        return subfolder(self.path, "artifacts") / name

    def write_artifact(self, name: str, value: JsonObject) -> Path:
        """Write a JSON artifact and return its path."""
        path = self.artifact(f"{name}.json")
        write_atomically(path, canonical(value))
        return path

    def read_artifact(self, name: str) -> Any:
        """Return a JSON artifact, None where it was not written yet. Raises UserMistake where it is damaged."""
        path = self.artifact(f"{name}.json")
        return None if (data := files.read_whole(path)) is None else _object(data, path)

    def tell(self, doing: str) -> None:
        """Say in a few words what is being done, for who looks at the run from outside (`tellapart runs`)."""
        self.write_artifact("doing", {"doing": doing})

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a binary artifact (named by its content hash and ending) and return its path."""
        path = self.artifact(name)
        write_atomically(path, data)
        return path

    def read_bytes(self, name: str) -> bytes:
        """Return a binary artifact. Raises UserMistake where it is gone."""
        path = self.artifact(name)
        data = files.read_whole(path, LARGEST_ARRAYS)
        if data is None:
            raise UserMistake(
                f"{path} is missing; choose another --out, or delete what names it to have it made anew"
            )
        return data

    def scratch(self, name: str) -> Path:
        """Return a folder for checkpoints of what is being fitted; `clear_scratch` removes it when it is done."""
        return subfolder(self.path, f"scratch/{name}")

    def clear_scratch(self, name: str) -> None:
        """Remove a folder of checkpoints."""
        shutil.rmtree(self.path / "scratch" / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.path / "scratch").rmdir()


def keep_given(folder: RunFolder, described: JsonObject) -> None:
    """Copy what Python gave in place of paths into the run folder: tasks and logs under their content's hash."""
    held = inputs.files_of(canonical(described))
    for path in held:
        target = subfolder(folder.path, inputs.FOLDER) / path.name
        if files.read_whole(target) is None:
            write_atomically(target, path.read_bytes())


class RowWriter:
    """Appends rows to one shard."""

    def __init__(self, lines: files.Lines) -> None:
        self._lines = lines

    def write(self, row: Row) -> None:
        """Append one row. A kill leaves the whole line or a torn last one; where the disk is full nothing of it."""
        self._lines.append(to_line(row))


def _parsed(line: bytes, at: tuple[Path, int], check: Callable[[Row], None]) -> Row:
    path, number = at
    try:
        row = from_line(line)
        check(row)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserMistake(
            f"{path}:{number}: not a row ({error}); delete the line to have it asked again"
        ) from error
    return row


def run_path(out: str | None, study: str) -> Path:
    """Return the folder `out`, or one under runs/ that no other command started at the same moment is given.

    It is not made here: a command that is refused leaves nothing behind. Raises InvalidInput for a URL.
    """
    remote.refuse_out(out)
    return Path(out or time.strftime(f"runs/{study}-%Y%m%d-%H%M%S-{secrets.token_hex(4)}"))


@contextlib.contextmanager
def open_run(path: Path, spec: JsonObject, context: JsonObject) -> Iterator[RunFolder]:
    """Yield the run folder at `path`, made where it is missing and locked while in use.

    `spec` is what must be the same to go on (a UserMistake names the fields that differ); `context` is told
    beside it (provenance) and may differ.
    """
    wanted = json.loads(canonical(spec))
    with contextlib.ExitStack() as held:
        with files.telling(path):
            _refuse_strange(path)
            path.mkdir(parents=True, exist_ok=True)
            held.enter_context(files.locked(path / ".lock"))
            # Only now, with the lock: another command may have written its spec while this one waited.
            _refuse_strange(path)
            files.clear_leftovers(path)
            _claim(path / "spec.json", wanted, context)
        yield RunFolder(path, context)


def _refuse_strange(path: Path) -> None:
    """Raise UserMistake where `path` is no folder, or one of something else, or holds what no run folder does."""
    if path.exists() and not path.is_dir():
        raise UserMistake(f"{path} is a file; choose a folder for --out")
    if not path.exists():
        return
    modes = {entry.name: entry.lstat().st_mode for entry in path.iterdir()}
    if "spec.json" not in modes and not all(_ours(name) for name in modes):
        raise UserMistake(f"{path} is not empty and is no run folder; choose another --out")
    for names, right, kind in ((FILES, stat.S_ISREG, "plain file"), (FOLDERS, stat.S_ISDIR, "folder")):
        for name in names:
            if name in modes and not right(modes[name]):
                raise UserMistake(f"{path / name} is no {kind}: {files.WAY_OUT}")


def _claim(place: Path, wanted: dict[str, Json], context: JsonObject) -> None:
    """Write spec.json, or raise UserMistake where the one that stands there is of another run."""
    data = files.read_whole(place)
    if data is None:
        write_atomically(place, canonical({"version": FOLDER_VERSION, "spec": wanted, **context}))
        return
    spec = _object(data, place)
    if spec.get("version") != FOLDER_VERSION:
        raise UserMistake(
            f"{place} has version {spec.get('version')!r:.40}, this tellapart goes on with {FOLDER_VERSION}; "
            "choose another --out"
        )
    before = spec.get("spec")
    if not isinstance(before, dict):
        raise UserMistake(f"{place} is damaged (spec is no object); choose another --out")
    if differing := _differences(before, wanted):
        raise UserMistake(f"{place.parent} holds another run ({'; '.join(differing)}); choose another --out")


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a run folder, {} where there is none. Raises UserMistake where it is
    damaged."""
    data = files.read_whole(path)
    return {} if data is None else _object(data, path)


def _object(data: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{path} is damaged ({error}); choose another --out") from error
    if not isinstance(value, dict):
        raise UserMistake(f"{path} is damaged (no JSON object); choose another --out")
    return value


MOST_DIFFERENCES, LONGEST_VALUE = 8, 100


def _differences(before: JsonObject, now: JsonObject) -> list[str]:
    """Return what differs between two specs, field by field, also inside fields that are objects (fingerprints)."""
    differences = [
        f"{name}: {one_line(repr(there), LONGEST_VALUE)} there, {one_line(repr(here), LONGEST_VALUE)} asked"
        for name, there, here in _pairs(before, now, "")
    ]
    more = len(differences) - MOST_DIFFERENCES
    return differences if more <= 0 else [*differences[:MOST_DIFFERENCES], f"and {more} more"]


def _pairs(before: JsonObject, now: JsonObject, above: str) -> Iterator[tuple[str, Json, Json]]:
    for key in sorted(before.keys() | now.keys()):
        there, here = before.get(key), now.get(key)
        if isinstance(there, dict) and isinstance(here, dict):
            yield from _pairs(there, here, f"{above}{key}.")
        elif there != here:
            yield f"{above}{key}", there, here


def _ours(name: str) -> bool:
    """Return whether a file may stand in a run folder that was killed before its spec was written."""
    return name == ".lock" or (name.startswith(".") and name.endswith(".tmp"))


def doing(folder: Path) -> str | None:
    """Return what a run that is under way does now ("" where it has not said); None where no process writes it."""
    if not files.is_locked(folder / ".lock"):
        return None
    return str(read_object(folder / "artifacts" / "doing.json").get("doing", ""))


def read_fields(folder: Path) -> dict[str, Any]:
    """Return the study of a run and the fields of its spec, from spec.json. Raises UserMistake where it is none."""
    fields = read_json(folder / "spec.json", "it is no run folder").get("spec", {})
    if not isinstance(fields, dict):
        raise UserMistake(f"{folder / 'spec.json'} holds no spec: it is no run folder")
    return fields


def read_json(path: Path, reason: str) -> dict[str, Any]:
    """Return the JSON object in a file. Raises UserMistake, with the `reason`, where it is missing or none."""
    try:
        data = files.read_whole(path)
    except OSError as error:
        raise UserMistake(f"{path} cannot be read: {of_system(error)}") from error
    if data is None:
        raise UserMistake(f"{path} is missing: {reason}")
    return _object(data, path)


def canonical(value: Json) -> str:
    """Return JSON with sorted keys, so that equal values are equal texts; a row of a finding's table is one line."""
    return _indented(value, 0)


_ON_ONE_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False)
_DEEPEST = 5
"""Of document, findings, finding, tables, table, row: what lies deeper stands on one line (json indents slowly)."""


def _indented(value: Json, depth: int) -> str:
    if not isinstance(value, dict | list | tuple) or not value or depth == _DEEPEST:
        return _ON_ONE_LINE.encode(value)
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return _ON_ONE_LINE.encode(value)
    margin = "\n" + " " * depth
    if isinstance(value, dict):
        inner = [f"{_ON_ONE_LINE.encode(key)}: {_indented(value[key], depth + 1)}" for key in sorted(value)]
        return "{" + ",".join(f"{margin} {line}" for line in inner) + margin + "}"
    return "[" + ",".join(f"{margin} {_indented(inner, depth + 1)}" for inner in value) + margin + "]"


def digest(value: Json) -> str:
    """Return the content hash (32 hex digits) of any JSON value."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()
