"""Scoring given text through a server that echoes the prompt with log-probabilities.

The completion's tokens are cut out of the echo: where the token texts spell prompt and completion, by them,
otherwise (tokens that are parts of a character) by the server's character offsets.

A chat server that tells a prompt's token ids and log-probabilities (vLLM: return_token_ids, prompt_logprobs) scores an
answer that stands as the assistant's begun turn: its tokens are those that follow the prompt's.
"""

import math
from typing import TypeGuard

from tellapart.jsonvalue import Json
from tellapart.models.endpoint_answer import (
    MalformedError,
    as_logprob,
    first_choice,
    has_surrogates,
    is_logprob,
    mapping,
    spell,
)
from tellapart.models.endpoint_failure import Failure, Reply
from tellapart.models.endpoint_line import Address, Body
from tellapart.models.model import Scored, Turns, as_messages


def echo_body(address: Address, text: str, new_tokens: int) -> Body:
    """Return the body that asks for the log-probabilities of `text`; `new_tokens` are generated after it
    (0, or 1 for servers that must generate something), at temperature 1 so that no logit is scaled."""
    return {
        "model": address.name, "prompt": text, "max_tokens": new_tokens,
        "temperature": 1.0, "top_p": 1.0, "echo": True, "logprobs": 1, "seed": 0,
    }  # fmt: skip


def scored_of(prompt: str, completion: str, outcome: Reply | Failure, model: str = "") -> Scored:
    """Return the log-probabilities of `completion` from an echoed answer.

    One NaN stands for a completion that cannot be told from its prompt (a token lies across the boundary)
    or that the server failed to score, or another than `model`: missing, never 0.
    """
    missing = Scored((), (completion,), (math.nan,))
    if isinstance(outcome, Failure):
        return missing
    answered = outcome.payload.get("model")
    if model and isinstance(answered, str) and answered != model:
        return missing
    try:
        logprobs = mapping(first_choice(outcome.payload).get("logprobs"), "logprobs")
    except MalformedError:
        return missing
    texts, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(texts, list) or not isinstance(values, list) or len(texts) != len(values) or not texts:
        return missing
    tokens = [text for text in texts if isinstance(text, str)]
    if len(tokens) < len(texts):
        return missing
    span = aligned(tokens, prompt, completion)
    if span is None:
        span = offset_span(tokens, logprobs.get("text_offset"), prompt, completion)
    if span is None:
        return missing
    numbers = tuple(as_logprob(value) for value in values[span] if is_logprob(value))
    if len(numbers) < len(values[span]):
        return missing
    return Scored((), tuple(tokens[span]), numbers)


def turns_body(address: Address, prompt: str | Turns, completion: str) -> Body:
    """Return the body that asks a chat server for the token ids of a prompt, and, where `completion` is given as the
    answer's beginning, for the log-probabilities of both."""
    system = [{"role": "system", "content": address.system}] if address.system else []
    begun = [{"role": "assistant", "content": completion}] if completion else []
    body: Body = {
        "model": address.name, "messages": [*system, *as_messages(prompt), *begun], "max_tokens": 1,
        "temperature": 1.0, "top_p": 1.0, "seed": 0, "return_token_ids": True,
    }  # fmt: skip
    if completion:
        body |= {"continue_final_message": True, "add_generation_prompt": False, "prompt_logprobs": 0}
    return body


def prompt_ids(outcome: Reply | Failure, model: str = "") -> tuple[int, ...]:
    """Return the token ids of the prompt that was answered; none where the server does not tell, or another than
    `model` answered."""
    if isinstance(outcome, Failure):
        return ()
    answered, ids = outcome.payload.get("model"), outcome.payload.get("prompt_token_ids")
    other = model and isinstance(answered, str) and answered != model
    if other or not isinstance(ids, list):
        return ()
    tokens = tuple(token for token in ids if _is_whole(token) and 0 <= token < 2**31)
    return tokens if len(tokens) == len(ids) else ()


def _is_whole(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def scored_turn(
    before: tuple[int, ...], completion: str, outcome: Reply | Failure, model: str = ""
) -> Scored:
    """Return the log-probabilities of `completion` after a prompt of the ids `before`.

    One NaN stands for one whose tokens do not follow the prompt's, do not spell it (a template that trims it), or have
    no log-probability.
    """
    missing = Scored((), (completion,), (math.nan,))
    whole = prompt_ids(outcome, model)
    if (
        isinstance(outcome, Failure)
        or not before
        or whole[: len(before)] != before
        or len(whole) == len(before)
    ):
        return missing
    positions = outcome.payload.get("prompt_logprobs")
    if not isinstance(positions, list) or len(positions) != len(whole):
        return missing
    texts, values = [], []
    for token, position in zip(whole[len(before) :], positions[len(before) :], strict=True):
        fields = position.get(str(token)) if isinstance(position, dict) else None
        if not isinstance(fields, dict):
            return missing
        value, text = fields.get("logprob"), fields.get("decoded_token")
        if not is_logprob(value) or not isinstance(text, str) or has_surrogates(text):
            return missing
        values.append(as_logprob(value))
        texts.append(text)
    spelt = "".join(texts)
    if spelt != completion and not ("\ufffd" in spelt and spell(texts, completion, ())):
        return missing
    return Scored(whole[len(before) :], tuple(texts), tuple(values))


def aligned(texts: list[str], prompt: str, completion: str) -> slice | None:
    """Return which tokens spell the completion, None where no tokens do so exactly."""
    spelt = "".join(texts)
    start = spelt.find(prompt + completion)
    if start < 0 or spelt[:start].strip() not in ("", texts[0].strip()):  # but for a beginning-of-text token
        return None
    first, last = start + len(prompt), start + len(prompt) + len(completion)
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    if first not in ends or last not in ends:
        return None
    return slice(len(ends) - 1 - ends[::-1].index(first), ends.index(last))


def offset_span(texts: list[str], written: Json, prompt: str, completion: str) -> slice | None:
    """Return the same from the server's character offsets, for tokens that are no whole characters."""
    if not isinstance(written, list) or len(written) != len(texts) or len(texts) < 2:
        return None
    offsets = [offset for offset in written if _is_whole(offset)]
    if len(offsets) < len(written) or sorted(offsets) != offsets:
        return None
    shift = 0 if prompt.startswith(texts[0].strip()) else offsets[1]  # a beginning-of-text token
    first, last = shift + len(prompt), shift + len(prompt) + len(completion)
    inside = [index for index, offset in enumerate(offsets) if first <= offset < last]
    if not inside or offsets[inside[0]] != first or [*offsets, last][inside[-1] + 1] < last:
        return None
    return slice(inside[0], inside[-1] + 1)
