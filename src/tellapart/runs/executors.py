"""Workers answer in the place of this process's models: questions are cut into shards, shards given to workers, and
answers handed on as they come. Rows are written here alone, under the run's lock.

    with workers_for(folder, launcher, count=4):
        ...                       # whatever plain model is asked in here is asked of the workers

Each worker has a folder under scratch/workers of the run (runs/worker.py). One that ends is started again, and what it
owes goes to whoever is free; one that ends RESTARTS times without an answer is given up. What a killed run left there
is found by the keys of the questions, whatever the number of workers.
"""

import contextlib
import json
import math
import os
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from tellapart.errors import Refused, ServerGone, one_line
from tellapart.jsonvalue import Json
from tellapart.models.budget import current
from tellapart.models.executor import Executor, Extra, Opening, executing
from tellapart.models.model import Answer, Request
from tellapart.runs import files, worker
from tellapart.runs.folder import RunFolder
from tellapart.runs.launchers import Handle, Launcher, cores, gpus, launcher_for
from tellapart.runs.shard import (
    LONGEST_LINE,
    REFUSED,
    Answered,
    Kind,
    Pair,
    Question,
    Shard,
    answer_of,
    answers_path,
    completion_of,
    key_of,
    logprobs_of,
    requests_of,
    shard_path,
    weights_path,
)
from tellapart.stats.arrays import Floats

RESTARTS = 3
"""A worker that ended so often without an answer between is given up."""
SHARDS_EACH, SMALLEST, LARGEST = 2, 16, 512
"""Into how many shards each worker's part is cut, so that none waits long for the last, where these have SMALLEST
questions or more; questions in a shard at most."""
PLACE = "workers"
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Asked(Generic[ValueT]):
    """Questions of one kind, by key, and how an answer's value is read."""

    kind: Kind
    questions: Mapping[str, Question]
    read: Callable[[Json], ValueT]


@dataclass
class _Call:
    """Questions that one caller waits for: those not given to a worker yet, what came for it, and the files of shards
    that ended, which are kept until all that came is handed on (its rows are written then)."""

    waiting: deque[Shard]
    inbox: deque[Answered] = field(default_factory=deque)
    under_way: int = 0
    ended: list[Path] = field(default_factory=list)


@dataclass
class _Worker:
    """A worker, and the shard that it works on, of which call, and which keys it still owes."""

    place: Path
    handle: Handle
    ready: bool = False
    deaths: int = 0
    shard: Shard | None = None
    call: _Call | None = None
    tail: worker.Tail | None = None
    pending: dict[str, Question] = field(default_factory=dict)
    allowance: float = 0.0


class Workers(Executor):
    """The workers of one run. Made by `workers_for`."""

    def __init__(self, folder: RunFolder, launcher: Launcher, count: int, threads: int) -> None:
        self.launcher, self.count, self.threads = launcher, count, threads
        self.scratch = folder.scratch(PLACE)
        self.left = dict(_left_in(self.scratch))
        self.place = files.subfolder(self.scratch, secrets.token_hex(4))
        self.workers: list[_Worker] = []
        self.numbers = 0

    def generate(
        self, opening: Opening, requests: Sequence[Request], record: frozenset[Extra]
    ) -> Iterator[Answer]:
        """Yield each answer as soon as it is there. Raises BudgetSpent as the model itself would, Refused where a
        worker opens another model, and ServerGone where no worker is left."""
        requests_by_key: dict[str, Request] = {}
        indexes: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            key = key_of(opening, "generate", request, tuple(record))
            requests_by_key[key] = request
            indexes.setdefault(key, []).append(index)
        asked = Asked("generate", requests_by_key, completion_of)
        for key, value in self._answers(opening, asked, tuple(sorted(record))):
            for index in indexes[key]:
                yield Answer(index, value)

    def hold(self, weights: str, data: Callable[[], bytes]) -> None:
        """Write the weights of a change where all workers read them."""
        path = weights_path(self.place / "any", weights)
        if not path.exists():
            files.write_atomically(path, data())

    def score(self, opening: Opening, pairs: Sequence[Pair]) -> list[Floats]:
        """Return the log-probabilities of each pair, in order; raises as `generate` does."""
        keys = [key_of(opening, "score", pair) for pair in pairs]
        pairs_by_key = dict(zip(keys, pairs, strict=True))
        values = dict(self._answers(opening, Asked("score", pairs_by_key, logprobs_of), ()))
        return [np.array(values[key], dtype=np.float64) for key in keys]

    def _answers(
        self, opening: Opening, asked: "Asked[ValueT]", record: tuple[Extra, ...]
    ) -> Iterator[tuple[str, ValueT]]:
        """Yield (key, answer) of every question as it comes."""
        pending = dict(asked.questions)
        for key in [key for key in pending if key in self.left]:
            answer = self.left.pop(key)
            with contextlib.suppress(
                ValueError
            ):  # a file that others may have written: what is none is asked
                value = asked.read(answer.value)
                del pending[key]
                current().charge("generated", answer.charge)
                yield key, value
        call = _Call(deque(self._cut(opening, asked.kind, pending, record)))
        pause = worker.BUSY_PAUSE
        try:
            while call.waiting or call.under_way or call.inbox:
                self._give(call)
                came = self._listen()
                while call.inbox:
                    answer = call.inbox.popleft()
                    current().charge("generated", answer.charge)
                    yield answer.key, asked.read(answer.value)
                while call.ended:
                    call.ended.pop().unlink(missing_ok=True)
                pause = worker.BUSY_PAUSE if came else min(worker.IDLE_PAUSE, pause * 1.2)
                if not came and (call.waiting or call.under_way):
                    time.sleep(pause)
        finally:
            for busy in self.workers:
                if busy.call is call:
                    self._finished(busy)

    def _cut(
        self, opening: Opening, kind: Kind, questions: Mapping[str, Question], record: tuple[Extra, ...]
    ) -> Iterator[Shard]:
        """Cut questions into shards, in their order: those of one item stay together and share their prompt. Their
        number is a multiple of the workers', and their sizes are equal, so that all end at once."""
        keys = list(questions)
        fair = len(keys) / self.count
        rounds = max(math.ceil(fair / LARGEST), min(SHARDS_EACH, int(fair / SMALLEST)), 1)
        pieces = min(len(keys), rounds * self.count)
        for at in range(pieces):
            begin, end = len(keys) * at // pieces, len(keys) * (at + 1) // pieces
            yield Shard(0, opening, kind, {key: questions[key] for key in keys[begin:end]}, record)

    def _give(self, call: _Call) -> None:
        """Give waiting shards to idle workers, as far as the budget pays for them."""
        if call.waiting:
            self._start()
        for free_worker in list(self.workers):
            if not call.waiting:
                return
            if free_worker.shard is not None or not self._is_ready(free_worker):
                continue
            shard, budget = call.waiting[0], current()
            if shard.kind == "generate" and budget.left < math.inf:
                given = self._paid(shard, budget.left)
                if given is None:
                    if not any(other.shard for other in self.workers):
                        raise budget.refusal()
                    return
                shard, free_worker.allowance = replace(shard, allowance=given[0]), given[1]
            call.waiting.popleft()
            self.numbers += 1
            shard = replace(shard, number=self.numbers)
            path = answers_path(free_worker.place, shard.number)
            with files.appending(path):
                pass
            files.write_atomically(shard_path(free_worker.place, shard.number), shard.as_json())
            free_worker.shard, free_worker.call, free_worker.pending = shard, call, dict(shard.asked)
            free_worker.tail = worker.Tail(path)
            call.under_way += 1
            with files.appending(free_worker.place / worker.SHARDS) as lines:
                lines.append(str(shard.number))

    def _paid(self, shard: Shard, left: float) -> tuple[int, float] | None:
        """Return the tokens that a worker may generate, and those set aside for it; None where none are free.

        A worker overshoots what it may by one answer at most. So each gets its part less one answer, and what is too
        little to share goes to one alone: all together overshoot by one answer at most.
        """
        free = left - sum(worker.allowance for worker in self.workers if worker.shard is not None)
        most = max(request.sampling.max_tokens for request in requests_of(shard.asked))
        part = int(free / self.count)
        if part >= 2 * most:
            return part - most, part
        if free < 1 or any(worker.shard is not None for worker in self.workers):
            return None
        return int(free), free

    def _listen(self) -> bool:
        """Take in what the workers wrote; start those again that ended. Return whether anything came."""
        came = False
        for busy in list(self.workers):
            if busy.shard is None or busy.tail is None:
                continue
            ended = busy.handle.gone()
            lines = busy.tail.lines()
            came = came or bool(lines)
            for line in lines:
                if (answer := answer_of(line)) is not None:
                    self._take(busy, answer)
            if ended and busy.shard is not None and not lines:
                self._again(busy, ended)
        return came

    def _take(self, worker: _Worker, answer: Answered) -> None:
        if worker.shard is None or worker.call is None:
            return
        if answer.key in worker.pending:
            del worker.pending[answer.key]
            worker.deaths = 0
            worker.allowance -= answer.charge
            worker.call.inbox.append(answer)
        elif not answer.key:
            if str(answer.value).startswith(REFUSED):
                raise Refused(str(answer.value).removeprefix(REFUSED))
            self._return_pending(worker)
            self._finished(worker)

    def _return_pending(self, worker: _Worker) -> None:
        """Put what a worker still owes back to what waits."""
        if worker.pending and worker.shard is not None and worker.call is not None:
            worker.call.waiting.appendleft(replace(worker.shard, asked=dict(worker.pending), allowance=None))

    def _finished(self, worker: _Worker) -> None:
        """Forget a worker's shard, which ended or for which nobody waits any more: a worker that is at it stops."""
        if worker.shard is not None and worker.call is not None:
            shard_path(worker.place, worker.shard.number).unlink(missing_ok=True)
            worker.call.ended.append(answers_path(worker.place, worker.shard.number))
            worker.call.under_way -= 1
        worker.shard, worker.call, worker.tail, worker.pending, worker.allowance = None, None, None, {}, 0.0

    def _again(self, dead: _Worker, why: str) -> None:
        """Start a worker again that ended; give it up where it ended too often. What it owes goes to whoever is free:
        on a cluster that lost a node it may wait for its start for ever."""
        dead.deaths += 1
        dead.handle.stop()
        self._return_pending(dead)
        self._finished(dead)
        ended = f"worker {dead.place.name} ended ({why})"
        if dead.deaths < RESTARTS:
            print(one_line(f"{ended}: it is started again"), file=sys.stderr, flush=True)
            dead.ready = False
            (dead.place / worker.READY).unlink(missing_ok=True)
            (dead.handle,) = self.launcher.start([dead.place])
            return
        print(one_line(f"{ended}, {RESTARTS} times without an answer: it is given up"), file=sys.stderr)
        self.workers.remove(dead)
        if not self.workers:
            raise ServerGone(f"every worker ended {RESTARTS} times without an answer ({why})")

    def _start(self) -> None:
        """Start the workers, once; afterwards those that ended while they had nothing to do."""
        if not self.workers:
            places = [files.subfolder(self.place, str(number)) for number in range(self.count)]
            settings = json.dumps({"folder": os.getcwd(), "threads": self.threads})
            for place in places:
                files.write_atomically(place / worker.SETTINGS, settings)
            handles = self.launcher.start(places)
            if self.launcher.afar:
                notice = (
                    f"{self.count} workers were submitted; answers come once the first of them is started"
                )
                print(notice, file=sys.stderr, flush=True)
            self.workers = [_Worker(place, handle) for place, handle in zip(places, handles, strict=True)]

    def _is_ready(self, worker_started: _Worker) -> bool:
        """Return whether a worker has begun to look for shards."""
        if why := worker_started.handle.gone():
            self._again(worker_started, why)
            return False
        worker_started.ready = worker_started.ready or (worker_started.place / worker.READY).exists()
        return worker_started.ready

    def stop(self) -> None:
        """End all workers."""
        for running in self.workers:
            running.handle.stop()


def _left_in(scratch: Path) -> Iterator[tuple[str, Answered]]:
    """Yield the answers that a killed run's workers left, by key; those that stand in rows are not asked for."""
    places = [place for run in _folders(scratch) for place in _folders(run)]
    for path in (path for place in places for path in sorted(place.glob("answers-*.jsonl"))):
        for line in files.whole_lines(path, LONGEST_LINE):
            if (answer := answer_of(line)) is not None and answer.key:
                yield answer.key, answer


def _folders(above: Path) -> list[Path]:
    return sorted(Path(entry.path) for entry in os.scandir(above) if entry.is_dir(follow_symlinks=False))


@contextlib.contextmanager
def workers_for(folder: RunFolder, launcher: Launcher, count: int, threads: int = 0) -> Iterator[Workers]:
    """Let models be asked by `count` workers inside; they are started when the first is asked, and stopped whatever
    happens. What they left is removed where all went well."""
    workers = Workers(folder, launcher, count, threads)
    ended = threading.Event()
    if launcher.afar:
        threading.Thread(target=_beat, args=(workers.place / worker.BEAT, ended), daemon=True).start()
    try:
        with executing(workers):
            yield workers
    finally:
        ended.set()
        workers.stop()
    folder.clear_scratch(PLACE)


def _beat(path: Path, ended: threading.Event) -> None:
    """Say every few seconds that the run lives, until it `ended`."""
    number = 0
    while not ended.is_set():
        number += 1
        with contextlib.suppress(OSError):
            files.write_atomically(path, str(number))
        ended.wait(worker.BEAT_SECONDS)


@contextlib.contextmanager
def executing_as(executor: str, count: int | None, device: str, folder: RunFolder) -> Iterator[None]:
    """Let models be asked inside as the options of a run say."""
    launcher = launcher_for(executor, device)
    if launcher is None:
        yield
        folder.clear_scratch(PLACE)
        return
    count = count or (len(gpus()) if device == "cuda" else 0) or cores()
    own = not launcher.afar and "OMP_NUM_THREADS" not in os.environ
    with workers_for(folder, launcher, count, max(1, cores() // count) if own else 0):
        yield
