"""The line to an OpenAI-compatible server: bounded attempts, retries with backoff, many requests at once.

Nothing here trusts the server: bodies are bounded, an attempt has one time limit for all of it, redirects
are not followed (the key would travel along) and the key is taken out of whatever comes back.

    for answer in stream(line, bodies, finish): ...
"""

import asyncio
import contextlib
import ipaddress
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from tellapart.errors import ServerGone, UserMistake
from tellapart.jsonvalue import Json
from tellapart.models.endpoint_failure import (
    Failure,
    OverlongError,
    RefusalError,
    Reply,
    cause,
    failure_of,
    refuse,
    understood,
    wait_seconds,
)

if TYPE_CHECKING:
    import openai

Api = Literal["completions", "chat"]
Sleep = Callable[[float], Awaitable[None]]
Body = dict[str, Json]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Address:
    """Which model at which server, asked through which API."""

    api: Api
    name: str
    url: str
    system: str = field(default="", repr=False)
    """A system message before every question (chat only)."""

    @property
    def host(self) -> str:
        """The server's host and port."""
        return urlsplit(self.url).netloc

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        name = urlsplit(self.url).hostname or ""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(name).is_loopback
        return name == "localhost"


@dataclass(frozen=True)
class EndpointOptions:
    """How a server is asked; no answer depends on it. `attempts` counts the first one too and
    `timeout_seconds` bounds each as a whole. The wait after attempt n is `backoff_seconds` * 2^(n-1),
    jittered, or what Retry-After asks for if that is longer, at most 120 s. A server that answers none of them for
    `patience_seconds` (at least two time limits) has gone, and the run ends. `continue_final_message` says
    that the chat server goes on from a prefill (vLLM does)."""

    concurrency: int = 16
    attempts: int = 6
    timeout_seconds: float = 300.0
    backoff_seconds: float = 0.5
    patience_seconds: float = 600.0
    longest_body_bytes: int = 32 * 2**20
    continue_final_message: bool = False

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "timeout_seconds", "longest_body_bytes", "patience_seconds"):
            if not self.__dict__[name] > 0:
                raise UserMistake(f"endpoint option {name} is {self.__dict__[name]}: it must be above 0")


@dataclass
class Line:
    """A way to put requests to one server. `given_up` counts requests lost for good since one last came
    through: once as many are lost as run at a time, the server is gone and each further gets one attempt."""

    address: Address
    key: str = field(repr=False)
    options: EndpointOptions = EndpointOptions()
    sleep: Sleep = asyncio.sleep
    given_up: int = 0
    clock: Callable[[], float] = time.monotonic
    heard: float = 0.0
    """When the server last answered, or was first asked of those that are under way."""

    def client(self) -> "openai.AsyncOpenAI":
        """Return a client that neither retries, nor follows redirects, nor takes a proxy to this machine."""
        openai = import_openai()
        http = openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            trust_env=not self.address.loopback,
            timeout=self.options.timeout_seconds,
            event_hooks={"response": [refuse]},
        )
        return openai.AsyncOpenAI(
            api_key=self.key, base_url=self.address.url, max_retries=0, http_client=http,
            default_headers={"Accept-Encoding": "identity"},
        )  # fmt: skip

    async def ask(self, client: "openai.AsyncOpenAI", body: Body | None) -> Reply | Failure:
        """Put one request (None: which models are there?), again where that may help."""
        attempt = 0
        while True:
            outcome = await self.attempt(client, body)
            attempt += 1
            if isinstance(outcome, Reply):
                self.given_up = 0
            if isinstance(outcome, Reply) or outcome.status == HTTPStatus.TOO_MANY_REQUESTS:
                self.heard = self.clock()  # a server that tells us to wait is there
            if isinstance(outcome, Reply):
                return outcome
            self.check_heard(outcome)
            gone = self.given_up >= self.options.concurrency
            if not outcome.again or gone or attempt >= self.options.attempts:
                self.given_up = self.given_up + 1 if outcome.again else 0
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                return outcome._replace(reason=outcome.reason + tries)
            await self.sleep(wait_seconds(attempt - 1, outcome.retry_after, self.options.backoff_seconds))

    def check_heard(self, outcome: Failure) -> None:
        """Raise ServerGone where nothing was answered for so long that the rest would not be either: at a stalled
        server every attempt takes its whole time limit, and a large run would take weeks to fail."""
        waited = self.clock() - self.heard
        patience = max(self.options.patience_seconds, 2 * self.options.timeout_seconds)
        if outcome.again and waited > patience:
            raise ServerGone(
                f"the server at {self.address.url} has answered nothing for {waited / 60:.0f} minutes "
                f"({outcome.reason}); what it answered before is kept"
            )

    async def attempt(self, client: "openai.AsyncOpenAI", body: Body | None) -> Reply | Failure:
        """Put one request once."""
        openai = import_openai()
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self.options.timeout_seconds):
                raw = await self.read(client, body)
        except (TimeoutError, openai.APITimeoutError):
            return Failure(f"no answer within {self.options.timeout_seconds:g} s", again=True)
        except OverlongError as error:
            return Failure(str(error), 200)
        except Exception as error:
            refusal = error if isinstance(error, RefusalError) else error.__cause__  # some versions wrap it
            if isinstance(refusal, RefusalError):
                return failure_of(refusal, self.key)
            if not isinstance(error, (openai.OpenAIError, OSError)) and not is_http_error(error):
                raise
            return Failure(f"connection failed: {cause(error, self.key)}", again=True)
        return understood(raw, self.key, time.perf_counter() - start)

    async def read(self, client: "openai.AsyncOpenAI", body: Body | None) -> bytes:
        """Return the body of the response; raise OverlongError past `longest_body_bytes`."""
        name = self.address.name
        if body is None:
            sent = client.models.with_streaming_response.list()
        elif self.address.api == "chat":
            chat = client.chat.completions.with_streaming_response
            sent = chat.create(model=name, messages=[], extra_body=body)
        else:
            plain = client.completions.with_streaming_response
            sent = plain.create(model=name, prompt="", extra_body=body)
        raw = bytearray()
        async with sent as response:
            async for chunk in response.iter_bytes():
                raw += chunk
                if len(raw) > self.options.longest_body_bytes:
                    raise OverlongError(f"the answer is longer than {self.options.longest_body_bytes} bytes")
        return bytes(raw)


def import_openai() -> ModuleType:
    """Return the openai package; raise UserMistake that says how to get it."""
    try:
        import openai
    except ImportError:
        raise UserMistake(
            "models behind a server need the openai package: pip install tellapart[endpoint]"
        ) from None
    return openai


def is_http_error(error: Exception) -> bool:
    """Return whether an error is one of the HTTP library that openai uses (httpx or its successors)."""
    return type(error).__module__.split(".")[0].startswith(("httpx", "httpcore"))


def stream(
    line: Line, bodies: Sequence[Body | None], finish: Callable[[int, Reply | Failure], Result]
) -> Iterator[Result]:
    """Put all bodies, `concurrency` at a time, and yield finish(index, outcome) of each as it comes.

    The requests run in a thread of their own, so it works inside a running event loop too; closing the
    generator cancels what is under way.
    """
    results: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()
    line.heard = line.clock()
    numbered = iter(enumerate(bodies))

    async def worker(client: "openai.AsyncOpenAI") -> None:
        for index, body in numbered:
            results.put(finish(index, await line.ask(client, body)))

    async def work() -> None:
        async with line.client() as client, asyncio.TaskGroup() as group:
            for _ in range(min(line.options.concurrency, len(bodies))):
                group.create_task(worker(client))

    with in_thread(work, results.put):
        while (result := results.get()) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result


@contextlib.contextmanager
def in_thread(
    work: Callable[[], Awaitable[None]], tell: Callable[[BaseException | None], None]
) -> Iterator[None]:
    """Run `work` in a thread; tell its exception, if any, then None when it ends. Leaving cancels it."""
    loop = asyncio.new_event_loop()

    async def main() -> None:
        await work()

    task = loop.create_task(main())

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseExceptionGroup as group:
            tell(group.exceptions[0])
        except BaseException as error:
            tell(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            tell(None)

    thread = threading.Thread(target=run, name="tellapart-endpoint", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has closed by itself
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
