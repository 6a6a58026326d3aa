"""What is sent to a server for a Request, and the Completion that is made of its answer.

An answer is hostile until parsed: every field is checked, a wrong one makes a failed completion that says
which. Log-probabilities are taken only where they are whole; they are never made up.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tellapart.errors import UserMistake
from tellapart.models.endpoint_failure import Failure, Reply
from tellapart.models.endpoint_line import Address, Body, EndpointOptions
from tellapart.models.model import Completion, Request, Sampling, Turns, as_messages

Dialect = Literal["truncation", "generation_config", "plain"]
"""How top_k, min_p and the repetition penalty are said, which servers otherwise take from the model's own
defaults: as fields (vLLM, SGLang, llama.cpp), in a GenerationConfig (transformers serve), or not at all."""

LogprobKind = Literal["plain", "sampled", "unknown", "none"]
"""Which distribution a server's log-probabilities are of: the plain model's, the one drawn from (after
temperature), not known which of them, or none are given."""

LARGEST_LOGPROB = 1e-4  # rounding may lift a probability of 1 a little above 1


@dataclass(frozen=True)
class Traits:
    """What was found out about a server by asking it (endpoint_probe.py)."""

    dialect: Dialect = "plain"
    logprobs: LogprobKind = "none"
    echo_tokens: int | None = None
    served: str = ""


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
        "max_tokens": sampling.max_tokens,
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
    messages = as_messages(prompt)
    if request.prefill:
        if not options.continue_final_message:
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
    request: Request, outcome: Reply | Failure, address: Address, kind: LogprobKind
) -> Completion:
    """Return the answer, or a failed completion with the reason in one line."""
    if isinstance(outcome, Failure):
        return failed(outcome.reason)
    try:
        return parsed(request, outcome, address, kind)
    except MalformedError as error:
        return failed(str(error), outcome.seconds)


def failed(reason: str, seconds: float = 0.0) -> Completion:
    """Return the completion of a request that failed for good."""
    return Completion("", (), (), None, None, "failed", 0, seconds, reason)


def parsed(request: Request, reply: Reply, address: Address, kind: LogprobKind) -> Completion:
    """Return the answer in a reply; raise MalformedError where it breaks the protocol."""
    choice = first_choice(reply.payload)
    holder = choice
    if address.api == "chat":
        holder = mapping(choice.get("message"), "message")
    text = written(holder.get("content" if address.api == "chat" else "text"), "the text")
    reason = choice.get("finish_reason")
    if reason not in ("stop", "length"):
        raise MalformedError(f"the server ended the answer with finish_reason {str(reason)[:40]!r}")
    tokens = tokens_of(choice.get("logprobs"))
    neutral = request.sampling.temperature == 1 and truncates_nothing(request.sampling)
    plain = tokens.logprobs if tokens and (neutral or kind == "plain") else None
    sampled = tokens.logprobs if tokens and (neutral or kind == "sampled") else None
    return Completion(
        text=request.prefill + before_stop(text, request.sampling.stop),
        tokens=(),
        token_texts=tokens.texts if tokens else (),
        logprobs=plain,
        sampled_logprobs=sampled,
        finish=reason,
        prompt_tokens=count(reply.payload, "prompt_tokens") or 0,
        seconds=reply.seconds,
        generated=count(reply.payload, "completion_tokens"),
    )


def truncates_nothing(sampling: Sampling) -> bool:
    """Return whether top_p, top_k and min_p leave the whole distribution."""
    return sampling.top_p == 1 and not sampling.top_k and not sampling.min_p


def before_stop(text: str, stop: tuple[str, ...]) -> str:
    """Return text up to the first stop string: some servers leave it in (transformers serve does)."""
    ends = [text.find(one) for one in stop if one in text]
    return text[: min(ends)] if ends else text


def first_choice(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first choice of an answer."""
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedError("the answer holds no choices")
    return mapping(choices[0], "the choice")


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object."""
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is {type(value).__name__}, not an object")
    return value


def written(value: Any, name: str) -> str:
    """Return `value` if it is text that can be written down (JSON allows lone surrogates, UTF-8 does not)."""
    if not isinstance(value, str):
        raise MalformedError(f"{name} is {type(value).__name__}, not a string")
    if has_surrogates(value):
        raise MalformedError(f"{name} is not valid Unicode")
    return value


def count(payload: Mapping[str, Any], name: str) -> int | None:
    """Return a number of tokens from `usage`, None where it is missing or no count."""
    usage = payload.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 2**53 else None


def tokens_of(logprobs: Any) -> Tokens | None:
    """Return the generated tokens with log-probabilities, None where any of them is missing or malformed."""
    if not isinstance(logprobs, dict):
        return None
    if "content" in logprobs:  # the chat API's form, which llama.cpp also uses for completions
        content = logprobs["content"]
        if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
            return None
        texts, values = [one.get("token") for one in content], [one.get("logprob") for one in content]
    else:
        texts, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(values, list) or len(texts) != len(values) or not texts:
        return None
    if not all(isinstance(one, str) and not has_surrogates(one) for one in texts):
        return None
    if not all(is_logprob(one) for one in values):
        return None
    return Tokens(tuple(texts), tuple(float(one) for one in values))


def has_surrogates(text: str) -> bool:
    """Return whether text holds surrogates, which UTF-8 cannot write."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def is_logprob(value: Any) -> bool:
    """Return whether `value` is a finite number that can be a log-probability."""
    return type(value) in (int, float) and math.isfinite(value) and value <= LARGEST_LOGPROB
