"""Answers as OpenAI's API writes them; `tellapart` in each tells the mix and why it was taken."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.local import LocalModel
from tellapart.models.model import Completion
from tellapart.serving.asked import AnswerRequest
from tellapart.serving.worker import Progress
from tellapart.studies.skills.dispatch import Choice
from tellapart.studies.skills.mix import Mix


class Head(NamedTuple):
    """What all parts of a response have in common."""

    id: str
    created: int
    asked: AnswerRequest
    model: LocalModel


def reasons(request: AnswerRequest, chosen: Sequence[Choice | None]) -> list[dict[str, Json]]:
    """Return the mix of each choice, by name and weights, and why: asked for, or the first pass's reason and cost."""
    reasons = []
    for choice in chosen:
        mix = request.mix if choice is None else choice.mix
        entry: dict[str, Json] = {"mix": (mix or Mix()).name, "weights": (mix or Mix()).as_json()}
        if choice is None:
            reasons.append({**entry, "reason": "asked for"})
            continue
        cost = {"seconds": choice.seconds, "tokens_read": choice.tokens, "shares": dict(choice.shares)}
        reasons.append({**entry, "reason": choice.reason, "first_pass": cost})
    return reasons


def whole(head: Head, ends: Sequence[Progress], chosen: Sequence[Choice | None]) -> dict[str, Json]:
    """Return the whole response."""
    choices = []
    for index, end in enumerate(ends):
        assert end.completion is not None
        entry: dict[str, Json] = {"index": index, "finish_reason": end.completion.finish}
        entry["logprobs"] = logprobs(head, end)
        if head.asked.chat:
            entry["message"] = {"role": "assistant", "content": end.completion.text}
        else:
            entry["text"] = end.completion.text
        choices.append(entry)
    return {
        "id": head.id,
        "object": "chat.completion" if head.asked.chat else "text_completion",
        "created": head.created,
        "model": head.asked.model,
        "choices": choices,
        "usage": usage([end.completion for end in ends if end.completion is not None]),
        "tellapart": {"choices": reasons(head.asked, chosen)},
    }


def part(
    head: Head, index: int, text: str, end: Progress | None = None, extra: JsonObject | None = None
) -> str:
    """Return one event of a stream: new text of a choice, its end, the reasons where `told`."""
    entry: dict[str, Json] = {
        "index": index,
        "finish_reason": None if end is None or end.completion is None else end.completion.finish,
        "logprobs": None if end is None else logprobs(head, end),
    }
    if head.asked.chat:
        entry["delta"] = {"role": "assistant", "content": text} if extra else {"content": text}
    else:
        entry["text"] = text
    return event(
        {
            "id": head.id,
            "object": "chat.completion.chunk" if head.asked.chat else "text_completion",
            "created": head.created,
            "model": head.asked.model,
            "choices": [entry],
            **({"tellapart": dict(extra)} if extra else {}),
        }
    )


def last(head: Head, completions: Sequence[Completion]) -> str:
    """Return the event that tells the usage, which has no choices."""
    return event(
        {
            "id": head.id,
            "object": "chat.completion.chunk" if head.asked.chat else "text_completion",
            "created": head.created,
            "model": head.asked.model,
            "choices": [],
            "usage": usage(completions),
        }
    )


def event(value: JsonObject) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


DONE = "data: [DONE]\n\n"


def usage(completions: Sequence[Completion]) -> dict[str, int]:
    """Return the tokens read and written."""
    read = sum(completion.prompt_tokens for completion in completions)
    written = sum(len(completion.tokens) for completion in completions)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def logprobs(head: Head, end: Progress) -> dict[str, Json] | None:
    """Return the log-probabilities at temperature 1 (nats) of an answer's tokens, its end token left out."""
    completion = end.completion
    if head.asked.top is None or completion is None or completion.logprobs is None:
        return None
    ends = head.model.asked.ends
    kept = [at for at, token in enumerate(completion.tokens) if token not in ends]
    name = head.model.vocabulary.token_text
    tops = [[(name(token), value) for token, value in end.top[at]] if end.top else [] for at in kept]
    texts, values = [completion.token_texts[at] for at in kept], [completion.logprobs[at] for at in kept]
    if head.asked.chat:
        return {
            "content": [
                {**_chat_token(text, value), "top_logprobs": [_chat_token(*ranked) for ranked in top]}
                for text, value, top in zip(texts, values, tops, strict=True)
            ]
        }
    offsets = [sum(map(len, texts[:at])) for at in range(len(texts))]
    return {
        "tokens": texts,
        "token_logprobs": values,
        "top_logprobs": [dict(top) for top in tops] if head.asked.top else None,
        "text_offset": offsets,
    }


def _chat_token(text: str, value: float) -> dict[str, Json]:
    return {"token": text, "logprob": value, "bytes": list(text.encode("utf-8", "surrogatepass"))}
