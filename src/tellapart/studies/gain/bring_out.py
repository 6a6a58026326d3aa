"""Ask the base under one elicitor after another, each beside its null twin, until all were asked, the budget is
spent, or (adaptive plan) the verdict is settled."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from tellapart.elicit import ELICITORS, applicable, load, save
from tellapart.elicit.elicitor import Ask, Elicited, Elicitor, elicitor_name
from tellapart.elicit.weights import weights_from
from tellapart.errors import UserMistake
from tellapart.runs.collect import Condition, collect
from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.studies.gain.adaptive import Watch
from tellapart.studies.gain.ask import STUDY, Plan, Purse, identity_of

Who = Literal["base", "reference"]
"""The base, or a model of its shape that never met the skill."""


class BroughtOut(NamedTuple):
    """Per elicitor's value what is told about it beside its rows (or why it has none); why it was stopped."""

    elicitors: dict[str, dict[str, Any]]
    stopped: str


class Fitted(NamedTuple):
    """An elicitor's values with their null twins, and the tokens that were generated to fit them."""

    values: list[tuple[Elicited, Elicited]]
    tokens: int


def bring_out(
    folder: RunFolder, plan: Plan, purse: Purse, watch: Watch | None, who: Who = "base"
) -> BroughtOut:
    """Ask `who` (`plan.pair.base` is that model) under every chosen elicitor that can run. In an adaptive plan each
    has its main setting asked only; with a `watch` those that come after the verdict is settled are not asked."""
    names = chosen_names(plan.spec.elicitors)
    obstacles = {name: applicable(ELICITORS[name], plan.pair, plan.task) for name in names}
    mechanisms = frozenset(ELICITORS[name].mechanism for name in names if obstacles[name] is None)
    told: dict[str, dict[str, Any]] = {}
    stopped = ""
    for name in names:
        elicitor = ELICITORS[name]
        about = {"elicitor": name, "source": elicitor.source, "oracle": elicitor.oracle}
        if watch is not None and not stopped and obstacles[name] is None:
            stopped = watch.settled(mechanisms) or ""
        reason = obstacles[name] or stopped
        if not reason and purse.empty:
            reason = f"the budget of {plan.spec.budget} tokens was spent"
        try:
            fitted = (
                None if reason else _fitted(folder, plan, elicitor, who, whole=plan.spec.plan != "adaptive")
            )
        except UserMistake as mistake:
            fitted, reason = None, str(mistake)
        if fitted is None:
            told[name] = {**about, "missing": reason}
            continue
        purse.pay_tokens(fitted.tokens)
        for value, twin in fitted.values:
            told[value.name] = {
                **about,
                "bits_once": value.bits_once,
                "setting": dict(value.setting),
                "tells": elicitor.tells_of(value.name, value.setting),
                "null_tells": elicitor.tells_of(twin.name, twin.setting),
            }
            rows = [row for each in (value, twin) for row in _asked_of(folder, plan, each, who)]
            purse.pay(rows)
            if watch is not None:
                watch.see(value.name, told[value.name], elicitor.mechanism, rows)
    return BroughtOut(told, stopped)


def _asked_of(folder: RunFolder, plan: Plan, value: Elicited, who: Who) -> list[Row]:
    ask = Ask(plan.task, plan.report, plan.spec.elicited_samples, plan.spec.seed, plan.sampling)
    identity = identity_of(plan.pair.base, ask, save(value))
    if plan.pair.tuned is not None and "tuned" in ELICITORS[elicitor_name(value.name)].needs:
        identity["tuned"] = plan.pair.tuned.fingerprint
    condition = Condition(STUDY, f"{who}/{value.name}", "report", identity)
    return collect(folder, condition, ask, lambda owed: value.answers(plan.pair, owed), plan.spec.json)


def _fitted(folder: RunFolder, plan: Plan, elicitor: Elicitor, who: Who, whole: bool) -> Fitted:
    """Return an elicitor's values (all of its curve where `whole`), fitted on the fit split, with their null twins;
    read where they were fitted before."""
    name = "-".join(
        ("elicited", elicitor.name, *(() if whole else ("main",)), *(() if who == "base" else (who,)))
    )
    kept = folder.read_artifact(name)
    if kept is None:
        models = [model for model in plan.pair if model is not None]
        before = sum(model.written for model in models)
        scratch = folder.scratch(name)
        ask = Ask(plan.task, plan.fit, plan.spec.elicited_samples, plan.spec.seed + 1, plan.sampling, scratch)
        values = elicitor.curve(plan.pair, ask) if whole else elicitor.main_values(plan.pair, ask)
        pairs = [(value, elicitor.null(value, plan.spec.seed)) for value in values]
        for each in (one for pair in pairs for one in pair if one.weights):
            folder.write_bytes(f"{each.weights.digest}.safetensors", each.weights.as_bytes())
        written = sum(model.written for model in models) - before
        kept = {"values": [[save(one) for one in pair] for pair in pairs], "tokens": written}
        folder.write_artifact(name, kept)
        folder.clear_scratch(name)
    pairs = [(_kept(folder, value), _kept(folder, twin)) for value, twin in kept["values"]]
    return Fitted(pairs, int(kept["tokens"]))


def _kept(folder: RunFolder, saved: dict[str, Any]) -> Elicited:
    digest = str(saved.get("weights", ""))
    weights = weights_from(folder.read_bytes(f"{digest}.safetensors"), digest) if digest else None
    return load(saved, weights)


def chosen_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the elicitors to ask, all where none is named. Raises UserMistake for an unknown one."""
    unknown = [name for name in names if name not in ELICITORS]
    if unknown:
        raise UserMistake(f"no elicitor {unknown[0]!r}; there are: {', '.join(ELICITORS)}")
    return tuple(names) or tuple(ELICITORS)
