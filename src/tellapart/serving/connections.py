"""Connections of the server: a request must have come in whole in bounded time, and they never use up all files.

A client that opens connections and sends half a request costs a file each. Where too many are open the one that has
waited longest for the rest of its request is closed for the new one, so that /health still answers in a flood of them.
"""

import asyncio
import resource
from typing import Any, final

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server

REQUEST_SECONDS = 20.0
"""From a connection, or the answer before, to the last byte of a request's body."""
CHECK_SECONDS = 2.0
OTHER_FILES = 96
"""Files that are not connections: the model's, the loop's, one more batch that was accepted already."""
BATCH = 16
"""Connections that are accepted before the first of them is looked at."""
QUEUE = 2048
"""Connections that the system holds until they are accepted."""


def most_connections() -> int:
    """Return how many connections may be open, by the limit of open files of this process."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 8192 if files == resource.RLIM_INFINITY else max(BATCH, min(8192, files - OTHER_FILES))


@final
class BoundedProtocol(H11Protocol):
    """uvicorn's connection, closed where its request does not come in."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.waits_since: float | None = None
        """When it began to wait for a request; None while one is answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waits_since = self.loop.time()
        self.loop.call_later(CHECK_SECONDS, self._check)
        others = [connection for connection in self.connections if isinstance(connection, BoundedProtocol)]
        waiting = [(other.waits_since, other) for other in others if other.waits_since is not None]
        if len(others) > most_connections():
            min(waiting, key=lambda each: each[0])[1].drop()

    def drop(self) -> None:
        """Close the connection now."""
        self.waits_since = None
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        self.waits_since = self.loop.time()
        super().on_response_complete()  # which may begin with a request that came in before
        self._note()

    def _note(self) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self.waits_since = None

    def _check(self) -> None:
        if self.transport.is_closing():
            return
        if self.waits_since is not None and self.loop.time() - self.waits_since > REQUEST_SECONDS:
            self.drop()
        else:
            self.loop.call_later(CHECK_SECONDS, self._check)


@final
class BoundedServer(Server):
    """uvicorn's server, whose connections are accepted in small batches from a long queue."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(QUEUE)
