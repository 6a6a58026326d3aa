"""Files of a run folder: no link is followed, nothing is left half written, and only plain files are read.

A run folder may have come from anyone, and may lie on a disk that is full. So whatever is opened below one is opened
here: a link in the place of a file would lead a write out of the folder, a pipe would be waited for, and a write of
which the system took only a part would join two rows. What the system refuses stays an OSError; the command line tells
it in one line (docs/run-folder.md).
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tellapart.errors import UserMistake, of_system

try:
    import fcntl
except ModuleNotFoundError:
    raise UserMistake(
        "tellapart runs on Linux and macOS: this system has no locks of the kind that run folders need; on Windows "
        "run it in WSL (wsl --install)"
    ) from None

LARGEST_DOCUMENT = 2**30
"""Bytes of a file that is read whole."""
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WAY_OUT = "a run folder holds plain files and folders of its own: remove it, or choose another --out"


def opened(path: Path, flags: int) -> int:
    """Open a plain file and return its descriptor; the caller closes it. Raises UserMistake for a link, a pipe, a
    device or a folder, and OSError for what the system refuses."""
    try:
        descriptor = os.open(path, flags | _SAFE, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise UserMistake(f"{path} is a link: {WAY_OUT}") from None
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise UserMistake(f"{path} is no plain file: {WAY_OUT}") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserMistake(f"{path} is no plain file: {WAY_OUT}")
    return descriptor


def read_whole(path: Path, most: int = LARGEST_DOCUMENT) -> bytes | None:
    """Return what a file holds, None where there is none. Raises UserMistake where it holds more than `most` bytes."""
    try:
        descriptor = opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > most:
            raise UserMistake(f"{path} holds {size:,} bytes, at most {most:,} are read: choose another --out")
        return file.read()


def subfolder(folder: Path, name: str) -> Path:
    """Return a folder below `folder`, made where it is missing. Raises UserMistake where a part of it is a link."""
    path = folder
    for part in Path(name).parts:
        path = path / part
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise UserMistake(f"{path} is no folder: {WAY_OUT}")
    return path


def written(descriptor: int, data: bytes) -> None:
    """Write all of `data`: a write of which the system took a part is continued, or ends in its OSError."""
    left = memoryview(data)
    while left:
        count = os.write(descriptor, left)
        if count == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[count:]


class Lines:
    """Appends lines to one open file, each whole or not at all."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, line: str) -> None:
        """Add an ASCII line and its end. A kill leaves the whole line or a torn last one, a full disk nothing of it."""
        before = os.fstat(self._descriptor).st_size
        try:
            written(self._descriptor, f"{line}\n".encode("ascii"))
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise


@contextlib.contextmanager
def appending(path: Path, create: bool = True) -> Iterator[Lines]:
    """Yield a file to which lines are appended. Raises FileNotFoundError where it is missing and is not to be made."""
    descriptor = opened(path, os.O_WRONLY | os.O_APPEND | (os.O_CREAT if create else 0))
    try:
        yield Lines(descriptor)
    finally:
        os.close(descriptor)


def whole_lines(path: Path, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; a last line without its end was torn by a kill and is dropped.

    Raises UserMistake for a line of more than `longest` bytes.
    """
    try:
        descriptor = opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    whole = 0
    with os.fdopen(descriptor, "rb") as file:
        while line := file.readline(longest + 1):
            if not line.endswith(b"\n"):
                if len(line) > longest:
                    raise UserMistake(f"{path} has a line of more than {longest:,} bytes: it is no row")
                break
            whole += len(line)
            yield line[:-1]
    if line:
        descriptor = opened(path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, whole)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a new empty file, which takes the place of `path` once it was written, and is removed where it
    was not: a reader, or a kill, sees the old file or the new one, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    os.close(opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader, or a kill, sees the old file or the new one, never half."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while inside. Raises UserMistake where another process does."""
    descriptor = opened(path, os.O_RDWR | os.O_CREAT)
    try:
        if not any(_has_locked(descriptor, fcntl.LOCK_EX) for _ in range(LOOKS)):
            raise UserMistake(
                f"{path.parent} is being written by another process; wait for it or choose another --out"
            )
        yield
    finally:
        os.close(descriptor)


LOOKS, LOOK_SECONDS = 3, 0.05
"""A lock is tried so often: `is_locked` holds it for a moment."""


def _has_locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(LOOK_SECONDS)
        return False
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file `path`; nothing is made where it is missing."""
    try:
        descriptor = opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _has_locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def clear_leftovers(folder: Path) -> None:
    """Remove what atomic writes that were killed left in a run folder and the folders right below it."""
    inside = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    for each in (folder, *inside):
        for leftover in each.glob(".*.tmp"):
            leftover.unlink()


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn what the system refuses inside into a UserMistake about `path`, the folder that was chosen."""
    try:
        yield
    except OSError as error:
        raise UserMistake(f"{path} cannot be used ({of_system(error)}); choose another --out") from error
    except ValueError as error:  # a NUL or a lone surrogate: no name of a file
        raise UserMistake(f"{str(path)!r} cannot be a folder ({error}); choose another --out") from error
