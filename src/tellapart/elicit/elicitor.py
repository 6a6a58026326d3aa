"""Methods that elicit what is there: an Elicitor is fitted on some items and gives an Elicited, a value.

Every elicitor names its null control (as strong, but empty of what it claims to work by) and the bits it was
supplied with from outside. Fitting sees the `fit` split only; figures come from the `report` split.
"""

import abc
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tellapart.errors import InvalidInput
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import JsonObject
from tellapart.models.model import Completion, Model
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests
from tellapart.tasks.item import Task

Need = Literal["text", "logprobs", "tokens", "weights", "tuned", "training"]
Mechanism = Literal["prompt", "decoding", "routing", "noise", "steering", "training"]
"""What a method works by: ways that work by one thing fail together, so a plan tries one of each first."""
NULL = "~null"
Tells = Literal["nothing", "items", "labels"]
"""What a method tells the model of right answers: `nothing` (decoding, prompts, noise, rewards that do not depend on
the answer), something of the very `items` that are asked (a tuned model that writes tokens, a scorer that selects), or
`labels`: right answers to other items, in context, in weights or as a true reward."""


@dataclass(frozen=True)
class Elicited(abc.ABC):
    """A fitted elicitor: a value that can be saved (`setting` as JSON, `weights` as safetensors) and made again.

    `bits_once` were supplied once, when it was fitted (log2 of the candidates tried, the description length
    of demonstrations). `strength` 0 is neutral: answers equal the plain model's exactly.
    """

    name: str
    setting: JsonObject = field(default_factory=dict)
    bits_once: float = 0.0
    strength: float = 1.0
    weights: Weights = field(default_factory=Weights)

    def applied(self, model: Model) -> AbstractContextManager[None]:
        """Return the context in which `model` is changed; leaving it restores the model exactly."""
        return nullcontext()

    @abc.abstractmethod
    def answers(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer asked for, as it is finished."""


@dataclass(frozen=True)
class Switched(Elicited):
    """An Elicited that is on (strength 1) or off (strength 0: the plain model's answers)."""

    def answers(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer asked for; off, they are the plain model's."""
        if self.strength == 0:
            return generate(pair.base, list(plain_requests(ask)))
        if self.strength != 1:
            raise InvalidInput(f"{self.name}: strength {self.strength:g} asked, it is on (1) or off (0)")
        return self.bring_out(pair, ask)

    @abc.abstractmethod
    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer asked for, elicited. Raises UserMistake where it would change nothing."""


class Elicitor(abc.ABC):
    """A method. `needs` says what a model must offer: text, logprobs, token ids, weights, the tuned model.

    `tells` says what it tells of right answers (the cautious word is the default), `null_tells` what its control does.
    `value` is the class of its fitted values (they are loaded by it); `oracle` marks a method that sees the
    scorer's verdict on the very answers that are reported: a ceiling, not a way to elicit. `picks` says whether it
    also works where answers are picked among choices by log-probability instead of being written.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    needs: ClassVar[frozenset[Need]]
    value: ClassVar[type[Elicited]]
    mechanism: ClassVar[Mechanism]
    tells: ClassVar[Tells] = "labels"
    null_tells: ClassVar[Tells] = "nothing"
    oracle: ClassVar[bool] = False
    picks: ClassVar[bool] = False

    def __str__(self) -> str:
        """Return the name and the settings, as --elicitors takes them."""
        from tellapart.elicit.settings import write_elicitor

        return write_elicitor(self)

    @abc.abstractmethod
    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Choose settings on `ask.items` (the fit split) and return the fitted value."""

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return every value that is worth reporting: one, unless the method is a curve or has variants."""
        return (self.fit(pair, ask),)

    def main_values(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return the values that an adaptive plan asks: few, since each costs a round of answers."""
        return (self.fit(pair, ask),)

    def tells_of(self, name: str, setting: JsonObject) -> Tells:
        """Return what the value called `name` (a point of the curve, a variant, a null control) tells."""
        return self.null_tells if name.endswith(NULL) else self.tells

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return in one line why the method cannot run on this pair and task, beyond `needs`; None if it can."""
        return None

    @abc.abstractmethod
    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control of a fitted value: same form and cost, nothing of the claimed substance."""


def null_name(name: str) -> str:
    """Return what the null control of `name` is called."""
    return f"{name}{NULL}"


def elicitor_name(name: str) -> str:
    """Return the elicitor that a value called `name` comes from.

    >>> elicitor_name("routing@0.05~null")
    'routing'
    """
    return name.split("~")[0].split("@")[0]


def total_tokens(completions: Iterable[Completion]) -> float:
    """Return how many tokens were generated for `completions` in all."""
    return float(
        sum(
            len(completion.tokens) if completion.generated is None else completion.generated
            for completion in completions
        )
    )
