"""How near to linear workers are: questions whose answers sleep, put to 1, 2, 4 and 8 workers.

    python benchmarks/executors.py [SECONDS] [QUESTIONS]

Workers are threads of this process, so that it is the shards, their files and the looking for them that is measured,
not the cores; an answer takes `SECONDS` wherever it is given.
"""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from tellapart.models.executor import Opening
from tellapart.models.model import Answer, Completion, Model, Request
from tellapart.runs import worker
from tellapart.runs.executors import workers_for
from tellapart.runs.folder import open_run
from tellapart.runs.launchers import Handle, Launcher
from tellapart.runs.shard import read_shard, run_shard

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.05
QUESTIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 640


class Sleeping(Model):
    """Answers nothing, slowly."""

    def __init__(self) -> None:
        self.reference, self.fingerprint = "sleeping", "sleeping"

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield an answer every SECONDS."""
        for index, _ in enumerate(requests):
            time.sleep(SECONDS)
            yield Answer(index, Completion("", (), (), (), (), "stop", 1, SECONDS))


class Thread(Handle):
    """A worker in a thread of this process."""

    def __init__(self, place: Path) -> None:
        self.place, self.stopped = place, threading.Event()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        (self.place / worker.READY).touch()
        shards, model, pause = worker.Tail(self.place / worker.SHARDS), Sleeping(), worker.BUSY_PAUSE
        while not self.stopped.is_set():
            for line in shards.lines():
                if (shard := read_shard(self.place, int(line))) is not None:
                    run_shard(shard, self.place, lambda opening: nullcontext(model))
                pause = worker.BUSY_PAUSE
            time.sleep(pause)
            pause = min(worker.IDLE_PAUSE, pause * 1.2)

    def gone(self) -> str:
        """Return that it works."""
        return ""

    def stop(self) -> None:
        """Let it end."""
        self.stopped.set()


class Threads(Launcher):
    """Starts threads."""

    def start(self, places: Sequence[Path]) -> list[Handle]:
        """Start a thread on each place."""
        return [Thread(place) for place in places]


def seconds_with(count: int) -> float:
    """Return how long `count` workers take."""
    opening = Opening("sleeping", "cpu", "float32", None, None, "", "sleeping", "")
    requests = [Request("x", seed) for seed in range(QUESTIONS)]
    with (
        TemporaryDirectory() as place,
        open_run(Path(place) / "run", {}, {}) as folder,
        workers_for(folder, Threads(), count) as workers,
    ):
        began = time.monotonic()
        assert sum(1 for _ in workers.generate(opening, requests, frozenset())) == QUESTIONS
        return time.monotonic() - began


if __name__ == "__main__":
    alone = QUESTIONS * SECONDS
    print(f"{QUESTIONS} answers of {SECONDS:g} s: {alone:.1f} s one after another")
    one = 0.0
    for count in (1, 2, 4, 8):
        took = seconds_with(count)
        one = one or took
        print(
            f"{count} workers: {took:5.1f} s, {one / took / count:.2f} of linear against one worker, "
            f"{alone / took / count:.2f} against answers alone",
            flush=True,
        )
