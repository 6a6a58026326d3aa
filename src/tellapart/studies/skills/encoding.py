"""Texts as token ids: a prompt, and an answer that ends with the end token."""

from collections.abc import Sequence
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel

Ids = tuple[int, ...]


class Pair(NamedTuple):
    """Token ids of a prompt and of an answer to it."""

    prompt: Ids
    answer: Ids


def encode(model: LocalModel, texts: Sequence[tuple[str, str]]) -> list[Pair]:
    """Return the ids of each (prompt, answer). Raises UserMistake where one is longer than the context."""
    end = model.tokenizer.eos_token_id
    closing = (end,) if isinstance(end, int) else ()
    pairs = [
        Pair(prompt, (*answer, *closing)) for prompt, answer in model.vocabulary.encode_pairs(list(texts))
    ]
    for (text, _), pair in zip(texts, pairs, strict=True):
        if len(pair.prompt) + len(pair.answer) > model.asked.context:
            raise UserMistake(
                f"{text!r:.40}: {len(pair.prompt) + len(pair.answer)} tokens with its answer, the context holds "
                f"{model.asked.context}: shorten it"
            )
    return pairs
