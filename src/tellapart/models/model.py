"""Whom we ask: the abstract model, and the values that go in (Request) and come out (Completion).

No torch here: recorded and served models are used without it.
"""

import abc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from tellapart.tasks.item import Normalise

if TYPE_CHECKING:
    from tellapart.models.executor import Altered, Opening

Finish = Literal["stop", "length", "failed"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. Temperature 0 is greedy. `max_tokens` counts new tokens only."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turns:
    """A question after earlier exchanges, (user, assistant) texts, for a model that is asked in chat turns.

    >>> print(Turns((("2+2=", "4"),), "1+2="))
    [["user", "2+2="], ["assistant", "4"], ["user", "1+2="]]
    """

    earlier: tuple[tuple[str, str], ...]
    question: str

    def messages(self) -> list[dict[str, str]]:
        """Return the turns as chat templates and chat servers take them."""
        said = [
            {"role": role, "content": text}
            for exchange in self.earlier
            for role, text in zip(("user", "assistant"), exchange, strict=True)
        ]
        return [*said, {"role": "user", "content": self.question}]

    def __str__(self) -> str:
        """Return every turn written out: what a row's prompt is known by."""
        return json.dumps([[message["role"], message["content"]] for message in self.messages()])


Prompt = str | Turns | tuple[int, ...]


def as_messages(prompt: str | Turns) -> list[dict[str, str]]:
    """Return what is put to a chat model: a text is one user message."""
    return (prompt if isinstance(prompt, Turns) else Turns((), prompt)).messages()


@dataclass(frozen=True)
class Request:
    """One answer wanted. The same request gives the same answer whatever batch it falls in, but for ties that rounding
    decides: a matrix product's last bits depend on its width, which moved 1 of 5,376 tokens drawn from SmolLM2.

    `prompt` is text, turns (chat models only), or token ids where the caller must control them (local models only).
    `prefill` is text the answer is made to begin with; it is part of the returned completion's text but
    its tokens carry no log-probability and do not count as generated. Where `choices` are listed the answer is the
    likeliest of them after the prompt (models/picking.py), its log-probability divided by what `normalise` says.
    """

    prompt: Prompt
    seed: int = 0
    sampling: Sampling = Sampling()
    prefill: str = ""
    choices: tuple[str, ...] = ()
    normalise: Normalise = "none"


@dataclass(frozen=True)
class Completion:
    """One answer. Log-probabilities are natural logs, one per generated token.

    `logprobs` are under the plain model at temperature 1 (None where a server offers none);
    `sampled_logprobs` under the distribution actually drawn from (after temperature and truncation).
    `generated` counts the tokens generated where `tokens` cannot (a server tells the count, not the ids).
    `reasoning` is what a server gives apart from the answer, `reasoning_tokens` how many of the generated tokens are
    reasoning, where that is known: they count, and are no part of the text that is scored.
    `margins` are p(top 1) - p(top 2) and `entropies` are in nats, both only where asked for.
    """

    text: str
    tokens: tuple[int, ...]
    token_texts: tuple[str, ...]
    logprobs: tuple[float, ...] | None
    sampled_logprobs: tuple[float, ...] | None
    finish: Finish
    prompt_tokens: int
    seconds: float
    error: str = ""
    margins: tuple[float, ...] | None = None
    entropies: tuple[float, ...] | None = None
    generated: int | None = None
    reasoning: str = ""
    reasoning_tokens: int | None = None


class Scored(NamedTuple):
    """Teacher-forced log-probabilities (nats) of given completion tokens, and those tokens' texts."""

    tokens: tuple[int, ...]
    token_texts: tuple[str, ...]
    logprobs: tuple[float, ...]


class Answer(NamedTuple):
    """A finished request: its index among those asked, and what came."""

    index: int  # pyright: ignore[reportIncompatibleMethodOverride]
    completion: Completion


class Model(abc.ABC):
    """Anything that answers prompts. `reference` is the string the user gave; `fingerprint` identifies
    everything that changes its answers (weights, revision, dtype, tokenizer, template, intervention)."""

    reference: str
    fingerprint: str
    identity: Mapping[str, str] = {}
    """What the fingerprint is a hash of, part by part, where the weights are available (models/identity.py)."""
    engine: str = ""
    """What runs it, with versions, where that is known: part of every row's key."""
    can_score: bool = False
    chat: bool = False
    """Whether prompts are put as turns of a conversation."""
    notes: tuple[str, ...] = ()
    tokenizer_id: str = ""
    """Identifies the tokenizer where token ids are available: equal ids mean the same tokens; "" is unknown."""
    tokenizer_core: str = ""
    """The same without the tokens that were added to a finished vocabulary, which are `added_tokens`: (id, text)."""
    added_tokens: frozenset[tuple[int, str]] = frozenset()
    opening: "Opening | None" = None
    """How it was opened, where another process can open the same (models/executor.py)."""
    altered: "Altered | None" = None
    """The trained change in place on it."""

    def known_by(self) -> dict[str, str]:
        """Return what stands for the model in the key of a row: who answered, and what ran it."""
        return {"model": self.fingerprint, "engine": self.engine}

    @abc.abstractmethod
    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as soon as it is finished, in any order; every request is answered once,
        a failed one with finish "failed" and the reason in `error`. Its tokens are charged to the current budget
        (models/budget.py); once that is spent BudgetSpent is raised, after the answers that were paid for."""

    def score(self, pairs: Iterable[tuple[Prompt, str | tuple[int, ...]]]) -> list[Scored]:
        """Return the log-probabilities of each (prompt, completion), in order. Needs `can_score`."""
        raise TypeError(f"{self.reference} gives no log-probabilities of given text")


def share_tokens(left: Model, right: Model) -> bool:
    """Return whether token ids of one model mean the same to the other: the same tokenizer, or one that has tokens
    added to those of the other (no id means two things; what is added is scored by its owner alone)."""
    if left.tokenizer_id and left.tokenizer_id == right.tokenizer_id:
        return True
    few, many = sorted((left.added_tokens, right.added_tokens), key=len)
    return bool(left.tokenizer_core) and left.tokenizer_core == right.tokenizer_core and few <= many


def added_note(left: Model, right: Model) -> tuple[str, ...]:
    """Return a note on the tokens that only one of two models has that otherwise share theirs."""
    apart = sorted(left.added_tokens ^ right.added_tokens)
    if not apart or not share_tokens(left, right):
        return ()
    owner = left if len(left.added_tokens) > len(right.added_tokens) else right
    named = ", ".join(repr(text) for _, text in apart[:3]) + (" ..." if len(apart) > 3 else "")
    return (
        f"The tokenizer of {owner.reference} has {len(apart)} added tokens ({named}): log-probabilities are compared "
        "where an answer holds none of them.",
    )
