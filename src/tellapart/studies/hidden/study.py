"""`tellapart hidden`: spec -> rows -> findings -> report, in a run folder that can be resumed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.findings.finding import Finding
from tellapart.jsonvalue import Json
from tellapart.models.budget import current
from tellapart.runs.folder import RunFolder, read_json
from tellapart.runs.table import read_table, to_table, write_table
from tellapart.studies.gain.keys import answer_keys
from tellapart.studies.gain.slices import slice_values
from tellapart.studies.hidden.analyse import analyse
from tellapart.studies.hidden.facts import HiddenFacts, hidden_facts_from
from tellapart.studies.hidden.logs import ELICITED, rows_from_logs
from tellapart.studies.hidden.spec import HiddenSpec
from tellapart.studies.hidden.weigh import BENIGN, REFERENCE
from tellapart.studies.outcome import left_out
from tellapart.studies.study import Opened, Step
from tellapart.tasks.match import Matched

if TYPE_CHECKING:
    from tellapart.models.model import Model
    from tellapart.studies.gain.ask import Plan
    from tellapart.tasks.item import Item, Task

FREE = ("plant", "guess_floor", "margin")
"""Fields of the spec that may differ where a run is resumed, beside the options that change no answer."""


def open_hidden(spec: HiddenSpec, quiet: bool = False) -> Opened:
    """Read what `hidden` is asked: logs by role, or a task and the models."""
    return _open_logs(spec) if spec.logs else _open_models(spec, quiet)


def analyse_again(folder: Path, changes: Mapping[str, float]) -> list[Finding]:
    """Return the findings of a finished run, made anew. Raises UserMistake where it is not finished."""
    facts = hidden_facts_from(read_json(folder / "artifacts" / "facts.json", "the run is not finished"))
    given: dict[str, Json] = {
        {"margin": "gap_margin"}.get(name, name): value for name, value in changes.items()
    }
    return analyse(read_table(folder), replace(facts, **given))


def _open_logs(spec: HiddenSpec) -> Opened:
    roles = spec.by_role()
    read = rows_from_logs(roles)
    facts = HiddenFacts(
        spec.guess_floor,
        spec.correct_at,
        spec.seed,
        slice=spec.slice or "",
        items=read.keys,
        permuted=read.permuted,
        recognised=read.recognised,
        elicitors={"elicited": ELICITED} if "elicited" in roles else {},
        benign={"elicited": ELICITED} if "benign_elicited" in roles else {},
        has_benign="benign" in roles,
        gap_margin=spec.margin,
        same_model=read.same_model,
        barred=read.barred,
        lost=read.lost,
        asked_models=False,
        notes=read.notes,
    )

    def find(folder: RunFolder) -> list[Finding]:
        write_table(folder.path, read.table)
        return _finish(folder, facts)

    return Opened(spec, {"sources": read.sources}, find, asks=False, free=FREE)


def _open_models(spec: HiddenSpec, quiet: bool) -> Opened:
    plan, others = _planned(spec, quiet)
    models = {"model": plan.pair.base, **others}
    beside = plan.beside(models)

    def find(folder: RunFolder) -> list[Finding]:
        return _finish(folder, _ask_all(folder, plan, others))

    return Opened(spec, beside, find, free=FREE, steps=_steps(spec, plan, others))


def _planned(spec: HiddenSpec, quiet: bool) -> "tuple[Plan, dict[str, Model]]":
    """Open the task and the models."""
    from tellapart.models.model import Sampling
    from tellapart.runs.asking import Pair
    from tellapart.studies.gain.ask import Plan
    from tellapart.studies.gain.eliciting import chosen_methods
    from tellapart.studies.gain.study import open_reference
    from tellapart.studies.opening import opened, tell_chat
    from tellapart.tasks.questions import with_duplicates_joined
    from tellapart.tasks.sources import open_task
    from tellapart.tasks.split import share_to_fit, split_items

    model_name, task_name = spec.model, spec.task
    assert model_name and task_name  # noqa: PT018
    chosen_methods(spec.elicitors)
    task = open_task(task_name, limit=spec.limit, seed=spec.seed)
    if spec.guess_floor is not None:
        task = replace(task, guess_floor=spec.guess_floor)
    if task.mode == "choice_logprob":
        spec = replace(spec, samples=1, elicited_samples=1)
    task = with_duplicates_joined(task)
    fit, report = split_items(task, spec.seed, share_to_fit(task))
    if spec.slice:
        slice_values(report, spec.slice)
    model = opened(spec, model_name)
    others: dict[str, Model] = {}
    if spec.benign:
        others[BENIGN] = opened(spec, spec.benign)
    if spec.reference:
        others[REFERENCE] = open_reference(spec, spec.reference, model)
    tell_chat(spec, (model, *others.values()), quiet)
    sampling = Sampling(spec.temperature, max_tokens=spec.max_tokens or task.max_tokens, stop=task.stop)
    plan = Plan(spec, Pair(model), task, tuple(fit), tuple(report), sampling, study="hidden")
    return plan, others


def _steps(spec: HiddenSpec, plan: "Plan", others: "Mapping[str, Model]") -> tuple[Step, ...]:
    """Return what would be asked at most; what a method spends on being fitted is not known beforehand."""
    from tellapart.elicit import ELICITORS, applicable
    from tellapart.studies.hidden.ask import CHEAP, QUICK

    items, most = len(plan.report), plan.sampling.max_tokens
    roles = ("model", *(role for role in others if role == BENIGN))
    steps = [Step(f"{role}, plainly", items * spec.samples, items * spec.samples * most) for role in roles]
    for text in spec.elicitors or (QUICK if spec.plan == "quick" else CHEAP):
        name = text.partition(":")[0]
        if applicable(ELICITORS[name], plan.pair, plan.task) is None:
            answers = 2 * items * spec.elicited_samples * len(roles)
            steps.append(
                Step(f"{' and '.join(roles)} under {name} and its null control", answers, answers * most)
            )
    return tuple(steps)


def _ask_all(folder: RunFolder, plan: "Plan", others: "dict[str, Model]") -> HiddenFacts:
    """Ask everything that the folder does not hold yet, write the table of rows, and return the facts beside it."""
    from tellapart.studies.gain.study import planter
    from tellapart.studies.hidden.analyse import judge
    from tellapart.studies.hidden.arms import ARMS
    from tellapart.studies.hidden.ask import Questioning, light
    from tellapart.studies.hidden.twins import these_items
    from tellapart.studies.hidden.verdict import planting_decides

    asking = Questioning(folder, plan, others, _known_beforehand(plan, others))
    asking.ask()
    facts, rows = asking.current_facts(), asking.heard.rows
    plant, unplanted = planter(folder, plan), {}
    if plant is not None and planting_decides(judge(light(rows), facts)):
        facts = replace(facts, planting=plant())
    elif plant is not None:
        margin = f"{100 * facts.gap_margin:g} points"
        unplanted = {"planting": f"not asked: at a margin of {margin} it could not have changed the word"}
    write_table(folder.path, to_table(rows))
    met, unmet = these_items(folder, plan, others.get(BENIGN))
    return replace(
        facts,
        these_items=met,
        notes=(*facts.notes, *unmet, *left_out(current())),
        plan={"plan": plan.spec.plan, "stopped": asking.heard.stopped, "arms": list(ARMS), **unplanted},
    )


def _known_beforehand(plan: "Plan", others: "Mapping[str, Model]") -> HiddenFacts:
    """Return the facts that no answer is needed for."""
    from tellapart.studies.gain.study import domain_of
    from tellapart.studies.hidden.ask import permuted

    spec, task, model = plan.spec, plan.task, plan.pair.base
    assert isinstance(spec, HiddenSpec)
    keys = answer_keys(task, plan.report)
    if spec.slice:
        for name, value in slice_values(plan.report, spec.slice).items():
            keys[name]["slice"] = value
    turned = permuted(task)
    benign = others.get(BENIGN)
    return HiddenFacts(
        guess_floor=task.guess_floor,
        correct_at=spec.correct_at,
        seed=spec.seed,
        temperature=spec.temperature,
        prompts={item.id: task.prompt(item) for item in plan.report},
        targets={item.id: " | ".join(item.target) for item in plan.report},
        items=keys,
        slice=spec.slice or "",
        models={"model": domain_of(model)},
        chat={role: other.chat for role, other in (("model", model), *others.items())},
        has_benign=benign is not None,
        gap_margin=spec.margin,
        options={item.id: listed for item in plan.report if (listed := _options(task, item))},
        permuted={} if turned is None else {item.id: _accepted(turned, item) for item in turned.items},
        same_model=benign is not None and benign.fingerprint == model.fingerprint,
        notes=(*task.notes, *model.notes, *(benign.notes if benign is not None else ())),
    )


def _accepted(task: "Task", item: "Item") -> tuple[str, ...]:
    return tuple(answer_keys(task, [item])[item.id]["accepted"])


def _options(task: "Task", item: "Item") -> tuple[str, ...]:
    """Return the item's choices in canonical form, in order, where its answers are choices and no letters."""
    scorer = task.scorer
    if not item.choices or (len(item.target[0].strip("(). ")) == 1 and item.target[0] not in item.choices):
        return ()
    if isinstance(scorer, Matched):
        return tuple(scorer.canonical(item, text) or text for text in item.choices)
    return tuple(item.choices)


def _finish(folder: RunFolder, facts: HiddenFacts) -> list[Finding]:
    """Keep the facts beside the rows and analyse both. Raises UserMistake where nothing was answered."""
    folder.write_artifact("facts", facts.as_json())
    return analyse(read_table(folder.path), facts)
