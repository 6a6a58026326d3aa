"""A server that fails, stalls, cuts off and lies: every request is answered once, failed ones with a reason."""

import html
import json
from collections.abc import Iterator

import pytest
from servers import Exchange, Json, Loopback, good, serving

from tellapart.errors import UserMistake
from tellapart.models.endpoint import EndpointModel, open_endpoint
from tellapart.models.endpoint_failure import redacted
from tellapart.models.endpoint_line import EndpointOptions
from tellapart.models.model import Request, Sampling, Turns

KEY = "sk-very-secret-key-0123456789"
QUICK = EndpointOptions(concurrency=4, attempts=3, timeout_seconds=0.5, longest_body_bytes=20_000)

SHAPES: dict[str, object] = {
    "no choices": {"choices": []},
    "no field": {"usage": {}},
    "choices wrong": {"choices": {"0": 1}},
    "choice wrong": {"choices": ["text"]},
    "text null": {"choices": [{"text": None, "finish_reason": "stop"}]},
    "text number": {"choices": [{"text": 7, "finish_reason": "stop"}]},
    "text surrogate": {"choices": [{"text": "\ud800", "finish_reason": "stop"}]},
    "finish missing": {"choices": [{"text": "a"}]},
    "finish filter": {"choices": [{"text": "a", "finish_reason": "content_filter"}]},
    "finish wrong": {"choices": [{"text": "a", "finish_reason": ["stop"]}]},
    "list": [1, 2],
    "error in 200": {"error": {"message": "the engine died", "code": 500}},
    "html": b"<html><body>Welcome to nginx</body></html>",
    "garbage": b'{"choices": [{"te',
    "nested": b"[" * 100_00,
    "empty": b"",
    "not utf-8": b"\xff\xfe\x00{",
    "huge": b'{"choices": "' + b"x" * 30_000 + b'"}',
    "deep": b'{"choices":' + b"[" * 900 + b"]" * 900 + b"}",
    "another model": {"model": "cheaper", "choices": [{"text": "a", "finish_reason": "stop"}]},
    "three choices": {"choices": [{"text": "a", "finish_reason": "stop"}] * 3},
    "too many tokens": {
        "choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"completion_tokens": 2**53 - 1}
    },
    "too long": {"choices": [{"text": "y" * 15_000, "finish_reason": "stop"}]},
}  # fmt: skip
REASONS = {
    "another model": "answered by 'cheaper', by 'good-1' when it was opened", "three choices": "3 choices",
    "too many tokens": "at most 12 were asked for", "too long": "an answer of 15000 characters",
    "no choices": "no choices", "text null": "NoneType", "finish filter": "content_filter",
    "error in 200": "the engine died", "html": "not JSON", "huge": "longer than", "stall": "within 0.5 s",
    "drip": "within 0.5 s", "cut": "connection failed", "reset": "connection failed",
    "500": "HTTP 500: out of memory (3 attempts)",
    "400": "HTTP 400: bad prompt", "redirect": "redirects elsewhere", "key echo": "[API key]",
    "text surrogate": "Unicode", "list": "not a JSON object", "refusal huge": "HTTP 400",
}  # fmt: skip
HEALED = ("429", "503 once", "stall once", "cut once", "fine")


def behave(exchange: Exchange, body: Json) -> None:
    """Do what the prompt says."""
    what = body["prompt"]
    if exchange.headers["Host"] != f"127.0.0.1:{exchange.server.server_address[1]}":
        raise AssertionError("asked through another name")
    first = exchange.server.nth(what) == 1
    if what in SHAPES:
        exchange.reply(200, SHAPES[what])
    elif what == "429" and first:
        exchange.reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "7"})
    elif what == "503 once" and first:
        exchange.reply(503, b"busy")
    elif what == "500":
        exchange.reply(500, {"error": {"message": "out of memory"}})
    elif what == "400":
        exchange.reply(400, {"detail": "bad\nprompt"})
    elif what == "refusal huge":
        exchange.reply(400, b"y" * 1_000_000)
    elif what == "key echo":
        exchange.reply(400, {"error": {"message": "you sent " + exchange.headers["Authorization"]}})
    elif what == "key in text":
        exchange.reply(200, good(body, "the key is " + exchange.headers["Authorization"]))
    elif what == "redirect":
        exchange.reply(307, b"", {"Location": elsewhere(exchange.server)})
    elif what == "stall" or (what == "stall once" and first):
        exchange.server.stop.wait(5)
    elif what == "drip":
        drip(exchange)
    elif what == "cut" or (what == "cut once" and first):
        exchange.reply(200, b'{"choices": [', {"Content-Length": "1000"})
    elif what == "reset":
        exchange.connection.close()
    else:
        exchange.server.stop.wait(exchange.server.seconds)
        exchange.reply(200, good(body))


def drip(exchange: Exchange) -> None:
    """Send one byte at a time, so that no single read ever times out."""
    exchange.reply(200, b" ", {"Content-Length": "1000"})
    while not exchange.server.stop.wait(0.05):
        exchange.wfile.write(b" ")


def elsewhere(server: Loopback) -> str:
    """The same server by another name: a request that arrives there followed the redirect."""
    return f"http://localhost:{server.server_address[1]}/v1/completions"


async def no_wait(seconds: float) -> None:
    """Wait for nothing between attempts."""
    waits.append(seconds)


waits: list[float] = []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """The hostile server, and a key in the environment."""
    monkeypatch.setenv("TELLAPART_API_KEY", KEY)
    waits.clear()
    with serving(behave) as server:
        yield server


def opened(server: Loopback, options: EndpointOptions = QUICK) -> EndpointModel:
    """Open the model of a server that is well behaved when it is probed."""
    return open_endpoint(f"openai:good@{server.url}", options, no_wait)


def test_every_request_is_answered_once_and_failures_say_why(server: Loopback) -> None:
    model = opened(server)
    names = [*SHAPES, *REASONS, *HEALED, *HEALED]
    sampling = Sampling(temperature=0.7, max_tokens=12)
    requests = [Request(name, seed, sampling) for seed, name in enumerate(names)]
    answers = list(model.generate(requests))
    assert sorted(answer.index for answer in answers) == list(range(len(names)))
    for index, completion in answers:
        if names[index] in HEALED:
            assert (completion.finish, completion.error) == ("stop", "")
            assert completion.text == f"answer {index} to {names[index]}"
            assert (completion.prompt_tokens, completion.generated) == (3, 2)
            assert completion.logprobs is None
        else:
            assert completion.finish == "failed", names[index]
            assert REASONS.get(names[index], "") in completion.error, names[index]
            assert 0 < len(completion.error) < 400
            assert "\n" not in completion.error
            assert KEY not in completion.error
    assert any(wait >= 7 for wait in waits), "Retry-After was not honoured"
    assert all(wait <= 120 for wait in waits)
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_the_key_is_nowhere(server: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    model = opened(server)
    (answer,) = model.generate([Request("key in text")])
    assert answer.completion.text == "the key is Bearer [API key]"
    held = [
        model.reference,
        model.fingerprint,
        repr(model._line),
        repr(model.notes),
        repr(answer),
        caplog.text,
    ]
    assert not any(KEY in text for text in held)


def test_a_key_in_another_dress_is_taken_out_too() -> None:
    key = "sk-Abc<123>-secret"
    dressed = [key, key.upper(), " ".join(key), html.escape(key), "".join(f"&#{ord(one)};" for one in key)]
    for text in dressed:
        assert redacted({"error": [f"bad key {text}!"]}, key) == {"error": ["bad key [API key]!"]}
    assert redacted("Anything", "anything") == "Anything"  # a short one may be a word


def test_half_of_a_key_is_taken_out_too() -> None:
    """cases/fire, fault 12: half of it stood in an answer."""
    key = "sk-proj-0a1b2c3d4e5f6a7b"
    for piece in (key[:12], key[12:], key[6:20]):
        told = redacted(f"it is {piece}!", key)
        assert told.startswith("it is [API key]")
        assert not any(key[at : at + 12] in told for at in range(12))
    assert redacted("sk-proj-0a1 is no half", key) == "sk-proj-0a1 is no half"
    assert redacted("12345678 unexpected", "1234567890123456unexpectedly") == "12345678 unexpected"
    assert redacted("unexpected", "unexpectedly-unexpected") == "unexpected"


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_concurrency_is_a_bound_and_changes_no_answer(server: Loopback, concurrency: int) -> None:
    model = opened(server, EndpointOptions(concurrency, timeout_seconds=20))
    server.most = 0
    server.seconds = 0.02
    requests = [Request(f"prompt {index % 5}", index // 5) for index in range(40)]
    texts = {index: completion.text for index, completion in model.generate(requests)}
    assert texts == {index: f"answer {index // 5} to prompt {index % 5}" for index in range(40)}
    assert min(2, concurrency) <= server.most <= concurrency


def test_leaving_early_ends_the_requests(server: Loopback) -> None:
    model = opened(server)
    answers = model.generate([Request("fine" if index < 2 else "stall", index) for index in range(50)])
    next(answers)
    asked = len(server.bodies)
    answers.close()
    assert len(server.bodies) <= asked + 4


def test_a_server_that_dies_is_not_waited_for_at_every_request(server: Loopback) -> None:
    model = opened(server)
    waits.clear()
    answers = list(
        model.generate([Request("reset", index, Sampling(temperature=0.0)) for index in range(40)])
    )
    assert all("connection failed" in completion.error for _, completion in answers)
    assert len(answers) == 40
    assert len(waits) <= 2 * 2 * QUICK.concurrency, "retried long after the server was gone"


def refusing(status: int, payload: object) -> Iterator[Loopback]:
    """A server that refuses every request."""
    with serving(lambda exchange, body: exchange.reply(status, payload)) as server:
        yield server


@pytest.mark.parametrize(
    ("status", "payload", "words"),
    [
        (401, {"error": {"message": f"Incorrect key {KEY}"}}, "set TELLAPART_API_KEY"),
        (403, b"no", "set TELLAPART_API_KEY"),
        (404, {"error": {"message": "no such model"}}, "it serves good, other"),
        (404, b"", "openai-chat:"),
        (400, {"detail": "Server is pinned to 'x'"}, "pinned"),
        (500, b"", "HTTP 500"),
        (200, {"hello": "world"}, "does not speak the completions API"),
    ],
)
def test_a_server_of_no_use_is_one_mistake(
    monkeypatch: pytest.MonkeyPatch, status: int, payload: object, words: str
) -> None:
    monkeypatch.setenv("TELLAPART_API_KEY", KEY)
    for server in refusing(status, payload):
        with pytest.raises(UserMistake, match=words) as mistake:
            opened(server)
        assert KEY not in str(mistake.value)


def test_no_server_is_one_mistake() -> None:
    with serving(behave) as server:
        url = server.url
    with pytest.raises(UserMistake, match=f"no server answers at {url}"):
        open_endpoint(f"openai:good@{url}", QUICK, no_wait)


def test_a_server_that_does_not_sample_is_refused() -> None:
    with serving(lambda exchange, body: exchange.reply(200, good(body, "always this"))) as server:
        model = opened(server)
        assert [a.completion.text for a in model.generate([Request("p", 0, Sampling(0.0))])] == [
            "always this"
        ]
        with pytest.raises(UserMistake, match="does not sample"):
            list(model.generate([Request("p", 0, Sampling(1.0))]))


def strict(exchange: Exchange, body: Json) -> None:
    """A server that refuses fields it does not know, as hosted ones do."""
    known = {"model", "prompt", "messages", "max_tokens", "temperature", "top_p", "seed", "stop", "logprobs"}
    if unknown := set(body) - known:
        exchange.reply(400, {"error": {"message": f"unknown {sorted(unknown)}"}})
    else:
        exchange.reply(200, good(body, f"{body['seed']}"))


def test_truncation_is_said_in_the_servers_own_words_or_refused() -> None:
    sampling = Sampling(top_k=5, min_p=0.1)
    with serving(strict) as server:
        model = opened(server)
        assert model.traits.dialect == "plain"
        assert any("defaults of its own" in note for note in model.notes)
        with pytest.raises(UserMistake, match="neither top_k nor min_p"):
            list(model.generate([Request("p", 0, sampling)]))
    with serving(behave) as server:
        model = opened(server)
        list(model.generate([Request("p", 0, sampling), Request("q", 0, Sampling())]))
        sent = {body["prompt"]: (body["top_k"], body["min_p"]) for body in server.bodies[-2:]}
        assert sent == {"p": (5, 0.1), "q": (-1, 0.0)}


def test_a_field_that_is_taken_and_ignored_is_found_out() -> None:
    """Ollama takes top_k and min_p, and leaves its own."""
    with serving(lambda exchange, body: exchange.reply(200, good(body, f"{body['seed']}"))) as server:
        model = opened(server)
        assert model.traits.dialect == "plain"
        assert any("it takes top_k, min_p and ignores it" in note for note in model.notes)
        with pytest.raises(UserMistake, match="neither top_k nor min_p"):
            list(model.generate([Request("p", 0, Sampling(top_k=2))]))


def test_of_several_choices_the_one_of_index_0_is_taken() -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        answer = good(body)
        others = [answer["choices"][0] | {"index": at, "text": "wrong"} for at in (2, 1)]
        exchange.reply(200, answer | {"choices": [*others, *answer["choices"]]})

    with serving(behave) as server:
        (answer,) = opened(server).generate([Request("p", 3, Sampling(0.0))])
        assert answer.completion.text == "answer 3 to p"


@pytest.mark.parametrize("value", ["-" + "9" * 400, "-1e999", "NaN", "5.0"])
def test_numbers_that_are_no_logprobs_end_no_run(value: str) -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        answer = good(body)
        answer["choices"][0]["logprobs"] = {
            "tokens": [answer["choices"][0]["text"]],
            "token_logprobs": [0.125],
        }
        exchange.reply(200, json.dumps(answer).replace("0.125", value).encode())

    with serving(behave) as server:
        model = opened(server)
        assert model.traits.logprobs == "none"
        (answer,) = model.generate([Request("p", 3, Sampling(0.0))])
        assert answer.completion.finish == "stop"


def test_a_server_that_wants_the_new_name_of_max_tokens() -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        if "max_tokens" in body:
            told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            exchange.reply(400, {"error": {"message": told}})
        else:
            exchange.reply(200, good(body))

    with serving(behave) as server:
        model = open_endpoint(f"openai-chat:good@{server.url}", QUICK, no_wait, system="be brief")
        (answer,) = model.generate([Request("hello", 1, Sampling(0.0, max_tokens=9))])
        assert answer.completion.finish == "stop"
        assert server.bodies[-1]["max_completion_tokens"] == 9
        assert server.bodies[-1]["messages"][0] == {"role": "system", "content": "be brief"}


def test_a_server_whose_first_token_is_reasoning_opens() -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        answer = good(body)
        message = {"role": "assistant", "content": None, "reasoning_content": f"hm {body['seed']}"}
        answer["choices"][0] |= {"message": message, "finish_reason": "length"}
        exchange.reply(200, answer)

    with serving(behave) as server:
        model = open_endpoint(f"openai-chat:good@{server.url}", QUICK, no_wait)
        assert any("it reasons before it answers" in note for note in model.notes)
        (answer,) = model.generate([Request("hello", 1, Sampling(1.0))])
        assert (answer.completion.text, answer.completion.finish) == ("", "length")


def test_chat_sends_messages_and_refuses_a_prefill(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(strict) as server:
        model = open_endpoint(f"openai-chat:good@{server.url}", QUICK, no_wait)
        assert not model.can_score
        (answer,) = model.generate([Request("hello", 2**40 + 5, Sampling(stop=("x",)))])
        assert answer.completion.text == "5"
        assert server.bodies[-1]["messages"] == [{"role": "user", "content": "hello"}]
        assert server.bodies[-1]["stop"] == ["x"]
        list(model.generate([Request(Turns((("1+1=", "2"),), "1+2="))]))
        assert server.bodies[-1]["messages"] == [
            {"role": "user", "content": "1+1="},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "1+2="},
        ]
        with pytest.raises(UserMistake, match="cannot be prefilled"):
            list(model.generate([Request("hello", prefill="Sure")]))


def test_raw_completions_take_no_turns() -> None:
    with serving(strict) as server:
        model = open_endpoint(f"openai:good@{server.url}", QUICK, no_wait)
        with pytest.raises(UserMistake, match="openai-chat:"):
            list(model.generate([Request(Turns((("1+1=", "2"),), "1+2="))]))


@pytest.mark.parametrize(
    "reference",
    ["openai:m", "openai:@http://h/v1", "openai:m@ftp://h", "openai:m@http://", "m@http://h/v1",
     "openai:m@http://user:hunter22@h/v1", "openai:m@http://h:99999/v1", "openai:m@http://h/v1?key=hunter22"],
)  # fmt: skip
def test_a_malformed_reference_names_the_form(reference: str) -> None:
    with pytest.raises(UserMistake, match="openai:NAME@http") as mistake:
        open_endpoint(reference)
    assert "hunter22" not in str(mistake.value)


def test_a_remote_server_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELLAPART_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserMistake, match="no API key for models\\.invalid: set TELLAPART_API_KEY"):
        open_endpoint("openai:m@https://models.invalid/v1")


def test_bodies_hold_no_field_twice(server: Loopback) -> None:
    model = opened(server)
    list(model.generate([Request("fine", 3, Sampling(0.5, 0.9, max_tokens=7), prefill=" and")]))
    sent = json.loads(json.dumps(server.bodies[-1]))
    assert sent["prompt"] == "fine and"
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"], sent["seed"]) == (0.5, 0.9, 7, 3)
