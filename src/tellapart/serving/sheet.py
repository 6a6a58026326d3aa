"""The answers of one request, as they come: waited for, streamed, given up where the client goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import final

from starlette.requests import Request as HttpRequest

from tellapart.jsonvalue import Json
from tellapart.serving import payload
from tellapart.serving.asked import AnswerRequest
from tellapart.serving.failure import ApiError
from tellapart.serving.worker import Progress, Ticket, Worker
from tellapart.studies.skills.dispatch import Choice


@final
class Sheet:
    """The tickets of one request, and what they have been told, in the loop of the request."""

    def __init__(self, worker: Worker, seconds: float, asked: AnswerRequest) -> None:
        self.worker, self.seconds = worker, seconds
        self.heard: asyncio.Queue[tuple[int, Progress]] = asyncio.Queue()
        self.chosen: list[Choice | None] = [None] * len(asked.requests)
        self.ends: list[Progress | None] = [None] * len(asked.requests)
        loop = asyncio.get_running_loop()

        def tell(index: int) -> Callable[[Progress], None]:
            def put(progress: Progress) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self.heard.put_nowait, (index, progress))

            return put

        self.tickets = [
            Ticket(request, asked.mix, question, asked.stream, asked.top or 0, tell(index))
            for index, (request, question) in enumerate(zip(asked.requests, asked.questions, strict=True))
        ]
        for ticket in self.tickets:
            worker.submit(ticket)

    async def events(self) -> AsyncIterator[tuple[int, Progress]]:
        """Yield what is told until all have ended. Raises ApiError for a failure or where it takes too long."""
        deadline = asyncio.get_running_loop().time() + self.seconds
        while any(end is None for end in self.ends):
            try:
                async with asyncio.timeout_at(deadline):
                    index, progress = await self.heard.get()
            except TimeoutError:
                raise ApiError(408, f"no answer within {self.seconds:g} s", None, "timeout") from None
            if progress.error:
                status = (
                    503 if "shutting down" in progress.error else 500 if "engine" in progress.error else 400
                )
                raise ApiError(status, progress.error)
            if progress.chosen is not None:
                self.chosen[index] = progress.chosen
            if progress.completion is not None:
                self.ends[index] = progress
            yield index, progress

    def close(self) -> None:
        """Take what has not ended out of the batch."""
        for ticket, end in zip(self.tickets, self.ends, strict=True):
            if end is None:
                self.worker.cancel(ticket)


async def whole(sheet: Sheet, head: payload.Head, request: HttpRequest) -> dict[str, Json]:
    """Return the whole response. Raises ApiError for a failure, or where the client went away."""

    async def gather() -> None:
        async for _ in sheet.events():
            pass

    answers, left = asyncio.create_task(gather()), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({answers, left}, return_when=asyncio.FIRST_COMPLETED)
        if not answers.done():
            raise ApiError(408, "the client went away", None, "cancelled")
        answers.result()
    finally:
        for task in (answers, left):
            task.cancel()
        sheet.close()
    return payload.whole(head, [end for end in sheet.ends if end is not None], sheet.chosen)


async def _gone(request: HttpRequest) -> None:
    """Return once the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def streamed(sheet: Sheet, head: payload.Head) -> AsyncIterator[str]:
    """Yield the events of a stream; a failure is its last."""
    sent = [""] * len(sheet.tickets)
    try:
        async for index, progress in sheet.events():
            if progress.chosen is not None:
                continue
            new = progress.text[len(sent[index]) :] if progress.text.startswith(sent[index]) else ""
            end = progress if progress.completion is not None else None
            if new or end:
                first = sent[index] == "" and not (end and sent[index])
                reason = {"choices": payload.reasons(head.asked, sheet.chosen)} if first or end else None
                yield payload.part(head, index, new, end, reason)
                sent[index] = progress.text if progress.text.startswith(sent[index]) else sent[index]
        if head.asked.usage:
            yield payload.last(head, [end.completion for end in sheet.ends if end and end.completion])
        yield payload.DONE
    except ApiError as error:
        yield payload.event(error.body())
    finally:
        sheet.close()
