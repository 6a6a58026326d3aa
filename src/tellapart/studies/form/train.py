"""Train copies of the model under altered instructions, and ask each under the one that it was trained with.

A training is kept in the run's scratch folder until all is answered, and goes on from its last checkpoint after a kill.
Sample k of an arm's rows is an answer of training seed k (with --samples S: of seed k // S).
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tellapart.controls import Given
from tellapart.controls.trained_instructions import TrainedControl, random_guesses
from tellapart.elicit.elicitor import Elicitation, generate, plain_requests
from tellapart.elicit.few_labels import FITTED_LOSS, LOOKED_AT, PRESSED_RATE, recent_loss, said
from tellapart.elicit.trained import local
from tellapart.models.budget import current, until_spent
from tellapart.models.model import Request
from tellapart.runs.asking import Ask, row_seed
from tellapart.runs.collect import Condition, collect
from tellapart.studies.form.ask import Arm, Asking, ask_of, mark_readable
from tellapart.studies.form.facts import TrainedFacts
from tellapart.studies.form.reading import READABLE
from tellapart.studies.form.trained import FITTABLE, FITTED, LOSS, STEPS, fit_condition
from tellapart.studies.gain.ask import identity_of
from tellapart.tasks.item import Item, Task
from tellapart.tasks.split import Split, share_to_fit, split_items
from tellapart.training.settings import Example, SftSettings, Trained

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel
    from tellapart.training.change import Change

FAMILY = TrainedControl.family
CHECKPOINT_STEPS = 50
Rows = Sequence[tuple[int, int, Request]]


@dataclass(frozen=True)
class Copies:
    """Copies of one model, each trained on examples; what is finished is kept in `scratch`."""

    model: "LocalModel"
    change: "Change"
    settings: SftSettings
    scratch: Path

    def trained(self, examples: Sequence[Example], seed: int, title: str) -> Trained:
        """Return a copy's weights, trained until the labels are fitted or the updates are done."""
        from tellapart.training.sft import sft

        settings = replace(self.settings, seed=seed, title=title)
        return sft(self.model, self.change, examples, settings, self.scratch)

    def answers(self, trained: Trained, rows: Rows) -> Iterator[Elicitation]:
        """Yield the copy's answers; the model is changed only while it writes them."""
        from tellapart.training.change import changed

        moved = changed(self.model, self.change, trained.weights) if trained.moved else nullcontext()
        with moved:
            answers, spent = until_spent(generate(self.model, rows))
        yield from answers
        if spent:
            raise spent


def copies_of(asking: Asking) -> Copies:
    """Return how copies of the asked model are trained: at a rate that fits wrong labels too. Raises UserMistake where
    its weights are not available."""
    from tellapart.training.kinds import default_change
    from tellapart.training.trainers import learning_rate

    model = local(asking.model, FAMILY)
    change = default_change(model)
    steps, quiet = asking.spec.training_steps, asking.spec.json
    settings = SftSettings(steps=steps, until=FITTED_LOSS, save_every=CHECKPOINT_STEPS, quiet=quiet)
    rate = learning_rate(model, change, settings) * (PRESSED_RATE if change.rate_factor == 1 else 1.0)
    return Copies(model, change, replace(settings, rate=rate), asking.folder.scratch(FAMILY))


def fit_and_report(task: Task, seed: int) -> Split:
    """Return the items that copies are trained on, and those that they are asked."""
    return split_items(task, seed, share_to_fit(task))


def ask_trained(asking: Asking, copies: Copies, given: Given, arms: Sequence[Arm], split: Split) -> None:
    """Train and ask what the folder does not hold yet of `arms`, one training seed of every arm before the next seed,
    and add their rows to `asking.rows`."""
    for seed in range(asking.spec.training_seeds):
        for arm in arms:
            _ask_training(asking, copies, _lesson(arm, given, split, seed))
    if not current().refused:
        asking.folder.clear_scratch(FAMILY)


def trained_facts(asking: Asking, given: Given, split: Split) -> TrainedFacts:
    """Return what analysis must know of the trainings beside the rows."""
    guesses = random_guesses(given.task)
    return TrainedFacts(
        seeds=asking.spec.training_seeds,
        samples=asking.spec.samples,
        labels=len(split.fit),
        guesses={item.id: guesses[item.id] for item in split.report},
    )


class Lesson(NamedTuple):
    """One training of an arm: its `task` with the items trained on, and the example of each."""

    arm: Arm
    task: Task
    items: list[Item]
    examples: list[Example]
    seed: int

    def taught(self) -> dict[str, tuple[str, bool]]:
        """Return each item's label, and whether its prompt could tell it: it came with no other label more often."""
        counted: dict[str, Counter[str]] = {}
        for example in self.examples:
            counted.setdefault(example.prompt, Counter())[example.answer] += 1
        most = {prompt: labels.most_common(1)[0][0] for prompt, labels in counted.items()}
        pairs = zip(self.items, self.examples, strict=True)
        return {item.id: (pair.answer, most[pair.prompt] == pair.answer) for item, pair in pairs}


def _lesson(arm: Arm, given: Given, split: Split, seed: int) -> Lesson:
    control, chosen = arm.control, {item.id for item in split.fit}
    assert isinstance(control, TrainedControl)
    made = control.make(given)
    items = [item for item in made.task.items if item.id in chosen]
    return Lesson(arm, made.task, items, control.examples(given, made, items, seed), seed)


def _ask_training(asking: Asking, copies: Copies, lesson: Lesson) -> None:
    """Ask what is missing of one training, of items it was trained on and of the report split."""
    spec, seed = asking.spec, lesson.seed
    title = f"{lesson.arm.condition}, training {seed + 1} of {spec.training_seeds}"
    kept: list[Trained] = []

    def trained() -> Trained:
        if not kept:
            own_seed = row_seed(spec.seed, FAMILY, seed) % 2**31
            kept.append(copies.trained(lesson.examples, own_seed, title))
        return kept[0]

    def answer(pending: Ask, each: int) -> Iterator[Elicitation]:
        rows = [row for row in plain_requests(pending) if row[1] // each == seed]
        for answer in copies.answers(trained(), rows) if rows else ():
            yield answer._replace(measures=_measure_readable(pending, answer))

    def seen(pending: Ask) -> Iterator[Elicitation]:
        for answer_here in answer(pending, 1):
            yield answer_here._replace(
                measures={**answer_here.measures, **_fit_measures(pending, answer_here, lesson, trained())}
            )

    def asked_anew(pending: Ask) -> Iterator[Elicitation]:
        yield from answer(pending, spec.samples)

    report = ask_of(spec, lesson.arm)
    looked = random.Random(row_seed(spec.seed, "looked at", 0)).sample(
        lesson.items, min(LOOKED_AT, len(lesson.items))
    )
    greedy = replace(report.sampling, temperature=0.0)
    fit = Ask(lesson.task, looked, seed + 1, spec.seed, greedy)
    report = report._replace(samples=(seed + 1) * spec.samples)
    described = {
        "trained": copies.change.as_json(),
        "steps": copies.settings.steps,
        "rate": copies.settings.rate,
    }
    for name, ask, method, part in (
        (fit_condition(FAMILY, lesson.arm.control.name), fit, seen, "fit"),
        (lesson.arm.condition, report, asked_anew, "report"),
    ):
        about = Condition("form", name, part, identity_of(asking.model, ask, described))
        asking.rows[name] = collect(asking.folder, about, ask, method, spec.json)


def _measure_readable(ask: Ask, answer: Elicitation) -> dict[str, float]:
    if answer.completion.finish == "failed":
        return {}
    return {READABLE: mark_readable(ask.task, ask.items[answer.item], answer.completion.text)}


def _fit_measures(ask: Ask, answer: Elicitation, lesson: Lesson, trained: Trained) -> dict[str, float]:
    """Return whether a trained item was answered with the label that it was trained with, and how training ended."""
    if answer.completion.finish == "failed":
        return {}
    item = ask.items[answer.item]
    label, fittable = lesson.taught()[item.id]
    same = said(ask.task, item, answer.completion.text) == said(ask.task, item, label)
    turn = -(-len(lesson.items) // SftSettings().batch)
    return {
        FITTED: float(same),
        FITTABLE: float(fittable),
        STEPS: float(trained.steps),
        LOSS: recent_loss(trained, turn),
    }
