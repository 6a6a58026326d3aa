"""What a version of the model is asked, and what verifiers say of its answers. All of it is kept in the run folder."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.interventions.weights import Weights
from tellapart.models.budget import current
from tellapart.models.held import HeldModel
from tellapart.models.model import Model, Sampling
from tellapart.runs.asking import Ask, generate, plain_requests, row_seed
from tellapart.runs.collect import Condition, collect
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.row import Row
from tellapart.studies.improve.spec import ImproveSpec
from tellapart.tasks.item import Item, Task
from tellapart.verifiers.verifier import Bench, Utilities, Verifier

if TYPE_CHECKING:
    from tellapart.training.change import Change

STUDY = "improve"
CANARY_SAMPLES = 4
FEWEST_ITEMS = 2


@dataclass(frozen=True)
class Plan:
    """What a run works on. `rows` are all answers so far, by condition."""

    folder: RunFolder
    spec: ImproveSpec
    model: Model
    task: Task
    train: tuple[Item, ...]
    report: tuple[Item, ...]
    sampling: Sampling
    canaries: tuple[Task, ...] = ()
    change: "Change | None" = None
    quiet: bool = False
    rows: dict[str, list[Row]] = field(default_factory=dict)


class Version(NamedTuple):
    """The model after a round of an arm; round 0 is the start, which all arms share."""

    arm: str = "start"
    round: int = 0
    weights: Weights | None = None

    def condition(self, part: str) -> str:
        """Return the name of the rows of its answers to `part` (train, report, a canary)."""
        return f"{self.arm}/round {self.round}/{part}" if self.round else f"start/{part}"


class Answers(NamedTuple):
    """Answers [items][samples] of a version to a part, None where one failed, and their true scores, NaN there."""

    condition: str
    task: Task
    items: Sequence[Item]
    texts: tuple[tuple[str | None, ...], ...]
    truth: NDArray[np.float64]

    @property
    def clusters(self) -> list[str] | None:
        """The items' clusters; None where they have none."""
        named = [item.cluster for item in self.items]
        return None if any(name is None for name in named) else [str(name) for name in named]


@contextmanager
def applied(plan: Plan, version: Version) -> Iterator[Model]:
    """Yield the model as it is in `version`."""
    if version.weights is None or isinstance(plan.model, HeldModel):
        yield plan.model
        return
    from tellapart.models.local import LocalModel
    from tellapart.training.change import changed

    assert isinstance(plan.model, LocalModel)
    assert plan.change is not None
    with changed(plan.model, plan.change, version.weights):
        yield plan.model


def answers(plan: Plan, version: Version, part: str) -> Answers:
    """Return the version's answers to `part`: train, report, or the name of a canary; asked where they are missing.

    Raises BudgetSpent where the budget does not pay for all of them. Only the start's answers to the report items, from
    which the headroom is told, are then those to the items that it did pay for.
    """
    task, items, samples = _questions_of(plan, part)
    seed = row_seed(plan.spec.seed, part, version.round if part == "train" else 0)
    sampling = plan.sampling if task is plan.task else Sampling(max_tokens=task.max_tokens, stop=task.stop)
    ask = Ask(task, items, samples, seed, sampling)
    name = version.condition(part)
    with applied(plan, version) as model:
        identity = {
            **model.known_by(),
            "task": task.fingerprint,
            "sampling": [*ask.sampling.__dict__.items()],
            "seed": seed,
        }
        condition = Condition(STUDY, name, "fit" if part == "train" else "report", identity)
        rows = collect(
            plan.folder,
            condition,
            ask,
            lambda pending: generate(model, list(plain_requests(pending))),
            plan.quiet,
        )
    plan.rows[name] = rows
    there = Counter(row.item for row in rows)
    whole = [item for item in items if there[item.id] >= samples]
    if len(whole) < len(items) and (name != "start/report" or len(whole) < FEWEST_ITEMS):
        raise current().refusal()
    return _laid_out(name, ask._replace(items=whole), rows)


def _questions_of(plan: Plan, part: str) -> tuple[Task, Sequence[Item], int]:
    if part == "train":
        return plan.task, plan.train, plan.spec.samples
    if part == "report":
        return plan.task, plan.report, plan.spec.samples
    canary = next(task for task in plan.canaries if canary_name(task) == part)
    return canary, canary.items, CANARY_SAMPLES


def canary_name(task: Task) -> str:
    """Return what a canary's rows are called."""
    return f"canary {task.source or task.name}"


def _laid_out(condition: str, ask: Ask, rows: Sequence[Row]) -> Answers:
    at = {(row.item, row.sample): row for row in rows}
    laid = [[at[item.id, sample] for sample in range(ask.samples)] for item in ask.items]
    texts = tuple(
        tuple(None if row_answer.status == "failed" else row_answer.completion for row_answer in row)
        for row in laid
    )
    truth = np.array([[answer.score for answer in row] for row in laid], dtype=np.float64)
    return Answers(condition, ask.task, ask.items, texts, truth)


def judged(plan: Plan, version: Version, given: Answers, verifier: Verifier) -> Utilities:
    """Return what a verifier says of answers; what it said before is read from the folder."""
    whole = len(given.items) == len(_questions_of(plan, "report")[1]) or given.condition != "start/report"
    part = [] if whole else [item.id for item in given.items]
    name = f"judged-{digest([given.condition, verifier.name, *part])[:16]}"
    before = plan.folder.read_artifact(name)
    if before is not None:
        return np.array(before["utilities"], dtype=np.float64)
    seed = row_seed(plan.spec.seed, f"judge {given.condition}", 0)
    bench = Bench(
        given.task,
        given.items,
        given.texts,
        lambda: applied(plan, version),
        lambda: applied(plan, Version()),
        seed,
    )
    utilities = verifier.judge(bench)
    written = [[None if np.isnan(u) else float(u) for u in row] for row in utilities]
    plan.folder.write_artifact(
        name, {"condition": given.condition, "verifier": verifier.name, "utilities": written}
    )
    return utilities
