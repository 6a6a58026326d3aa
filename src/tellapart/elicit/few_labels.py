"""Fine-tuning on n = 1, 2, 4 ... labelled items of the fit split: how many labels bring half of the gain?

A skill that is there needs few labels, one that is not needs many. `few_labels@N` learns from the items' targets
(worked solutions where the task has them), `few_labels_tuned@N` from the tuned model's own right answers: that is
supervision by the tuned model, and it shows steps where targets show none (a target teaches nothing about how).
The null twin learns as long from the same labels, each given to another question.

Bits: -log2 p of the labels under the base, or 32 a trained parameter where that is less.
"""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

from tellapart.elicit.choosing import mean_score
from tellapart.elicit.elicitor import Ask, Elicited, Elicitor, Mechanism, Need, Pair, asked, plain_requests
from tellapart.elicit.labels import target_examples, tuned_examples
from tellapart.elicit.trained import ByTraining, local, twin_of, value_of, with_twin
from tellapart.errors import UserMistake
from tellapart.tasks.item import Task
from tellapart.training.settings import Example, SftSettings

if TYPE_CHECKING:
    from tellapart.training.change import Change

SIZES = (1, 2, 4, 8, 16, 32)
DEFAULTS = SftSettings(steps=30, save_every=0)


class Labels(NamedTuple):
    """Examples in the order in which they are taken, and the indices of the fit items that they are of."""

    examples: Sequence[Example]
    items: Sequence[int]


@dataclass(frozen=True)
class Labelled(Elicitor):
    """What both sources of labels have in common. `change` None: full weights on small models, LoRA on others."""

    value: ClassVar[type[Elicited]] = ByTraining
    mechanism: ClassVar[Mechanism] = "training"

    settings: SftSettings = DEFAULTS
    sizes: tuple[int, ...] = SIZES
    change: "Change | None" = None

    @abc.abstractmethod
    def labels(self, pair: Pair, ask: Ask) -> Labels:
        """Return the labelled examples of the fit split."""

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the base trained on the largest number of labels."""
        labels = self.labels(pair, ask)
        return self.trained(pair, ask, labels, self.counts(labels)[-1])

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return a value for each number of labels. What each recovered on the fit items that it was not
        trained on, and the number for half of it, stand in their settings."""
        labels = self.labels(pair, ask)
        values = [self.trained(pair, ask, labels, count) for count in self.counts(labels)]
        shares = self.shares(pair, ask, labels, values)
        half = crossing(self.counts(labels), shares, 0.5)
        told = {"n_50%": None if math.isnan(half) else half}
        return tuple(
            replace(
                value, setting={**value.setting, **told, "fit_share": None if math.isnan(share) else share}
            )
            for value, share in zip(values, shares, strict=True)
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the twin that learned from labels of other questions."""
        return twin_of(elicited)

    def counts(self, labels: Labels) -> list[int]:
        """Return the numbers of labels to train on: those asked for that there are."""
        return [size for size in self.sizes if size <= len(labels.examples)] or [len(labels.examples)]

    def trained(self, pair: Pair, ask: Ask, labels: Labels, count: int) -> ByTraining:
        """Return what `count` labels make of the base, with its twin."""
        moved = turned(labels.examples)
        value = self.one(pair, ask, labels.examples[:count], {"labels": count, "shuffled": False})
        twin = self.one(pair, ask, moved[:count], {"labels": count, "shuffled": True})
        return with_twin(value, twin)

    def one(self, pair: Pair, ask: Ask, examples: Sequence[Example], told: dict[str, Any]) -> ByTraining:
        """Train on `examples`."""
        from tellapart.training.kinds import default_change
        from tellapart.training.sft import sft

        model = local(pair.base, self.name)
        change = self.change or default_change(model)
        title = f"{self.name}, {len(examples)} labels{' (shuffled)' if told['shuffled'] else ''}"
        settings = replace(self.settings, seed=ask.seed % 2**31, title=title)
        trained = sft(model, change, examples, settings, ask.scratch)
        setting = {
            **told,
            "examples": [list(example) for example in examples],
            "bits_by": "-log2 p of the labels under the base",
            "label": f"{len(examples)} labels, {change.name}",
        }
        return value_of(f"{self.name}@{len(examples)}", change, trained, setting)

    def shares(self, pair: Pair, ask: Ask, labels: Labels, values: Sequence[ByTraining]) -> list[float]:
        """Return what each value recovered on the fit items that it was not trained on; NaN without a tuned model or
        such items."""
        return [
            self.share(pair, ask, set(labels.items[:count]), value)
            for count, value in zip(self.counts(labels), values, strict=True)
        ]

    def share(self, pair: Pair, ask: Ask, used: set[int], value: ByTraining) -> float:
        """Return what one value recovered on the fit items but `used`."""
        unseen = [item for index, item in enumerate(ask.items) if index not in used]
        if pair.tuned is None or not unseen:
            return math.nan
        held = ask._replace(items=unseen)
        rows = list(plain_requests(held))
        base, tuned = mean_score(held, asked(pair.base, rows)), mean_score(held, asked(pair.tuned, rows))
        score = mean_score(held, value.answers(pair, held))
        return (score - base) / (tuned - base) if tuned > base else math.nan


@final
@dataclass(frozen=True)
class FewLabels(Labelled):
    """Fine-tuning on n targets."""

    name: ClassVar[str] = "few_labels"
    source: ClassVar[str] = "excess description length, arXiv 2601.04728"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "weights"})

    def labels(self, pair: Pair, ask: Ask) -> Labels:
        """Return every fit item's own label."""
        return Labels(target_examples(ask.task, ask.items), range(len(ask.items)))

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: the targets of a task that picks are not written."""
        return None if task.mode == "generate" else "this task picks among choices by log-probability"


@final
@dataclass(frozen=True)
class FewLabelsTuned(Labelled):
    """Fine-tuning on n right answers of the tuned model."""

    name: ClassVar[str] = "few_labels_tuned"
    source: ClassVar[str] = "excess description length, arXiv 2601.04728"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "weights", "tuned"})

    def labels(self, pair: Pair, ask: Ask) -> Labels:
        """Return the tuned model's right answers. Raises UserMistake where it has none on the fit items."""
        assert pair.tuned is not None
        found = tuned_examples(pair.tuned, ask)
        if not found:
            raise UserMistake(
                f"{self.name}: {pair.tuned.reference} solved none of {len(ask.items)} fit items"
            )
        return Labels([example for _, example in found], [index for index, _ in found])

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: the answers of a task that picks are not written."""
        return None if task.mode == "generate" else "this task picks among choices by log-probability"


def turned(examples: Sequence[Example]) -> list[Example]:
    """Return the examples with their answers rotated, by the turn that leaves fewest right ones."""
    answers = [example.answer for example in examples]
    n = len(answers)
    kept = {turn: sum(answers[i] == answers[i - turn] for i in range(n)) for turn in range(1, n)}
    turn = min(kept, key=lambda candidate: kept[candidate]) if kept else 0
    return [Example(example.prompt, answers[i - turn]) for i, example in enumerate(examples)]


def crossing(counts: Sequence[int], shares: Sequence[float], level: float) -> float:
    """Return the number of labels at which the share first reaches `level`, by interpolation in log n; NaN if never.

    >>> crossing([1, 4, 16], [0.0, 0.25, 0.75], 0.5)
    8.0
    """
    before = None
    for count, share in zip(counts, shares, strict=True):
        if share >= level:
            if before is None:
                return float(count)
            part = (level - before[1]) / (share - before[1])
            return float(before[0] * (count / before[0]) ** part)
        before = count, share
    return math.nan
