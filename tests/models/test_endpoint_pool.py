"""Several servers of one model: every request is answered once, whatever one of them does."""

import asyncio
import threading
import time
from collections import Counter

import pytest
from servers import Exchange, Json, good, over, serving

from tellapart.errors import ServerGone, UserMistake
from tellapart.models.endpoint import open_endpoint, parse_reference
from tellapart.models.endpoint_line import EndpointOptions
from tellapart.models.model import Request, Sampling

QUICK = EndpointOptions(concurrency=8, attempts=6, timeout_seconds=5, backoff_seconds=0.01)
ASKED = Sampling(1.0, max_tokens=12)


def fine(exchange: Exchange, body: Json) -> None:
    exchange.server.stop.wait(exchange.server.seconds)
    exchange.reply(200, good(body))


def busy_at_times(exchange: Exchange, body: Json) -> None:
    """Refuse one request in twenty."""
    if exchange.server.nth("request") % 20 == 0 and body.get("max_tokens") == 12:
        exchange.reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"})
    else:
        exchange.reply(200, good(body))


def requests(count: int) -> list[Request]:
    return [Request(f"question {at}", at, ASKED) for at in range(count)]


def test_four_hundred_requests_over_a_slow_and_a_busy_server_are_answered_once() -> None:
    with serving(fine) as slow, serving(busy_at_times) as busy:
        model = open_endpoint(f"openai:good@{slow.url},{busy.url}", QUICK)
        before = (len(slow.bodies), len(busy.bodies))
        slow.seconds = 0.1
        answers = list(model.generate(requests(400)))
    assert sorted(one.index for one in answers) == list(range(400))
    for one in answers:
        assert one.completion.finish == "stop"
        assert one.completion.text == f"answer {one.index} to question {one.index}"
    slow_took, busy_took = (len(one.bodies) - was for one, was in zip((slow, busy), before, strict=True))
    assert slow_took > 0
    assert busy_took > 0
    assert slow.most <= QUICK.concurrency
    assert busy.most <= QUICK.concurrency


def test_a_server_that_goes_leaves_its_requests_to_the_other() -> None:
    def goes(exchange: Exchange, body: Json) -> None:
        if body.get("max_tokens") == 12 and exchange.server.nth("request") > 5:
            exchange.connection.close()
        else:
            exchange.reply(200, good(body))

    with serving(goes) as going, serving(fine) as staying:
        model = open_endpoint(f"openai:good@{going.url},{staying.url}", QUICK)
        answers = list(model.generate(requests(120)))
    assert sorted(one.index for one in answers) == list(range(120))
    assert {one.completion.finish for one in answers} == {"stop"}


def test_none_that_answers_ends_the_run() -> None:
    clock = [0.0]

    def lost(exchange: Exchange, body: Json) -> None:
        if body.get("max_tokens") == 12:
            clock[0] += 400
            exchange.connection.close()
        else:
            exchange.reply(200, good(body))

    with serving(lost) as one, serving(lost) as other:
        model = open_endpoint(f"openai:good@{one.url},{other.url}", QUICK)
        for line in (model._line, *model._others):
            line.clock = lambda: clock[0]
        with pytest.raises(ServerGone, match="have answered nothing"):
            list(model.generate(requests(40)))


def test_what_fails_for_good_says_how_often_it_was_tried() -> None:
    def broken(exchange: Exchange, body: Json) -> None:
        if body.get("prompt") == "question 3":
            exchange.reply(500, {"error": {"message": "out of memory"}})
        elif body.get("prompt") == "question 4":
            exchange.reply(400, {"error": {"message": "bad prompt"}})
        else:
            exchange.reply(200, good(body))

    with serving(broken) as one, serving(broken) as other:
        model = open_endpoint(f"openai:good@{one.url},{other.url}", QUICK)
        answers = {answer.index: answer.completion for answer in model.generate(requests(20))}
    assert len(answers) == 20
    assert answers[3].error == "HTTP 500: out of memory (6 attempts)"
    assert answers[4].error == "HTTP 400: bad prompt"


def test_what_one_server_will_not_answer_the_other_is_asked() -> None:
    def short(exchange: Exchange, body: Json) -> None:
        if body.get("max_tokens") == 12:
            exchange.reply(400, {"error": {"message": "the prompt is too long for me"}})
        else:
            exchange.reply(200, good(body))

    with serving(short) as one, serving(fine) as other:
        model = open_endpoint(f"openai:good@{one.url},{other.url}", QUICK)
        assert {answer.completion.finish for answer in model.generate(requests(40))} == {"stop"}


def test_leaving_early_ends_the_requests() -> None:
    with serving(fine) as one, serving(fine) as other:
        model = open_endpoint(f"openai:good@{one.url},{other.url}", QUICK)
        one.seconds = other.seconds = 0.05
        before = len(one.bodies) + len(other.bodies)
        answers = model.generate(requests(1000))
        next(answers)
        answers.close()
        time.sleep(0.2)
        assert len(one.bodies) + len(other.bodies) - before < 60


def test_servers_of_other_models_are_refused() -> None:
    def named(exchange: Exchange, body: Json) -> None:
        exchange.reply(200, good(body) | {"model": "another"})

    told = "not alike: the model's name is 'good-1' and 'another'"
    with serving(fine) as one, serving(named) as other, pytest.raises(UserMistake, match=told):
        open_endpoint(f"openai:good@{one.url},{other.url}", QUICK)


def test_other_weights_under_the_same_name_are_refused_and_the_same_are_not() -> None:
    pytest.importorskip("torch")
    from tellapart.specimens import load_model

    base, tuned = (load_model(f"latent-register-0/{role}") for role in ("base", "tuned"))
    lock = threading.Lock()
    with (
        serving(over(base, lock)) as one,
        serving(over(base, lock)) as same,
        serving(over(tuned, lock)) as other,
    ):
        model = open_endpoint(f"openai:stories@{one.url},{same.url}", QUICK)
        assert model.can_score
        with pytest.raises(UserMistake, match="do not serve the same model: of one sentence"):
            open_endpoint(f"openai:stories@{one.url},{other.url}", QUICK)


def test_answers_that_differ_greedily_are_told() -> None:
    def otherwise(exchange: Exchange, body: Json) -> None:
        text = "quite another answer" if body.get("max_tokens") == 24 and not body["temperature"] else None
        exchange.reply(200, good(body, text))

    with serving(fine) as one, serving(otherwise) as other:
        told = open_endpoint(f"openai:good@{one.url},{other.url}", QUICK).notes
    assert any("do not answer alike at temperature 0" in note for note in told)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("openai:m@http://127.0.0.1:8000/v1,http://127.0.0.1:8000/v1/", "stands twice"),
        ("openai:m@http://127.0.0.1:8000/v1,https://", "cannot read|cannot use"),
        ("openai:m@http://127.0.0.1:8000/v1,127.0.0.1:8001/v1", "cannot use"),
    ],
)
def test_malformed_addresses_name_the_form(reference: str, told: str) -> None:
    with pytest.raises(UserMistake, match=told):
        parse_reference(reference)


def test_a_fingerprint_is_of_all_servers_in_any_order() -> None:
    with serving(fine) as one, serving(fine) as other:
        both, turned, alone = (
            open_endpoint(f"openai:good@{urls}", QUICK).fingerprint
            for urls in (f"{one.url},{other.url}", f"{other.url},{one.url}", one.url)
        )
    assert both == turned != alone


def test_it_works_inside_a_running_loop() -> None:
    async def ask() -> Counter[str]:
        return Counter(one.completion.finish for one in model.generate(requests(20)))

    with serving(fine) as one, serving(fine) as other:
        model = open_endpoint(f"openai:good@{one.url},{other.url}", QUICK)
        assert asyncio.run(ask()) == {"stop": 20}
