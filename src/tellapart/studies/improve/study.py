"""`tellapart improve`: headroom, then rounds -> findings -> report, in a run folder that can be gone on with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.models.budget import BudgetSpent, TokenBudget
from tellapart.models.model import Model, Sampling
from tellapart.runs.collect import counts
from tellapart.runs.folder import open_run, run_path
from tellapart.runs.provenance import provenance
from tellapart.runs.spending import spending
from tellapart.runs.table import to_table, write_table
from tellapart.studies.improve.analyse import analyse
from tellapart.studies.improve.anchors import Anchor, anchored_items, read_corrections
from tellapart.studies.improve.ask import FEWEST_ITEMS, Plan, Version, answers
from tellapart.studies.improve.headroom import CONTROLS, ask_verifiers, best_own, headroom, no_headroom
from tellapart.studies.improve.rounds import Arm, Course, run_arm, verdicts
from tellapart.studies.improve.spec import ImproveSpec
from tellapart.studies.opening import identities, opened, tell_chat
from tellapart.studies.outcome import Run, asked, conclude, left_out, tell
from tellapart.tasks.item import Task
from tellapart.tasks.sources import open_task
from tellapart.tasks.split import split_items
from tellapart.verifiers import open_verifier
from tellapart.verifiers.critique import Judge
from tellapart.verifiers.python_code import PythonVerifier
from tellapart.verifiers.verifier import Verifier

FREE = ("out", "json", "budget", "device", "max_rows")
"""Fields of the spec that may differ when a run is gone on with."""
USUAL = ("logprob", "critique", "score", "tournament", "majority", "checker", "steps", "longest")
TRAIN_SHARE = 0.5


class Cast:
    """Who takes part: the verifiers to measure, and the anchor."""

    def __init__(self, spec: ImproveSpec, task: Task) -> None:
        names = spec.verifier or tuple(name for name in USUAL if name != "steps" or task.steps is not None)
        self.named = bool(spec.verifier)
        self.verifiers = [
            open_verifier(name, spec.device, spec.dtype, spec.max_rows) for name in dict.fromkeys(names)
        ]
        self.anchor = (
            open_verifier(spec.anchor_by, spec.device, spec.dtype, spec.max_rows) if spec.anchor > 0 else None
        )

    def prints(self) -> dict[str, str]:
        """Return what identifies the verifiers that come from outside."""
        everyone = [*self.verifiers, *([self.anchor] if self.anchor else [])]
        judges = {one.name: one.model.fingerprint for one in everyone if isinstance(one, Judge)}
        return judges | {one.name: one.source_hash for one in everyone if isinstance(one, PythonVerifier)}


def run_improve(spec: ImproveSpec, quiet: bool = False) -> Run:
    """Run `improve` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    out = run_path(spec.out, "improve")
    task = _task(spec)
    cast = Cast(spec, task)
    canaries = tuple(open_task(name) for name in spec.canary)
    train, report = split_items(task, spec.seed, TRAIN_SHARE)
    model = opened(spec, spec.model)
    tell_chat(spec, (model,), quiet or spec.json)
    prints = {
        "model": model.fingerprint,
        "task": task.fingerprint,
        **{f"canary {name}": one.fingerprint for name, one in zip(spec.canary, canaries, strict=True)},
        **cast.prints(),
    }
    described = {
        **asked("improve", spec, FREE),
        "fingerprints": prints,
        "identity": identities({"model": model}),
        "items": {"train": len(train), "report": len(report)},
    }
    change = _change(model) if spec.rounds else None
    sampling = Sampling(spec.temperature, max_tokens=spec.max_tokens or task.max_tokens, stop=task.stop)
    corrections = read_corrections(Path(spec.corrections), task, train) if spec.corrections else {}
    with (
        open_run(out, described, {"provenance": provenance(spec.device)}) as folder,
        spending(folder, spec.budget) as budget,
    ):
        plan = Plan(
            folder,
            spec,
            model,
            task,
            tuple(train),
            tuple(report),
            sampling,
            canaries,
            change,
            quiet or spec.json,
        )
        findings = _findings(plan, cast, corrections, budget)
        write_table(folder.path, to_table(row for rows in plan.rows.values() for row in rows))
        findings = conclude(folder.path, "improve", findings)
    run = Run(out, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run


def _task(spec: ImproveSpec) -> Task:
    """Return the task. Raises UserMistake where its answers are not written."""
    assert spec.task is not None
    task = open_task(spec.task, limit=spec.limit, seed=spec.seed)
    if task.mode != "generate":
        raise UserMistake(
            f"task {task.name!r} picks answers by log-probability: improve needs written answers"
        )
    return task


def _change(model: Model) -> Any:
    """Return what rounds train. Raises UserMistake where the model's weights are not at hand."""
    from tellapart.models.local import LocalModel
    from tellapart.training.kinds import default_change

    if not isinstance(model, LocalModel):
        raise UserMistake(f"{model.reference} cannot be trained here: give --rounds 0 for the headroom alone")
    return default_change(model)


def _findings(plan: Plan, cast: Cast, corrections: dict[str, str], budget: TokenBudget) -> list[Finding]:
    try:
        given = answers(plan, Version(), "report")
    except BudgetSpent as spent:
        raise UserMistake(
            f"{spent} before {FEWEST_ITEMS} items were answered: run the same command with a larger --budget"
        ) from spent
    found, notes = ask_verifiers(plan, given, cast.verifiers, cast.named)
    known = [*plan.task.notes, *plan.model.notes]
    courses: list[Course] = []
    if plan.spec.rounds and not budget.refused:
        try:
            trainer = cast.verifiers[0] if cast.named else _best(plan, [one.verifier for one in found])
            # a control is trained on to see that it raises nothing; an anchor selects by more than this verifier
            alone = trainer.name not in CONTROLS and cast.anchor is None and not corrections
            barred = no_headroom(given, verdicts(plan, Version(), given, trainer) if alone else None)
            courses = _courses(plan, trainer, cast.anchor, corrections, barred)
        except BudgetSpent as spent:
            notes.append(f"No round was measured: {spent}.")
    known += left_out(budget)
    first = headroom(given, found, plan.spec.seed, [*known, *notes])
    if not courses:
        return [_counted(first, plan)]
    raised = analyse(courses, plan.spec.rounds, plan.spec.seed, known)
    return [_counted(raised, plan), first]


def _best(plan: Plan, verifiers: Sequence[Verifier]) -> Verifier:
    """Return the model's own verifier with the largest gap on the training items."""
    given = answers(plan, Version(), "train")
    own = [one for one in verifiers if not one.outside]
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
    told = [{"condition": name, **counts(rows)} for name, rows in plan.rows.items()]
    return replace(finding, tables={**finding.tables, "counts": told})
