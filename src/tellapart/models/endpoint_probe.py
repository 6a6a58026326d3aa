"""What a server can do, found out by asking it: a handful of one-token requests when it is opened.

Documentation of servers is not enough: vLLM, llama.cpp and transformers serve each apply the model's own
sampling defaults unless told otherwise, transformers serve is greedy at any temperature, and whether
log-probabilities are taken before or after the temperature depends on the version.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.models.endpoint_answer import Dialect, LogprobKind, Traits, body_of, completion_of
from tellapart.models.endpoint_failure import Failure, Reply
from tellapart.models.endpoint_line import Body, Line, stream
from tellapart.models.endpoint_score import echo_body, prompt_ids, scored_of, scored_turn, turns_body
from tellapart.models.model import Request, Sampling

PROMPT, COMPLETION = "Once upon a", " time"
PROBE_ATTEMPTS = 2
ONE_TOKEN = Request(PROMPT, 0, Sampling(temperature=0.0, max_tokens=1))
SAME_LOGPROB_NATS = 0.01
LENGTH_FIELD = "max_completion_tokens"
"""What newer chat servers call the longest answer; they name it where they refuse max_tokens."""
GOES_ON = " time there was a small town, and 3 + 4 was 7."
SAME_MODEL_NATS = 0.3
"""What rounding in batches may make of a token's log-probability, with room; other weights make more of some token."""
SAME = {
    "dialect": "their sampling fields are", "logprobs": "their log-probabilities are", "model": "the model's name is",
    "reasons": "reasoning apart is", "echo_tokens": "scoring a text takes", "ignores": "what they ignore is",
    "length_field": "the field of the longest answer is", "scores_turns": "scoring an answer in a chat is",
}  # fmt: skip
"""What several servers of one model must have in common."""
DIALECTS: tuple[Dialect, ...] = ("truncation", "generation_config", "plain")


def probe(line: Line) -> Traits:
    """Return what the server can do. Raises UserMistake where it cannot be used at all."""
    brief = replace(line, options=replace(line.options, attempts=min(PROBE_ATTEMPTS, line.options.attempts)))
    traits = Traits()
    first = put(brief, body_of(ONE_TOKEN, line.address, traits, line.options))
    if isinstance(first, Failure) and first.status == 400 and LENGTH_FIELD in first.reason:
        traits = Traits(length_field=LENGTH_FIELD)
        first = put(brief, body_of(ONE_TOKEN, line.address, traits, line.options))
    if isinstance(first, Failure):
        raise UserMistake(unusable(brief, first))
    completion = completion_of(ONE_TOKEN, first, line.address, "none")
    if completion.finish == "failed":
        raise UserMistake(
            f"the server at {line.address.url} does not speak the {line.address.api} API: {completion.error}"
        )
    model = first.payload.get("model")
    traits = replace(
        traits,
        dialect=dialect_of(brief, traits),
        served=served_by(first.payload),
        model=model if isinstance(model, str) else "",
        reasons=bool(completion.reasoning),
    )
    if traits.dialect == "truncation" and ignores_truncation(brief, traits):
        traits = replace(traits, dialect="plain", ignores=("top_k", "min_p"))
    traits = replace(traits, logprobs=logprobs_of(brief, traits))
    return replace(
        traits, echo_tokens=echo_tokens_of(brief, traits), scores_turns=scores_turns(brief, traits.model)
    )


def ignores_truncation(line: Line, traits: Traits) -> bool:
    """Return whether top_k 1 leaves sampling as it is: at temperature 2, several seeds then give several texts (two may
    differ where a server's batches round differently)."""
    sampling = Sampling(temperature=2.0, top_k=1, max_tokens=8)
    requests = [Request(PROMPT + COMPLETION, seed, sampling) for seed in range(4)]
    bodies = [body_of(request, line.address, traits, line.options) for request in requests]
    outcomes = list(stream(line, bodies, lambda _, outcome: outcome))
    answers = [completion_of(requests[0], outcome, line.address, "none") for outcome in outcomes]
    return len({answer.text + answer.reasoning for answer in answers if answer.finish != "failed"}) > 2


def put(line: Line, body: Body | None) -> Reply | Failure:
    """Put one request and wait for what comes of it."""
    return next(iter(list(stream(line, [body], lambda _, outcome: outcome))))


def unusable(line: Line, failure: Failure) -> str:
    """Return why the server cannot be used, and the way out."""
    address = line.address
    if failure.status == 0:
        return f"no server answers at {address.url}: {failure.reason}"
    refused = f"the server at {address.url} refuses {address.name!r}: {failure.reason}"
    if failure.status in (401, 403):
        return f"{refused}; set TELLAPART_API_KEY to a key that it accepts"
    names = served_names(line)
    way_out = f"; it serves {names}" if names else ""
    if failure.status in (404, 405) and address.api == "completions":
        way_out += "; if it has chat only, use openai-chat:"
    return refused + way_out


def served_names(line: Line) -> str:
    """Return the names that the server lists, "" where it lists none."""
    listed = put(line, None)
    data = listed.payload.get("data") if isinstance(listed, Reply) else None
    entries = data if isinstance(data, list) else []
    names = [str(entry["id"])[:80] for entry in entries if isinstance(entry, dict) and "id" in entry]
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def served_by(payload: dict[str, Json]) -> str:
    """Return the model and configuration that the server says it answers with."""
    parts = [payload.get("model"), payload.get("system_fingerprint")]
    return " ".join(part[:200] for part in parts if isinstance(part, str))


def dialect_of(line: Line, traits: Traits) -> Dialect:
    """Return the first way of naming the truncation that the server does not refuse."""
    for dialect in DIALECTS[:-1]:
        body = body_of(ONE_TOKEN, line.address, replace(traits, dialect=dialect), line.options)
        outcome = put(line, body)
        if completion_of(ONE_TOKEN, outcome, line.address, "none").finish != "failed":
            return dialect
    return DIALECTS[-1]


def logprobs_of(line: Line, traits: Traits) -> LogprobKind:
    """Return which log-probabilities the server gives, by the same token's at temperatures 1 and 2."""
    readings: list[dict[str, float]] = []
    probing = replace(traits, logprobs="plain")
    for temperature in (1.0, 2.0):
        request = replace(ONE_TOKEN, sampling=Sampling(temperature=temperature, max_tokens=1))
        body = body_of(request, line.address, probing, line.options)
        # Two: the first of vLLM's is the token that was drawn, whatever its rank.
        body |= {"top_logprobs": 2} if line.address.api == "chat" else {}
        outcome = put(line, body)
        completion = completion_of(request, outcome, line.address, "plain")
        if completion.logprobs is None or isinstance(outcome, Failure):
            return "none"
        readings.append(
            likeliest(outcome.payload) | dict(zip(completion.token_texts, completion.logprobs, strict=True))
        )
    shared = readings[0].keys() & readings[1].keys()
    if not shared:
        return "unknown"
    token = max(shared, key=lambda token: readings[0][token])
    return "plain" if abs(readings[0][token] - readings[1][token]) < SAME_LOGPROB_NATS else "sampled"


def likeliest(payload: dict[str, Any]) -> dict[str, float]:
    """Return the likeliest first tokens with their log-probabilities, nothing where they are not given."""
    try:
        logprobs = payload["choices"][0]["logprobs"]
        if "content" in logprobs:
            pairs = [(entry["token"], entry["logprob"]) for entry in logprobs["content"][0]["top_logprobs"]]
        else:
            pairs = list(logprobs["top_logprobs"][0].items())
    except (KeyError, IndexError, TypeError, AttributeError):
        return {}
    return {token: value for token, value in pairs if isinstance(token, str) and isinstance(value, float)}


def echo_tokens_of(line: Line, traits: Traits) -> int | None:
    """Return how many tokens must be generated to have a text echoed and scored, None where it is not."""
    if line.address.api == "chat" or traits.logprobs == "none":
        return None
    for new_tokens in (0, 1):
        outcome = put(line, echo_body(line.address, PROMPT + COMPLETION, new_tokens))
        logprobs = scored_of(PROMPT, COMPLETION, outcome).logprobs
        if all(logprob == logprob for logprob in logprobs):
            return new_tokens
    return None


def scores_turns(line: Line, model: str) -> bool:
    """Return whether a chat server scores a given answer."""
    if line.address.api != "chat":
        return False
    before = prompt_ids(put(line, turns_body(line.address, PROMPT, "")), model)
    if not before:
        return False
    given = scored_turn(
        before, COMPLETION.strip(), put(line, turns_body(line.address, PROMPT, COMPLETION.strip())), model
    )
    return not any(map(math.isnan, given.logprobs))


def prove_sampling(line: Line, traits: Traits) -> None:
    """Raise UserMistake where four seeds at temperature 2 give the same 24 tokens: the server does not
    sample, and k samples of it would be k copies of one answer."""
    sampling = Sampling(temperature=2.0, max_tokens=24)
    requests = [Request(PROMPT + COMPLETION, seed, sampling) for seed in range(4)]
    bodies = [body_of(request, line.address, traits, line.options) for request in requests]
    outcomes = list(stream(line, bodies, lambda _, outcome: outcome))
    answers = [completion_of(requests[0], outcome, line.address, traits.logprobs) for outcome in outcomes]
    texts = {answer.text + answer.reasoning for answer in answers}
    if len(texts) == 1 and texts != {""} and all(answer.finish != "failed" for answer in answers):
        raise UserMistake(
            f"the server at {line.address.url} gives the same answer at temperature 2 for four seeds: it does"
            " not sample. Turn sampling on there (do_sample in generation_config.json), or ask at temperature 0"
        )


def prove_same(lines: Sequence[Line], traits: Sequence[Traits]) -> tuple[str, ...]:
    """Return what a reader must know of several servers taken for one model. Raises UserMistake where they can do
    different things, call themselves otherwise, or give a text other log-probabilities."""
    first = lines[0].address.url
    for line, own in zip(lines[1:], traits[1:], strict=True):
        for name, what in SAME.items():
            first_trait, own_trait = getattr(traits[0], name), getattr(own, name)
            if first_trait != own_trait:
                raise UserMistake(
                    f"the servers at {first} and {line.address.url} are not alike: {what} "
                    f"{first_trait!r} and {own_trait!r}; start them alike, or ask one"
                )
    if traits[0].echo_tokens is not None:
        scores = [
            scored_of(
                PROMPT, GOES_ON, put(line, echo_body(line.address, PROMPT + GOES_ON, own.echo_tokens or 0))
            )
            for line, own in zip(lines, traits, strict=True)
        ]
        for line, own in zip(lines[1:], scores[1:], strict=True):
            gaps = [abs(a - b) for a, b in zip(scores[0].logprobs, own.logprobs, strict=False)]
            if len(own.logprobs) != len(scores[0].logprobs) or max(gaps, default=0.0) > SAME_MODEL_NATS:
                raise UserMistake(
                    f"the servers at {first} and {line.address.url} do not serve the same model: of one sentence their "
                    f"log-probabilities differ by up to {max(gaps, default=math.nan):.2g} nats a token; ask one"
                )
        if not any(math.isnan(value) for score in scores for value in score.logprobs):
            return ()
    greedy = Request(PROMPT, 0, Sampling(temperature=0.0, max_tokens=24))
    texts = []
    for line in lines:
        outcome = put(line, body_of(greedy, line.address, traits[0], line.options))
        texts.append(completion_of(greedy, outcome, line.address, "none").text)
    if len(set(texts)) > 1:
        return (
            f"its {len(lines)} servers do not answer alike at temperature 0: rounding, or not the same model",
        )
    return (
        f"that its {len(lines)} servers serve the same model is known from one answer at temperature 0 alone",
    )
