"""Ask the base under one elicitor after another, each beside its null control, until all were asked, the budget is
spent, or (adaptive plan) the verdict is settled."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tellapart.elicit import ELICITORS, OURS, applicable, load, save
from tellapart.elicit.elicitor import Elicited, Elicitor, elicitor_name
from tellapart.elicit.few_labels import FewLabels, Labelled
from tellapart.elicit.settings import read_elicitor, settings_of
from tellapart.errors import InvalidInput, UserMistake
from tellapart.interventions.weights import weights_from
from tellapart.jsonvalue import JsonObject
from tellapart.models.budget import BudgetSpent, current
from tellapart.runs.asking import Ask, Pair
from tellapart.runs.collect import Condition, collect, known_rows
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.progress import counting, stage
from tellapart.runs.row import Row
from tellapart.studies.gain.adaptive import Next, Watch
from tellapart.studies.gain.ask import Plan, identity_of
from tellapart.studies.gain.recorded import ElicitorRecord
from tellapart.tasks.item import Task

QUICK = ("form_demonstrations", "prefill", "step_by_step")
"""Cheap methods that tell no right answer."""
Who = str
"""Whose answers: the base, a `reference` of its shape that never met the skill, or a role of another study."""


class ElicitedRows(NamedTuple):
    """All rows; per elicitor's value what is told about it beside them (or why it has none); why asking was stopped;
    the mechanisms of which no method gave a figure, with the reasons."""

    rows: list[Row]
    elicitors: dict[str, ElicitorRecord]
    stopped: str
    dropped: dict[str, str]


def elicit_all(folder: RunFolder, plan: Plan, watch: Watch | None, who: Who = "base") -> ElicitedRows:
    """Ask `who` (`plan.pair.base` is that model) under every chosen elicitor that can run. In an adaptive plan each
    has its main setting asked only; with a `watch` those that come after the verdict is settled are not asked."""
    methods = chosen_methods(plan.spec.elicitors)
    names = tuple(methods)
    records: dict[str, dict[str, ElicitorRecord]] = {name: {} for name in names}
    waiting = list(names)
    for name in names:
        if (obstacle := applicable(methods[name], plan.pair, plan.task)) is not None:
            records[name] = {name: {**record_of(methods[name]), "missing": obstacle}}
            waiting.remove(name)
    stopped = ""
    rows: list[Row] = []
    able = len(waiting)
    while waiting:
        chosen = Next(waiting[0], "") if watch is None else watch.choose(waiting, methods)
        if not chosen.name:
            stopped = chosen.reason
            break
        with stage(f"method {able - len(waiting) + 1} of {able}"):
            waiting.remove(chosen.name)
            records[chosen.name] = _elicit_by(
                folder, plan, watch, (methods[chosen.name], chosen.reason, who), rows
            )
    records |= {name: {name: {**record_of(methods[name]), "missing": stopped}} for name in waiting}
    dropped = {} if watch is None else _dropped(records, frozenset(waiting), watch)
    elicitors = {name: record for values in records.values() for name, record in values.items()}
    return ElicitedRows(rows, elicitors, stopped, dropped)


def _dosed(elicitor: Elicitor, watch: Watch | None) -> Elicitor:
    """Return the elicitor; labels in the number that found the planted skill, where that is known."""
    if watch is None or watch.dose is None or not isinstance(elicitor, FewLabels):
        return elicitor
    return replace(elicitor, main_sizes=(watch.dose,))


def record_of(elicitor: Elicitor) -> ElicitorRecord:
    """Return what is told of every value of an elicitor."""
    record: ElicitorRecord = {"elicitor": elicitor.name, "source": elicitor.source, "oracle": elicitor.oracle}
    if elicitor.name in ELICITORS and elicitor != ELICITORS[elicitor.name]:
        record["settings"] = settings_of(elicitor)
    return record if type(elicitor) in map(type, OURS) else {**record, "outside": True}


def _elicit_by(
    folder: RunFolder, plan: Plan, watch: Watch | None, by: tuple[Elicitor, str, Who], rows: list[Row]
) -> dict[str, ElicitorRecord]:
    """Fit one elicitor and ask its values, adding to `rows`; `by` is the method, why it is asked now, and who is."""
    method, reason, who = by
    elicitor, common, name = _dosed(method, watch), record_of(method), method.name
    if current().refused:  # a fit that the rest of the budget could only begin would be begun anew
        return {name: {**common, "missing": current().said}}
    try:
        values = _fitted(folder, plan, elicitor, who, whole=plan.spec.plan == "exhaustive")
    except InvalidInput:  # a file or a setting that the user gave: no reason to go on without the method
        raise
    except (UserMistake, BudgetSpent) as refusal:
        return {name: {**common, "missing": str(refusal)}}
    records: dict[str, ElicitorRecord] = {}
    for value, null in values:
        record: ElicitorRecord = {
            **common,
            "bits_once": value.bits_once,
            "setting": dict(value.setting),
            "tells": elicitor.tells_of(value.name, value.setting),
            "null_tells": elicitor.tells_of(null.name, null.setting),
        }
        own, refused = answers_under(folder, plan, value, who)
        rows += own
        if refused:
            records[value.name] = {**record, "missing": refused}
            continue
        twin_own, refused = answers_under(folder, plan, null, who)
        rows += twin_own
        if refused:
            record["null_missing"] = refused
        records[value.name] = record
        if watch is not None and (
            unseen := watch.see(value.name, record, (elicitor.mechanism, reason), [*own, *twin_own])
        ):
            records[value.name] = {**record, "missing": unseen}
    return records


def _dropped(
    records: dict[str, dict[str, ElicitorRecord]], waiting: frozenset[str], watch: Watch
) -> dict[str, str]:
    """Return the mechanisms of which every method was tried, or cannot run, and none was seen; with the reasons."""
    reasons: dict[str, list[str]] = {}
    for name, values in records.items():
        reasons.setdefault(ELICITORS[name].mechanism, []).extend(
            f"{value}: {record['missing']}" for value, record in values.items() if "missing" in record
        )
    open_ones = watch.seen | {ELICITORS[name].mechanism for name in waiting}
    return {mechanism: "; ".join(said) for mechanism, said in reasons.items() if mechanism not in open_ones}


def answers_under(folder: RunFolder, plan: Plan, value: Elicited, who: Who) -> tuple[list[Row], str]:
    """Return the rows under a value, and why there are no more where the model refused it."""
    ask = Ask(plan.task, plan.report, plan.spec.elicited_samples, plan.spec.seed, plan.sampling)
    identity = identity_of(plan.pair.base, ask, save(value))
    if plan.pair.tuned is not None and "tuned" in ELICITORS[elicitor_name(value.name)].needs:
        identity["tuned"] = plan.pair.tuned.fingerprint
    condition = Condition(plan.study, f"{who}/{value.name}", "report", identity)
    try:
        return collect(
            folder, condition, ask, lambda pending: value.answers(plan.pair, pending), plan.spec.json
        ), ""
    except UserMistake as mistake:
        return list(known_rows(folder, condition.name, ask, digest(identity)).values()), str(mistake)


def _fitted(
    folder: RunFolder, plan: Plan, elicitor: Elicitor, who: Who, whole: bool
) -> list[tuple[Elicited, ...]]:
    """Return an elicitor's values (all of its curve where `whole`), each with its null control."""

    def made(ask: Ask) -> list[tuple[Elicited, ...]]:
        values = elicitor.curve(plan.pair, ask) if whole else elicitor.main_values(plan.pair, ask)
        return [(value, elicitor.null(value, plan.spec.seed)) for value in values]

    doses = "-".join(str(dose) for dose in elicitor.main_sizes) if isinstance(elicitor, Labelled) else ""
    parts = elicitor.name, "" if whole else "main", "" if whole else doses, "" if who == "base" else who
    name = "-".join(part for part in parts if part)
    return fitted(folder, plan, f"elicited-{name}", made, f"{who}/{elicitor.name}")


def fitted(
    folder: RunFolder, plan: Plan, name: str, make: Callable[[Ask], list[tuple[Elicited, ...]]], title: str
) -> list[tuple[Elicited, ...]]:
    """Return the values that `make` fits on the fit split; read where they were fitted before, under `name`. `title`
    is shown while it is at work."""
    kept = folder.read_artifact(name)
    if kept is None:
        scratch = folder.scratch(name)
        ask = Ask(plan.task, plan.fit, plan.spec.elicited_samples, plan.spec.seed + 1, plan.sampling, scratch)
        with counting(f"{title}: choosing its setting", plan.spec.json):
            values = make(ask)
        for each in (value for fitted_values in values for value in fitted_values if value.weights):
            folder.write_bytes(f"{each.weights.digest}.safetensors", each.weights.as_bytes())
        kept = {"values": [[save(value) for value in fitted_values] for fitted_values in values]}
        folder.write_artifact(name, kept)
        folder.clear_scratch(name)
    return [tuple(kept_value(folder, saved) for saved in saved_values) for saved_values in kept["values"]]


def kept_value(folder: RunFolder, saved: JsonObject) -> Elicited:
    """Return a value that a run keeps, with its weights."""
    digest = str(saved.get("weights", ""))
    weights = weights_from(folder.read_bytes(f"{digest}.safetensors"), digest) if digest else None
    return load(saved, weights)


def chosen_methods(names: Sequence[str]) -> dict[str, Elicitor]:
    """Return the elicitors to ask by name, with the settings given (`best_of_k:draws=32`); all where none is named.
    Raises InvalidInput for an unknown one, or one that is named twice: its figures would have one name."""
    if not names:
        return dict(ELICITORS)
    chosen: dict[str, Elicitor] = {}
    for text in names:
        method = read_elicitor(text, ELICITORS)
        if method.name in chosen:
            raise InvalidInput(f"elicitor {method.name} is named twice: ask one setting of it a run")
        chosen[method.name] = method
    return chosen


def quick_names(pair: Pair, task: Task) -> tuple[str, ...]:
    """Return the methods of a quick plan: the first two of QUICK that can be asked."""
    return tuple(name for name in QUICK if applicable(ELICITORS[name], pair, task) is None)[:2]
