"""A request's JSON body -> what is asked of the engine. Everything in it is hostile until it was read here."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.model import Request, Sampling
from tellapart.models.vocabulary import Ids
from tellapart.serving.failure import ApiError
from tellapart.studies.skills.mix import Mix

AUTO = "auto"
MOST_PROMPTS, MOST_CHOICES, MOST_STOPS, MOST_TOP = 64, 16, 4, 5
MOST_STOP_LETTERS = 1000
DEFAULT_TOKENS = 16
ROLES = ("system", "developer", "user", "assistant", "tool")
NEUTRAL = {
    "best_of": (None, 1),
    "echo": (None, False),
    "suffix": (None, ""),
    "logit_bias": (None, {}),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "tools": (None, []),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
}
"""Parameters that are not offered, with the values that ask for nothing."""


@dataclass(frozen=True)
class AnswerRequest:
    """Answers wanted: `requests` (each prompt `n` times, in order), `mix` (None: the first pass chooses).

    `questions` are the texts that the first pass judges, one a request. `top` are the likeliest tokens to tell at each
    position; None: no log-probabilities.
    """

    model: str
    mix: Mix | None
    requests: tuple[Request, ...]
    questions: tuple[str, ...]
    stream: bool
    usage: bool
    top: int | None
    chat: bool


@dataclass(frozen=True)
class Reader:
    """What reading a body needs to know: the mix of a model's name, the most tokens, the chat's prompt."""

    mix: Callable[[str], Mix]
    most_tokens: int
    chat_prompt: Callable[[Sequence[Mapping[str, str]]], str | Ids]


def parsed(raw: bytes) -> dict[str, Json]:
    """Return the JSON object in a body. Raises ApiError 400."""
    try:
        value = json.loads(raw, parse_float=_number_in)
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is no JSON") from None
    if not isinstance(value, dict):
        raise ApiError(400, f"the body is a JSON {type(value).__name__}, an object is needed")
    if not _is_unicode(value):
        raise ApiError(400, "the body holds half a surrogate pair: no text can have one")
    return value


def _number_in(text: str) -> int | float:
    """Return a JSON number with a point: 3.0 is the whole number 3, as in JSON Schema."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _is_unicode(value: Json) -> bool:
    """Return whether every text in a JSON value can be written as UTF-8: JSON allows lone surrogates."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def read_completion(body: JsonObject, reader: Reader) -> AnswerRequest:
    """Return what a body of /v1/completions asks. Raises ApiError."""
    prompts = _prompts(body.get("prompt"))
    top = _whole(body, "logprobs", None, 0, MOST_TOP)
    return _read_body(body, reader, prompts, [p if isinstance(p, str) else None for p in prompts], top, False)


def read_chat(body: JsonObject, reader: Reader) -> AnswerRequest:
    """Return what a body of /v1/chat/completions asks. Raises ApiError."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list of one message or more", "messages")
    turns = [_message(message, at) for at, message in enumerate(messages)]
    top = _whole(body, "top_logprobs", 0, 0, MOST_TOP)
    if not isinstance(wanted := body.get("logprobs"), bool | None):
        raise ApiError(400, "logprobs must be true or false", "logprobs")
    if not wanted:
        top = None
    last = next((turn["content"] for turn in reversed(turns) if turn["role"] == "user"), turns[-1]["content"])
    return _read_body(body, reader, [reader.chat_prompt(turns)], [last], top, True)


def _read_body(
    body: JsonObject,
    reader: Reader,
    prompts: Sequence[str | Ids],
    questions: Sequence[str | None],
    top: int | None,
    chat: bool,
) -> AnswerRequest:
    for name, allowed in NEUTRAL.items():
        if not any(body.get(name) == value for value in allowed):
            raise ApiError(400, f"{name} is not offered here: leave it out", name, "unsupported_parameter")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "model must be a name; GET /v1/models lists them", "model")
    mix = None if model == AUTO else _mix(reader, model)
    if mix is None and None in questions:
        raise ApiError(400, "auto needs prompts as text", "prompt")
    count, sampling = _whole(body, "n", 1, 1, MOST_CHOICES) or 1, _sampling(body, reader.most_tokens)
    seed = _whole(body, "seed", 0, -(2**63), 2**63 - 1) or 0
    requests = [
        Request(prompt, seed_of(seed, index), sampling) for prompt in prompts for index in range(count)
    ]
    stream, options = body.get("stream"), body.get("stream_options")
    stream, options = False if stream is None else stream, {} if options is None else options
    if not isinstance(stream, bool) or not isinstance(options, Mapping):
        raise ApiError(400, "stream must be true or false, stream_options an object", "stream")
    return AnswerRequest(
        model,
        mix,
        tuple(requests),
        tuple(question or "" for question in questions for _ in range(count)),
        stream,
        options.get("include_usage") is True,
        top,
        chat,
    )


def seed_of(seed: int, choice: int) -> int:
    """Return the seed of a choice: that of the request for the first, hashes of it for the others."""
    if choice == 0:
        return seed % (1 << 63)
    hashed = hashlib.blake2b(f"{seed}|{choice}".encode(), digest_size=8).digest()
    return int.from_bytes(hashed, "big") >> 1


def _mix(reader: Reader, model: str) -> Mix:
    try:
        return reader.mix(model)
    except UserMistake as mistake:
        raise ApiError(404, str(mistake), "model", "model_not_found") from None


def _sampling(body: JsonObject, most: int) -> Sampling:
    older = _whole(body, "max_tokens", min(DEFAULT_TOKENS, most), 1, most)
    wanted = _whole(body, "max_completion_tokens", older, 1, most)
    stop = body.get("stop")
    given = [] if stop is None else [stop] if isinstance(stop, str) else stop
    given = given if isinstance(given, list) and len(given) <= MOST_STOPS else [None]
    stops = [text for text in given if isinstance(text, str) and 0 < len(text) <= MOST_STOP_LETTERS]
    if len(stops) < len(given):
        raise ApiError(400, f"stop must be a text or up to {MOST_STOPS} texts, none of them empty", "stop")
    return Sampling(
        temperature=_number(body, "temperature", 1.0, 0.0, 2.0),
        top_p=_number(body, "top_p", 1.0, 1e-6, 1.0),
        top_k=_whole(body, "top_k", 0, 0, 1 << 20) or 0,
        min_p=_number(body, "min_p", 0.0, 0.0, 0.999999),
        max_tokens=wanted or 1,
        stop=tuple(stops),
    )


def _prompts(given: Json) -> list[str | Ids]:
    if isinstance(given, str):
        return [given]
    if ids := _ids(given):
        return [ids]
    if isinstance(given, list) and 0 < len(given) <= MOST_PROMPTS:
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) == len(given):
            return [*texts]
        prompts = [ids for each in given if (ids := _ids(each))]
        if len(prompts) == len(given):
            return [*prompts]
    raise ApiError(400, f"prompt must be a text, token ids, or up to {MOST_PROMPTS} of either", "prompt")


def _ids(given: Json) -> Ids:
    """Return a list of token ids; nothing where it is none."""
    if not isinstance(given, list):
        return ()
    ids = tuple(
        token
        for token in given
        if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < 1 << 31
    )
    return ids if len(ids) == len(given) else ()


def _message(message: Json, at: int) -> dict[str, str]:
    role, content = (
        (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
    )
    if isinstance(role, str) and role in ROLES:
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
            texts = [text for part in parts if isinstance(text := part.get("text"), str)]
            content = "".join(texts) if len(texts) == len(content) else None
        if isinstance(content, str):
            return {"role": role, "content": content}
    roles = ", ".join(ROLES)
    raise ApiError(400, f"messages[{at}] must have a role ({roles}) and a content of text", "messages")


def _number(body: JsonObject, name: str, usual: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(400, f"{name} must be a number", name)
    if (
        not low <= value <= high
    ):  # of whole numbers too, which may have more digits than a float holds; not of NaN
        raise ApiError(400, f"{name} must be from {low:g} to {high:g}", name)
    return float(value)


def _whole(body: JsonObject, name: str, usual: int | None, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(400, f"{name} must be a whole number", name)
    if not low <= value <= high:
        raise ApiError(400, f"{name} must be from {low} to {high}", name)
    return value
