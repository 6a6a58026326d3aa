"""One guarded run of guard's benchmark: train, watch, and measure what became of the abilities."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

import guard_sets as sets
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.runs.asking import row_seed
from tellapart.specimens import load_model, read_name
from tellapart.specimens.families import FAMILIES
from tellapart.stats.chains import count_steps
from tellapart.studies.guard.live import Watched, checker_of
from tellapart.studies.guard.watching import Guard, Watch
from tellapart.tasks.item import Item, Task
from tellapart.training.change import changed
from tellapart.training.full import FullWeights
from tellapart.training.grpo import Practice, grpo
from tellapart.training.rewards import Reward
from tellapart.training.settings import GrpoSettings

SETTINGS = GrpoSettings(steps=30, rate=3e-4, prompts=8, group=8, patience=0, quiet=True)
LOSS = 0.05


@dataclass(frozen=True)
class Trial:
    """What is run: the base of a specimen (`share` None: as it is; else taught to guess at that share), a set, a seed,
    the reward and the settings. `checked`: whether the guard is given the step checker."""

    base: str
    problems: sets.Problems
    seed: int
    share: float | None = None
    reward: Reward = sets.PRICED
    settings: GrpoSettings = SETTINGS
    checked: bool = True
    held: int = 160
    samples: int = 1

    @property
    def family(self):
        """The family of problems."""
        return FAMILIES[read_name(self.base).family]

    def tasks(self) -> tuple[Task, Task]:
        """Return the set that is trained on, and the ability held."""
        return (
            sets.practice_task(self.family, self.problems, self.seed),
            sets.held_task(self.family, self.seed, self.held),
        )


class Answers(NamedTuple):
    """Answers to items, [items * samples], an item's next to each other: scores and texts."""

    scores: np.ndarray
    texts: list[str]
    samples: int = 1

    def by_item(self) -> np.ndarray:
        """Return the mean score of each item."""
        return self.scores.reshape(-1, self.samples).mean(1)

    @property
    def mean(self) -> float:
        """Mean score."""
        return float(self.scores.mean())

    @property
    def guessed(self) -> float:
        """Share of answers without any step."""
        return float(np.mean([count_steps(text) == 0 for text in self.texts]))


class Ran(NamedTuple):
    """A run: answers to held and to trained problems before and after, what the guard saw, CPU seconds of training."""

    held: tuple[Answers, Answers]
    trained: tuple[Answers, Answers]
    guard: Guard
    seconds: float

    def alarm(self) -> int | None:
        """Return the step of the first alarm of harm that is no canary's."""
        found = [a.step for a in self.guard.alarms if a.harm and not a.signal.startswith("canary")]
        return min(found, default=None)

    def fell(self) -> int | None:
        """Return the first step at which the canary stood LOSS or more below its start, and at the next asking too."""
        return fell_at(canary_means(self.guard))


def canary_means(guard: Guard) -> dict[int, float]:
    """Return the mean score of the first canary at each step at which it was asked."""
    by_step = next(iter(guard.asked.values()))
    return {step: sum(by.values()) / len(by) for step, by in sorted(by_step.items())}


def fell_at(means: Mapping[int, float]) -> int | None:
    """Return the first step at which a mean is LOSS or more below the first, and the next one too."""
    steps = sorted(means)
    low = [means[step] <= means[steps[0]] - LOSS for step in steps]
    return next((step for step, (a, b) in zip(steps, pairwise(low), strict=False) if a and b), None)


@lru_cache(maxsize=1)
def base_of(name: str, share: float | None) -> LocalModel:
    """Return the model that a trial starts from."""
    return load_model(f"{name}/base") if share is None else sets.make_base(name, share)


def run(
    trial: Trial, watch: Watch, items: Sequence[Item] | None = None, asks: Sequence[Item] | None = None
) -> Ran:
    """Train the trial's base on its set (or on `items` of it alone), watched; the model is as before afterwards.

    `asks`: the trained problems that are asked before and after (default: up to 40 solvable ones).
    """
    model = base_of(trial.base, trial.share)
    task, held = trial.tasks()
    check = checker_of(task) if trial.checked else None
    guard = Guard(replace(watch, success=sets.SUCCESS, check=check, answer=_answer(task)))
    if asks is None:
        asks = [item for item in task.items if not task.scorer.is_long(item)][:40]  # pyright: ignore
    before = ask(model, held), ask(model, task, asks, trial.samples)
    practice = Practice(task, tuple(items or task.items), trial.reward)
    started = time.process_time()
    trained = grpo(
        model, FullWeights(), practice, replace(trial.settings, seed=trial.seed), None, Watched(guard)
    )
    seconds = time.process_time() - started
    with changed(model, FullWeights(), trained.weights):
        after = ask(model, held), ask(model, task, asks, trial.samples)
    return Ran((before[0], after[0]), (before[1], after[1]), guard, seconds)


def _answer(task: Task) -> Callable[[str], str]:
    """Return what is taken as the answer of a completion: as much of it as the set's long problems ask."""
    asked = task.scorer.asked  # pyright: ignore

    def answer(text: str) -> str:
        return text.rpartition(">")[2][:asked] if ">" in text else ""

    return answer


def ask(model: LocalModel, task: Task, items: Sequence[Item] | None = None, samples: int = 1) -> Answers:
    """Return sampled answers to each item; the same seeds for every model."""
    asked = [item for item in (task.items if items is None else items) for _ in range(samples)]
    sampling = Sampling(temperature=1.0, max_tokens=task.max_tokens, stop=task.stop)
    requests = [
        Request(task.prompt(item), row_seed(0, item.id, at % samples), sampling)
        for at, item in enumerate(asked)
    ]
    texts = [answer.completion.text for answer in sorted(model.generate(requests))]
    scores = [task.score(item, text) for item, text in zip(asked, texts, strict=True)]
    return Answers(np.array(scores), texts, samples)


def equal_share(answers: Sequence[str]) -> float:
    """Return the chance that two of the answers are equal; empty ones are left out."""
    known = [answer for answer in answers if answer]
    if len(known) < 2:
        return float("nan")
    return sum(known.count(answer) - 1 for answer in known) / (len(known) * (len(known) - 1))
