"""What is asked: an item (one question) and a task (items, how they are put, how answers are scored)."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tellapart.jsonvalue import JsonObject


class Scorer(abc.ABC):
    """Scores text: a pure function of (item, completion). `name` is what a task file calls it."""

    name: str

    @abc.abstractmethod
    def answer(self, item: "Item", completion: str) -> str | None:
        """Return the final answer found in `completion`, in canonical form (two answers that count as the
        same are equal strings: majority votes rely on it); None where there is none."""

    @abc.abstractmethod
    def score(self, item: "Item", completion: str) -> float:
        """Return the score of `completion`, in [0, 1]."""


Mode = Literal["generate", "choice_logprob"]
"""How an answer is had: generated, or picked among the choices by log-probability (tasks/choice.py)."""
Normalise = Literal["none", "tokens", "bytes"]
"""What the log-probability of a choice is divided by: nothing, its tokens, or its UTF-8 bytes."""

StepCheck = Literal["valid", "invalid", "absent"]
StepChecker = Callable[["Item", str], StepCheck]
"""(item, completion) -> are the steps that lead to the answer right, wrong, or not there?"""
Critic = Callable[["Item", str], str]
"""(item, completion) -> a critique in words: is it right, and if not, what is the first mistake?"""
CRITIQUE_TEMPLATE = "{question}{answer}\n\nCritique:\n"


@dataclass(frozen=True)
class Item:
    """One question. `cluster` groups items that are not independent (a passage, a template)."""

    id: str
    fields: JsonObject
    target: tuple[str, ...]
    choices: tuple[str, ...] = ()
    cluster: str | None = None


@dataclass(frozen=True)
class Task:
    """Items, the template that turns an item into a prompt, and the scorer of its answers.

    `guess_floor` is the score of a random guesser that answers in the right form, in [0, 1]; None where it
    is not known. `demonstrations` are solved examples kept apart from `items`, as (prompt, answer) texts;
    `step_demonstrations` are the same with worked steps before the answer. `critic` writes critiques to train on, of
    completions put to the model in `critique_template` ({question} is the prompt). `fingerprint` is a content hash.
    `verdicts` are the words with which a critique ends: for a right answer, and for a wrong one. `program` names the
    program that gives the answers, where one does.
    """

    name: str
    items: tuple[Item, ...]
    template: str
    scorer: Scorer
    guess_floor: float | None = None
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    steps: StepChecker | None = None
    demonstrations: tuple[tuple[str, str], ...] = ()
    step_demonstrations: tuple[tuple[str, str], ...] = ()
    fingerprint: str = ""
    source: str = ""
    notes: tuple[str, ...] = field(default=())
    critic: Critic | None = None
    critique_template: str = CRITIQUE_TEMPLATE
    verdicts: tuple[str, str] = ("yes", "no")
    program: str = ""

    @property
    def mode(self) -> Mode:
        """Return how answers are had: it follows from the scorer."""
        return "choice_logprob" if self.scorer.name == "choice_logprob" else "generate"

    def prompt(self, item: Item) -> str:
        """Return the text that is put to the model for `item`."""
        from tellapart.tasks.template import render

        return render(self.template, item)

    def score(self, item: Item, completion: str) -> float:
        """Return the score of `completion`, in [0, 1]."""
        return self.scorer.score(item, completion)
