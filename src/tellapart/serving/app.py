"""The API: /v1/completions, /v1/chat/completions, /v1/models, /health, /metrics.

Handlers read a body, hand tickets to the worker, and wait for what it tells. A client that goes away, or waits longer
than allowed, has its answers taken out of the batch.
"""

import asyncio
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.bounded import within
from tellapart.models.vocabulary import TEMPLATE_SECONDS, Ids
from tellapart.serving import payload
from tellapart.serving.asked import AUTO, AnswerRequest, Reader, parsed, read_chat, read_completion
from tellapart.serving.failure import ApiError
from tellapart.serving.metrics import Metrics
from tellapart.serving.openapi import document
from tellapart.serving.sheet import Sheet, streamed, whole
from tellapart.serving.worker import Worker
from tellapart.studies.skills.opened import Experts

LARGEST_BODY = 1 << 20
PATHS = ("/v1/completions", "/v1/chat/completions", "/v1/models", "/health", "/metrics", "/openapi.json")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Answers are data: a browser that is shown one loads and runs nothing."""


@dataclass(frozen=True)
class Limits:
    """The token that requests must bring ("": none), answers that may wait, tokens of an answer, seconds."""

    token: str
    queue: int
    max_tokens: int
    seconds: float


@dataclass(frozen=True)
class Desk:
    """What every handler needs."""

    experts: Experts
    worker: Worker
    limits: Limits
    metrics: Metrics
    reader: Reader


def make_app(experts: Experts, worker: Worker, limits: Limits) -> FastAPI:
    """Return the application; the worker starts and stops with it."""
    reader = Reader(experts.mix, limits.max_tokens, lambda messages: chat_prompt(experts, messages))
    desk = Desk(experts, worker, limits, Metrics(worker), reader)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        await asyncio.to_thread(worker.stop)

    app = FastAPI(
        title="tellapart skills", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    _errors(app, desk)
    _pages(app, desk)

    @app.post("/v1/completions")
    async def completions(request: HttpRequest) -> Response:
        return await _answer(desk, request, read_completion)

    @app.post("/v1/chat/completions")
    async def chat(request: HttpRequest) -> Response:
        return await _answer(desk, request, read_chat)

    return app


def chat_prompt(experts: Experts, messages: Sequence[Mapping[str, str]]) -> str | Ids:
    """Return messages as the model's chat template puts them; joined by newlines where it has none."""
    tokenizer = experts.model.tokenizer
    if not tokenizer.chat_template:
        return "\n".join(message["content"] for message in messages)
    try:
        with within(TEMPLATE_SECONDS):
            text = tokenizer.apply_chat_template(
                [dict(m) for m in messages], tokenize=False, add_generation_prompt=True
            )
    except Exception as error:  # a template may refuse roles or their order, with whatever it likes
        raise ApiError(
            400, f"the chat template refuses these messages: {str(error)[:200]}", "messages"
        ) from None
    assert isinstance(text, str)
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def _errors(app: FastAPI, desk: Desk) -> None:
    app.add_middleware(Guard, desk=desk)

    @app.exception_handler(ApiError)
    async def refused(_request: HttpRequest, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return _refused(error)

    @app.exception_handler(HTTPException)
    async def other(_request: HttpRequest, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = _refused(ApiError(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})  # of 405: the methods that are allowed
        return response


@final
class Guard:
    """Around the application: who may ask, and what is counted."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app, self.desk = app, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            _check_client(HttpRequest(scope), self.desk.limits)
            await self.app(scope, receive, counted)
        except ApiError as error:
            await _refused(error)(scope, receive, counted)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "other"
            self.desk.metrics.requests.labels(path, str(status)).inc()
            self.desk.metrics.seconds.observe(time.perf_counter() - start)


def _refused(error: ApiError) -> Response:
    headers = {"Retry-After": "1"} if error.status in (429, 503) else {}
    return JSONResponse(error.body(), error.status, headers)


def _check_client(request: HttpRequest, limits: Limits) -> None:
    """Raise ApiError where the token is wrong; without one, where the request was not sent to the loopback's name, or
    a web page of another place sent it: it could not read the answer, but make the engine work."""
    if request.url.path == "/health":
        return
    if not limits.token:
        if _hostname(f"//{request.headers.get('host', '')}") not in LOOPBACK:
            raise ApiError(403, "without a token only the loopback address is served")
        if not _from_here(request):
            raise ApiError(403, "without a token web pages of other places are not answered")
        return
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {limits.token}".encode()):
        raise ApiError(401, "bring the server's token: Authorization: Bearer ...", None, "invalid_api_key")


def _from_here(request: HttpRequest) -> bool:
    """Return whether a request comes from no web page, or one of this machine."""
    origin = request.headers.get("origin")
    if origin is not None:
        return _hostname(origin) in LOOPBACK
    return request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _hostname(address: str) -> str:
    """Return the host in an address, "" where it is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _pages(app: FastAPI, desk: Desk) -> None:
    @app.get("/health")
    async def health() -> Response:
        load = desk.worker.watch()
        state = {
            "status": "ok" if desk.worker.alive else "failed",
            "rows": load.rows,
            "waiting": load.waiting,
        }
        return JSONResponse(state, 200 if desk.worker.alive else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(desk.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/openapi.json")
    async def described() -> Response:
        names = ["base", AUTO, *desk.experts.weights, *desk.experts.kept]
        model = desk.experts.model
        nothing = ("", "")
        # a first token; without one nothing is read
        begins = model.vocabulary.encode_prompts([nothing])[nothing]
        return JSONResponse(document(names, desk.limits.max_tokens, model.asked.size, 0 if begins else 1))

    @app.get("/v1/models")
    async def models() -> Response:
        names = ["base", AUTO, *desk.experts.weights, *desk.experts.kept]
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "tellapart"} for name in names]
        return JSONResponse({"object": "list", "data": data})

    @app.get("/v1/models/{name}")
    async def model(name: str) -> Response:
        if name not in ("base", AUTO, *desk.experts.weights, *desk.experts.kept):
            raise ApiError(
                404, f"no model {name[:80]!r}; GET /v1/models lists them", "model", "model_not_found"
            )
        return JSONResponse({"id": name, "object": "model", "created": 0, "owned_by": "tellapart"})


async def _body(request: HttpRequest) -> dict[str, Json]:
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > LARGEST_BODY:
                raise ApiError(413, f"the body is larger than {LARGEST_BODY} bytes")
    except ClientDisconnect:
        raise ApiError(408, "the client went away", None, "cancelled") from None
    return parsed(bytes(raw))


async def _answer(
    desk: Desk, request: HttpRequest, read: Callable[[JsonObject, Reader], AnswerRequest]
) -> Response:
    question = read(await _body(request), desk.reader)
    await asyncio.to_thread(_check_lengths, desk, question)
    if desk.worker.watch().waiting + len(question.requests) > desk.limits.queue:
        raise ApiError(429, "too many answers are waiting: try again later", None, "queue_full")
    kind = "auto" if question.mix is None else {0: "base", 1: "expert"}.get(len(question.mix.weights), "mix")
    desk.metrics.mixes.labels(kind).inc(len(question.requests))
    letter = "chatcmpl" if question.chat else "cmpl"
    head = payload.Head(f"{letter}-{uuid.uuid4().hex}", int(time.time()), question, desk.experts.model)
    sheet = Sheet(desk.worker, desk.limits.seconds, question)
    if question.stream:
        return StreamingResponse(streamed(sheet, head), media_type="text/event-stream")
    return JSONResponse(await whole(sheet, head, request))


def _check_lengths(desk: Desk, request: AnswerRequest) -> None:
    """Raise ApiError where a prompt, or the question about it, is longer than the context."""
    model = desk.experts.model
    texts = [request.prompt for request in request.requests]
    if request.mix is None:
        texts += [desk.worker.dispatcher.question(question) + " " * 64 for question in request.questions]
    encoded = model.vocabulary.encode_prompts([(text, "") for text in texts if not isinstance(text, tuple)])
    for text in texts:
        ids = text if isinstance(text, tuple) else encoded[text, ""]
        if not 0 < len(ids) <= model.asked.context:
            too_long = f"a prompt of {len(ids)} tokens: the model reads 1-{model.asked.context}"
            raise ApiError(400, too_long, "prompt", "context_length_exceeded")
        if max(ids) >= model.asked.size:
            raise ApiError(400, f"a token id above {model.asked.size - 1}", "prompt")
