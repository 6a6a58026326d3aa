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
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Protocol

from tellapart.errors import InvalidInput, UserMistake
from tellapart.extras import require
from tellapart.jsonvalue import JsonObject

_PROTOCOL = "[A-Za-z][A-Za-z0-9+._-]+"
_URL = re.compile(f"(?P<protocol>{_PROTOCOL})://")
_PASSWORD = re.compile(r"[^/@]*:(?![0-9]*(/|$)).*@", re.DOTALL)
"""What follows `://` where a password stands in a URL; `host:22/path` has none."""
NO_STORES = {
    "file": "give its path",
    "local": "give its path",
    "http": "a web page does not say which files there are: download it and give its path",
    "https": "a web page does not say which files there are: download it and give its path",
}
MOST_BYTES, MOST_FILES, DEEPEST = 8 * 2**30, 10_000, 8
"""Of what is copied at once."""
BLOCK = 2**20
_LEFT_OUT = re.compile(r"(.*/)?(scratch/.*|\.lock|\..*\.tmp)")
"""What a run needs while it is under way alone."""
_HELD: dict[Path, object] = {}
"""What was copied, and what its store said of it."""


class _FileSystem(Protocol):
    """What copying needs of fsspec's file systems."""

    def open(self, path: str, mode: str) -> BinaryIO: ...


class _Listed(NamedTuple):
    """What a store holds at a reference: file system, the folder there, whether the reference is a file in it, and what
    the store says of each file, by its path."""

    system: _FileSystem
    folder: str
    is_file: bool
    files: Mapping[str, JsonObject]


def is_remote(reference: str) -> bool:
    """Return whether a text names a place in another store."""
    return _URL.match(reference) is not None


def fetch(reference: str, only: Collection[str] = (), beside: Collection[str] = ()) -> Path:
    """Return the copy of a file or folder; it is copied anew where the store says that it has changed. `only` are the
    names of the files that are wanted of a folder (default: all), `beside` patterns of the names of those that are to
    lie beside a file. Raises UserMistake, one line, where it cannot be."""
    require("fsspec", "a URL")
    _check_url(reference)
    digest = hashlib.blake2b(f"{reference} {sorted(only)}".encode(), digest_size=8).hexdigest()
    above = _root() / digest  # none lies within another
    place = above / _checked(reference, reference.replace("://", "/", 1))
    try:
        listed = _listed(reference, only, beside)
        said = [(name, str(sorted(about.items(), key=str))) for name, about in sorted(listed.files.items())]
        if _HELD.get(place) != said:
            _HELD.pop(place, None)  # what is copied in part is no copy
            if above.is_dir():
                shutil.rmtree(above)
            _copy(reference, listed, place.parent if listed.is_file else place)
            _HELD[place] = said
    except UserMistake:
        raise
    except Exception as error:  # of whichever package reads this store
        raise UserMistake(named(f"{reference} cannot be read ({type(error).__name__}: {error})")) from error
    return place


def _check_url(reference: str) -> None:
    protocol, _, path = reference.partition("://")
    if _PASSWORD.match(path):  # it would stand in spec.json, in the report and in messages
        raise InvalidInput(
            f"{protocol}://...: a password in a URL; give it as fsspec's configuration or the environment of the store"
        )
    if (
        "::" in reference
    ):  # fsspec would unpack one within the other, and evaluate templates of a `reference://`
        raise InvalidInput(f"{reference}: one URL within another; give the file itself")
    if protocol.lower() in NO_STORES:
        raise InvalidInput(f"{reference}: {NO_STORES[protocol.lower()]}")


def _listed(reference: str, only: Collection[str], beside: Collection[str]) -> _Listed:
    from fsspec.core import url_to_fs

    system, root = url_to_fs(reference)
    system.invalidate_cache()
    if is_file := system.isfile(root):
        folder, _, own = root.rpartition("/")
        others = system.ls(folder, detail=True) if beside else []
        entries = {root: system.info(root)} | {
            other["name"]: other
            for other in others
            if other["type"] == "file"
            and (name := _below(other["name"], folder)) != own
            and any(fnmatchcase(name, pattern) for pattern in beside)
        }
    elif system.isdir(root):
        folder, entries = root, system.find(root, maxdepth=DEEPEST + 1, detail=True)
    else:
        raise UserMistake(f"{reference}: no such file or folder")
    files = {name: about for name, about in entries.items() if _is_wanted(_below(name, folder), about, only)}
    size = sum(int(about.get("size") or 0) for about in files.values())
    deepest = max((_below(name, folder).count("/") + 1 for name in files), default=0)
    if len(files) > MOST_FILES or size > MOST_BYTES or deepest > DEEPEST:
        raise UserMistake(
            f"{reference} holds {len(files):,} files of {size:,} bytes, {deepest} folders deep; at most {MOST_FILES:,} "
            f"of {MOST_BYTES:,}, {DEEPEST} deep, are copied: name a folder or a file below it"
        )
    return _Listed(system, folder, is_file, files)


def _is_wanted(below: str, about: JsonObject, only: Collection[str]) -> bool:
    if (not below or below.endswith("/")) and not about.get("size"):
        return False  # what stands for a folder in an object store
    return _LEFT_OUT.fullmatch(below) is None and (not only or PurePosixPath(below).name in only)


def _below(name: str, folder: str) -> str:
    return name.removeprefix(folder).lstrip("/")


def _checked(reference: str, path: str) -> PurePosixPath:
    """Return a path that leads nowhere else. Names in a store may be anything."""
    if "\0" in path or ".." in path.split("/"):
        raise UserMistake(f"{reference}: {path!r:.200} is no name of a file here")
    return PurePosixPath(path)


def _copy(reference: str, listed: _Listed, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    left = MOST_BYTES
    for name, about in listed.files.items():
        target = place / _checked(reference, _below(name, listed.folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        with listed.system.open(name, "rb") as there, target.open("xb") as here:  # no two names of one file
            while block := there.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise UserMistake(
                        f"{reference} holds more than {MOST_BYTES:,} bytes, and said it held less"
                    )
                here.write(block)
        if about.get("size") not in (None, target.stat().st_size):
            raise UserMistake(
                f"{reference}: {name!r:.200} was changed while it was copied, or came in part; try again"
            )


def folder(reference: str, only: Collection[str] = ()) -> Path:
    """Return a path that may be remote as one of this machine."""
    return fetch(reference, only) if is_remote(reference) else Path(reference)


def refuse_out(out: str | None) -> None:
    """Raise InvalidInput where what is to be written to is remote."""
    if is_remote(out or ""):
        raise InvalidInput(
            f"--out {out}: nothing is written to a URL (a run is locked and appended to, which an object store cannot "
            "do): give a folder of this machine, and copy it there when it is finished (docs/running-at-scale.md)"
        )


def named(text: str) -> str:
    """Return a message with the copies in it named as they were given."""
    if not _root.cache_info().currsize:
        return text
    return re.sub(rf"{re.escape(str(_root()))}/[0-9a-f]{{16}}/({_PROTOCOL})/?", r"\1://", text)


@cache
def _root() -> Path:
    """Return the folder of the copies, which is removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="tellapart-remote-"))
    atexit.register(_removed, place)
    return place


def _removed(place: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(place)
