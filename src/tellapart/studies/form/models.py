"""`form MODEL --task T`: which arms can run, their audit, and the asking."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from tellapart.controls import CONTROLS, FAMILIES, Control, Given, controls_of
from tellapart.controls.plain_task import PlainTask
from tellapart.controls.trained_instructions import TrainedControl, held_out
from tellapart.errors import UserMistake, closest
from tellapart.findings.finding import Finding
from tellapart.models.budget import BudgetSpent, current
from tellapart.models.model import Model
from tellapart.runs.folder import RunFolder
from tellapart.runs.table import to_table, write_table
from tellapart.studies.form.analyse import refuse_unread
from tellapart.studies.form.ask import Arm, Asking, ask_together, chains_of
from tellapart.studies.form.complexity import complexity_of
from tellapart.studies.form.facts import ArmFacts, Facts
from tellapart.studies.form.meanings import Meaning, measure_meanings
from tellapart.studies.form.option_bias import measure_option_bias
from tellapart.studies.form.paraphrase import paraphrases
from tellapart.studies.form.reading import READABLE
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.form.study import finish
from tellapart.studies.form.train import FAMILY as TRAINED
from tellapart.studies.form.train import ask_trained, copies_of, fit_and_report, trained_facts
from tellapart.studies.opening import identities, opened, tell_chat
from tellapart.studies.outcome import left_out
from tellapart.studies.study import Opened, Step
from tellapart.tasks.item import Task
from tellapart.tasks.sources import open_task
from tellapart.tasks.split import Split

EXAMPLE_LENGTH = 4000


class Planned(NamedTuple):
    """The controls of each family that will run, and why others do not."""

    families: dict[str, list[Control]]
    not_run: dict[str, str]


def open_models(spec: FormSpec, quiet: bool) -> Opened:
    """Read the task and the models, and make the arms of every family that the task allows."""
    assert spec.model and spec.task  # noqa: PT018
    task = open_task(spec.task, limit=spec.limit, seed=spec.seed)
    given = Given(task, spec.seed, spec.exemplars)
    plan = planned(spec, given)
    sized = complexities(task)
    first = [control for chosen in plan.families.values() for control in chosen if not control.needs_chains]
    first += [PlainTask()] if sized else []
    arms = {control: Arm(control, control.make(given)) for control in first}
    arms = {control: audited(arms, arm, spec.tolerance) for control, arm in arms.items()}
    split = fit_and_report(task, spec.seed) if TRAINED in plan.families else None
    if split is not None:
        arms = {control: _held_out(arm, split) for control, arm in arms.items()}
    model = opened(spec, spec.model)
    paraphraser, entailment = (
        opened(spec, name) if name else None for name in (spec.paraphraser, spec.entailment)
    )
    tell_chat(spec, (model,), quiet)
    beside = {
        "fingerprints": {"model": model.fingerprint, "task": task.fingerprint},
        "identity": identities({"model": model}),
        "items": len(task.items),
    }

    def find(folder: RunFolder) -> list[Finding]:
        asking = Asking(folder, model, spec)
        return _ask_and_analyse(asking, Put(given, plan, arms, split, sized), paraphraser, entailment)

    return Opened(spec, beside, find, steps=_steps(spec, task, plan))


class Put(NamedTuple):
    """What is put to the model: the arms that can be made at once, the split of a trained family, and the sizes of
    the items where they have one."""

    given: Given
    plan: Planned
    arms: Mapping[Control, Arm]
    split: Split | None
    sized: Mapping[str, tuple[float, float]]


def _ask_and_analyse(
    asking: Asking, put: Put, paraphraser: Model | None, entailment: Model | None
) -> list[Finding]:
    """Ask what the folder lacks and analyse all of it."""
    given, plan, split, folder = put.given, put.plan, put.split, asking.folder
    task, spec = given.task, asking.spec
    arms = dict(put.arms)
    _ask_first(asking, given, list(arms.values()), split)
    arms |= _on_own_chains(asking, given, plan, arms, paraphraser)
    _refuse_unread(asking, arms)
    if not put.sized and not set(plan.families) - set(plan.not_run):
        raise UserMistake(
            f"no family of controls can run on {task.name}: {next(iter(plan.not_run.values()))}"
        )
    write_table(folder.path, to_table(row for rows in asking.rows.values() for row in rows))
    bias, meanings = None, None
    with suppress(BudgetSpent):
        meanings = _meanings(asking, task, plan, arms, entailment)
    with suppress(BudgetSpent):
        if "choices" in plan.families:
            bias = measure_option_bias(folder, asking.model, task, spec.seed)
    facts = _facts(spec, task, plan, arms, (*task.notes, *asking.model.notes, *left_out(current())))
    trained = {} if split is None else {TRAINED: trained_facts(asking, given, split)}
    facts = replace(facts, option_bias=bias, complexity=put.sized, meanings=meanings, trained=trained)
    return finish(folder, facts)


def _steps(spec: FormSpec, task: Task, plan: Planned) -> tuple[Step, ...]:
    """Return what would be asked at most, a family at a time; trainings are not counted."""
    most = spec.max_tokens or task.max_tokens
    sizes = {family: len(chosen) * len(task.items) * spec.samples for family, chosen in plan.families.items()}
    return tuple(
        Step(f"{family}, {len(plan.families[family])} arms", n, n * most) for family, n in sizes.items()
    )


def _ask_first(asking: Asking, given: Given, arms: Sequence[Arm], split: Split | None) -> None:
    """Ask every arm that can be asked at once; those of a trained family after their training."""
    if split is None:
        return ask_together(asking, arms)
    copies = copies_of(asking)
    taught = [arm for arm in arms if isinstance(arm.control, TrainedControl) and arm.control.trains]
    ask_together(asking, [arm for arm in arms if arm not in taught])
    return ask_trained(asking, copies, given, taught, split)


def _held_out(arm: Arm, split: Split) -> Arm:
    """Return the arm of a trained family with only the items that were not trained on; others as they are."""
    return replace(arm, made=held_out(arm.made, split.report)) if arm.control.family == TRAINED else arm


def _meanings(
    asking: Asking, task: Task, plan: Planned, arms: Mapping[Control, Arm], entailment: Model | None
) -> dict[str, Meaning] | None:
    """Return the semantic entropies of the first family's full arm, where items have several samples."""
    family = next((family for family in plan.families if family not in plan.not_run), None)
    full = next((arm for c, arm in arms.items() if c.family == family and c.role == "full"), None)
    if full is None or asking.spec.samples < 2:
        return None
    return measure_meanings(asking.folder, task, asking.rows[full.condition], entailment)


def planned(spec: FormSpec, given: Given) -> Planned:
    """Return what can run. A family runs where its full arm and one more can be made.

    Raises UserMistake for an unknown family, one that was asked for and cannot run, or where none can.
    """
    for name in spec.family:
        if name not in FAMILIES:
            raise UserMistake(f"--family {name}{closest(name, FAMILIES)}: use {', '.join(FAMILIES)}")
    families, not_run = {}, {}
    for family in spec.family or [name for name, controls in FAMILIES.items() if controls.default]:
        reasons = {control: control.obstacle(given) for control in controls_of(family)}
        able = [control for control, reason in reasons.items() if reason is None]
        if len(able) > 1 and any(control.role == "full" for control in able):
            families[family] = able
            not_run |= {f"{family}/{c.name}": reason for c, reason in reasons.items() if reason}
        else:
            not_run[family] = next((reason for reason in reasons.values() if reason), "it has no full arm")
            if spec.family:
                raise UserMistake(f"family {family} cannot run on {given.task.name}: {not_run[family]}")
    if not families and not complexities(given.task):
        why_not = "; ".join(f"{family}: {reason}" for family, reason in not_run.items())
        raise UserMistake(f"no family of controls can run on {given.task.name}: {why_not}")
    return Planned(families, not_run)


def complexities(task: Task) -> dict[str, tuple[float, float]]:
    """Return (complexity, steps) by item where all items say so; else nothing."""
    counts = {item.id: complexity_of(item.fields) for item in task.items}
    return (
        {name: value for name, value in counts.items() if value is not None} if all(counts.values()) else {}
    )


def audited(arms: Mapping[Control, Arm], arm: Arm, tolerance: float) -> Arm:
    """Return the arm with its audit. Raises UserMistake where the form was not kept."""
    full = next(
        arm_audited
        for control, arm_audited in arms.items()
        if control.family == arm.control.family and control.role == "full"
    )
    lines = arm.control.audit(full.made, arm.made, tolerance)
    for line in lines:
        if not line.held:
            raise UserMistake(
                f"control {arm.condition} does not keep the form: {line.what} differ by {100 * line.off:.0f} % "
                f"(full {line.full:.4g}, here {line.arm:.4g}, tolerance {100 * line.tolerance:.0f} %): give other "
                "worked demonstrations, or leave the family out with --family"
            )
    return Arm(arm.control, arm.made, lines)


def _on_own_chains(
    asking: Asking, given: Given, plan: Planned, arms: Mapping[Control, Arm], paraphraser: Model | None
) -> dict[Control, Arm]:
    """Ask the controls that start from the model's own full answers, once those are there."""
    later: dict[Control, Arm] = {}
    for family, chosen in plan.families.items():
        waiting = [control for control in chosen if control.needs_chains]
        full = next(
            (arm for control, arm in arms.items() if control.family == family and control.role == "full"),
            None,
        )
        if not waiting or full is None:
            continue
        own = given._replace(task=full.made.task, chains=chains_of(asking.rows[full.condition]))
        if paraphraser is not None:
            with suppress(BudgetSpent):
                said = paraphrases(asking.folder, paraphraser, own, asking.spec.json)
                own = own._replace(paraphrases=said)
        for control in waiting:
            reason = control.obstacle(own)
            if reason:
                plan.not_run[f"{family}/{control.name}"] = reason
            else:
                later[control] = Arm(control, control.make(own))
        if not any(control in later for control in waiting):
            plan.not_run[family] = plan.not_run[f"{family}/{waiting[0].name}"]
    later = {
        control: audited({**arms, **later}, arm, asking.spec.tolerance) for control, arm in later.items()
    }
    if later:
        ask_together(asking, list(later.values()))
    return later


def _refuse_unread(asking: Asking, arms: Mapping[Control, Arm]) -> None:
    """Refuse a scorer that finds no answer at all in what the full arm gave. What a trained copy wrote may be the
    training's fault: its trainings are judged instead (trained.py)."""
    for control, arm in arms.items():
        rows = [row for row in asking.rows[arm.condition] if row.status != "failed"]
        if control.role == "full" and rows and control.family != TRAINED:
            readable = {f"{row.item}/{row.sample}": (row.measures or {}).get(READABLE, 1.0) for row in rows}
            refuse_unread(readable, arm.condition, rows[0].completion, arm.made.task.scorer.name)


def _facts(
    spec: FormSpec, task: Task, plan: Planned, arms: Mapping[Control, Arm], notes: tuple[str, ...]
) -> Facts:
    families: dict[str, dict[str, ArmFacts]] = {f: {} for f in plan.families if f not in plan.not_run}
    for key in CONTROLS:
        arm = arms.get(CONTROLS[key])
        if arm is not None and arm.control.family in families:
            families[arm.control.family][arm.control.name] = _arm_facts(arm)
    return Facts(
        families=families,
        questions={family: FAMILIES[family].question for family in families},
        no_effect={family: FAMILIES[family].no_effect for family in families},
        margin=spec.margin,
        correct_at=spec.correct_at,
        seed=spec.seed,
        guess_floor=task.guess_floor,
        prompts={item.id: task.prompt(item) for item in task.items},
        targets={item.id: " | ".join(item.target) for item in task.items},
        false_premise={
            item.id: rests
            for item in task.items
            if isinstance(rests := item.fields.get("false_premise"), bool)
        },
        not_run=plan.not_run,
        notes=notes,
    )


def _arm_facts(arm: Arm) -> ArmFacts:
    control = arm.control
    return ArmFacts(
        role=control.role,
        keeps=control.keeps,
        kept=control.kept,
        removed=control.removed,
        source=control.source,
        decides=control.decides,
        audit=arm.audit,
        example=arm.made.example[-EXAMPLE_LENGTH:],
    )
