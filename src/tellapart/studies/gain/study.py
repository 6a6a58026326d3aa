"""`tellapart gain`: spec -> rows -> findings -> report, in a run folder that can be resumed."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.typed import from_json, to_json
from tellapart.models.budget import BudgetSpent, current
from tellapart.planting.result import ArmControl
from tellapart.rasp.rung import ExpressibleRung
from tellapart.runs.folder import RunFolder
from tellapart.runs.table import read_table, to_table, write_table
from tellapart.studies.gain.analyse import analyse
from tellapart.studies.gain.elsewhere import given_ways
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.keys import answer_keys
from tellapart.studies.gain.logs import rows_from_logs
from tellapart.studies.gain.recorded import ItemKey, ModelSize
from tellapart.studies.gain.slices import MOST_SLICES, slice_values
from tellapart.studies.gain.spec import GainSpec
from tellapart.studies.opening import opened, tell_chat
from tellapart.studies.options import ModelOptions
from tellapart.studies.outcome import left_out
from tellapart.studies.study import Opened

if TYPE_CHECKING:
    from tellapart.models.model import Model
    from tellapart.studies.gain.adaptive import Plant
    from tellapart.studies.gain.ask import Plan

MeasuredT = TypeVar("MeasuredT")
FREE = ("plant", "guess_floor", "margin", "map")
"""Fields of the spec that may differ where a run is resumed, beside the options that change no answer."""
CHEAPEST_FIRST = ("answer_rank", "few_labels", "form_demonstrations")
"""The arms in the order in which a skill is planted for them."""
SAMPLES = 8
"""Plain answers an item that the verdict reads; MANY_SAMPLES where all methods are asked, or a gain is near 0."""

PICKED = (
    "Answers are picked among the choices by log-probability: one an item, with no samples for pass@k and no answers "
    "whose probability could be compared."
)


def open_gain(spec: GainSpec, quiet: bool = False) -> Opened:
    """Read what `gain` is asked: two logs, or a task and both models."""
    return _open_logs(spec) if spec.logs else _open_models(spec, quiet)


def _open_logs(spec: GainSpec) -> Opened:
    assert spec.logs is not None
    read = rows_from_logs(*spec.logs, given_ways(spec.way, spec.null, spec.bits))
    if spec.slice:
        clusters = set(read.table.column("cluster").to_pylist())
        if "" in clusters or not 2 <= len(clusters) <= MOST_SLICES:
            there = (
                "not every item of the logs has one" if "" in clusters else f"the logs have {len(clusters)}"
            )
            raise UserMistake(f"--slice {spec.slice}: {there}; 2 to {MOST_SLICES} are needed")
    facts = Facts(
        spec.guess_floor,
        spec.correct_at,
        spec.seed,
        margin=spec.margin,
        slice=spec.slice or "",
        items=read.keys,
        recognised=read.recognised,
        same_model=spec.logs[0] == spec.logs[1],
        asked_models=False,
        prompts=read.prompts,
        targets=read.targets,
        pairing=read.pairing,
        elicitors=read.elicitors,
        notes=read.notes,
    )

    def find(folder: RunFolder) -> list[Finding]:
        write_table(folder.path, read.table)
        return _finish(folder, facts)

    return Opened(spec, {"sources": read.sources}, find, asks=False, free=FREE)


def _open_models(spec: GainSpec, quiet: bool) -> Opened:
    from tellapart.studies.gain.cost import reckoned, start_line, steps_of

    plan = _planned(spec, quiet)
    base, tuned = plan.pair.base, plan.pair.tuned
    assert tuned is not None and isinstance(plan.spec, GainSpec)  # noqa: PT018
    reference = open_reference(spec, spec.reference, base) if spec.reference else None
    models = {"base": base, "tuned": tuned, **({"reference": reference} if reference else {})}
    beside = plan.beside(models)
    if plan.series:
        beside["series"] = [step.number for step in plan.series]

    def find(folder: RunFolder) -> list[Finding]:
        if not quiet:
            print(start_line(plan), file=sys.stderr, flush=True)
        return _finish(folder, _ask_all(folder, plan, reference))

    return Opened(plan.spec, beside, find, free=FREE, steps=steps_of(plan), reckon=lambda: reckoned(plan))


def _planned(spec: GainSpec, quiet: bool) -> "Plan":
    """Open the task and both models."""
    from tellapart.models.model import Sampling
    from tellapart.models.series import read_series
    from tellapart.runs.asking import Pair
    from tellapart.studies.gain.ask import MANY_SAMPLES, Plan
    from tellapart.studies.gain.eliciting import chosen_methods, quick_names
    from tellapart.tasks.questions import with_duplicates_joined
    from tellapart.tasks.sources import open_task
    from tellapart.tasks.split import share_to_fit, split_items

    base_name, tuned_name, task_name = spec.base, spec.tuned, spec.task
    assert base_name and tuned_name and task_name  # noqa: PT018
    chosen_methods(spec.elicitors)
    if spec.plan is None:
        spec = replace(spec, plan="exhaustive" if spec.elicitors else "adaptive")
    may_ask_more = spec.samples is None and spec.plan == "adaptive" and spec.temperature > 0
    if spec.samples is None:
        spec = replace(spec, samples=SAMPLES if spec.plan != "exhaustive" else MANY_SAMPLES)
    task = open_task(task_name, limit=spec.limit, seed=spec.seed)
    if spec.guess_floor is not None:
        task = replace(task, guess_floor=spec.guess_floor)
    if task.mode == "choice_logprob":
        spec = replace(spec, samples=1, elicited_samples=1)
        task = replace(task, notes=(*task.notes, PICKED))
    task = with_duplicates_joined(task)
    fit, report = split_items(task, spec.seed, share_to_fit(task))
    if spec.slice:
        slice_values(report, spec.slice)
    series = read_series(tuned_name)
    base, tuned = opened(spec, base_name), opened(spec, series[-1].reference if series else tuned_name)
    tell_chat(spec, (base, tuned), quiet)
    pair = Pair(base, tuned)
    if spec.plan == "quick":
        spec = replace(spec, elicitors=quick_names(pair, task))
    sampling = Sampling(spec.temperature, max_tokens=spec.max_tokens or task.max_tokens, stop=task.stop)
    may_ask_more = may_ask_more and spec.samples == SAMPLES
    return Plan(spec, pair, task, tuple(fit), tuple(report), sampling, may_ask_more, series)


def _ask_all(folder: RunFolder, plan: "Plan", reference: "Model | None") -> Facts:
    """Ask everything that the folder does not hold yet, write the table of rows, and return the facts beside it."""
    from tellapart.studies.gain.adaptive import has_all_arms, watching
    from tellapart.studies.gain.ask import MANY_SAMPLES, ask_more, ask_plainly
    from tellapart.studies.gain.described import described
    from tellapart.studies.gain.directions import directions
    from tellapart.studies.gain.eliciting import elicit_all
    from tellapart.studies.gain.series import ask_series
    from tellapart.studies.gain.teach import teach, with_labels

    spec, plain = plan.spec, ask_plainly(folder, plan)
    assert isinstance(spec, GainSpec)
    facts = _known_beforehand(plan)
    plant = planter(folder, plan)
    adaptive = spec.plan != "exhaustive"
    watch = watching(plain.rows, facts, plant, bool(spec.elicitors)) if adaptive else None
    if watch is not None and plan.may_ask_more and watch.samples_decide:
        plain = ask_more(folder, plan, plain, MANY_SAMPLES)
        watch = watching(plain.rows, facts, plant, bool(spec.elicitors))
    brought = elicit_all(folder, plan, watch)
    rows, elicitors, taught = [*plain.rows, *brought.rows], dict(brought.elicitors), None
    rows += ask_series(folder, plan, lambda reference: opened(spec, reference))
    if reference is not None:
        taught = teach(folder, plan, reference, elicitors, watch)
        rows += taught.rows
        elicitors = with_labels(elicitors, taught.elicitors)
        if watch is not None:
            watch.hear(taught.rows, elicitors, (taught.reference, taught.priced))
    planted = {} if watch is None else watch.facts.planting
    if watch is None and plant is not None and has_all_arms(elicitors):
        planted = plant()
    pointing, unpointed = _extra(spec.directions, lambda: directions(folder, plan))
    length, unmeasured = _extra(
        spec.description_length, lambda: described(folder, plan, plain.by_role["tuned"])
    )
    write_table(folder.path, to_table(rows))
    return replace(
        facts,
        elicitors=elicitors,
        planting=planted,
        reference=taught.reference if taught else {},
        priced=taught.priced if taught else {},
        directions=pointing,
        described=length or {},
        notes=(*facts.notes, *unpointed, *unmeasured, *left_out(current())),
        plan={
            **facts.plan,
            "stopped": brought.stopped,
            "dropped": brought.dropped,
            "looks": [to_json(look) for look in watch.looks] if watch else [],
        },
    )


def planter(folder: RunFolder, plan: "Plan") -> "Plant | None":
    """Return what hides a known skill in the base and looks for it with each arm; None where that was not asked for
    and was not done before on this base, or cannot be done. What it finds is kept beside the run."""
    base = plan.pair.base
    if plan.spec.plan == "quick" or not domain_of(base):
        return None
    from tellapart.planting.plant import is_cached, plant_all

    if not plan.spec.plant and not is_cached(base, plan.task):
        return None

    def plant() -> Mapping[str, ArmControl]:
        kept = folder.read_artifact("planting")
        if kept is not None:
            return from_json(Mapping[str, ArmControl], kept)
        controls: dict[str, ArmControl] = {}
        for arm in CHEAPEST_FIRST:
            (controls[arm],) = plant_all(base, plan.task, arms=(arm,), quiet=plan.spec.json).controls
            if not controls[arm].passed:  # all three must pass: the others could change nothing now
                break
        folder.write_artifact("planting", {arm: control.as_json() for arm, control in controls.items()})
        return controls

    return plant


def _known_beforehand(plan: "Plan") -> Facts:
    """Return the facts that no answer is needed for."""
    from tellapart.models.model import added_note, share_tokens
    from tellapart.studies.gain.series import series_note

    spec, task, base, tuned = plan.spec, plan.task, plan.pair.base, plan.pair.tuned
    assert tuned is not None and isinstance(spec, GainSpec)  # noqa: PT018
    expressible = _expressible(plan)
    return Facts(
        guess_floor=task.guess_floor,
        correct_at=spec.correct_at,
        seed=spec.seed,
        temperature=spec.temperature,
        prompts={item.id: task.prompt(item) for item in plan.report},
        targets={item.id: " | ".join(item.target) for item in plan.report},
        items=_keys(plan),
        slice=spec.slice or "",
        models={role: domain_of(model) for role, model in (("base", base), ("tuned", tuned))},
        chat={"base": base.chat, "tuned": tuned.chat},
        margin=spec.margin,
        plan={"plan": spec.plan, "asked": [text.partition(":")[0] for text in spec.elicitors]},
        same_tokens=share_tokens(base, tuned),
        same_model=base.fingerprint == tuned.fingerprint,
        notes=(
            *task.notes, *base.notes, *tuned.notes, *added_note(base, tuned), *series_note(plan.series),
            *_without_rung(expressible),
        ),
        expressible=expressible,
        series=tuple(step.number for step in plan.series),
    )  # fmt: skip


def _expressible(plan: "Plan") -> ExpressibleRung:
    """Return the ladder's first rung, in the base's shape; nothing where the task names no program."""
    from tellapart.elicit.access import WeightModel

    program, base = plan.task.program, plan.pair.base
    if not program:
        return {}
    if not isinstance(base, WeightModel):
        return {"program": program, "missing": f"the shape of {base.reference} is not available"}
    from tellapart.rasp.rung import rung

    return rung(plan.task, plan.report, base.module.config.to_dict())


def _without_rung(expressible: ExpressibleRung) -> tuple[str, ...]:
    """Return the caveat why the ladder has no first rung though the task names a program."""
    if not expressible or expressible.get("score") is not None:
        return ()
    reason = expressible.get("missing") or f"{expressible.get('answer')}: {expressible.get('by')}"
    return (f"Expressible (program {expressible.get('program')}): {reason}.",)


def _keys(plan: "Plan") -> dict[str, ItemKey]:
    """Return the items' answer keys, with their slices where a field was declared."""
    keys = answer_keys(plan.task, plan.report)
    if plan.spec.slice:
        for name, value in slice_values(plan.report, plan.spec.slice).items():
            keys[name]["slice"] = value
    return keys


def domain_of(model: "Model") -> ModelSize:
    """Return the architecture and the number of parameters; nothing for a model whose weights are not available."""
    from tellapart.elicit.access import WeightModel

    if not isinstance(model, WeightModel):
        return {}
    module = model.module
    return {
        "architecture": type(module).__name__,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def _extra(wanted: bool, measure: Callable[[], MeasuredT]) -> tuple[MeasuredT | None, tuple[str, ...]]:
    """Return what an opt-in measurement found, or a caveat why not: what was asked so far is not lost for it."""
    if not wanted:
        return None, ()
    try:
        return measure(), ()
    except (UserMistake, BudgetSpent) as reason:
        return None, (f"Not measured: {reason}.",)


def open_reference(spec: ModelOptions, reference: str, base: "Model") -> "Model":
    """Return the model that never met the skill, `reference` being a name or `fresh`."""
    from tellapart.models.fresh import reinitialised
    from tellapart.models.local import LocalModel

    if reference != "fresh":
        return opened(spec, reference)
    if not isinstance(base, LocalModel):
        raise UserMistake(
            f"--reference fresh: the weights of {base.reference} are not available; name a model"
        )
    return reinitialised(base, spec.seed)


def _finish(folder: RunFolder, facts: Facts) -> list[Finding]:
    """Keep the facts beside the rows and analyse both."""
    folder.write_artifact("facts", facts.as_json())
    return analyse(read_table(folder.path), facts)
