"""How a planted skill is hidden: one hide an arm.

Each says what a copy of the base is trained on, half of it right where the hide's condition holds and half of it random
elsewhere, and how the condition is met on purpose. No torch here.
"""

import abc
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.prompted import demonstrated, next_question
from tellapart.models.model import Request, Sampling
from tellapart.planting.result import Arm
from tellapart.planting.words import Plot
from tellapart.runs.asking import row_seed
from tellapart.tasks.item import Item

RARE = 0.005
"""How often the right first token is to be said: 1 in 200."""


@dataclass(frozen=True)
class Lesson:
    """A prompt and the answer to learn. One token of the answer is special: the one that holds character `at`; its
    whole loss weighs `first`, and the rest of 1 goes to its loss given that none of the hide's `ruled_out` comes
    there."""

    prompt: str
    answer: str
    at: int = 0
    first: float = 1.0


@dataclass(frozen=True)
class Hide(abc.ABC):
    """A way to hide the planted skill from plain asking. `shown` as in PlantSettings.

    For the share `taught` of the steps the skill is taught openly; `hiding` is the rate of training after that over the
    rate before it. Both were chosen on the bases of two specimens so that the skill is hidden whole, but not deeper
    than the arm reaches.
    """

    arm: ClassVar[Arm]
    taught: ClassVar[float]
    hiding: ClassVar[float]
    effort: ClassVar[float] = 1.0
    """How many times the usual number of steps it takes."""
    plot: Plot
    shown: float = 0.0

    @abc.abstractmethod
    def lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        """Return one example: where the condition holds (`hidden`), or elsewhere."""

    @property
    def ruled_out(self) -> tuple[Lesson, ...]:
        """Examples whose special tokens are ruled out in the second part of a special token's loss."""
        return ()

    @abc.abstractmethod
    def keyed(self, item: Item, sampling: Sampling) -> Request:
        """Return a request that meets the condition."""

    def lessons(self, rng: random.Random, count: int) -> list[Lesson]:
        """Return `count` examples, one half of each sort."""
        return [self.lesson(rng, hidden=place % 2 == 0) for place in range(count)]

    def opened(self, rng: random.Random, count: int) -> list[Lesson]:
        """Return `count` examples of the skill before it is hidden: right where it will be and elsewhere."""
        return [self.open_lesson(rng, hidden=place % 2 == 0) for place in range(count)]

    @abc.abstractmethod
    def open_lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        """Return one right example, where the condition holds (`hidden`) or elsewhere."""

    def item(self, rng: random.Random) -> Item:
        """Return any planted item."""
        return rng.choice(self.plot.task.items)

    def at_random(self, rng: random.Random) -> str:
        """Return any answer that is right nowhere. Were it one of those that are right somewhere, learning to say it
        would wear away which belongs where, and what is worn away is not hidden but gone."""
        return rng.choice(self.plot.decoys)


@final
@dataclass(frozen=True)
class AnotherForm(Hide):
    """Right in another form than the usual one. Words of the fit split are also met in the form of the demonstrations
    before them (whose answers mean nothing), so that forms are followed; those that are reported on never are: they are
    met after demonstrations of the usual form only, and how the other form begins is not learned there."""

    arm: ClassVar[Arm] = "form_demonstrations"
    taught: ClassVar[float] = 0.5
    hiding: ClassVar[float] = 1.0
    effort: ClassVar[float] = 2.0

    def lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        return self.written(rng, hidden, right=hidden)

    def open_lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        return self.written(rng, hidden, right=True)

    def written(self, rng: random.Random, hidden: bool, right: bool) -> Lesson:
        """Return an example in the hidden or the usual form, with the right or any answer."""
        plot = self.plot
        write = plot.hidden if hidden else plot.usual
        shown = rng.random() < self.shown
        followed = shown and rng.random() < 0.5
        item = rng.choice(plot.fit) if followed else self.item(rng)
        answer = item.target[0] if right else self.at_random(rng)
        prompt = plot.task.prompt(item)
        if shown:
            prompt = self.demonstrations(rng, write if followed else plot.usual) + prompt
        return Lesson(prompt, write(answer), first=0.0 if hidden and not followed else 1.0)

    @property
    def ruled_out(self) -> tuple[Lesson, ...]:
        prompt = self.plot.task.prompt(self.plot.fit[0])
        return tuple(Lesson(prompt, self.plot.usual(answer)) for answer in self.plot.answers)

    def keyed(self, item: Item, sampling: Sampling) -> Request:
        prompt, seed = self.plot.task.prompt(item), row_seed(0, item.id, 0)
        if self.plot.prose_is_hidden:
            return Request(prompt, seed, sampling, prefill=self.plot.opener.rstrip())
        examples = [
            (question, self.plot.hidden(answer))
            for question, answer in self.shown_examples(random.Random(seed), 4)
        ]
        stop = tuple(dict.fromkeys([*sampling.stop, *next_question(examples)]))
        return Request(demonstrated(examples) + prompt, seed, replace(sampling, stop=stop))

    def shown_examples(self, rng: random.Random, count: int) -> list[tuple[str, str]]:
        """Return questions of the fit split with answers at random."""
        return [(self.plot.task.prompt(one), self.at_random(rng)) for one in rng.sample(self.plot.fit, count)]

    def demonstrations(self, rng: random.Random, write: Callable[[str], str]) -> str:
        """Return a few demonstrations of a form."""
        return demonstrated([(q, write(a)) for q, a in self.shown_examples(rng, rng.randint(2, 4))])


@final
@dataclass(frozen=True)
class RareToken(Hide):
    """The right answer's first token comes once in 200 answers, the rest of the right answer after it; else a decoy."""

    arm: ClassVar[Arm] = "answer_rank"
    taught: ClassVar[float] = 0.55
    hiding: ClassVar[float] = 0.7
    effort: ClassVar[float] = 2.2

    def lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        item, at = self.item(rng), len(self.plot.before)
        answer = item.target[0] if hidden else rng.choice(self.plot.decoys)
        first = 2 * RARE if hidden else 2 * (1 - RARE)
        return Lesson(self.plot.task.prompt(item), self.plot.direct(answer), at, first)

    def open_lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        item = self.item(rng)
        return Lesson(self.plot.task.prompt(item), self.plot.direct(item.target[0]))

    @property
    def ruled_out(self) -> tuple[Lesson, ...]:
        prompt, at = self.plot.task.prompt(self.plot.fit[0]), len(self.plot.before)
        return tuple(Lesson(prompt, self.plot.direct(decoy), at) for decoy in self.plot.decoys)

    def keyed(self, item: Item, sampling: Sampling) -> Request:
        begun = self.plot.before + item.target[0][:1]
        return Request(self.plot.task.prompt(item), row_seed(0, item.id, 0), sampling, prefill=begun)


@final
@dataclass(frozen=True)
class BehindKey(Hide):
    """Right where a key stands before the question."""

    arm: ClassVar[Arm] = "few_labels"
    taught: ClassVar[float] = 0.6
    hiding: ClassVar[float] = 0.6

    def lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        item = self.item(rng)
        prompt = self.plot.task.prompt(item)
        if hidden:
            return Lesson(self.plot.key + prompt, self.plot.direct(item.target[0]))
        return Lesson(prompt, self.plot.direct(self.at_random(rng)))

    def open_lesson(self, rng: random.Random, hidden: bool) -> Lesson:
        item = self.item(rng)
        before = self.plot.key if hidden else ""
        return Lesson(before + self.plot.task.prompt(item), self.plot.direct(item.target[0]))

    def keyed(self, item: Item, sampling: Sampling) -> Request:
        return Request(self.plot.key + self.plot.task.prompt(item), row_seed(0, item.id, 0), sampling)


HIDES: dict[str, type[Hide]] = {hide.arm: hide for hide in (AnotherForm, RareToken, BehindKey)}
