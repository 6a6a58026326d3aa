"""Files and finished runs of other stores, copied to this machine to be read: `s3://bucket/run`, `gs://`, `memory://`,
whatever fsspec and the store's package know.

    path = fetch("s3://bucket/runs/a")      # kept until this process ends

Nothing is written there. A run is locked, appended to and replaced in place, which an object store cannot do.
"""

import atexit
import contextlib
import hashlib
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tellapart.errors import InvalidInput, UserMistake
from tellapart.extras import require

_URL = re.compile(r"(?P<protocol>[a-z][a-z0-9+.]*)://(?P<path>.*)", re.DOTALL)
MOST_BYTES, MOST_FILES, DEEPEST = 8 * 2**30, 10_000, 8
"""Of what is copied at once."""
_LEFT_OUT = re.compile(r"(.*/)?(scratch/.*|\.lock|\..*\.tmp)")
"""What a run needs while it is under way alone."""
_HELD: dict[Path, object] = {}
"""What was copied, and what its store said of it."""


class _Listed(NamedTuple):
    """What a store holds at a reference: file system, the path there, and what it says of each file, by its path."""

    system: Any
    root: str
    files: Mapping[str, Mapping[str, Any]]


def is_remote(reference: str) -> bool:
    """Return whether a text names a place in another store."""
    return _URL.match(reference) is not None


def fetch(reference: str, only: Collection[str] = ()) -> Path:
    """Return the copy of a file or folder; it is copied anew where the store says that it has changed. `only` are the
    names of the files that are wanted of a folder (default: all). Raises UserMistake, one line, where it cannot be."""
    require("fsspec", "a URL")
    told = hashlib.blake2b(f"{reference} {sorted(only)}".encode(), digest_size=8).hexdigest()
    place = _root() / told / _checked(reference, reference.replace("://", "/", 1))  # none lies within another
    try:
        found = _listed(reference, only)
        said = [(name, str(sorted(about.items(), key=str))) for name, about in sorted(found.files.items())]
        if _HELD.get(place) != said:
            _copy(reference, found, place)
            _HELD[place] = said
    except UserMistake:
        raise
    except Exception as error:  # of whichever package reads this store
        raise UserMistake(f"{reference} cannot be read ({type(error).__name__}: {error})") from error
    return place


def _listed(reference: str, only: Collection[str]) -> _Listed:
    from fsspec.core import url_to_fs

    system, root = url_to_fs(reference)
    system.invalidate_cache()
    if system.isfile(root):
        return _Listed(system, root, {root: system.info(root)})
    if not system.isdir(root):
        raise UserMistake(f"{reference}: no such file or folder")
    found = system.find(root, maxdepth=DEEPEST, detail=True)
    files = {
        name: about
        for name, about in found.items()
        if _LEFT_OUT.fullmatch(_below(name, root)) is None and (not only or PurePosixPath(name).name in only)
    }
    size = sum(int(about.get("size") or 0) for about in files.values())
    if len(files) > MOST_FILES or size > MOST_BYTES:
        raise UserMistake(
            f"{reference} holds {len(files):,} files of {size:,} bytes, at most {MOST_FILES:,} of {MOST_BYTES:,} are "
            "copied: name a folder or a file below it"
        )
    return _Listed(system, root, files)


def _below(name: str, root: str) -> str:
    return name.removeprefix(root).lstrip("/")


def _checked(reference: str, path: str) -> PurePosixPath:
    """Return a path that leads nowhere else. Names in a store may be anything."""
    if "\0" in path or path.startswith("/") or ".." in path.split("/"):
        raise UserMistake(f"{reference}: {path!r:.200} is no name of a file here")
    return PurePosixPath(path)


def _copy(reference: str, found: _Listed, place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    for name in found.files:
        below = _below(name, found.root)
        target = place / _checked(reference, below) if below else place
        target.parent.mkdir(parents=True, exist_ok=True)
        with found.system.open(name, "rb") as there, target.open("wb") as here:
            shutil.copyfileobj(there, here)
    if not found.files:
        place.mkdir(parents=True, exist_ok=True)


def folder(reference: str, only: Collection[str] = ()) -> Path:
    """Return a path that may be remote as one of this machine."""
    return fetch(reference, only) if is_remote(reference) else Path(reference)


def refuse(option: str, reference: str) -> None:
    """Raise InvalidInput where what is to be written to is remote."""
    if is_remote(reference):
        raise InvalidInput(
            f"{option}{reference}: a run is locked and appended to, which a store of objects cannot do: give a folder "
            "of this machine, and copy it there when it is finished (docs/running-at-scale.md)"
        )


def named(text: str) -> str:
    """Return a message with the copies in it named as they were given."""
    if not _HELD:
        return text
    return re.sub(rf"{re.escape(str(_root()))}/[0-9a-f]{{16}}/([a-z][a-z0-9+.]*)/", r"\1://", text)


@cache
def _root() -> Path:
    """Return the folder of the copies, which is removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="tellapart-remote-"))
    atexit.register(_removed, place)
    return place


def _removed(place: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(place)
