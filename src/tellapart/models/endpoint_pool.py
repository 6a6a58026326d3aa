"""Several servers of one model, asked at once: each takes as many requests as it answers well, and one that fails
leaves its requests to the others.

    for answer in stream_over((line, other), bodies, finish): ...

Every server has a limit of requests under way, which grows by one for each limit's worth of answers and is halved
where the server refuses or fails (additive increase, multiplicative decrease, as TCP does it). A fast one comes back
sooner and so takes more. A request that failed goes to the front of those that wait, for whichever server is free.
"""

import asyncio
import contextlib
import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tellapart.errors import ServerGone
from tellapart.models.endpoint_failure import Failure, Reply, wait_seconds
from tellapart.models.endpoint_line import Body, Line, Result, in_thread

if TYPE_CHECKING:
    import openai

REFUSALS = 10
"""A request is given up after its attempts, or so many times as many refusals for want of room (429)."""
MOST_DOUBLINGS = 10
"""Of the wait after failures in a row; the wait itself is bounded (endpoint_failure.LONGEST_WAIT_SECONDS)."""


class Waiting(NamedTuple):
    """A request that waits: its place, its body, how often it failed, how often a server had no room for it, and which
    servers will not answer it (their addresses)."""

    place: int
    body: Body | None
    failed: int = 0
    refused: int = 0
    barred: frozenset[str] = frozenset()


@dataclass
class Share:
    """One server's part: how many requests it may have under way (`limit`), how many it has failed in a row, and how
    often the limit was cut (what was under way before a cut says nothing new)."""

    line: Line
    limit: float
    failures: int = 0
    cuts: int = 0

    def went_well(self) -> None:
        self.failures = 0
        self.limit = min(self.line.options.concurrency, self.limit + 1 / self.limit)

    def went_badly(self, cuts_before: int) -> None:
        self.failures += 1
        if cuts_before == self.cuts:
            self.limit = max(1.0, self.limit / 2)
            self.cuts += 1


@dataclass
class Pool:
    """The requests that wait, and how many have no outcome yet."""

    shares: list[Share]
    waiting: deque[Waiting]
    left: int
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, share: Share, number: int) -> Waiting | None:
        """Return the next request for worker `number` of a server; None once all have an outcome."""
        url = share.line.address.url

        def ready() -> bool:
            mine = number < share.limit and any(url not in waiting.barred for waiting in self.waiting)
            return not self.left or mine

        async with self.changed:
            await self.changed.wait_for(ready)
            if not self.left:
                return None
            request = next(waiting for waiting in self.waiting if url not in waiting.barred)
            self.waiting.remove(request)
            return request

    async def settle(self) -> None:
        """Count one outcome more."""
        async with self.changed:
            self.left -= 1
            self.changed.notify_all()

    async def give_back(self, request: Waiting) -> None:
        """Let a request wait again, before the others."""
        async with self.changed:
            self.waiting.appendleft(request)
            self.changed.notify_all()

    def check_heard(self, outcome: Failure) -> None:
        """Raise ServerGone where none of the servers has answered anything for so long that none will."""
        lines = [share.line for share in self.shares]
        waited = min(line.clock() - line.heard for line in lines)
        patience = max(max(line.options.patience_seconds, 2 * line.options.timeout_seconds) for line in lines)
        if waited > patience:
            raise ServerGone(
                f"the servers at {', '.join(line.address.url for line in lines)} have answered nothing for "
                f"{waited / 60:.0f} minutes ({outcome.reason}); what they answered before is kept"
            )


def stream_over(
    lines: Sequence[Line], bodies: Sequence[Body | None], finish: Callable[[int, Reply | Failure], Result]
) -> Iterator[Result]:
    """Put all bodies to several servers and yield finish(index, outcome) of each as it comes, once. Raises ServerGone
    where no server answers any more; closing the generator cancels what is under way."""
    results: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()
    for line in lines:
        line.heard = line.clock()

    async def worker(pool: Pool, share: Share, number: int, client: "openai.AsyncOpenAI") -> None:
        line = share.line
        while (request := await pool.take(share, number)) is not None:
            cuts = share.cuts
            outcome = await line.attempt(client, request.body)
            if isinstance(outcome, Reply) or outcome.status == HTTPStatus.TOO_MANY_REQUESTS:
                line.heard = line.clock()
            if isinstance(outcome, Reply) or not outcome.again:
                share.went_well()
                if isinstance(outcome, Failure):  # another server may take longer prompts, say
                    request = request._replace(barred=request.barred | {line.address.url})
                if isinstance(outcome, Failure) and len(request.barred) < len(pool.shares):
                    await pool.give_back(request)
                else:
                    results.put(finish(request.place, outcome))
                    await pool.settle()
                continue
            pool.check_heard(outcome)
            share.went_badly(cuts)
            if outcome.status == HTTPStatus.TOO_MANY_REQUESTS:
                request = request._replace(refused=request.refused + 1)
            else:
                request = request._replace(failed=request.failed + 1)
            attempts = line.options.attempts
            if request.failed < attempts and request.refused < REFUSALS * attempts:
                await pool.give_back(request)
            else:
                final = outcome._replace(
                    reason=f"{outcome.reason} ({request.failed + request.refused} attempts)"
                )
                results.put(finish(request.place, final))
                await pool.settle()
            if outcome.status == HTTPStatus.TOO_MANY_REQUESTS and not outcome.retry_after and share.limit > 1:
                continue  # that it takes fewer at a time is what it asked for
            doublings = min(share.failures - 1, MOST_DOUBLINGS)
            await line.sleep(wait_seconds(doublings, outcome.retry_after, line.options.backoff_seconds))

    async def work() -> None:
        shares = [Share(line, line.options.concurrency) for line in lines]
        pool = Pool(shares, deque(Waiting(*placed_body) for placed_body in enumerate(bodies)), len(bodies))
        async with contextlib.AsyncExitStack() as opened, asyncio.TaskGroup() as group:
            for share in shares:
                client = await opened.enter_async_context(share.line.client())
                for number in range(min(share.line.options.concurrency, len(bodies))):
                    tasks.append(group.create_task(worker(pool, share, number, client)))
            async with pool.changed:
                await pool.changed.wait_for(lambda: not pool.left)
            for task in tasks:  # those that wait for a server that has failed
                task.cancel()

    tasks: list[asyncio.Task[None]] = []
    with in_thread(work, results.put):
        while (result := results.get()) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result
