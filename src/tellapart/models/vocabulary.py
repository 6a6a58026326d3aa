"""Between text and tokens: prompts to ids, ids to text as it reads after a prompt, and stop strings."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
from transformers import PreTrainedTokenizerBase

from tellapart.errors import UserMistake, one_line
from tellapart.models.bounded import within
from tellapart.models.model import Prompt, Turns, as_messages
from tellapart.tasks.reasoning import CLOSED, OPENED

Ids = tuple[int, ...]
Text = str | Ids
OpenedPrompt = tuple[str | Turns, str]
"""A prompt, and the beginning of the answer to it."""
Put = TypeVar("Put", bound=OpenedPrompt)

PROBE = "What is 1 + 1?"
TEMPLATE_SECONDS = 5.0
OPENED_LAST = re.compile(rf"(?:{OPENED.pattern})\s*\Z")
"""A template's end that has the model think aloud."""
CONTEXT = 6
"""Tokens before the answer that are decoded with it: some tokenizers drop the space before a first token."""


class Vocabulary:
    """A tokenizer, whether prompts are put through its chat template, and the system prompt before them ("": none)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, chat: bool = False, system: str = "") -> None:
        if chat and not tokenizer.chat_template:
            raise UserMistake(
                "chat asked, but the tokenizer has no chat template: leave chat out, or use a chat model"
            )
        self.tokenizer = tokenizer
        self.chat = chat
        self.system = system
        self._texts: dict[int, str] = {}
        anchor = tokenizer.encode("a", add_special_tokens=False)
        self._anchor: list[int] = anchor[-1:]

    def encode_prompts(self, texts: Sequence[Put]) -> dict[Put, Ids]:
        """Return the ids of each distinct (prompt, beginning of the answer), tokenised together, with the special
        tokens that the tokenizer puts first; the chat template, where used, is put around the prompt, and the
        answer's beginning continues the assistant's turn. Raises UserMistake for turns without a chat template."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        whole = [self._put(prompt) + follow for prompt, follow in distinct]
        encoded = self._tokenised(whole, not self.chat)
        return {text: tuple(ids) for text, ids in zip(distinct, encoded, strict=True)}

    def encode(self, text: str) -> Ids:
        """Return the ids of text that goes on from something: no special tokens."""
        return tuple(self._tokenised([text], False)[0])

    def _tokenised(self, texts: list[str], special: bool) -> list[list[int]]:
        """Return the ids of texts. Raises UserMistake where the tokenizer fails, its native code by a panic."""
        try:
            return self.tokenizer(texts, add_special_tokens=special)["input_ids"]
        except BaseException as error:
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                reason = one_line(str(error).strip() or type(error).__name__, 200)
                raise UserMistake(f"the tokenizer fails on a text: {reason}: give another model") from error
            raise

    def encode_pairs(self, pairs: Sequence[tuple[Prompt, Text]]) -> list[tuple[Ids, Ids]]:
        """Return the ids of each (prompt, completion).

        Text is tokenised together with its prompt; where a token would cross the seam, apart from it.
        """
        prompts: list[OpenedPrompt] = [(prompt, "") for prompt, _ in pairs if not isinstance(prompt, tuple)]
        texts: list[OpenedPrompt] = [
            (prompt, text)
            for prompt, text in pairs
            if not isinstance(prompt, tuple) and isinstance(text, str)
        ]
        token_ids = self.encode_prompts([*prompts, *texts])
        encoded = []
        for prompt, completion in pairs:
            ids = prompt if isinstance(prompt, tuple) else token_ids[prompt, ""]
            if not isinstance(completion, str):
                encoded.append((ids, tuple(completion)))
                continue
            whole = () if isinstance(prompt, tuple) else token_ids[prompt, completion]
            joined = len(whole) > len(ids) and whole[: len(ids)] == ids
            encoded.append((ids, whole[len(ids) :] if joined else self.encode(completion)))
        return encoded

    def _put(self, prompt: str | Turns) -> str:
        if not self.chat:
            if isinstance(prompt, Turns):
                raise UserMistake(
                    "turns asked of a model without chat: open it with chat, or ask in one text"
                )
            return prompt
        return self._rendered(as_messages(prompt))

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        """Return messages as the template writes them, the system prompt first."""
        said = [{"role": "system", "content": self.system}, *messages] if self.system else messages
        try:
            with within(TEMPLATE_SECONDS):
                text = self.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template is foreign code: it may raise anything
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            roles = " and a ".join(dict.fromkeys(message["role"] for message in said))
            way = "another --system" if self.system else "--system TEXT"
            raise UserMistake(
                f"the chat template refuses a {roles} message: {reason}: give {way}, or --no-chat to leave it out"
            ) from error
        assert isinstance(text, str)
        return text

    @cached_property
    def opened_reasoning(self) -> str:
        """What the chat template writes at the end of a prompt to have the model think aloud ("": it does not): it is
        told as the answer's beginning, so that a truncated answer can be seen to have none."""
        if not self.chat:
            return ""
        match = OPENED_LAST.search(self._rendered(as_messages(PROBE)))
        return match.group().lstrip() if match else ""

    def check_template(self) -> None:
        """Raise UserMistake, in one line, where the chat template refuses a question or does not write it down."""
        for text in (PROBE, self.system):
            if self.chat and text and text.strip() not in self._rendered(as_messages(PROBE)):
                raise UserMistake(
                    f"the chat template leaves out what it is given ({text[:60]!r}): give --no-chat to ask without it"
                )

    def decode_after(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text of `tokens` as it reads after `prompt`; special tokens give no text."""
        context = list(prompt[-CONTEXT:])
        before = self._decode(context)
        whole = self._decode([*context, *tokens])
        return whole[len(before) :] if whole.startswith(before) else self._decode(list(tokens))

    def _decode(self, tokens: list[int]) -> str:
        text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def token_text(self, token: int) -> str:
        """Return the text of one token inside a sentence (special tokens: their name)."""
        text = self._texts.get(token)
        if text is None:
            decode = self.tokenizer.decode
            before = decode(self._anchor, clean_up_tokenization_spaces=False)
            whole = decode([*self._anchor, token], clean_up_tokenization_spaces=False)
            assert isinstance(before, str)
            assert isinstance(whole, str)
            text = whole[len(before) :] if whole.startswith(before) else whole
            self._texts[token] = text
        return text

    def token_texts(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """Return the text of each token."""
        return tuple(map(self.token_text, tokens))


def chat_notes(reference: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return what a reader must know of how a model was asked: nothing where it has no chat template."""
    template = str(vocabulary.tokenizer.chat_template or "")
    if not template:
        return ()
    if not vocabulary.chat:
        return (
            f"{reference} has a chat template and was asked without it (--no-chat): a model tuned to chat may "
            "answer otherwise, or not at all.",
        )
    system = f", after the system prompt {vocabulary.system[:60]!r}" if vocabulary.system else ""
    said = [f"{reference} was asked through its chat template{system} (--no-chat leaves it out)."]
    if "strftime_now" in template:
        said.append(f"The chat template of {reference} writes the day's date into every prompt.")
    return tuple(said)


class Stops:
    """Finds stop strings in what is being written, looking at the text only where it can have come to one."""

    def __init__(self, vocabulary: Vocabulary, stops: Sequence[str]) -> None:
        self.vocabulary = vocabulary
        self.last_letters = {stop[-1] for stop in stops}
        self.holding = np.full(256, -1, dtype=np.int8)

    def may_stop(self, tokens: np.ndarray) -> np.ndarray:
        """Tell for each of `tokens` [n] whether it holds the last letter of a stop string (or part of a letter)."""
        if len(tokens) and tokens.max() >= len(self.holding):
            more = np.full(int(tokens.max()) + 1, -1, dtype=np.int8)
            more[: len(self.holding)] = self.holding
            self.holding = more
        for token in set(tokens[self.holding[tokens] < 0].tolist()):
            text = self.vocabulary.token_text(token)
            self.holding[token] = "\N{REPLACEMENT CHARACTER}" in text or any(
                x in text for x in self.last_letters
            )
        return self.holding[tokens] > 0

    def cut(self, prompt: Sequence[int], tokens: np.ndarray, stops: Sequence[str]) -> str | None:
        """Return the text before the first stop string; None if there is none. Looks at the end first."""
        near = 16 + 4 * max(map(len, stops))
        if len(tokens) > near:
            tail = self.vocabulary.decode_after(tokens[:-near].tolist(), tokens[-near:].tolist())
            if not any(stop in tail for stop in stops):
                return None
        text = self.vocabulary.decode_after(prompt, tokens.tolist())
        return cut_at(text, stops)


def reasoning_tokens(begun: str, texts: Sequence[str]) -> int | None:
    """Return how many tokens an answer spent on reasoning, its closing mark included: all of them where it came to
    none; None where it did not reason. `begun` is what the answer was made to begin with.

    >>> reasoning_tokens("", ["<think>", "2", "</think>", "4"]), reasoning_tokens("", ["4"])
    (3, None)
    """
    whole = begun + "".join(texts)
    end = CLOSED.search(whole)
    if end is None:
        return len(texts) if OPENED.match(whole.lstrip()) else None
    at = len(begun)
    for count, text in enumerate(texts, 1):
        at += len(text)
        if at >= end.end():
            return count
    return 0


def cut_at(text: str, stops: Sequence[str]) -> str | None:
    """Return `text` before the earliest of `stops`; None where it holds none."""
    places = [at for at in (text.find(stop) for stop in stops) if at >= 0]
    return text[: min(places)] if places else None
