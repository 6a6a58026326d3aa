"""What can go wrong with a served answer, said in one line, with the API key taken out of it."""

import html
import json
import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tellapart.jsonvalue import Json

if TYPE_CHECKING:
    import httpx

LONGEST_WAIT_SECONDS = 120.0
LONGEST_REFUSAL_BYTES = 65536
SHORTEST_SECRET, LONG_SECRET = 8, 16
MARK = "[API key]"
RETRIED = frozenset({408, 409, 425, 429})


class Reply(NamedTuple):
    """A JSON object that came with status 200, without the key, and how long it took."""

    payload: dict[str, Json]
    seconds: float


class Failure(NamedTuple):
    """Why there is no reply, in one line. `status` is the HTTP status, 0 where none came; `again` says
    whether asking again may help, `retry_after` when, in seconds, if the server said so."""

    reason: str
    status: int = 0
    retry_after: float | None = None
    again: bool = False


class RefusalError(Exception):
    """A status other than 200, raised from the response hook so that its body is read bounded."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.headers, self.body = status, headers, body


class OverlongError(Exception):
    """A body past the bound."""


async def refuse(response: "httpx.Response") -> None:
    """Raise RefusalError for any status but 200 (an httpx response hook)."""
    if response.status_code == 200:
        return
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LONGEST_REFUSAL_BYTES:
            break
    await response.aclose()
    raise RefusalError(response.status_code, dict(response.headers), bytes(body[:LONGEST_REFUSAL_BYTES]))


def failure_of(refusal: RefusalError, key: str) -> Failure:
    """Return a refusal as a failure, in the server's own words."""
    status = refusal.status
    if 300 <= status < 400:
        return Failure(f"HTTP {status}: the server redirects elsewhere, which is not followed", status)
    words = message_of(refusal.body)
    reason = one_line(f"HTTP {status}: {words}" if words else f"HTTP {status}", key)
    again = status in RETRIED or status >= 500
    return Failure(reason, status, retry_after_seconds(refusal.headers), again)


def understood(raw: bytes, key: str, seconds: float) -> Reply | Failure:
    """Return the JSON object in a body that came with status 200, or what is wrong with it."""
    try:
        payload = redacted(json.loads(raw), key)
    except (ValueError, RecursionError):
        start = one_line(raw[:400].decode("utf-8", "replace"), key, longest=60)
        return Failure(f"the answer is not JSON: {start!r}", 200)
    if not isinstance(payload, dict):
        return Failure("the answer is not a JSON object", 200)
    if payload.get("error"):
        return Failure(one_line(f"the server reports: {message_of(raw[:LONGEST_REFUSAL_BYTES])}", key), 200)
    return Reply(payload, seconds)


def message_of(body: bytes) -> str:
    """Return the message in an error body: OpenAI's error.message, FastAPI's detail, or the text as it is."""
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for name in ("error", "detail", "message"):
        if isinstance(parsed, dict) and name in parsed:
            parsed = parsed[name]
    try:
        return parsed if isinstance(parsed, str) else json.dumps(parsed)
    except (RecursionError, ValueError):
        return text


def redacted(value: Json, key: str) -> Json:
    """Return a JSON value with the key taken out of every string; under 8 characters it is no secret. One of 16
    or more (a shorter one may be a word) is found too in another case, with spaces between its characters, with
    these written as HTML entities, and where only half of it is told."""
    if len(key) < SHORTEST_SECRET:
        return value
    if isinstance(value, str):
        return _without(value, key)
    if isinstance(value, list):
        return [redacted(inner, key) for inner in value]
    if isinstance(value, dict):
        return {_without(name, key): redacted(inner, key) for name, inner in value.items()}
    return value


def _without(text: str, key: str) -> str:
    if len(key) < SHORTEST_SECRET:
        return text
    text = _written(key).sub(MARK, text)
    for piece in _halves(key):
        text = text.replace(piece, MARK)
    return text


@cache
def _halves(key: str) -> tuple[str, ...]:
    """Return every run of characters that is half of a long key; none that may be a word or a number."""
    size = len(key) // 2
    pieces = (key[at : at + size] for at in range(len(key) - size + 1) if len(key) >= LONG_SECRET)
    return tuple(piece for piece in pieces if any(map(str.isalpha, piece)) and any(map(str.isdigit, piece)))


@cache
def _written(key: str) -> re.Pattern[str]:
    if len(key) < LONG_SECRET:
        return re.compile(re.escape(key))
    ways = (
        f"(?:{re.escape(letter)}|{re.escape(html.escape(letter))}|&#0*{ord(letter)};|&#x0*{ord(letter):x};)"
        for letter in key
    )
    return re.compile(r"\s*".join(ways), re.IGNORECASE)


def one_line(text: str, key: str, longest: int = 300) -> str:
    """Return text as one printable line of at most `longest` characters, the key taken out."""
    flat = " ".join(_without(text, key).split())
    clean = "".join(character if character.isprintable() else "?" for character in flat)
    return clean if len(clean) <= longest else clean[: longest - 3] + "..."


def cause(error: BaseException, key: str) -> str:
    """Return the innermost reason of an error, as one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return one_line(f"{type(error).__name__} {error}".strip(), key)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what Retry-After asks for, in seconds (it is a number or a date), or None."""
    given = headers.get("retry-after", "")
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(given).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if seconds == seconds else None


def wait_seconds(attempt: int, retry_after: float | None, backoff: float) -> float:
    """Return how long to wait after failed attempt `attempt` (from 0): doubling, jittered, at most 120 s."""
    jittered = backoff * 2**attempt * random.uniform(0.5, 1.0)
    return min(max(jittered, retry_after or 0.0), LONGEST_WAIT_SECONDS)
