"""A worker: a process that answers one shard after another for a run, each model loaded once.

    python -m tellapart.runs.worker PLACE       # what `--executor processes` starts; ends when its stdin does

PLACE holds shards and their answers (runs/shard.py), and `shards.jsonl`, to which the run appends the number of the
next. A worker that was killed is started again on the same PLACE; shards that are gone by then are passed over.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tellapart.errors import Refused
from tellapart.models.executor import Opening
from tellapart.models.model import Model
from tellapart.runs import files
from tellapart.runs.shard import LONGEST_LINE, change_model, open_model_of, read_shard, run_shard

SHARDS, READY, SETTINGS = "shards.jsonl", "ready.jsonl", "worker.json"
BUSY_PAUSE, IDLE_PAUSE = 0.02, 0.25
"""Seconds between looks for more to do: just after a shard, and after a while without one."""
BEAT_SECONDS, SILENT_SECONDS = 5.0, 180.0
"""How often a run says that it lives, and how long a worker on another machine waits for that."""
BEAT = "beat"


class Tail:
    """Reads what is appended to a file by another process, whole lines alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._torn = b""

    def lines(self) -> list[bytes]:
        """Return the lines that came since the last call; nothing where the file is gone."""
        try:
            descriptor = files.opened(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if size == self._read + len(self._torn):
                return []
            file.seek(self._read)
            whole, _, self._torn = file.read(LONGEST_LINE).rpartition(b"\n")
        if not whole:
            return []
        self._read += len(whole) + 1
        return whole.split(b"\n")


def work(place: Path, alive: Callable[[], bool] = lambda: True) -> None:
    """Answer shards as they come, until the place is gone or the run is not `alive`."""
    settings = json.loads(files.read_whole(place / SETTINGS) or b"{}")
    os.chdir(settings["folder"])
    if settings["threads"]:
        import torch

        torch.set_num_threads(settings["threads"])
    models: dict[tuple[object, ...], Model] = {}

    def opened(opening: Opening) -> AbstractContextManager[Model]:
        plain = opening[:8]
        if plain not in models:
            models[plain] = open_model_of(opening)
        return change_model(models[plain], opening, place)

    with files.appending(place / READY) as ready:
        ready.append("{}")
    shards, pause = Tail(place / SHARDS), BUSY_PAUSE
    while place.is_dir() and alive():
        for line in shards.lines():
            if (shard := read_shard(place, int(line))) is not None:
                run_shard(shard, place, opened)
            pause = BUSY_PAUSE
        time.sleep(pause)
        pause = min(IDLE_PAUSE, pause * 1.2)


class Leash:
    """Whether the run that a worker on another machine works for still says that it lives; told by its own clock."""

    def __init__(self, place: Path) -> None:
        self._beat = place.parent / BEAT
        self._last, self._since = b"", time.monotonic()

    def __call__(self) -> bool:
        """Return whether the run lived a short while ago."""
        now = files.read_whole(self._beat)
        if now is not None and now != self._last:
            self._last, self._since = now, time.monotonic()
        return time.monotonic() - self._since < SILENT_SECONDS


def work_afar(place: str) -> None:
    """Work for a run on another machine; both see the run folder."""
    work(Path(place), Leash(Path(place)))


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Work for the run that started this process, and end with it, however it ends."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        work(Path(sys.argv[1]))
    except Refused as refused:
        sys.exit(f"tellapart: {refused}")


if __name__ == "__main__":
    main()
