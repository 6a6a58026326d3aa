"""A chat server that tells token ids and log-probabilities of prompts (vLLM): given answers are scored as locally."""

import math
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from servers import Exchange, Json, serving
from tiny import module_of, tokenizer

from tellapart.models.endpoint import EndpointModel, open_endpoint
from tellapart.models.endpoint_failure import Reply
from tellapart.models.endpoint_score import prompt_ids, scored_turn
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling, Turns

TEMPLATE = (
    "{% for one in messages %}{{ one.role[0] }}:{{ one.content }}!{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)


@pytest.fixture(scope="module")
def local() -> LocalModel:
    made = tokenizer()
    made.chat_template = TEMPLATE
    return LocalModel(module_of("llama"), made, "tiny:llama")


def asked_of(messages: list[Json]) -> str | Turns:
    said = [one["content"] for one in messages]
    earlier = tuple(zip(said[:-1:2], said[1:-1:2], strict=True))
    return Turns(earlier, said[-1]) if earlier else said[-1]


def answered(model: LocalModel, body: Json, trims: bool = False) -> Json:
    """Return what vLLM's chat API answers."""
    messages, begun = body["messages"], ""
    if body.get("continue_final_message"):
        assert body["add_generation_prompt"] is False
        begun = messages[-1]["content"].strip() if trims else messages[-1]["content"]
        messages = messages[:-1]
    prompt = asked_of(messages)
    top_k = max(body.get("top_k", 0), 0)
    sampling = Sampling(body["temperature"], body["top_p"], top_k, body.get("min_p", 0.0), body["max_tokens"])
    ((_, made),) = model.generate([Request(prompt, body["seed"], sampling, begun)])
    content = [
        {"token": text, "logprob": value, "top_logprobs": [{"token": text, "logprob": value}]}
        for text, value in zip(made.token_texts, made.logprobs or (), strict=True)
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": made.text[len(begun) :]},
        "finish_reason": made.finish,
        "logprobs": {"content": content} if body.get("logprobs") else None,
    }
    payload: Json = {
        "model": body["model"],
        "choices": [choice],
        "usage": {"completion_tokens": len(made.tokens)},
    }
    whole = model.vocabulary.encode_prompts([(prompt, begun)])[prompt, begun]
    if body.get("return_token_ids"):
        payload["prompt_token_ids"] = list(whole)
    if body.get("prompt_logprobs") is not None:
        (scored,) = model.score([(whole[:1], whole[1:])])
        payload["prompt_logprobs"] = [None] + [
            {str(token): {"logprob": value, "rank": 1, "decoded_token": text}}
            for token, value, text in zip(scored.tokens, scored.logprobs, scored.token_texts, strict=True)
        ]
    return payload


def behaves(model: LocalModel, **how: bool):
    lock = threading.Lock()

    def behave(exchange: Exchange, body: Json) -> None:
        with lock:
            exchange.reply(200, answered(model, body, **how))

    return behave


@pytest.fixture(scope="module")
def served(local: LocalModel) -> Iterator[EndpointModel]:
    with serving(behaves(local)) as server:
        yield open_endpoint(f"openai-chat:tiny@{server.url}")


def test_given_answers_are_scored(local: LocalModel, served: EndpointModel) -> None:
    assert served.can_score
    turns = Turns((("the cat", "sat"),), "a dog")
    pairs = [("the cat", "sat on it."), ("the cat", " ran"), (turns, "12 "), ("a dog", "")]
    for mine, theirs in zip(served.score(pairs), local.score(pairs), strict=True):
        assert (mine.tokens, mine.token_texts) == (theirs.tokens, theirs.token_texts)
        assert mine.logprobs == pytest.approx(theirs.logprobs, abs=1e-5)


def test_an_answer_is_begun(local: LocalModel, served: EndpointModel) -> None:
    request = Request("the cat", 1, Sampling(0.0, max_tokens=8), "it is")
    ((_, mine),), ((_, theirs),) = served.generate([request]), local.generate([request])
    assert mine.text == theirs.text
    assert mine.text.startswith("it is")


def test_what_a_template_trims_is_missing(local: LocalModel) -> None:
    with serving(behaves(local, trims=True)) as server:
        model = open_endpoint(f"openai-chat:tiny@{server.url}")
        whole, cut = model.score([("the cat", "sat"), ("the cat", " sat ")])
    assert not any(map(math.isnan, whole.logprobs))
    assert len(cut.logprobs) == 1
    assert math.isnan(cut.logprobs[0])


def test_a_server_without_them_does_not_score(local: LocalModel) -> None:
    def behave(exchange: Exchange, body: Json) -> None:
        told = answered(local, {**body, "return_token_ids": False})
        exchange.reply(200, told)

    with serving(behave) as server:
        model = open_endpoint(f"openai-chat:tiny@{server.url}")
    assert not model.can_score
    with pytest.raises(TypeError, match="no log-probabilities of given text"):
        model.score([("the cat", "sat")])


def reply(**fields: object) -> Reply:
    told = {
        "model": "m",
        "prompt_token_ids": [5, 6, 7],
        "prompt_logprobs": [
            None,
            {"6": {"logprob": -1.0, "decoded_token": "a"}},
            {"7": {"logprob": -2.0, "decoded_token": "b"}},
        ],
    }
    return Reply({**told, **fields}, 0.0)


def test_minus_9999_is_minus_infinity() -> None:
    told = [None, None, {"7": {"logprob": -9999.0, "decoded_token": "b"}}]
    assert scored_turn((5, 6), "b", reply(prompt_logprobs=told)).logprobs == (-math.inf,)
    assert scored_turn((5, 6), "b", reply()) == ((7,), ("b",), (-2.0,))


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt_token_ids": None}, {"prompt_token_ids": [5, "6", 7]}, {"prompt_token_ids": [5, 9, 7]},
        {"prompt_token_ids": [5, 6]}, {"prompt_token_ids": [5, 6, -7]}, {"prompt_token_ids": [5, 6, True]},
        {"prompt_logprobs": None}, {"prompt_logprobs": []}, {"prompt_logprobs": [None, None, None]},
        {"prompt_logprobs": [None, None, {"8": {"logprob": -1.0, "decoded_token": "b"}}]},
        {"prompt_logprobs": [None, None, {"7": {"logprob": 3.0, "decoded_token": "b"}}]},
        {"prompt_logprobs": [None, None, {"7": {"logprob": "x", "decoded_token": "b"}}]},
        {"prompt_logprobs": [None, None, {"7": {"logprob": -1.0, "decoded_token": None}}]},
        {"prompt_logprobs": [None, None, {"7": {"logprob": -1.0, "decoded_token": "c"}}]},
        {"prompt_logprobs": [None, None, {"7": -1.0}]}, {"model": "another"},
    ],
)  # fmt: skip
def test_what_is_malformed_is_missing(fields: Json) -> None:
    scored = scored_turn((5, 6), "b", reply(**fields), "m")
    assert len(scored.logprobs) == 1
    assert math.isnan(scored.logprobs[0])


def test_no_ids_no_scores() -> None:
    assert prompt_ids(reply(prompt_token_ids="567")) == ()
    assert math.isnan(scored_turn((), "b", reply()).logprobs[0])
