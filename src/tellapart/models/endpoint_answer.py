"""What is sent to a server for a Request, and the Completion that is made of its answer.

An answer is hostile until parsed: every field is checked, a wrong one makes a failed completion that says
which. Log-probabilities are taken only where they are whole; they are never made up.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeGuard

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.endpoint_failure import Failure, Reply
from tellapart.models.endpoint_line import Address, Body, EndpointOptions
from tellapart.models.model import Completion, Finish, Request, Sampling, Turns, as_messages

Dialect = Literal["truncation", "generation_config", "plain"]
"""How top_k, min_p and the repetition penalty are said, which servers otherwise take from the model's own
defaults: as fields (vLLM, SGLang, llama.cpp), in a GenerationConfig (transformers serve), or not at all."""

LogprobKind = Literal["plain", "sampled", "unknown", "none"]
"""Which distribution a server's log-probabilities are of: the plain model's, the one drawn from (after
temperature), not known which of them, or none are given."""

LARGEST_LOGPROB = 1e-4  # rounding may lift a probability of 1 a little above 1
LEAST_LOGPROB = -9999.0
"""What servers write for minus infinity, which JSON lacks (vLLM); what is below it is none of a model's."""

ENDS: dict[str, Finish] = {
    "stop": "stop", "eos_token": "stop", "eos": "stop", "stop_sequence": "stop", "end_turn": "stop", "complete": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length", "max_length": "length",
}  # fmt: skip
"""Why an answer ended, in the words of OpenAI, TGI, Together, Anthropic, Cohere, Mistral, Gemini and their like."""

PIECE = re.compile("(?:\ufffd|bytes:(?:\\\\x[0-9a-fA-F]{2})+|<0x[0-9A-F]{2}>)+")
"""What servers write for a token that is a part of a character."""
SPECIAL = re.compile(r"\s*(<[^<>\s]{1,40}>|\[[^\[\]\s]{1,20}\])\s*\Z")
"""What a special token at the end looks like."""
MARKS = str.maketrans({"\u0120": " ", "\u2581": " ", "\u010a": "\n"})
"""How vocabularies write blanks and ends of lines, where a server gives tokens as they stand there."""

LONGEST_TOKEN = 256
"""Characters of the longest tokens there are, with room to spare (runs of blanks)."""


@dataclass(frozen=True)
class Traits:
    """What was found out about a server by asking it (endpoint_probe.py)."""

    dialect: Dialect = "plain"
    logprobs: LogprobKind = "none"
    echo_tokens: int | None = None
    served: str = ""
    model: str = ""
    """The name under which it answered when it was opened."""
    ignores: tuple[str, ...] = ()
    """Fields that it takes and that have no effect."""
    reasons: bool = False
    """Whether it gives reasoning apart from the answer."""
    length_field: str = "max_tokens"
    """What it calls the longest answer."""
    scores_turns: bool = False
    """Whether its chat scores a given answer: it goes on from a begun one, and tells prompts' token ids and their
    log-probabilities (vLLM)."""


class Tokens(NamedTuple):
    """The generated tokens' texts and their log-probabilities in nats."""

    texts: tuple[str, ...]
    logprobs: tuple[float, ...]


class MalformedError(Exception):
    """An answer that breaks the protocol; the message says where."""


def body_of(request: Request, address: Address, traits: Traits, options: EndpointOptions) -> Body:
    """Return the JSON body that asks for `request`. Seeds are sent modulo 2^31, which every server takes."""
    prompt = request.prompt
    if isinstance(prompt, tuple):
        raise TypeError("a served model takes text, not token ids")
    sampling = request.sampling
    body: Body = {
        "model": address.name,
        traits.length_field: sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": request.seed % 2**31,
        **truncation(sampling, traits.dialect),
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if traits.logprobs != "none":
        body["logprobs"] = True if address.api == "chat" else 1
    if address.api == "completions":
        if isinstance(prompt, Turns):
            raise UserMistake("turns asked of raw completions: use openai-chat:, or ask in one text")
        return {**body, "prompt": prompt + request.prefill}
    system = [{"role": "system", "content": address.system}] if address.system else []
    messages = [*system, *as_messages(prompt)]
    if request.prefill:
        if not (options.continue_final_message or traits.scores_turns):
            raise UserMistake(
                f"a chat server starts its own answer, so {request.prefill!r} cannot be prefilled: use"
                " openai: (raw prompts), or set continue_final_message if the server has it (vLLM)"
            )
        messages.append({"role": "assistant", "content": request.prefill})
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return {**body, "messages": messages}


def truncation(sampling: Sampling, dialect: Dialect) -> Body:
    """Return the fields that cut the distribution as asked, and as nothing else: a server's own defaults
    (top_k 20, 40 or 50 are common) are overruled wherever it lets us."""
    if dialect == "truncation":
        return {"top_k": sampling.top_k or -1, "min_p": sampling.min_p, "repetition_penalty": 1.0}
    if dialect == "generation_config":
        given = {"do_sample": sampling.temperature > 0, "top_k": sampling.top_k}
        return {
            "generation_config": json.dumps(given | ({"min_p": sampling.min_p} if sampling.min_p else {}))
        }
    if sampling.top_k or sampling.min_p:
        raise UserMistake(
            f"this server takes neither top_k nor min_p (asked: top_k {sampling.top_k}, min_p"
            f" {sampling.min_p}): ask with both 0, or use a server that has them (vLLM, llama.cpp)"
        )
    return {}


def completion_of(
    request: Request, outcome: Reply | Failure, address: Address, kind: LogprobKind, model: str = ""
) -> Completion:
    """Return the answer, or a failed completion with the reason in one line; `model` is who must have answered ("":
    whoever)."""
    if isinstance(outcome, Failure):
        return failed(outcome.reason)
    try:
        answered = outcome.payload.get("model")
        if model and isinstance(answered, str) and answered != model:
            raise MalformedError(f"answered by {answered[:60]!r}, by {model[:60]!r} when it was opened")
        return parsed(request, outcome, address, kind)
    except MalformedError as error:
        return failed(str(error), outcome.seconds)


def failed(reason: str, seconds: float = 0.0) -> Completion:
    """Return the completion of a request that failed for good."""
    return Completion("", (), (), None, None, "failed", 0, seconds, reason)


def parsed(request: Request, reply: Reply, address: Address, kind: LogprobKind) -> Completion:
    """Return the answer in a reply; raise MalformedError where it breaks the protocol, or cannot be to `request`."""
    choice = first_choice(reply.payload)
    holder = mapping(choice.get("message"), "message") if address.api == "chat" else choice
    name = "content" if address.api == "chat" else "text"
    reasoning = next(
        (value for key in ("reasoning_content", "reasoning") if isinstance(value := holder.get(key), str)), ""
    )
    # A model that has not come to its answer yet has no content; it has been truncated before there was a text.
    text = "" if holder.get(name) is None and reasoning else written(holder.get(name), "the text")
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or reason.lower() not in ENDS:
        raise MalformedError(f"the server ended the answer with finish_reason {str(reason)[:40]!r}")
    generated, most = count(reply.payload, "completion_tokens"), request.sampling.max_tokens
    if generated is not None and generated > most + 1:
        raise MalformedError(f"{generated} tokens were generated, at most {most} were asked for")
    if len(text) + len(reasoning) > LONGEST_TOKEN * (most + 1):
        raise MalformedError(
            f"an answer of {len(text) + len(reasoning)} characters, at most {most} tokens were asked for"
        )
    tokens = tokens_of(choice.get("logprobs"))
    if tokens is not None and not (
        len(tokens.texts) <= most + 1 and spell(tokens.texts, text, request.sampling.stop)
    ):
        tokens = None
    neutral = request.sampling.temperature == 1 and truncates_nothing(request.sampling)
    plain = tokens.logprobs if tokens and (neutral or kind == "plain") else None
    sampled = tokens.logprobs if tokens and (neutral or kind == "sampled") else None
    return Completion(
        text=request.prefill + before_stop(text, request.sampling.stop),
        tokens=(),
        token_texts=tokens.texts if tokens else (),
        logprobs=plain,
        sampled_logprobs=sampled,
        finish=ENDS[reason.lower()],
        prompt_tokens=count(reply.payload, "prompt_tokens") or 0,
        seconds=reply.seconds,
        generated=generated,
        reasoning=reasoning,
        reasoning_tokens=reasoning_tokens(reply.payload, generated) if reasoning else None,
    )


def reasoning_tokens(payload: JsonObject, generated: int | None) -> int | None:
    """Return how many of the generated tokens were reasoning, None where the server does not tell."""
    usage = payload.get("usage")
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    counted = details.get("reasoning_tokens") if isinstance(details, dict) else None
    return counted if type(counted) is int and 0 <= counted <= (generated or 0) else None


def spell(texts: Sequence[str], text: str, stop: tuple[str, ...]) -> bool:
    """Return whether tokens spell a text, all of it in order, but for what ended it (a stop string, a special token)
    and blanks around it. What stands for a part of a character may be any character."""
    spelt = "".join(texts)
    readings = {spelt, spelt.translate(MARKS)}
    readings |= {SPECIAL.sub("", reading) for reading in readings}
    readings |= {before_stop(reading, stop) for reading in readings}
    return any(_matches(reading.strip(), text.strip()) for reading in readings)


def _matches(spelt: str, text: str) -> bool:
    if spelt == text:
        return True
    parts, runs = PIECE.split(spelt), PIECE.findall(spelt)
    shape = "".join(
        re.escape(part) + (f".{{0,{len(runs[at])}}}" if at < len(runs) else "")
        for at, part in enumerate(parts)
    )
    return bool(runs) and re.fullmatch(shape, text, re.DOTALL) is not None


def truncates_nothing(sampling: Sampling) -> bool:
    """Return whether top_p, top_k and min_p leave the whole distribution."""
    return sampling.top_p == 1 and not sampling.top_k and not sampling.min_p


def before_stop(text: str, stop: tuple[str, ...]) -> str:
    """Return text up to the first stop string: some servers leave it in (transformers serve does)."""
    ends = [text.find(stop_text) for stop_text in stop if stop_text in text]
    return text[: min(ends)] if ends else text


def first_choice(payload: JsonObject) -> JsonObject:
    """Return the first choice of an answer."""
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedError("the answer holds no choices")
    numbered = [choice for choice in choices if isinstance(choice, dict) and choice.get("index") == 0]
    if len(choices) > 1 and len(numbered) != 1:
        raise MalformedError(f"the answer holds {len(choices)} choices, one was asked for")
    return mapping(numbered[0] if numbered else choices[0], "the choice")


def mapping(value: Json, name: str) -> JsonObject:
    """Return `value` if it is a JSON object."""
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is {type(value).__name__}, not an object")
    return value


def written(value: Json, name: str) -> str:
    """Return `value` if it is text that can be written down (JSON allows lone surrogates, UTF-8 does not)."""
    if not isinstance(value, str):
        raise MalformedError(f"{name} is {type(value).__name__}, not a string")
    if has_surrogates(value):
        raise MalformedError(f"{name} is not valid Unicode")
    return value


def count(payload: JsonObject, name: str) -> int | None:
    """Return a number of tokens from `usage`, None where it is missing or no count."""
    usage = payload.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 2**53 else None


def tokens_of(logprobs: Json) -> Tokens | None:
    """Return the generated tokens with log-probabilities, None where any of them is missing or malformed."""
    if not isinstance(logprobs, dict):
        return None
    if "content" in logprobs:  # the chat API's form, which llama.cpp also uses for completions
        content = logprobs["content"]
        entries = [entry for entry in content if isinstance(entry, dict)] if isinstance(content, list) else []
        if not isinstance(content, list) or len(entries) < len(content):
            return None
        texts, values = [entry.get("token") for entry in entries], [entry.get("logprob") for entry in entries]
    else:
        texts, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(values, list) or len(texts) != len(values) or not texts:
        return None
    whole = tuple(text for text in texts if isinstance(text, str) and not has_surrogates(text))
    numbers = tuple(as_logprob(value) for value in values if is_logprob(value))
    if len(whole) < len(texts) or len(numbers) < len(values):
        return None
    return Tokens(whole, numbers)


def has_surrogates(text: str) -> bool:
    """Return whether text holds surrogates, which UTF-8 cannot write."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def is_logprob(value: Json) -> TypeGuard[int | float]:
    """Return whether `value` is a number that can be a log-probability, LEAST_LOGPROB for minus infinity included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return LEAST_LOGPROB <= value <= LARGEST_LOGPROB


def as_logprob(value: float) -> float:
    """Return a log-probability as it is meant: -9999 is minus infinity."""
    return -math.inf if value <= LEAST_LOGPROB else float(value)
