"""What is asked first for `gain`: both models plainly, and each one's log-probabilities of the other's answers."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.budget import BudgetSpent, current
from tellapart.models.model import Model, Sampling, share_tokens
from tellapart.models.series import Step
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests
from tellapart.runs.collect import Condition, collect
from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.studies.gain.content import as_completion, right_answers, scored_after_others
from tellapart.studies.gain.guesses import as_tokens, guesses
from tellapart.studies.opening import identities
from tellapart.tasks.item import Item, Task

STUDY = "gain"
MANY_SAMPLES = 32
"""Plain answers an item that pass@k is worth reading at, or that a gain near 0 needs."""
SCORED_AT_ONCE, SCORED_UNDER_A_LIMIT = 512, 32

ValueT = TypeVar("ValueT")


class Asks(Protocol):
    """What asking reads of a spec, of `gain` and of other studies that elicit a skill."""

    @property
    def samples(self) -> int | None: ...
    @property
    def elicited_samples(self) -> int: ...
    @property
    def elicitors(self) -> tuple[str, ...]: ...
    @property
    def reference(self) -> str | None: ...
    @property
    def plan(self) -> str | None: ...
    @property
    def plant(self) -> bool: ...
    @property
    def slice(self) -> str | None: ...
    @property
    def correct_at(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def json(self) -> bool: ...


@dataclass(frozen=True)
class Plan:
    """What a run works on: the two models, the task, and its items split into fit and report. `series`: the checkpoints
    of the tuned model, the last of which it is (none: it is no series). `may_ask_more`: more
    plain answers than the spec says may be asked where the word hinges on them; `study` is whose rows these are."""

    spec: Asks
    pair: Pair
    task: Task
    fit: tuple[Item, ...]
    report: tuple[Item, ...]
    sampling: Sampling
    may_ask_more: bool = False
    series: tuple[Step, ...] = ()
    study: str = STUDY

    def beside(self, models: Mapping[str, Model]) -> dict[str, Json]:
        """Return what spec.json holds of the models by role, of the task and its items, beside the spec."""
        return {
            "fingerprints": {
                **{role: model.fingerprint for role, model in models.items()},
                "task": self.task.fingerprint,
            },
            "identity": identities(models),
            "items": {"fit": len(self.fit), "report": len(self.report)},
        }


class Plain(NamedTuple):
    """Both models' plain rows by role, and all rows so far."""

    by_role: dict[str, list[Row]]
    rows: list[Row]


def ask_plainly(folder: RunFolder, plan: Plan) -> Plain:
    """Ask both models what the folder does not hold yet, and score what each wrote under the other."""
    assert plan.spec.samples is not None
    ask = Ask(plan.task, plan.report, plan.spec.samples, plan.spec.seed, plan.sampling)
    base, tuned = plan.pair
    assert tuned is not None
    # Neither model may use up the other's tokens: answers of one alone say nothing.
    with current().part(0.5):
        ask_model(folder, plan, ("base", base), ask)
    plain = {
        role: ask_model(folder, plan, (role, model), ask)
        for role, model in (("tuned", tuned), ("base", base))
    }
    rows = [row for own in plain.values() for row in own]
    if plan.task.mode == "generate" and plan.spec.plan != "quick":
        for scorer, writer in (("base", "tuned"), ("tuned", "base")):
            rows += _cross_scored(folder, plan, scorer, plain[writer])
        rows += _guesses_scored(folder, plan, plain["base"])
        rows += _content_scored(folder, plan, plain["tuned"])
    return Plain(plain, rows)


def ask_more(folder: RunFolder, plan: Plan, plain: Plain, samples: int) -> Plain:
    """Return the plain answers with `samples` to each item from both models; what comes on top is not scored under the
    other model."""
    base, tuned = plan.pair
    assert tuned is not None
    ask = Ask(plan.task, plan.report, samples, plan.spec.seed, plan.sampling)
    by_role = {
        role: ask_model(folder, plan, (role, model), ask)
        for role, model in (("tuned", tuned), ("base", base))
    }
    others = [row for row in plain.rows if row.condition not in ("base/plain", "tuned/plain")]
    return Plain(by_role, [*(row for own in by_role.values() for row in own), *others])


def ask_model(folder: RunFolder, plan: Plan, who: tuple[str, Model], ask: Ask) -> list[Row]:
    """Ask a model plainly; `who` is its role and the model."""
    role, model = who
    condition = Condition(plan.study, f"{role}/plain", "report", identity_of(model, ask))
    return collect(folder, condition, ask, _plainly(model), plan.spec.json)


def identity_of(model: Model, ask: Ask, setting: JsonObject | None = None) -> dict[str, Json]:
    return {
        **model.known_by(),
        "task": ask.task.fingerprint,
        "sampling": [*ask.sampling.__dict__.items()],
        "seed": ask.seed,
        "elicited": setting,
    }


def _plainly(model: Model) -> Callable[[Ask], Iterator[Elicitation]]:
    return lambda ask: generate(model, list(plain_requests(ask)))


def _same_tokens(plan: Plan) -> bool:
    base, tuned = plan.pair
    return tuned is not None and share_tokens(base, tuned)


def _cross_scored(folder: RunFolder, plan: Plan, scorer: str, answers: Sequence[Row]) -> list[Row]:
    """Score the other model's plain answers under `scorer`; no rows where it gives no log-probabilities."""
    base, tuned = plan.pair
    assert tuned is not None
    if not (base.can_score and tuned.can_score):
        return []
    texts: dict[tuple[str, int], tuple[tuple[int, ...] | str, Row | None]] = {
        (row.item, row.sample): (
            row.token_ids if _same_tokens(plan) and row.token_ids else row.completion,
            row,
        )
        for row in answers
        if row.status != "failed" and row.completion
    }
    return _scored(folder, plan, f"{scorer}<{'tuned' if scorer == 'base' else 'base'}", texts)


def _guesses_scored(folder: RunFolder, plan: Plan, answers: Sequence[Row]) -> list[Row]:
    """Score under both models the right answers that the base would give by luck (see guesses.py)."""
    base, tuned = plan.pair
    assert tuned is not None
    if not (base.can_score and tuned.can_score and _same_tokens(plan)):
        return []
    guessed = guesses(plan.task, plan.report, answers)
    try:
        tokens = as_tokens(base, [plan.task.prompt(guess.item) for guess in guessed], guessed)
    except BudgetSpent:
        return [row for role in ("base", "tuned") for row in folder.read_rows(f"{role}<guess")]
    seen: Counter[str] = Counter()
    texts: dict[tuple[str, int], tuple[tuple[int, ...] | str, Row | None]] = {}
    for guess, ids in zip(guessed, tokens, strict=True):
        texts[guess.item.id, seen[guess.item.id]] = (ids, None)
        seen[guess.item.id] += 1
    return [row for role in ("base", "tuned") for row in _scored(folder, plan, f"{role}<guess", texts)]


def _content_scored(folder: RunFolder, plan: Plan, answers: Sequence[Row]) -> list[Row]:
    """Score tuned's right answers under both models after other items' prompts (see content.py)."""
    base, tuned = plan.pair
    assert tuned is not None
    right = right_answers(answers, plan.spec.correct_at)
    if not (base.can_score and tuned.can_score and _same_tokens(plan)) or len(right) < 2:
        return []
    rows: list[Row] = []
    items = [item for item in plan.report if item.id in right]
    ask = Ask(plan.task, items, 1, plan.spec.seed, plan.sampling)
    for role, model in (("base", base), ("tuned", tuned)):
        condition = Condition(
            plan.study, f"{role}<others", "report", identity_of(model, ask, {"of": tuned.fingerprint})
        )

        def answered(pending: Ask, model: Model = model) -> Iterator[Elicitation]:
            return scored_after_others(model, plan, right, pending)

        rows += collect(folder, condition, ask, answered, plan.spec.json)
    return rows


def _scored(
    folder: RunFolder,
    plan: Plan,
    name: str,
    answered: dict[tuple[str, int], tuple[tuple[int, ...] | str, Row | None]],
) -> list[Row]:
    """Collect the log-probabilities of given answers (by item and sample) as rows of condition `name`."""
    model = plan.pair.base if name.startswith("base<") else plan.pair.tuned
    assert model is not None

    def answers(ask: Ask) -> Iterator[Elicitation]:
        pending = [
            (i, s)
            for i, item in enumerate(ask.items)
            for s in range(ask.samples)
            if (item.id, s) in answered and (item.id, s) not in ask.held
        ]
        for block in _blocks(pending, SCORED_AT_ONCE if current().limit is None else SCORED_UNDER_A_LIMIT):
            texts = [answered[ask.items[i].id, s] for i, s in block]
            prompts = [plan.task.prompt(ask.items[i]) for i, _ in block]
            results = model.score([(prompt, text) for prompt, (text, _) in zip(prompts, texts, strict=True)])
            for (i, s), prompt, (_, row), result in zip(block, prompts, texts, results, strict=True):
                yield Elicitation(i, s, prompt, as_completion(row, result))

    samples = 1 + max((sample for _, sample in answered), default=-1)
    ask = Ask(plan.task, plan.report, samples, plan.spec.seed, plan.sampling)
    other = plan.pair.tuned if model is plan.pair.base else plan.pair.base
    assert other is not None
    condition = Condition(plan.study, name, "report", identity_of(model, ask, {"scores": other.fingerprint}))
    return collect(folder, condition, ask, answers, plan.spec.json)


def _blocks(values: Sequence[ValueT], size: int) -> Iterator[Sequence[ValueT]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
