"""The thread that owns the model: it lets waiting answers into the batch, writes tokens, and hands them out.

Handlers talk to it through a queue; it answers each ticket through the ticket's `tell`, which must not block. Nothing
else touches the model. An error of the engine fails the answers in work and leaves the thread alive.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.models.engine import Plan
from tellapart.models.local import LocalModel, choose_plain
from tellapart.models.model import Completion, Request
from tellapart.models.requests import completion_of, jobs_of
from tellapart.models.rows import Choice, Drawing, Finished, Job
from tellapart.models.vocabulary import Stops
from tellapart.serving.asked import MOST_TOP
from tellapart.studies.skills.dispatch import Choice as Chosen
from tellapart.studies.skills.dispatch import Dispatcher, choose
from tellapart.studies.skills.mix import Mix
from tellapart.studies.skills.mixed_run import Lanes, MixedRun, Size

MOST_LANES = 256
"""Different mixes kept at a time; when all are taken, new ones wait until the batch is empty."""
IDLE_SECONDS = 0.2


class Progress(NamedTuple):
    """What a ticket hears: its text so far, or its end (`completion`); `chosen` once the first pass is over."""

    text: str = ""
    completion: Completion | None = None
    top: tuple[tuple[tuple[int, float], ...], ...] = ()
    error: str = ""
    chosen: Chosen | None = None


@dataclass(eq=False)
class Ticket:
    """One answer wanted. `mix` None: the first pass chooses, by `question`."""

    request: Request
    mix: Mix | None
    question: str
    stream: bool
    top: int
    tell: Callable[[Progress], None]
    index: int = -1
    sent: int = 0
    prompt: tuple[int, ...] = ()
    cancelled: bool = False


class Watch(NamedTuple):
    """How busy the worker is: rows being written, answers waiting, tokens written, first passes, mixes in use."""

    rows: int
    waiting: int
    tokens: int
    first_passes: int
    lanes: int


class Worker:
    """Starts with `start`, ends with `stop`; `submit` and `cancel` may be called from any thread."""

    def __init__(self, lanes: Lanes, dispatcher: Dispatcher, size: Size) -> None:
        self.lanes, self.dispatcher, self.size = lanes, dispatcher, size
        self.model: LocalModel = lanes.model
        self.stops: dict[tuple[str, ...], Stops] = {}
        self.inbox: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self.pending: deque[Ticket] = deque()
        self.tickets: dict[int, Ticket] = {}
        self.tokens = self.first_passes = self.next_index = 0
        self.run = self._new_run()
        self.thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self.stopping = False

    def start(self) -> None:
        """Begin to work."""
        self.thread.start()

    def stop(self) -> None:
        """Fail what is in work, and end the thread."""
        self.stopping = True
        self.inbox.put(None)
        self.thread.join(30)

    @property
    def alive(self) -> bool:
        """Whether the thread works."""
        return self.thread.is_alive()

    def watch(self) -> Watch:
        """Return how busy it is."""
        live = int(self.run.rows.live.sum())
        waiting = self.inbox.qsize() + len(self.pending) + len(self.run.queue)
        return Watch(live, waiting, self.tokens, self.first_passes, len(self.lanes))

    def submit(self, ticket: Ticket) -> None:
        """Let a ticket wait."""
        self.inbox.put(ticket)

    def cancel(self, ticket: Ticket) -> None:
        """Take a ticket out at the next step."""
        ticket.cancelled = True
        self.inbox.put(None)

    def _new_run(self) -> MixedRun:
        facts = self.model.asked
        plan = Plan(
            [self.model.module],
            self._choose,
            np.array(sorted(facts.ends), dtype=np.int64),
            lambda job, tokens: self._stops(job).cut(job.prompt, tokens, job.sampling.stop),
            lambda tokens: np.ones(len(tokens), dtype=bool),
            self.size.rows,
        )
        return MixedRun(plan, self.size, self.lanes)

    def _stops(self, job: Job) -> Stops:
        if job.sampling.stop not in self.stops:
            if len(self.stops) > 1000:
                self.stops.clear()
            self.stops[job.sampling.stop] = Stops(self.model.vocabulary, job.sampling.stop)
        return self.stops[job.sampling.stop]

    def _choose(self, logits: Sequence[Tensor], rows: Drawing) -> Choice:
        choice = choose_plain(logits[0], rows, frozenset())
        if not any(ticket.top for ticket in self.tickets.values()):
            return choice
        best = logits[0].log_softmax(-1).topk(min(MOST_TOP, logits[0].shape[-1]), dim=-1)
        columns = dict(choice.columns)
        for at in range(best.values.shape[-1]):
            columns[f"top_id_{at}"], columns[f"top_{at}"] = best.indices[:, at], best.values[:, at]
        return choice._replace(columns=columns)

    def _work(self) -> None:
        torch.set_grad_enabled(False)
        while not self.stopping:
            try:
                self._receive()
                self._drop_cancelled()
                self._admit()
                for finished in self.run.step():
                    self._finish(finished)
                self._stream()
            except Exception as error:  # an engine that failed must not take the server with it
                self._fail_all(f"the engine failed: {type(error).__name__}")
        self._fail_all("the server is shutting down")

    def _receive(self) -> None:
        """Take what has come in; wait for it where there is nothing to do."""
        idle = not (self.tickets or self.pending)
        try:
            ticket = self.inbox.get(timeout=IDLE_SECONDS) if idle else self.inbox.get_nowait()
            while True:
                if ticket is not None:
                    self.pending.append(ticket)
                ticket = self.inbox.get_nowait()
        except queue.Empty:
            return

    def _drop_cancelled(self) -> None:
        for index in [index for index, ticket in self.tickets.items() if ticket.cancelled]:
            self.run.cancel(index)
            del self.tickets[index]
        self.pending = deque(ticket for ticket in self.pending if not ticket.cancelled)

    def _admit(self) -> None:
        """Choose mixes where the first pass must, and hand waiting tickets to the engine as long as lanes last."""
        room = self.size.rows - int(self.run.rows.live.sum()) - len(self.run.queue)
        taken: list[Ticket] = []
        while self.pending and len(taken) < room:
            taken.append(self.pending.popleft())
        judged = [ticket for ticket in taken if ticket.mix is None]
        try:
            chosen = choose(self.lanes, self.dispatcher, [ticket.question for ticket in judged])
        except UserMistake:
            chosen = []
            for ticket in judged:
                ticket.tell(Progress(error="the first pass cannot read this prompt: it is too long"))
            taken = [ticket for ticket in taken if ticket.mix is not None]
        for ticket, choice in zip(judged, chosen, strict=False):
            ticket.mix = choice.mix
            self.first_passes += 1
            ticket.tell(Progress(chosen=choice))
        for at, ticket in enumerate(taken):
            if not self._enter(ticket):
                self.pending.extendleft(reversed(taken[at:]))
                return

    def _enter(self, ticket: Ticket) -> bool:
        """Submit a ticket; return False where its mix must wait for a free lane."""
        mix = ticket.mix or Mix()
        if len(self.lanes) >= MOST_LANES and not self.lanes.knows(mix):
            if self.tickets:
                return False
            self.lanes.forget()
        jobs, refused = jobs_of(self.model.asked, [ticket.request])
        if refused:
            ticket.tell(Progress(error=refused[0].completion.error or "nothing to write"))
            return True
        ticket.index, self.next_index = self.next_index, self.next_index + 1
        job = Job(
            ticket.index,
            jobs[0].prompt,
            jobs[0].seed,
            jobs[0].sampling,
            min(jobs[0].budget, self.size.answer),
        )
        ticket.prompt = job.prompt
        self.tickets[ticket.index] = ticket
        self.run.submit(job, self.lanes.lane(mix))
        return True

    def _finish(self, finished: Finished) -> None:
        ticket = self.tickets.pop(finished.job.index, None)
        if ticket is None:
            return
        completion = completion_of(self.model.vocabulary, ticket.request, finished)
        self.tokens += len(completion.tokens)
        if completion.finish == "failed":
            ticket.tell(Progress(error=completion.error))
            return
        ticket.tell(Progress(completion.text, completion, _top(finished, ticket.top)))

    def _stream(self) -> None:
        """Tell streaming tickets their text so far, but for what may yet become a stop string or half a letter."""
        for slot, job in enumerate(self.run.rows.jobs):
            ticket = None if job is None else self.tickets.get(job.index)
            if job is None or ticket is None or not ticket.stream:
                continue
            count = int(self.run.rows.count[slot])
            if count > ticket.sent:
                ticket.sent = count
                tokens = self.run.rows.tokens[slot, :count].tolist()
                text = self.model.vocabulary.decode_after(job.prompt, tokens)
                held = max((len(stop) - 1 for stop in job.sampling.stop), default=0)
                text = text[: len(text) - held] if held else text
                ticket.tell(Progress(text.rstrip("\N{REPLACEMENT CHARACTER}")))

    def _fail_all(self, error: str) -> None:
        for ticket in (*self.tickets.values(), *self.pending):
            ticket.tell(Progress(error=error))
        self.tickets.clear()
        self.pending.clear()
        self.run = self._new_run()
        self.lanes.forget()


def _top(finished: Finished, count: int) -> tuple[tuple[tuple[int, float], ...], ...]:
    """Return the `count` likeliest tokens at each position, with their log-probabilities."""
    if not count or "top_0" not in finished.columns:
        return ()
    kept = [at for at in range(count) if f"top_{at}" in finished.columns]
    return tuple(
        tuple(
            (int(finished.columns[f"top_id_{at}"][i]), float(finished.columns[f"top_{at}"][i])) for at in kept
        )
        for i in range(len(finished.tokens))
    )
