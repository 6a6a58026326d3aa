"""What a model lets us do: which needs it meets, and its token ids where it has them.

Methods that branch on tokens or resume from the middle of an answer work on any `TokenModel`; the local
engine is one. Nothing here imports torch.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from tellapart.elicit.elicitor import Elicitor, Need
from tellapart.errors import NotApplicable
from tellapart.models.model import Answer, Model, Request
from tellapart.runs.asking import Pair
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.vocabulary import Ids, Vocabulary

Extra = Literal["margins", "entropies"]
TRAINING = ("trl", "peft")
"""The libraries that methods which train rest on (extra `train`)."""


class Branch(NamedTuple):
    """A possible next token: its id, its text and its log-probability in nats at temperature 1."""

    token: int
    text: str
    logprob: float


@runtime_checkable
class TokenModel(Protocol):
    """A model whose prompts may be token ids and whose next-token distribution can be read."""

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, with what the model wants before a prompt (BOS) and nothing after."""
        ...

    def continued(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text` that goes on from something: no special tokens, no chat template."""
        ...

    def decode(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text of `tokens` as it reads after `prompt`, special tokens left out."""
        ...

    def next_tokens(self, prompts: Sequence[tuple[int, ...]], k: int) -> list[list[Branch]]:
        """Return the `k` likeliest next tokens of each prompt, likeliest first; ends of text are left out."""
        ...

    def generate(
        self, requests: Sequence[Request], record: frozenset[Extra] = frozenset()
    ) -> Iterator[Answer]:
        """Answer the requests; `record` asks for "margins" and "entropies" of each token."""
        ...


@runtime_checkable
class RunningModel(Protocol):
    """A model that runs in this process, in our engine or in vLLM."""

    vocabulary: "Vocabulary"

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end an answer."""
        ...

    def likeliest(self, prompts: "Sequence[Ids]", count: int) -> list[list[tuple[int, float]]]:
        """Return the likeliest next tokens of each prompt with their log-probabilities (nats), likeliest first."""
        ...

    def generate(self, requests: Sequence[Request], record: frozenset[Extra]) -> Iterator[Answer]:
        """Answer the requests."""
        ...


@runtime_checkable
class WeightModel(Protocol):
    """A model whose weights are available: `module` is the torch module."""

    @property
    def module(self) -> Any: ...


def tokens_of(model: Model) -> TokenModel | None:
    """Return `model` as a TokenModel; None where it gives no token ids."""
    if isinstance(model, TokenModel):
        return model
    if isinstance(model, RunningModel):
        from tellapart.elicit.model_tokens import ModelTokens

        return ModelTokens(model)
    return None


def token_model(model: Model) -> TokenModel:
    """Return `model` as a TokenModel. Raises UserMistake where it gives no token ids."""
    tokens = tokens_of(model)
    if tokens is None:
        raise NotApplicable(f"{model.reference} gives no token ids: use local weights, or another elicitor")
    return tokens


def offers(model: Model) -> frozenset[Need]:
    """Return which needs `model` meets."""
    from tellapart.models.recorded import RecordedModel

    met: set[Need] = set() if isinstance(model, RecordedModel) else {"text"}
    if model.can_score:
        met.add("logprobs")
    if tokens_of(model) is not None:
        met.add("tokens")
    if isinstance(model, WeightModel):
        met.add("weights")
    if all(find_spec(library) is not None for library in TRAINING):
        met.add("training")
    return frozenset(met)


MISSING: dict[Need, str] = {
    "text": "{model} is a log: it answers nothing that was not asked",
    "logprobs": "{model} gives no log-probabilities of given text",
    "tokens": "{model} gives no token ids",
    "weights": "the weights of {model} are not available",
    "tuned": "no tuned model is given",
    "training": "it trains, and trl or peft is not installed: pip install 'tellapart[train]'",
}


def applicable(elicitor: Elicitor, pair: Pair, task: Task) -> str | None:
    """Return None where `elicitor` can run on `pair` and `task`, else the reason in one line."""
    met = offers(pair.base) | ({"tuned"} if pair.tuned is not None else set())
    for need in sorted(elicitor.needs - met):
        return MISSING[need].format(model=pair.base.reference)
    if task.mode == "choice_logprob" and not elicitor.picks:
        return "answers are picked among choices by log-probability, the method needs written ones"
    return elicitor.obstacle(pair, task)


def speaks(model: Model, text: str) -> bool:
    """Return whether the model's tokenizer can write `text` (true where token ids are not given)."""
    tokens = tokens_of(model)
    return tokens is None or tokens.decode((), tokens.continued(text)).strip() == text.strip()
