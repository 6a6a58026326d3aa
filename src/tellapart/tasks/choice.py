"""Multiple choice: by the letter or the text that the completion names, or by log-probability.

`choice` looks, in this order, for: "answer is B"; the whole completion as a letter or as a choice's text;
"(B)"; a letter standing alone; and the text of exactly one choice. The article "A" is not a letter.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tellapart.tasks.item import Item, Normalise
from tellapart.tasks.match import Matched
from tellapart.tasks.template import LETTERS
from tellapart.tasks.text_match import squad_normalised
from tellapart.tasks.words import find, phrase, words

Take = Literal["first", "last"]

_WHOLE = re.compile(r"[(\[]?([A-Za-z])[)\].:]{0,2}")
_PHRASE = re.compile(
    r"\b(?i:answer|choice|option)\s?(?i:is|would be|:)\s{0,3}:?\s{0,3}\W{0,3}"
    r"(?:([A-Zb-hj-z])|([ai](?!\s+[a-z])))(?![\w'])"
)
_BRACKETED = re.compile(r"[(\[]([A-Za-z])[)\]]")
_DENIED = re.compile(r"(?:\bnot|n't)\s+(?:option\s+|choice\s+)?$")
DENIED_WITHIN = 60
"""Characters before a letter in which a denial is looked for: the whole text each time is quadratic."""
_ALONE = re.compile(r"(?<![\w'])(?:([B-HJ-Z])|([AI])(?!\s[a-z]))(?![\w'])")


@dataclass(frozen=True)
class Choice(Matched):
    """The completion names the right choice. `take` says which where it names several in the same way."""

    take: Take = "last"
    name = "choice"

    def extract(self, item: Item, completion: str) -> str | None:
        for pattern in (_PHRASE, None, _BRACKETED, _ALONE):
            letter = (
                self._named(item, completion) if pattern is None else self._letter(item, completion, pattern)
            )
            if letter is not None:
                return letter
        return self._contained(item, completion)

    def canonical(self, item: Item, text: str) -> str | None:
        """Return the letter of a choice given by letter or by text."""
        return choice_letter(item.choices, text)

    def _named(self, item: Item, completion: str) -> str | None:
        return choice_letter(item.choices, completion)

    def _letter(self, item: Item, completion: str, pattern: re.Pattern[str]) -> str | None:
        allowed = allowed_letters(item.choices)
        letters = [next(filter(None, match.groups())).upper() for match in pattern.finditer(completion)]
        letters = [letter for letter in letters if letter in allowed]
        return None if not letters else letters[0 if self.take == "first" else -1]

    def _contained(self, item: Item, completion: str) -> str | None:
        """Return the letter of the one choice whose text occurs (and not only inside a longer one)."""
        inside = f" {squad_normalised(completion)} "
        texts = [f" {squad_normalised(choice)} " for choice in item.choices]
        contained = [index for index, text in enumerate(texts) if text.strip() and text in inside]
        longest = [i for i in contained if not any(i != j and texts[i] in texts[j] for j in contained)]
        return LETTERS[longest[0]] if len(longest) == 1 and longest[0] < len(LETTERS) else None


@dataclass(frozen=True)
class ChoiceLogprob(Matched):
    """The model's log-probabilities pick the choice (Task.mode is "choice_logprob"); the picked choice's text
    is the completion. `normalise` divides each choice's log-probability by its tokens or its UTF-8 bytes."""

    normalise: Normalise = "none"
    name = "choice_logprob"

    def extract(self, item: Item, completion: str) -> str | None:
        return completion

    def canonical(self, item: Item, text: str) -> str | None:
        """Return the letter of a choice given by letter or by text."""
        return choice_letter(item.choices, text)


def allowed_letters(choices: Sequence[str]) -> str:
    """Return the letters that name one of `choices`; all where the choices are not listed."""
    return LETTERS[: len(choices)] if choices else LETTERS


def choice_letter(choices: Sequence[str], text: str) -> str | None:
    """Return the letter of the choice that `text` is, by its text or as "B", "(B)", "b."; None for no choice."""
    stripped = text.strip()
    for same in (str.strip, squad_normalised):
        equal = [index for index, choice in enumerate(choices) if same(choice) == same(stripped)]
        if len(equal) == 1 and equal[0] < len(LETTERS):
            return LETTERS[equal[0]]
    match = _WHOLE.fullmatch(stripped)
    letter = match.group(1).upper() if match else ""
    return letter if letter and letter in allowed_letters(choices) else None


def named_letters(choices: Sequence[str], text: str) -> frozenset[str]:
    """Return the letters of all choices that `text` names, by letter or by text; one that is denied does not count."""
    whole = choice_letter(choices, text)
    if whole is not None:
        return frozenset(whole)
    phrases = {phrase(choice): letter for letter, choice in zip(LETTERS, choices, strict=False)}
    by_text = {phrases[hit.phrase] for hit in find(phrases, words(text))}
    marks = [match for pattern in (_BRACKETED, _ALONE) for match in pattern.finditer(text)]
    letters = {
        next(filter(None, match.groups())).upper()
        for match in marks
        if not _DENIED.search(text, max(0, match.start() - DENIED_WITHIN), match.start())
    }
    return frozenset(by_text | (letters & set(allowed_letters(choices))))


def continuations(item: Item) -> tuple[str, ...]:
    """Return what is scored after the prompt, one text a choice: the choice's text after one space."""
    return tuple(f" {choice}" for choice in item.choices)


def pick(
    logprobs: Sequence[float], texts: Sequence[str], tokens: Sequence[int], normalise: Normalise = "none"
) -> int:
    """Return the index of the likeliest choice; of several equally likely ones the first.

    `logprobs` (nats) are sums over each choice's tokens, `tokens` their numbers, `texts` the choices. Raises
    ValueError where a log-probability is NaN, or there is none. Source: lm-eval's acc and acc_norm (bytes).
    """
    if not logprobs or any(math.isnan(value) for value in logprobs):
        raise ValueError(f"no choice can be picked from log-probabilities {list(logprobs)}")
    lengths: Sequence[int] = [1] * len(logprobs)
    if normalise == "tokens":
        lengths = tokens
    elif normalise == "bytes":
        lengths = [len(text.encode()) for text in texts]
    per_length = [value / length for value, length in zip(logprobs, lengths, strict=True)]
    return per_length.index(max(per_length))
