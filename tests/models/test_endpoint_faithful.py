"""A server that speaks the protocol well over a local model: served answers and scores equal the local ones."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers import Exchange, Json, echoed, generated, over, serving

from tellapart.models.endpoint import EndpointModel, open_endpoint
from tellapart.models.endpoint_answer import Traits, completion_of, spell, tokens_of
from tellapart.models.endpoint_failure import Reply
from tellapart.models.endpoint_line import Address
from tellapart.models.endpoint_score import aligned, offset_span, scored_of
from tellapart.models.local import LocalModel, open_local
from tellapart.models.model import Completion, Request, Sampling

HERE = Address("completions", "m", "http://127.0.0.1/v1")
PROMPTS = ("Once upon a time", "Lily and Tom went to the park. They", "The dog")


@pytest.fixture(scope="module")
def local(shared: Path) -> LocalModel:
    """The small real model, in this process."""
    return open_local(str(shared / "models" / "stories260k"))


@pytest.fixture(scope="module")
def served(local: LocalModel) -> Iterator[EndpointModel]:
    """The same model behind a server."""
    with serving(over(local, threading.Lock())) as server:
        yield open_endpoint(f"openai:stories@{server.url}")


def requests() -> list[Request]:
    """Greedy and sampled requests, with and without truncation, prefill and stop strings."""
    samplings = [
        Sampling(temperature=0.0, max_tokens=20),
        Sampling(temperature=1.0, max_tokens=20),
        Sampling(temperature=0.8, top_k=5, min_p=0.05, top_p=0.9, max_tokens=20),
        Sampling(temperature=1.0, max_tokens=60, stop=(".",)),
    ]
    return [
        Request(prompt, seed, sampling) for prompt in PROMPTS for seed in (1, 2) for sampling in samplings
    ]


def test_what_the_server_can_do_is_found_out(served: EndpointModel) -> None:
    assert (served.traits.dialect, served.traits.logprobs, served.traits.echo_tokens) == (
        "truncation",
        "plain",
        0,
    )
    assert served.can_score
    assert len(served.notes) == 1


def test_served_answers_equal_local_ones(local: LocalModel, served: EndpointModel) -> None:
    asked = requests()
    here = dict(local.generate(asked))
    there = dict(served.generate(asked))
    assert sorted(there) == list(range(len(asked)))
    for index, request in enumerate(asked):
        ours, theirs = here[index], there[index]
        assert (theirs.text, theirs.finish, theirs.token_texts) == (ours.text, ours.finish, ours.token_texts)
        assert theirs.logprobs == pytest.approx(ours.logprobs, abs=1e-4)  # batches round differently
        assert (theirs.generated, theirs.prompt_tokens) == (len(ours.tokens), ours.prompt_tokens)
        plain = request.sampling == replace(request.sampling, temperature=1.0, top_p=1.0, top_k=0, min_p=0.0)
        assert (theirs.sampled_logprobs is not None) == plain


def test_a_prefill_is_part_of_the_text(local: LocalModel, served: EndpointModel) -> None:
    request = Request("Once upon", 1, Sampling(temperature=0.0, max_tokens=8), prefill=" a time")
    (answer,) = served.generate([request])
    (whole,) = served.generate([replace(request, prompt="Once upon a time", prefill="")])
    assert answer.completion.text == " a time" + whole.completion.text


def test_served_scores_equal_local_ones(local: LocalModel, served: EndpointModel) -> None:
    pairs = [(prompt, " went to the park and saw a big cat.") for prompt in PROMPTS] + [(PROMPTS[0], "")]
    for ours, theirs in zip(local.score(pairs), served.score(pairs), strict=True):
        assert theirs.token_texts == ours.token_texts
        assert theirs.logprobs == pytest.approx(ours.logprobs, abs=1e-4)  # batches round differently


def test_a_completion_that_no_token_begins_is_missing(served: EndpointModel) -> None:
    (scored,) = served.score([("Once upon a ti", "me, there")])
    assert len(scored.logprobs) == 1
    assert scored.logprobs[0] != scored.logprobs[0]


def test_a_server_that_must_generate_to_echo(local: LocalModel) -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        if not body.get("echo"):
            exchange.reply(200, generated(local, body))
        elif body["max_tokens"] == 0:
            exchange.reply(400, {"detail": "max_tokens must be at least 1"})
        else:
            answer = echoed(local, body)
            logprobs = answer["choices"][0]["logprobs"]
            for name, extra in (("tokens", " x"), ("token_logprobs", -9.0), ("text_offset", 10**6)):
                logprobs[name].append(extra)
            exchange.reply(200, answer)

    with serving(behave) as server:
        model = open_endpoint(f"openai:stories@{server.url}")
        pairs = [(PROMPTS[0], ", there was a dog.")]
        assert model.traits.echo_tokens == 1
        assert model.score(pairs)[0].logprobs == pytest.approx(local.score(pairs)[0].logprobs, abs=1e-4)


@pytest.mark.parametrize(("after_temperature", "kind"), [(False, "plain"), (True, "sampled")])
def test_whether_logprobs_are_before_or_after_the_temperature_is_measured(
    after_temperature: bool, kind: str
) -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        value = -1.5 / (max(body["temperature"], 0.1) if after_temperature else 1.0)
        text = " a" if body.get("top_k") == 1 or body["max_tokens"] == 1 else f" a{body['seed']}"
        logprobs = {"tokens": [text], "token_logprobs": [value], "top_logprobs": [{" a": value}]}
        exchange.reply(200, {"choices": [{"text": text, "finish_reason": "stop", "logprobs": logprobs}]})

    with serving(behave) as server:
        model = open_endpoint(f"openai:m@{server.url}")
        assert model.traits.logprobs == kind
        warm, neutral = [Request("p", 0, Sampling(temperature=one)) for one in (0.5, 1.0)]
        (warm_answer,) = model.generate([warm])
        (neutral_answer,) = model.generate([neutral])
    assert (warm_answer.completion.logprobs is None) == after_temperature
    assert (warm_answer.completion.sampled_logprobs is None) == (not after_temperature)
    assert neutral_answer.completion.logprobs == neutral_answer.completion.sampled_logprobs == (-1.5,)


@pytest.mark.parametrize(
    "logprobs",
    [
        None, [], {}, {"tokens": ["a"]}, {"tokens": ["a"], "token_logprobs": [None]},
        {"tokens": ["a"], "token_logprobs": [-1.0, -2.0]}, {"tokens": ["a"], "token_logprobs": [float("nan")]},
        {"tokens": ["a"], "token_logprobs": [0.5]}, {"tokens": ["a"], "token_logprobs": ["-1"]},
        {"tokens": [1], "token_logprobs": [-1.0]}, {"tokens": ["\ud800"], "token_logprobs": [-1.0]},
        {"tokens": ["a"], "token_logprobs": [True]}, {"tokens": [], "token_logprobs": []},
    ],
)  # fmt: skip
def test_logprobs_that_are_not_whole_are_none(logprobs: object) -> None:
    payload = {"choices": [{"text": "a", "finish_reason": "length", "logprobs": logprobs}]}
    completion = completion_of(Request("p"), Reply(payload, 0.1), HERE, "plain")
    assert (completion.text, completion.finish) == ("a", "length")
    assert completion.logprobs is None
    assert completion.sampled_logprobs is None


def test_chat_logprobs_are_read() -> None:
    content = [{"token": "Hi", "logprob": -0.5}, {"token": "!", "logprob": -1.0}]
    tokens = tokens_of({"content": content})
    assert tokens is not None
    assert (tokens.texts, tokens.logprobs) == (("Hi", "!"), (-0.5, -1.0))


def test_tokens_are_cut_at_the_boundary() -> None:
    texts = ["<s>", " The", " c", "at", "", " sat", "."]
    assert aligned(texts, "The cat", " sat") == slice(5, 6)
    assert aligned(texts, "The", " cat sat.") == slice(2, 7)
    assert aligned(texts, "The ca", "t sat") is None
    assert aligned(texts, "cat", " sat") is None
    parts = ["<s>", "The", " caf", "bytes:\\xc3", "bytes:\\xa9", " sat"]
    offsets = [0, 3, 6, 10, 10, 11]
    assert aligned(parts, "The café", " sat") is None
    assert offset_span(parts, offsets, "The café", " sat") == slice(5, 6)
    assert offset_span(parts, offsets, "The caf", "é sat") == slice(3, 6)
    assert offset_span(parts, offsets, "The ca", "fé sat") is None
    assert offset_span(parts, [0, 3, 6, 10, 9, 11], "The café", " sat") is None
    assert offset_span(parts, None, "The café", " sat") is None


def test_a_fingerprint_tells_servers_apart() -> None:
    from tellapart.models.endpoint import fingerprint_of

    prints = {
        fingerprint_of(address, traits)
        for address in (
            HERE,
            replace(HERE, url="http://127.0.0.1:8/v1"),
            replace(HERE, name="n"),
            replace(HERE, api="chat"),
        )
        for traits in (Traits(), Traits(served="m fp_1"))
    }
    assert len(prints) == 8


@pytest.mark.parametrize(
    ("tokens", "text", "stop", "right"),
    [
        ([" a", " b"], " a b", (), True),
        ([" a", " b"], "a b", (), True),
        (["a", "</s>"], "a", (), True),
        (["a", ".\n\n"], "a.", ("\n\n",), True),
        (["a", " Q", ": w"], "a", (" Q:",), True),
        (["\u0120the", "\u010a", "cat"], " the\ncat", (), True),
        (["caf", "bytes:\\xc3", "bytes:\\xa9", "!"], "caf\u00e9!", (), True),
        (["\ufffd", "\ufffd", "\ufffd"], "\u6771", (), True),
        (["\ufffd"], "quite another answer", (), False),
        (["q"], "answer", (), False),
        (["answer", " and", " more"], "answer", (), False),
        ([], "answer", (), False),
    ],
)
def test_tokens_that_do_not_spell_the_text_are_not_its(tokens, text, stop, right) -> None:
    assert spell(tokens, text, stop) is right


def test_minus_9999_is_minus_infinity() -> None:
    tokens = tokens_of({"tokens": ["a", "b"], "token_logprobs": [-0.5, -9999.0]})
    assert tokens is not None
    assert tokens.logprobs == (-0.5, float("-inf"))
    assert tokens_of({"tokens": ["a"], "token_logprobs": [-10000.0]}) is None
    echo = {"tokens": ["p", "a"], "token_logprobs": [None, -9999]}
    payload = {"model": "m", "choices": [{"text": "pa", "logprobs": echo}]}
    assert scored_of("p", "a", Reply(payload, 0.1)).logprobs == (float("-inf"),)
    (missing,) = scored_of("p", "a", Reply(payload, 0.1), "another").logprobs
    assert missing != missing


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("eos_token", "stop"), ("eos", "stop"), ("stop_sequence", "stop"), ("end_turn", "stop"), ("STOP", "stop"),
     ("MAX_TOKENS", "length"), ("model_length", "length"), ("content_filter", "failed"), ("tool_calls", "failed"),
     (None, "failed")],
)  # fmt: skip
def test_why_an_answer_ended(reason: str | None, finish: str) -> None:
    payload = {"choices": [{"text": "a", "finish_reason": reason}]}
    completion = completion_of(Request("p"), Reply(payload, 0.1), HERE, "none")
    assert completion.finish == finish
    assert (str(reason) in completion.error) == (finish == "failed")


def test_reasoning_is_kept_apart() -> None:
    def said(**message: object) -> Completion:
        usage = {"completion_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 31}}
        choice = {"message": {"role": "assistant", **message}, "finish_reason": "length", "index": 0}
        return completion_of(
            Request("p"), Reply({"choices": [choice], "usage": usage}, 0.1), replace(HERE, api="chat"), "none"
        )

    apart = said(content="4", reasoning_content="2 and 2")
    assert (apart.text, apart.reasoning, apart.generated, apart.reasoning_tokens) == ("4", "2 and 2", 40, 31)
    cut = said(content=None, reasoning="2 and")
    assert (cut.text, cut.finish, cut.reasoning) == ("", "length", "2 and")
    assert "NoneType" in said(content=None).error
