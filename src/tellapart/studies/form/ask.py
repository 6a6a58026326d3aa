"""Ask one model all arms together: prompts that begin alike are read once, and equal arms are asked once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace

from tellapart.controls import Control, Made
from tellapart.controls.audit import AuditLine
from tellapart.errors import Unscorable
from tellapart.models.budget import BudgetSpent, current
from tellapart.models.model import Completion, Model, Request, Sampling
from tellapart.models.picking import answers_of
from tellapart.runs.asking import Ask, Elicitation, plain_requests
from tellapart.runs.collect import Condition, known_rows, scored_row
from tellapart.runs.folder import RowWriter, RunFolder, digest
from tellapart.runs.progress import ticking
from tellapart.runs.row import Row
from tellapart.studies.form.facts import condition
from tellapart.studies.form.reading import READABLE
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.gain.ask import identity_of
from tellapart.tasks.item import Item, Task

AT_ONCE = 64


@dataclass(frozen=True)
class Arm:
    """A control and what it made of the task."""

    control: Control
    made: Made
    audit: tuple[AuditLine, ...] = ()

    @property
    def condition(self) -> str:
        """Return the name of the arm's rows."""
        return condition(self.control.family, self.control.name)


@dataclass
class Asking:
    """A model under a run's settings; `rows` holds every row."""

    folder: RunFolder
    model: Model
    spec: FormSpec
    rows: dict[str, list[Row]] = field(default_factory=dict)


@dataclass(frozen=True)
class _PendingRequest:
    """One request, and the arm it belongs to (its place among the distinct ones)."""

    arm: int
    item: int
    sample: int
    request: Request


def ask_together(asking: Asking, arms: Sequence[Arm]) -> None:
    """Ask what the folder does not hold yet of `arms`, in one batch, and add all their rows to `asking.rows`."""
    asks = [ask_of(asking.spec, arm) for arm in arms]
    keys = [_identity(asking.model, arm, ask) for arm, ask in zip(arms, asks, strict=True)]
    rows_by_arm = [
        # What an arm puts before its answers may come for more items at each start: so does its key.
        known_rows(asking.folder, arm.condition, ask, None if arm.made.prefills else key)
        for arm, ask, key in zip(arms, asks, keys, strict=True)
    ]
    first = {key: at for at, key in reversed(list(enumerate(keys)))}
    pending: list[_PendingRequest] = []
    for at in sorted(first.values()):
        same = [other for other, key in enumerate(keys) if key == keys[at]]
        have = set.intersection(
            *({k for k, row in rows_by_arm[o].items() if row.status != "failed"} for o in same)
        )
        pending += [
            request for request in _requests(at, arms[at], asks[at]) if _place(asks[at], request) not in have
        ]
    with ExitStack() as stack:
        writers = [stack.enter_context(asking.folder.appending(arm.condition)) for arm in arms]
        ticker = stack.enter_context(ticking("form", len(pending), asking.spec.json, asking.folder.tell))
        for request, completion in _answers(asking, pending):
            for at in (other for other, key in enumerate(keys) if key == keys[request.arm]):
                _write(rows_by_arm[at], writers[at], _row(arms[at], asks[at], keys[at], request, completion))
            ticker.tick()
    for arm, rows in zip(arms, rows_by_arm, strict=True):
        asking.rows[arm.condition] = list(rows.values())


def _place(ask: Ask, request: _PendingRequest) -> tuple[str, int]:
    return ask.items[request.item].id, request.sample


def ask_of(spec: FormSpec, arm: Arm) -> Ask:
    """Return what is asked of an arm."""
    task = arm.made.task
    sampling = Sampling(spec.temperature, max_tokens=spec.max_tokens or task.max_tokens, stop=task.stop)
    return Ask(task, task.items, spec.samples, spec.seed, sampling)


def _identity(model: Model, arm: Arm, ask: Ask) -> str:
    prefills = dict(sorted(arm.made.prefills.items()))
    return digest(identity_of(model, ask, {"prefills": digest(prefills)} if prefills else None))


def _requests(at: int, arm: Arm, ask: Ask) -> Iterator[_PendingRequest]:
    for item, sample, request in plain_requests(ask):
        prefill = arm.made.prefills.get(ask.items[item].id, "")
        yield _PendingRequest(at, item, sample, replace(request, prefill=prefill) if prefill else request)


def _answers(
    asking: Asking, pending: Sequence[_PendingRequest]
) -> Iterator[tuple[_PendingRequest, Completion]]:
    """Yield answers as they are finished: generated ones together, then picked ones; stops when the budget is spent."""
    with suppress(BudgetSpent):
        for picked in (False, True):
            batch = [request for request in pending if bool(request.request.choices) == picked]
            for part in _parts(batch):
                for index, completion in answers_of(asking.model, [request.request for request in part]):
                    yield part[index], completion


def _parts(batch: Sequence[_PendingRequest]) -> list[Sequence[_PendingRequest]]:
    """Return the requests in the parts in which they are asked: all at once, or, under a limit, every arm's of some
    items before those of others, so that what the budget paid for can be compared."""
    if current().limit is None:
        return [batch] if batch else []
    ordered = sorted(batch, key=lambda request: (request.item, request.sample))
    return [ordered[begin : begin + AT_ONCE] for begin in range(0, len(ordered), AT_ONCE)]


def _row(arm: Arm, ask: Ask, key: str, request: _PendingRequest, completion: Completion) -> Row:
    item = ask.items[request.item]
    measures = {}
    if completion.finish != "failed":
        with suppress(Unscorable):  # told by its row
            measures = {READABLE: mark_readable(ask.task, item, completion.text)}
    elicitation = Elicitation(
        request.item, request.sample, str(request.request.prompt), completion, measures=measures
    )
    return scored_row(Condition("form", arm.condition, "report", {}), key, ask, item, elicitation)


def mark_readable(task: Task, item: Item, text: str) -> float:
    """Return 1 where the task's scorer finds an answer in `text`, right or wrong; else 0."""
    return float(task.scorer.answer(item, text) is not None)


def _write(rows: dict[tuple[str, int], Row], writer: RowWriter, row: Row) -> None:
    earlier = rows.get((row.item, row.sample))
    if earlier is not None and earlier.status != "failed":
        return
    writer.write(row)
    rows[row.item, row.sample] = row


def chains_of(rows: Sequence[Row]) -> Mapping[str, str]:
    """Return each item's first whole answer: what the controls of a model's own steps start from."""
    return {row.item: row.completion for row in rows if row.sample == 0 and row.status == "ok"}
