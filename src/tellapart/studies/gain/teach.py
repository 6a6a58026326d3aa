"""Ask what teaching costs: the base and a reference that never met the skill, each tuned on the same few labels.

Dear, so asked last and only where it could change the word: the largest dose on the base first; where that brings
something back, the reference plainly, then the lower doses of both, then made-up rules over the same prompts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tellapart.elicit import ELICITORS, applicable, save
from tellapart.elicit.elicitor import Elicited
from tellapart.elicit.few_labels import DOSES, DRAWS, Dose, FewLabels
from tellapart.errors import UserMistake
from tellapart.jsonvalue import nested
from tellapart.models.budget import BudgetSpent
from tellapart.models.model import Model
from tellapart.runs.asking import Ask, Pair
from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.stats.prices import HALF
from tellapart.stats.share_band import LOW
from tellapart.studies.gain.adaptive import Watch
from tellapart.studies.gain.ask import Plan, ask_model
from tellapart.studies.gain.eliciting import Who, answers_under, elicit_all, fitted, record_of
from tellapart.studies.gain.judge import Judged
from tellapart.studies.gain.made_up import made_up_rules, priced_rules
from tellapart.studies.gain.price import collect_doses
from tellapart.studies.gain.recorded import ElicitorRecord, PricedRecord

METHOD = FewLabels.name


class Taught(NamedTuple):
    """Rows of both models, what is told of the base's and the reference's conditions beside them, and what facts.py
    keeps of the made-up rules."""

    rows: list[Row]
    elicitors: dict[str, ElicitorRecord]
    reference: dict[str, ElicitorRecord]
    priced: PricedRecord


def teach(
    folder: RunFolder,
    plan: Plan,
    reference: Model,
    elicitors: Mapping[str, ElicitorRecord],
    watch: Watch | None,
) -> Taught:
    """Return what teaching costs base and reference. With a `watch` (adaptive plan) it is asked only what could change
    the word; without one the reference is asked under every method of `elicitors`."""
    taught = Taught([], {}, {}, {"by_tool": plan.spec.reference == "fresh"})
    try:
        if watch is None:
            _as_the_base(folder, plan, reference, elicitors, taught)
        elif reason := _needless(plan, watch.judged):
            taught.priced["missing"] = reason
        else:
            _where_it_decides(Asking(folder, plan, reference, taught), elicitors, watch.judged)
    except (UserMistake, BudgetSpent) as reason:
        taught.priced["missing"] = str(reason)
    return taught


def with_labels(
    elicitors: Mapping[str, ElicitorRecord], taught: Mapping[str, ElicitorRecord]
) -> dict[str, ElicitorRecord]:
    """Return what is told of all of the base's conditions; labels that were asked after all are no longer missing."""
    kept = {name: record for name, record in elicitors.items() if not (taught and name == METHOD)}
    return kept | dict(taught)


def _needless(plan: Plan, judged: Judged) -> str:
    """Return why labels are not asked; nothing where they could decide."""
    if judged.verdict.label != "cannot tell" or judged.held.refused or not judged.held.decidable:
        return "not asked: labels could not have changed the word"
    return applicable(ELICITORS[METHOD], plan.pair, plan.task) or ""


class Asking(NamedTuple):
    """Who is taught: the plan's base and the reference, and what came of it so far."""

    folder: RunFolder
    plan: Plan
    reference: Model
    taught: Taught

    def model(self, who: Who) -> Model:
        return self.reference if who == "reference" else self.plan.pair.base


def _where_it_decides(asking: Asking, elicitors: Mapping[str, ElicitorRecord], judged: Judged) -> None:
    """Ask the base's largest dose, and the rest where it brings something back."""
    by_dose = collect_doses(elicitors)
    doses = [dose for dose in DOSES if dose <= len(asking.plan.fit)] or [len(asking.plan.fit)]
    shares: dict[int, float] = {}
    for dose in reversed(doses):
        if dose in by_dose:
            rows = [row for name in by_dose[dose] for row in asking.folder.read_rows(f"base/{name}")]
        else:
            rows = teach_dose(asking, "base", dose)
        shares[dose] = share_of(rows, judged)
        if dose == doses[-1] and not shares[dose] >= LOW:
            _unasked(asking.taught, f"{dose} labels brought nothing back from the base")
            return
        if dose == doses[-1] and not _at_chance(asking, judged):
            return
        if shares[dose] < LOW:
            break
    for dose in sorted({*shares, *by_dose}, reverse=True):
        teach_dose(asking, "reference", dose)
    if max(shares.values()) >= HALF and not asking.taught.priced.get("by_tool"):
        teach_made_up(asking)


def share_of(rows: Sequence[Row], judged: Judged) -> float:
    """Return the share of the gain that the rows bring, for the choice of what to ask; NaN without a score."""
    scores = [row.score for row in rows if row.status != "failed" and not math.isnan(row.score)]
    if not scores:
        return math.nan
    level = max(float(judged.scores.base.mean.mean()), judged.chance.upper)
    return (math.fsum(scores) / len(scores) - level) / (float(judged.scores.tuned.mean.mean()) - level)


def _at_chance(asking: Asking, judged: Judged) -> bool:
    """Ask the reference plainly; return whether it is near chance, so that teaching it can show something."""
    plan, spec = asking.plan, asking.plan.spec
    ask = Ask(plan.task, plan.report, spec.elicited_samples, spec.seed, plan.sampling)
    rows = ask_model(asking.folder, plan, ("reference", asking.reference), ask)
    asking.taught.rows.extend(rows)
    if share_of(rows, judged) < LOW:
        return True
    _unasked(asking.taught, "the reference has met the skill")
    return False


def _unasked(taught: Taught, reason: str) -> None:
    taught.reference[METHOD] = {**record_of(ELICITORS[METHOD]), "missing": reason}


def teach_dose(asking: Asking, who: Who, dose: int) -> list[Row]:
    """Tune a model on `dose` labels in every draw and ask it, adding to what was taught."""
    model = asking.model(who)
    plan = replace(asking.plan, pair=asking.plan.pair._replace(base=model))
    records = asking.taught.reference if who == "reference" else asking.taught.elicitors

    def tuned(ask: Ask) -> list[tuple[Elicited, ...]]:
        method = FewLabels()
        labels = method.labels(plan.pair, ask)
        return [
            (method.one(Pair(model), ask, labels.drawn(ask.seed, draw), Dose(dose, draw)),)
            for draw in range(DRAWS)
        ]

    suffix = "" if who == "base" else f"-{who}"
    result: list[Row] = []
    for (value,) in fitted(asking.folder, plan, f"taught-{dose}{suffix}", tuned, f"{who}/{METHOD}@{dose}"):
        rows, refused = answers_under(asking.folder, plan, value, who)
        record: ElicitorRecord = {
            **record_of(ELICITORS[METHOD]),
            "bits_once": value.bits_once,
            "setting": nested(save(value), "setting"),
            "tells": "labels",
            "null_tells": "labels",
            "null_missing": "asked for its price alone",
        }
        if refused:
            record["missing"] = refused
        records[value.name] = record
        result += rows
    asking.taught.rows.extend(result)
    return result


def teach_made_up(asking: Asking) -> None:
    """Teach both models made-up rules over the same prompts."""
    plan, spec, folder = asking.plan, asking.plan.spec, asking.folder

    def kept(name: str, make: Callable[[], list[list[float]]]) -> list[list[float]]:
        saved = folder.read_artifact(name)
        if saved is None:
            folder.write_artifact(name, saved := {"scores": make()})
        return saved["scores"]

    rules = made_up_rules(plan.task, plan.fit, plan.report, spec.seed)
    ask = Ask(plan.task, plan.fit, 1, spec.seed + 1, plan.sampling)
    models = plan.pair.base, asking.reference
    asking.taught.priced["rules"] = priced_rules(models, rules, ask, kept)


def _as_the_base(
    folder: RunFolder,
    plan: Plan,
    reference: Model,
    elicitors: Mapping[str, ElicitorRecord],
    taught: Taught,
) -> None:
    """Ask the reference plainly and under all methods that the base was asked under (exhaustive plan)."""
    spec = plan.spec
    names = tuple(
        dict.fromkeys(str(record["elicitor"]) for record in elicitors.values() if "missing" not in record)
    )
    there = replace(plan, pair=plan.pair._replace(base=reference), spec=replace(spec, elicitors=names))  # type: ignore[type-var]
    ask = Ask(plan.task, plan.report, spec.elicited_samples, spec.seed, plan.sampling)
    taught.rows.extend(ask_model(folder, there, ("reference", reference), ask))
    brought = elicit_all(folder, there, None, "reference")
    taught.rows.extend(brought.rows)
    taught.reference.update(brought.elicitors)
    if METHOD in names and not taught.priced.get("by_tool"):
        teach_made_up(Asking(folder, plan, reference, taught))
