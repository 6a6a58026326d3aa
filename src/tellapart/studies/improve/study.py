"""`tellapart improve`: headroom, then rounds -> findings, in a run folder that can be resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.models.budget import BudgetSpent, TokenBudget, current, metered
from tellapart.models.held import HeldModel
from tellapart.models.model import Model, Sampling
from tellapart.runs.collect import counts
from tellapart.runs.folder import RunFolder, read_fields, read_json
from tellapart.runs.table import to_table, write_table
from tellapart.studies.improve.analyse import analyse
from tellapart.studies.improve.anchors import Anchor, anchored_items, read_corrections
from tellapart.studies.improve.ask import FEWEST_ITEMS, Plan, Version, answers
from tellapart.studies.improve.headroom import CONTROLS, ask_verifiers, best_own, headroom, no_headroom
from tellapart.studies.improve.rounds import Arm, Course, run_arm, verdicts
from tellapart.studies.improve.spec import ImproveSpec
from tellapart.studies.opening import identities, opened, tell_chat
from tellapart.studies.outcome import left_out
from tellapart.studies.study import Changes, Opened, Step, recorded_spec, refuse_changed
from tellapart.tasks.item import Task
from tellapart.tasks.sources import open_task
from tellapart.tasks.split import split_items
from tellapart.verifiers import open_verifier
from tellapart.verifiers.critique import Judge
from tellapart.verifiers.python_code import PythonVerifier
from tellapart.verifiers.verifier import Verifier

if TYPE_CHECKING:
    from tellapart.training.change import Change

USUAL = ("logprob", "critique", "score", "tournament", "majority", "checker", "steps", "longest")
TRAIN_SHARE = 0.5


class Cast:
    """Who takes part: the verifiers to measure, and the anchor. With the fingerprints `held` in a finished run judges
    are not opened, but stand there by them."""

    def __init__(self, spec: ImproveSpec, task: Task, held: Mapping[str, str] | None = None) -> None:
        names = spec.verifier or tuple(name for name in USUAL if name != "steps" or task.steps is not None)
        self.named = bool(spec.verifier)
        self.verifiers = [_opened(name, spec, held) for name in dict.fromkeys(names)]
        self.anchor = _opened(spec.anchor_by, spec, held) if spec.anchor > 0 else None

    def prints(self) -> dict[str, str]:
        """Return what identifies the verifiers that come from outside."""
        everyone = [*self.verifiers, *([self.anchor] if self.anchor else [])]
        judges = {
            verifier.name: verifier.model.fingerprint for verifier in everyone if isinstance(verifier, Judge)
        }
        return judges | {
            verifier.name: verifier.source_hash
            for verifier in everyone
            if isinstance(verifier, PythonVerifier)
        }


def _opened(name: str, spec: ImproveSpec, held: Mapping[str, str] | None) -> Verifier:
    if held is not None and name.startswith("judge:"):
        return Judge(HeldModel(name.removeprefix("judge:"), held[name]))
    return open_verifier(name, spec.device, spec.dtype, spec.max_rows)


def open_improve(spec: ImproveSpec, quiet: bool = False) -> Opened:
    """Read the task, the verifiers, the canaries and the model."""
    task = _task(spec)
    cast = Cast(spec, task)
    canaries = tuple(open_task(name) for name in spec.canary)
    train, report = split_items(task, spec.seed, TRAIN_SHARE)
    model = opened(spec, spec.model)
    tell_chat(spec, (model,), quiet)
    prints = {
        "model": model.fingerprint,
        "task": task.fingerprint,
        **{f"canary {name}": canary.fingerprint for name, canary in zip(spec.canary, canaries, strict=True)},
        **cast.prints(),
    }
    beside = {
        "fingerprints": prints,
        "identity": identities({"model": model}),
        "items": {"train": len(train), "report": len(report)},
    }
    change = _change(model) if spec.rounds else None
    sampling = Sampling(spec.temperature, max_tokens=spec.max_tokens or task.max_tokens, stop=task.stop)
    corrections = read_corrections(Path(spec.corrections), task, train) if spec.corrections else {}

    def find(folder: RunFolder) -> list[Finding]:
        plan = Plan(folder, spec, model, task, tuple(train), tuple(report), sampling, canaries, change, quiet)
        findings = _findings(plan, cast, corrections)
        budget = current()
        facts = {"notes": list(model.notes), "limit": budget.limit, "refused": budget.refused}
        folder.write_artifact("facts", facts)
        write_table(folder.path, to_table(row for rows in plan.rows.values() for row in rows))
        return findings

    return Opened(spec, beside, find, steps=_steps(spec, len(train), len(report), sampling.max_tokens))


def analyse_again(folder: Path, changes: Changes) -> list[Finding]:
    """Return the findings of a finished run from all that it keeps; models stand there by their recorded fingerprints.
    Raises UserMistake where something is missing, or where the task has changed."""
    fields = read_fields(folder)
    facts = read_json(folder / "artifacts" / "facts.json", "the run is not finished, or of an older version")
    spec, prints = recorded_spec(ImproveSpec, fields), fields["fingerprints"]
    task = _task(spec)
    refuse_changed(folder, prints, {"task": task.fingerprint})
    train, report = split_items(task, spec.seed, TRAIN_SHARE)
    sampling = Sampling(spec.temperature, max_tokens=spec.max_tokens or task.max_tokens, stop=task.stop)
    corrections = read_corrections(Path(spec.corrections), task, train) if spec.corrections else {}
    model = HeldModel(spec.model, prints["model"], facts["notes"])
    canaries = tuple(open_task(name) for name in spec.canary)
    budget = TokenBudget(facts["limit"])
    budget.refused = facts["refused"]
    with metered(budget):
        plan = Plan(
            RunFolder(folder), spec, model, task, tuple(train), tuple(report), sampling, canaries, quiet=True
        )
        return _findings(plan, Cast(spec, task, prints), corrections)


def _steps(spec: ImproveSpec, train: int, report: int, most: int) -> tuple[Step, ...]:
    """Return what would be asked at most; what verifiers spend is not known beforehand."""
    measured = report * spec.samples
    steps = [Step("answers to measure", measured, measured * most)]
    if spec.rounds:
        arms = 3 if spec.anchor > 0 or spec.corrections else 2
        answers = arms * spec.rounds * (train + report) * spec.samples
        steps.append(Step(f"{spec.rounds} rounds of {arms} arms", answers, answers * most))
    return tuple(steps)


def _task(spec: ImproveSpec) -> Task:
    """Return the task. Raises UserMistake where its answers are not written."""
    assert spec.task is not None
    task = open_task(spec.task, limit=spec.limit, seed=spec.seed)
    if task.mode != "generate":
        raise UserMistake(
            f"task {task.name!r} picks answers by log-probability: improve needs written answers"
        )
    return task


def _change(model: Model) -> "Change":
    """Return what rounds train. Raises UserMistake where the model's weights are not available."""
    from tellapart.models.local import LocalModel
    from tellapart.training.kinds import default_change

    if not isinstance(model, LocalModel):
        raise UserMistake(f"{model.reference} cannot be trained here: give --rounds 0 for the headroom alone")
    return default_change(model)


def _findings(plan: Plan, cast: Cast, corrections: dict[str, str]) -> list[Finding]:
    try:
        given = answers(plan, Version(), "report")
    except BudgetSpent as spent:
        raise UserMistake(
            f"{spent} before {FEWEST_ITEMS} items were answered: run the same command with a larger --budget"
        ) from spent
    judged, notes = ask_verifiers(plan, given, cast.verifiers, cast.named)
    notes_before = [*plan.task.notes, *plan.model.notes]
    courses: list[Course] = []
    if plan.spec.rounds and not current().refused:
        try:
            trainer = (
                cast.verifiers[0]
                if cast.named
                else _best(plan, [verifier_judged.verifier for verifier_judged in judged])
            )
            # a control is trained on to see that it raises nothing; an anchor selects by more than this verifier
            alone = trainer.name not in CONTROLS and cast.anchor is None and not corrections
            barred = no_headroom(given, verdicts(plan, Version(), given, trainer) if alone else None)
            courses = _courses(plan, trainer, cast.anchor, corrections, barred)
        except BudgetSpent as spent:
            notes.append(f"No round was measured: {spent}.")
    notes_before += left_out(current())
    first = headroom(given, judged, plan.spec.seed, [*notes_before, *notes])
    if not courses:
        return [_counted(first, plan)]
    raised = analyse(courses, plan.spec.rounds, plan.spec.seed, notes_before)
    return [_counted(raised, plan), first]


def _best(plan: Plan, verifiers: Sequence[Verifier]) -> Verifier:
    """Return the model's own verifier with the largest gap on the training items."""
    given = answers(plan, Version(), "train")
    own = [verifier for verifier in verifiers if not verifier.outside]
    best = best_own(given, ask_verifiers(plan, given, own, False)[0])
    if best is None:
        raise UserMistake("no verifier of the model's own can run here: name one with --verifier")
    return best


def _courses(
    plan: Plan, trainer: Verifier, anchored_by: Verifier | None, corrections: dict[str, str], barred: str
) -> list[Course]:
    arms = [Arm("unanchored", trainer), Arm("by chance", trainer, by_chance=True)]
    if anchored_by is not None or corrections:
        items = anchored_items(plan.train, plan.spec.anchor, plan.spec.seed)
        arms.append(Arm("anchored", trainer, anchor=Anchor(anchored_by, items, corrections)))
    return [run_arm(plan, arm, barred) for arm in arms]


def _counted(finding: Finding, plan: Plan) -> Finding:
    """Return the finding with the counts of all answers, by condition."""
    counted = [{"condition": name, **counts(rows)} for name, rows in plan.rows.items()]
    return replace(finding, tables={**finding.tables, "counts": counted})
