"""The run folder: spec.json, rows/*.jsonl (append-only), artifacts/, findings.json, report.html.

A run is what its folder holds. Opening it again with the same spec goes on with what is missing; another spec
is refused. A row is one line, written and flushed whole; a line torn by a kill is cut off and owed again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tellapart.errors import UserMistake
from tellapart.runs.row import Row, from_line, to_line

FOLDER_VERSION = 1


@dataclass(frozen=True)
class RunFolder:
    """A run on disk. Made by `open_run`; every write is whole or not at all."""

    path: Path

    def shard(self, name: str) -> Path:
        """Return the path of the JSONL shard of a condition; its name is hashed, so any text is a safe file."""
        readable = "".join(char if char.isalnum() else "-" for char in name)[:60]
        return self.path / "rows" / f"{readable}-{digest(name)[:8]}.jsonl"

    def read_rows(self, name: str) -> list[Row]:
        """Return the whole rows of a shard, in the order written; a torn last line is cut off the file."""
        path = self.shard(name)
        if not path.exists():
            return []
        data = path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        rows = [_parsed(line, path, number) for number, line in enumerate(whole.split(b"\n"), 1) if line]
        if torn:
            with path.open("r+b") as file:
                file.truncate(len(data) - len(torn))
        return rows

    @contextlib.contextmanager
    def appending(self, name: str) -> Iterator["RowWriter"]:
        """Yield a writer that appends rows to a shard, each flushed to the operating system as one line."""
        path = self.shard(name)
        path.parent.mkdir(exist_ok=True)
        with path.open("ab", buffering=0) as file:
            yield RowWriter(file)

    def write_artifact(self, name: str, value: Mapping[str, Any]) -> Path:
        """Write a JSON artifact and return its path."""
        path = self.path / "artifacts" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, canonical(value))
        return path

    def read_artifact(self, name: str) -> dict[str, Any] | None:
        """Return a JSON artifact, None where it was not written yet."""
        path = self.path / "artifacts" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a binary artifact (named by its content hash and ending) and return its path."""
        path = self.path / "artifacts" / name
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, data)
        return path

    def read_bytes(self, name: str) -> bytes:
        """Return a binary artifact. Raises UserMistake where it is gone."""
        path = self.path / "artifacts" / name
        if not path.exists():
            raise UserMistake(
                f"{path} is missing; choose another --out, or delete what names it to have it made anew"
            )
        return path.read_bytes()

    def scratch(self, name: str) -> Path:
        """Return a folder for checkpoints of what is being fitted; `clear_scratch` removes it when it is done."""
        path = self.path / "scratch" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def clear_scratch(self, name: str) -> None:
        """Remove a folder of checkpoints."""
        shutil.rmtree(self.path / "scratch" / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.path / "scratch").rmdir()


class RowWriter:
    """Appends rows to one shard."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, row: Row) -> None:
        """Append one row. One write call: a kill leaves the whole line or a torn last one."""
        self._file.write((to_line(row) + "\n").encode("ascii"))


def _parsed(line: bytes, path: Path, number: int) -> Row:
    try:
        return from_line(line)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserMistake(
            f"{path}:{number}: not a row ({error}); delete the line to have it asked again"
        ) from error


def run_path(out: str | None, study: str) -> Path:
    """Return the folder `out`, or one under runs/ that no other command started at the same moment is given.

    It is not made here: a command that is refused leaves nothing behind.
    """
    return Path(out or time.strftime(f"runs/{study}-%Y%m%d-%H%M%S-{secrets.token_hex(4)}"))


@contextlib.contextmanager
def open_run(path: Path, spec: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Yield the run folder at `path`, made where it is missing and locked while in use.

    `spec` is what must be the same to go on (a UserMistake names the fields that differ); `context` is told
    beside it (provenance) and may differ.
    """
    wanted = json.loads(canonical(spec))
    if path.exists() and not path.is_dir():
        raise UserMistake(f"{path} is a file; choose a folder for --out")
    existing = path / "spec.json"
    if existing.exists():
        _refuse_other(existing, wanted)
    elif path.exists() and not all(_ours(entry.name) for entry in path.iterdir()):
        raise UserMistake(f"{path} is not empty and is no run folder; choose another --out")
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        for leftover in path.glob(".*.tmp"):
            leftover.unlink()
        if not existing.exists():
            write_atomically(existing, canonical({"version": FOLDER_VERSION, "spec": wanted, **context}))
        yield RunFolder(path)


def _refuse_other(existing: Path, spec: dict[str, Any]) -> None:
    try:
        before = json.loads(existing.read_text())["spec"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserMistake(f"{existing} is damaged; choose another --out") from error
    differing = sorted(key for key in before.keys() | spec.keys() if before.get(key) != spec.get(key))
    if differing:
        told = "; ".join(f"{key}: {before.get(key)!r} there, {spec.get(key)!r} asked" for key in differing)
        raise UserMistake(f"{existing.parent} holds another run ({told[:400]}); choose another --out")


def _ours(name: str) -> bool:
    """Return whether a file may stand in a run folder that was killed before its spec was written."""
    return name == ".lock" or (name.startswith(".") and name.endswith(".tmp"))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with (path / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserMistake(
                f"{path} is being written by another process; wait for it or choose another --out"
            ) from error
        yield


def read_fields(folder: Path) -> dict[str, Any]:
    """Return the study of a run and the fields of its spec, from spec.json. Raises UserMistake where it is none."""
    fields = read_json(folder / "spec.json", "it is no run folder").get("spec", {})
    if not isinstance(fields, dict):
        raise UserMistake(f"{folder / 'spec.json'} holds no spec: it is no run folder")
    return fields


def read_json(path: Path, reason: str) -> dict[str, Any]:
    """Return the JSON object in a file. Raises UserMistake, with the `reason`, where it is missing or none."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserMistake(f"{path} is missing: {reason}") from None
    except (OSError, ValueError) as error:
        raise UserMistake(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise UserMistake(f"{path} holds no JSON object: {reason}")
    return value


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader, or a kill, sees the old file or the new one, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def canonical(value: Any) -> str:
    """Return JSON with sorted keys, so that equal values are equal texts; a row of a finding's table is one line."""
    return _indented(value, 0)


_ON_ONE_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False)
_DEEPEST = 5
"""Of document, findings, finding, tables, table, row: what lies deeper stands on one line (json indents slowly)."""


def _indented(value: Any, depth: int) -> str:
    if not isinstance(value, dict | list | tuple) or not value or depth == _DEEPEST:
        return _ON_ONE_LINE.encode(value)
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return _ON_ONE_LINE.encode(value)
    margin = "\n" + " " * depth
    if isinstance(value, dict):
        inner = [f"{_ON_ONE_LINE.encode(key)}: {_indented(value[key], depth + 1)}" for key in sorted(value)]
        return "{" + ",".join(f"{margin} {line}" for line in inner) + margin + "}"
    return "[" + ",".join(f"{margin} {_indented(one, depth + 1)}" for one in value) + margin + "]"


def digest(value: Any) -> str:
    """Return the content hash (32 hex digits) of any JSON value."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()
