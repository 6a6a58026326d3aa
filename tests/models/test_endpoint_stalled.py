"""A server that stalls ends the run in bounded time, with a line; one that asks for patience does not."""

from dataclasses import dataclass
from typing import Any

import pytest

from tellapart.errors import ServerGone, UserMistake
from tellapart.models.endpoint_failure import Failure, Reply, understood
from tellapart.models.endpoint_line import Address, EndpointOptions, Line, stream

pytest.importorskip("openai")
STALLED = Failure("no answer within 300 s", again=True)
BUSY = Failure("HTTP 429: slow down", 429, again=True)
REPLY = Reply({"choices": []}, 0.0)


@dataclass
class Scripted(Line):
    """A line whose attempts take `takes` seconds of a clock of its own and come out as `script` says."""

    script: Any = None
    takes: float = 300.0
    now: float = 0.0
    attempts: int = 0

    async def attempt(self, client: Any, body: Any) -> Reply | Failure:
        self.attempts += 1
        self.now += self.takes / self.options.concurrency  # so many wait at the same time
        return self.script(self.attempts)


def scripted(script: Any, **options: Any) -> Scripted:
    async def no_sleep(seconds: float) -> None:
        one.now += seconds / one.options.concurrency

    one = Scripted(Address("completions", "m", "http://127.0.0.1:9/v1"), "no-key", EndpointOptions(**options))
    one.script, one.sleep, one.clock = script, no_sleep, lambda: one.now
    return one


def line(script: Any, requests: int, **options: Any) -> tuple[Scripted, list[Any]]:
    one = scripted(script, **options)
    return one, list(stream(one, [{}] * requests, lambda index, outcome: outcome))


def test_a_stalled_server_ends_the_run_and_not_after_weeks() -> None:
    began = scripted(lambda attempt: STALLED)
    with pytest.raises(ServerGone, match=r"9/v1 has answered nothing for 1[0-9] minutes") as told:
        list(stream(began, [{}] * 64_000, lambda index, outcome: outcome))
    assert began.now < 1000
    assert not isinstance(told.value, UserMistake)  # for which gain would try its next method


def test_one_answer_in_time_keeps_the_run_going() -> None:
    _, outcomes = line(lambda attempt: REPLY if attempt % 20 == 0 else STALLED, 200)
    assert len(outcomes) == 200


def test_a_server_that_asks_to_wait_is_there() -> None:
    one, outcomes = line(lambda attempt: BUSY, 100, attempts=6)
    assert len(outcomes) == 100
    assert one.now > 600


def test_what_is_no_json_of_bounded_depth_fails_its_answer_alone() -> None:
    for depth in (900, 100_000):
        raw = b'{"choices":' + b"[" * depth + b"]" * depth + b"}"
        assert isinstance(understood(raw, "sk-12345678", 0.0), Failure | Reply)
