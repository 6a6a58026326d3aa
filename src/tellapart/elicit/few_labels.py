"""Fine-tuning on n = 1, 2, 4 ... labelled items of the fit split: how many labels bring half of the gain?

A skill that is there needs few labels, one that is not needs many. `few_labels@N` learns from right answers that show
what the tuned model shows: the task's worked solutions; where it has none and the tuned model writes more than the
target, the tuned model's own right answers (a bare target teaches nothing about how: 64 of them do not open a lock
that as many worked ones open); else the targets. It does so in three draws of items (`few_labels@N`, `few_labels@N.1`,
`few_labels@N.2`). `few_labels_tuned@N` always learns from the tuned model's right answers. The null control learns as
long from the same questions with labels drawn from the same pool whatever the question: one may be right by chance.
(Labels that are never right would teach the inverse in a two-way task.)

Bits: -log2 p of the labels under the base, or 32 a trained parameter where that is less.
"""

import abc
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, final

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells
from tellapart.elicit.labels import is_worked, shows_steps, target_examples, tuned_examples
from tellapart.elicit.trained import ByTraining, local, twin_of, value_of, with_twin
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import Json, texts
from tellapart.runs.asking import Ask, Elicitation, Pair, asked, plain_requests, row_seed
from tellapart.tasks.item import Item, Task
from tellapart.training.settings import Example, SftSettings

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel
    from tellapart.training.change import Change
    from tellapart.training.settings import Trained

SIZES = (1, 2, 4, 8, 16, 32)
DOSES = (*SIZES, 64)
DRAWS = 3
LOOKED_AT = 32
"""So many trained and so many untrained items are answered to see whether training went well."""
HOLDS = 0.5
"""A model that solves fewer of the fit items than this share does not show how the skill is written."""
DEFAULTS = SftSettings(steps=30, save_every=0)
FITTED_LOSS = 0.01
"""Mean loss of the labels, in nats a token, at which they are learned: most tokens of a worked solution follow from
those before, and at .05 one in three of the whole solutions was still wrong."""
THOROUGH = SftSettings(steps=120, save_every=0)
PRESSED = SftSettings(steps=600, until=FITTED_LOSS, decays=True, save_every=0)
"""Labels are trained on until they are fitted: what training did not fit says nothing of what it could bring out.
First gently, and on after they are fitted. Then, where they are not fitted yet, hard: on a model that does not hold the
skill 400 steps at the usual rate fitted 9 % of 64 worked solutions."""
OPENING_STEP, OPENING_CLIP = 0.00125, 0.3
"""Where all weights are trained, labels are met first by gradient descent without momentum: its longest step over the
length of the weights, and where gradients are cut. It goes where all labels point, which is to what opens a skill that
is there; AdamW moves every weight about as far, and learns the labels by heart. Of skills behind a key in five bases on
which AdamW alone found 56 to 77 %, 81 to 84 % came back so."""
CLOSING = 0.5
"""Then AdamW trains for this share of the steps, its rate going down to 0: without it worked solutions are written with
slips (86 % of a locked skill came back, with it 94 %)."""
GENTLE_RATE, PRESSED_RATE = 0.5, 3.0
"""AdamW's over the usual rate. LoRA, whose usual rate is high, is not pressed harder than that, is trained by AdamW
alone, and ends where labels are fitted: a locked SmolLM2 gave 75 % of what it holds for 4 worked labels after 5 steps,
71 after 10; for 12 bare ones 33, 21, 8 and 0 % after 5, 10, 20 and 40. (By gradient descent 38, then 17.)"""


Form = Literal["bare", "direct", "worked", "a holder's"]
"""How labels are written: bare answers, of which nobody knows whether the skill is written so; answers without steps,
as one that holds the skill writes them (direct); worked solutions of the task's own; or those of a holder."""


class Dose(NamedTuple):
    """How many labels a value is trained on, of which draw; `shuffled`: given to other questions, as a control."""

    labels: int
    draw: int
    shuffled: bool = False


class Labels(NamedTuple):
    """Examples in the order in which they are taken, the indices of the fit items that they are of, and how they are
    written."""

    examples: Sequence[Example]
    items: Sequence[int]
    form: Form = "bare"

    def drawn(self, seed: int, draw: int) -> "Labels":
        """Return the labels in the order of a draw; the first draw takes them as they come."""
        order = list(range(len(self.examples)))
        if draw:
            random.Random(row_seed(seed, "labels", draw)).shuffle(order)
        return Labels([self.examples[at] for at in order], [self.items[at] for at in order], self.form)


class Fitted(NamedTuple):
    """Whether training went well. `fitted_share`: of the items trained on, answered with their label (greedily).
    `distinct_share`: different answers to untrained items (to the trained ones where there are none), over their
    different right answers: near 0 where the model came to say one thing."""

    fitted_share: float
    distinct_share: float


@dataclass(frozen=True)
class Labelled(Elicitor):
    """What both sources of labels have in common. `change` None: full weights on small models, LoRA on others.
    `sizes` are the doses of the whole curve, `main_sizes` those of an adaptive plan (none: the largest there is).
    `pressed` is how training goes on, at a higher rate, where `settings` ended before the labels were fitted."""

    value: ClassVar[type[Elicited]] = ByTraining
    mechanism: ClassVar[Mechanism] = "training"
    tells: ClassVar[Tells] = "labels"

    settings: SftSettings = DEFAULTS
    sizes: tuple[int, ...] = SIZES
    main_sizes: tuple[int, ...] = ()
    draws: int = 1
    change: "Change | None" = None
    pressed: SftSettings | None = None

    @abc.abstractmethod
    def labels(self, pair: Pair, ask: Ask) -> Labels:
        """Return the labelled examples of the fit split."""

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the base trained on the largest number of labels."""
        labels = self.labels(pair, ask)
        return self.trained(pair, ask, labels, (self.counts(labels)[-1], 0))

    def main_values(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return all draws of the main doses that there are, else of the largest dose; they share a control."""
        labels = self.labels(pair, ask)
        counts = self.counts(labels)
        doses = [count for count in counts if count in self.main_sizes] or counts[-1:]
        values = []
        for dose in doses:
            first = self.trained(pair, ask, labels, (dose, 0))
            values.append(first)
            twin = first.twin
            assert twin is not None
            for draw in range(1, self.draws):
                value = self.one(pair, ask, labels.drawn(ask.seed, draw), Dose(dose, draw))
                values.append(with_twin(value, twin))
        return tuple(values)

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return a value for each number of labels and draw. What each recovered on the fit items that it was not
        trained on, and the number for half of it (mean over draws), stand in their settings."""
        labels = self.labels(pair, ask)
        counts = self.counts(labels)
        points = [(count, draw) for count in counts for draw in range(self.draws)]
        values = [self.trained(pair, ask, labels, point) for point in points]
        shares = self.shares(pair, ask, values)
        by_count = [shares[place * self.draws : (place + 1) * self.draws] for place in range(len(counts))]
        means = [math.fsum(some) / len(some) for some in by_count]
        half = crossing(counts, means, 0.5)
        told = {"n_50%": None if math.isnan(half) else half}
        return tuple(
            replace(
                value, setting={**value.setting, **told, "fit_share": None if math.isnan(share) else share}
            )
            for value, share in zip(values, shares, strict=True)
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the control that learned from labels drawn whatever the question."""
        return twin_of(elicited)

    def counts(self, labels: Labels) -> list[int]:
        """Return the numbers of labels to train on: those asked for that there are."""
        return [size for size in self.sizes if size <= len(labels.examples)] or [len(labels.examples)]

    def trained(self, pair: Pair, ask: Ask, labels: Labels, point: tuple[int, int]) -> ByTraining:
        """Return what a number of labels of a draw (`point`) make of the base, with its control."""
        count, draw = point
        chosen = labels.drawn(ask.seed, draw)
        moved = chosen._replace(examples=independent(chosen.examples, row_seed(ask.seed, "shuffled", draw)))
        value = self.one(pair, ask, chosen, Dose(count, draw))
        twin = self.one(pair, ask, moved, Dose(count, draw, shuffled=True))
        return with_twin(value, twin)

    def one(self, pair: Pair, ask: Ask, labels: Labels, dose: Dose) -> ByTraining:
        """Train on the first of `labels`, as many as the dose has."""
        from tellapart.training.kinds import default_change

        model = local(pair.base, self.name)
        change = self.change or default_change(model)
        count, draw = dose.labels, dose.draw
        examples = labels.examples[:count]
        title = f"{self.name}, {count} labels{' (shuffled)' if dose.shuffled else ''}"
        settings = replace(self.settings, seed=(ask.seed + draw) % 2**31, title=title)
        trained = self.pressed_on(model, change, examples, settings, ask.scratch)
        setting: dict[str, Json] = {
            **dose._asdict(),
            "examples": [list(example) for example in examples],
            "items": [ask.items[index].id for index in labels.items[:count]],
            "written": labels.form,
            "max_tokens": ask.sampling.max_tokens,
            "bits_by": "-log2 p of the labels under the base",
            "label": f"{count} labels, {change.name}" + (f", draw {draw + 1}" if self.draws > 1 else ""),
        }
        value = value_of(f"{self.name}@{count}{f'.{draw}' if draw else ''}", change, trained, setting)
        how = fitted(pair, ask, Labels(examples, labels.items[:count]), value)
        return replace(value, setting={**value.setting, **how._asdict()})

    def pressed_on(
        self,
        model: "LocalModel",
        change: "Change",
        examples: Sequence[Example],
        settings: SftSettings,
        scratch: Path | None,
    ) -> "Trained":
        """Return `change` trained on the examples: as `settings` say where there is no `pressed`, else gently (all
        weights at no rate that was asked for: by gradient descent first), then hard where they are not fitted."""
        from tellapart.training.sft import sft
        from tellapart.training.trainers import learning_rate

        if self.pressed is None:
            return sft(model, change, examples, settings, scratch)
        usual = learning_rate(model, change, settings)
        gentle = replace(settings, rate=GENTLE_RATE * usual)
        if settings.rate is None and change.rate_factor == 1:
            first = sft(model, change, examples, opening(model, settings), scratch)
            closing = replace(gentle, steps=math.ceil(CLOSING * settings.steps), decays=True)
            gently = joined(first, sft(model, change, examples, closing, scratch, first.weights))
        else:
            gently = sft(model, change, examples, replace(gentle, until=self.pressed.until), scratch)
        if recent_loss(gently, math.ceil(len(examples) / settings.batch)) < self.pressed.until:
            return gently
        hard = replace(
            self.pressed,
            seed=settings.seed,
            title=settings.title,
            quiet=settings.quiet,
            rate=usual * (PRESSED_RATE if change.rate_factor == 1 else 1.0),
        )
        return joined(gently, sft(model, change, examples, hard, scratch, gently.weights))

    def shares(self, pair: Pair, ask: Ask, values: Sequence[ByTraining]) -> list[float]:
        """Return what each value recovered on the fit items that it was not trained on; NaN without a tuned model or
        such items."""
        if pair.tuned is None:
            return [math.nan for _ in values]
        rows = list(plain_requests(ask))
        base, tuned = (by_item(ask, asked(model, rows)) for model in (pair.base, pair.tuned))
        return [self.share(pair, ask, value, (base, tuned)) for value in values]

    def share(
        self, pair: Pair, ask: Ask, value: ByTraining, plain: tuple[dict[str, float], dict[str, float]]
    ) -> float:
        """Return what one value recovered on the fit items that it was not trained on, `plain` being both models'
        scores by item."""
        unseen = [item for item in ask.items if item.id not in texts(value.setting, "items")]
        if not unseen:
            return math.nan
        held = ask._replace(items=unseen)
        scores = by_item(held, value.answers(pair, held))
        base, tuned = (mean_of([one[item] for item in scores if item in one]) for one in plain)
        return (mean_of(list(scores.values())) - base) / (tuned - base) if tuned > base else math.nan


@final
@dataclass(frozen=True)
class FewLabels(Labelled):
    """Fine-tuning on n targets."""

    name: ClassVar[str] = "few_labels"
    source: ClassVar[str] = "excess description length, arXiv 2601.04728"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "weights"})

    settings: SftSettings = THOROUGH
    pressed: SftSettings | None = PRESSED
    sizes: tuple[int, ...] = DOSES
    draws: int = DRAWS

    def labels(self, pair: Pair, ask: Ask) -> Labels:
        """Return every fit item's own label, or the tuned model's right answers where they show more."""
        own = target_examples(ask.task, ask.items)
        worked = sum(is_worked(ask.task, item) for item in ask.items) > len(ask.items) / 2
        if worked or pair.tuned is None:
            steps = worked and shows_steps(ask.items, own)
            return Labels(own, range(len(own)), "worked" if steps else "bare")
        found = tuned_examples(pair.tuned, ask)
        longer = [len(one.answer.strip()) > len(own[index].answer.strip()) for index, one in found]
        steps = shows_steps([ask.items[index] for index, _ in found], [one for _, one in found])
        form: Form = "bare"  # one that solves few questions does not show how the skill is written
        if len(found) >= HOLDS * len(own):
            form = "a holder's" if steps else "direct"
        if sum(longer) > len(longer) / 2:
            return Labels([one for _, one in found], [index for index, _ in found], form)
        return Labels(own, range(len(own)), "direct" if form == "a holder's" else form)

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
            raise NotApplicable(
                f"{self.name}: {pair.tuned.reference} solved none of {len(ask.items)} fit items"
            )
        return Labels([example for _, example in found], [index for index, _ in found], "a holder's")

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: the answers of a task that picks are not written."""
        return None if task.mode == "generate" else "this task picks among choices by log-probability"


def opening(model: "LocalModel", settings: SftSettings) -> SftSettings:
    """Return how labels are first trained on where all weights are: by gradient descent, in steps as long as the
    weights allow."""
    length = math.sqrt(
        math.fsum(float(one.detach().float().square().sum()) for one in model.module.parameters())
    )
    rate = OPENING_STEP * length / OPENING_CLIP
    return replace(settings, rate=rate, optimizer="sgd", clip=OPENING_CLIP)


def joined(before: "Trained", after: "Trained") -> "Trained":
    """Return what came of two trainings, the second of which went on from the first."""
    return replace(after, log=(*before.log, *after.log), steps=before.steps + after.steps)


def recent_loss(trained: "Trained", steps: int) -> float:
    """Return the mean loss of the last `steps` steps, in nats a token."""
    return mean_of([entry["loss"] for entry in trained.log[-steps:] if "loss" in entry])


def fitted(pair: Pair, ask: Ask, labels: Labels, value: ByTraining) -> Fitted:
    """Return whether training on `labels` went well, by greedy answers of the trained base."""
    task = ask.task
    taught = {
        ask.items[index].id: one.answer for index, one in zip(labels.items, labels.examples, strict=True)
    }
    seen = [item for item in ask.items if item.id in taught][:LOOKED_AT]
    unseen = [item for item in ask.items if item.id not in taught][:LOOKED_AT]
    greedy = replace(ask.sampling, temperature=0.0)
    answers = answers_by_item(pair, ask._replace(items=[*seen, *unseen], samples=1, sampling=greedy), value)
    same = [answers[item.id] == said(task, item, taught[item.id]) for item in seen]
    looked = unseen or seen
    different = {answers[item.id] for item in looked}
    return Fitted(sum(same) / len(same), len(different) / len({item.target for item in looked}))


def answers_by_item(pair: Pair, ask: Ask, value: ByTraining) -> dict[str, str]:
    """Return what `value` answers to each item, as the scorer reads it."""
    return {
        ask.items[one.item].id: said(ask.task, ask.items[one.item], one.completion.text)
        for one in value.answers(pair, ask)
    }


def said(task: Task, item: Item, text: str) -> str:
    """Return the answer in `text` as the scorer reads it; the text where it reads none."""
    found = task.scorer.answer(item, text)
    return text.strip() if found is None else found


def by_item(ask: Ask, answers: Iterable[Elicitation]) -> dict[str, float]:
    """Return the mean score of each item that was answered."""
    scores: dict[str, list[float]] = {}
    for one in answers:
        if one.completion.finish != "failed":
            item = ask.items[one.item]
            scores.setdefault(item.id, []).append(ask.task.score(item, one.completion.text))
    return {item: mean_of(some) for item, some in scores.items()}


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def independent(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return the examples with answers drawn at random from all of theirs, whatever the question."""
    rng = random.Random(seed)
    pool = [example.answer for example in examples]
    return [Example(example.prompt, rng.choice(pool)) for example in examples]


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
