"""Points -> the finding of `scale`: a pure function."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.findings.scale import SCALE, ExactMatchAccount, Forecast, MetricCurve, ScaleTable, ScaleTask
from tellapart.stats.emergence_components import component_shares
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson
from tellapart.studies.scale.account import Account, account
from tellapart.studies.scale.curves import Gathered, ScoreCurve, TaskCurves, gather
from tellapart.studies.scale.shape import Shaped, shaped
from tellapart.studies.scale.verdict import LABELS, Verdict, metric_verdict, task_verdict

QUESTION = "Is the jump in the model, or in the ruler?"
Z = 1.959963984540054


class ScaleRequest(NamedTuple):
    """How the points are looked at; the fields of ScaleSpec."""

    scale: str = "auto"
    tasks: tuple[str, ...] = ()
    hold_out: int = 1
    limit: int | None = None
    seed: int = 0


class Judged(NamedTuple):
    """A task with its curves' shapes and verdicts, and its own."""

    task: TaskCurves
    shapes: tuple[Shaped, ...]
    verdicts: tuple[Verdict, ...]
    verdict: Verdict
    account: Account | None


def analyse(points: pd.DataFrame, request: ScaleRequest, notes: Sequence[str] = ()) -> list[Finding]:
    """Return the finding. Raises UserMistake where no score has the scale asked."""
    gathered = gather(points, request.scale, request.tasks, request.limit, request.seed)
    judged = judge(gathered, request)
    curves = [
        (judged_task, curve, shape)
        for judged_task in judged
        for curve, shape in zip(judged_task.task.curves, judged_task.shapes, strict=True)
    ]
    estimates: dict[str, Estimate] = {}
    for judged_task, curve, shape in curves:
        name = f"{judged_task.task.label}/{curve.metric}"
        estimates[f"breakthroughness/{name}"] = shape.breakthroughness
        estimates[f"linearity/{name}"] = shape.linearity
        estimates[f"forecast/{name}"] = shape.forecast.estimate
    covered = _covered([shape for _, _, shape in curves])
    first = {"forecast_coverage": covered, **_components(points)}
    label, probability, sentence = _overall(judged)
    table = ScaleTable(gathered.axis, request.hold_out, tuple(_task(judged_task) for judged_task in judged))
    return [
        Finding(
            question=QUESTION,
            verdict=label,
            probability=probability,
            sentence=sentence,
            estimates={**first, **estimates},
            caveats=(*notes, *gathered.notes, *_caveats(gathered, curves)),
            evidence=_evidence(judged),
            tables=SCALE.write(table),
        )
    ]


def judge(gathered: Gathered, request: ScaleRequest) -> list[Judged]:
    """Return every task with its shapes and verdicts."""
    every = [curve for task in gathered.tasks for curve in task.curves]
    shapes = iter(shaped(every, request.hold_out, request.seed))
    judged = []
    for task in gathered.tasks:
        own = tuple(next(shapes) for _ in task.curves)
        read = list(zip(task.curves, own, strict=True))
        verdicts = tuple(metric_verdict(curve, read) for curve in read)
        judged.append(Judged(task, own, verdicts, task_verdict(read), account(task)))
    return judged


def _overall(judged: Sequence[Judged]) -> tuple[str, float, str]:
    if len(judged) == 1:
        verdict = judged[0].verdict
        return verdict.label, verdict.probability, verdict.sentence
    counts = Counter(task.verdict.label for task in judged)
    counted = ", ".join(f"{counts[label]} {label}" for label in LABELS if counts[label])
    label = next(iter(counts)) if len(counts) == 1 else "mixed"
    return label, math.nan, f"Of {len(judged)} tasks: {counted}."


def _evidence(judged: Sequence[Judged]) -> tuple[tuple[str, float, float], ...]:
    """Return the terms of the verdict where there is one task: each metric's held-out comparison."""
    if len(judged) != 1:
        return ()
    task = judged[0]
    return tuple(
        (f"{curve.metric}: held-out log-likelihood, broken less smooth (nats)", shape.difference, math.nan)
        for curve, shape in zip(task.task.curves, task.shapes, strict=True)
        if math.isfinite(shape.difference)
    )


def _covered(shapes: Sequence[Shaped]) -> Estimate:
    """Return the share of forecasts whose 90 % interval holds what was measured."""
    forecasts = [shape.forecast for shape in shapes if math.isfinite(shape.forecast.estimate.value)]
    if not forecasts:
        return missing("share", "no curve has enough scales to forecast its largest")
    inside = sum(forecast.estimate.low <= forecast.truth <= forecast.estimate.high for forecast in forecasts)
    return wilson(inside, len(forecasts))


def _components(points: pd.DataFrame) -> dict[str, Estimate]:
    """Return the variance shares of the principal components of models x tasks, over complete rows; nothing where
    fewer than 3 tasks or 10 models are complete."""
    if points["metric"].nunique() > 1 or points["steps"].notna().any() or points["task"].nunique() < 3:
        return {}
    wide = points.pivot_table(index="model", columns="task", values="value", aggfunc="mean").dropna()
    if len(wide) < 10:
        return {}
    shares = component_shares(wide.to_numpy())
    method = (
        f"principal components of {len(wide)} complete models x {wide.shape[1]} tasks, centred, not rescaled"
    )
    return {
        name: Estimate(float(value), math.nan, math.nan, len(wide), "share", method)
        for name, value in (
            ("first_component_share", shares[0]),
            ("first_three_components_share", shares[:3].sum()),
        )
    }


def _caveats(gathered: Gathered, curves: Sequence[tuple[Judged, ScoreCurve, Shaped]]) -> list[str]:
    said = []
    unknown = sorted({curve.metric for _, curve, _ in curves if curve.kind.kind == "not known"})
    if unknown:
        said.append(
            f"Whether these metrics are continuous is not known, so that a jump of theirs is not placed: "
            f"{', '.join(unknown[:6])}; a column kind (discontinuous | continuous) tells it."
        )
    bare = sum(not len(curve.x) or not (curve.variances > 0).all() for _, curve, _ in curves)
    if bare:
        said.append(
            f"{bare} of {len(curves)} curves have no item counts or standard errors: no noise floor, no interval."
        )
    repeated = max((curve.repeats for _, curve, _ in curves), default=1)
    if repeated > 1:
        said.append(
            f"Up to {repeated} scores at one scale (seeds, variants of one size) are put together by their mean."
        )
    logs = sorted({curve.metric for _, curve, _ in curves if curve.kind.logarithmic})
    if logs:
        said.append(f"{', '.join(logs)}: the logarithm (nats) is looked at.")
    mute = sum(math.isfinite(s.forecast.estimate.value) and not s.forecast.says for _, _, s in curves)
    if mute:
        said.append(
            f"For {mute} of {len(curves)} curves the smaller scales cannot say what the largest will score: the "
            "interval is wider than the range they cover."
        )
    families = {task.family for task in gathered.tasks}
    if len(families) > 1:
        said.append(f"{len(families)} families of models are looked at each by itself.")
    return said


def _task(task: Judged) -> ScaleTask:
    parts = zip(task.task.curves, task.shapes, task.verdicts, strict=True)
    return ScaleTask(
        task=task.task.task,
        label=task.task.label,
        family=task.task.family,
        setting=task.task.setting,
        verdict=task.verdict.label,
        probability=task.verdict.probability,
        sentence=task.verdict.sentence,
        account=_account(task.account),
        metrics=tuple(_metric(*part) for part in parts),
    )


def _metric(curve: ScoreCurve, shape: Shaped, verdict: Verdict) -> MetricCurve:
    half = Z * np.sqrt(curve.variances)
    measured = curve.variances > 0
    forecast = shape.forecast
    return MetricCurve(
        metric=curve.metric,
        kind=curve.kind.kind,
        logarithm=curve.kind.logarithmic,
        better=curve.kind.better,
        form=shape.form,
        verdict=verdict.label,
        probability=verdict.probability,
        beside=verdict.companion,
        reason=shape.reason,
        sharp=shape.sharp,
        no_change=shape.flat,
        change=None if shape.change is None else shape.change._asdict(),
        turn=None if shape.turn is None else shape.turn._asdict(),
        held_out_difference=shape.difference,
        best=shape.best,
        scale=tuple(curve.scale.tolist()),
        value=tuple(curve.values.tolist()),
        low=tuple(np.where(measured, curve.values - half, np.nan).tolist()),
        high=tuple(np.where(measured, curve.values + half, np.nan).tolist()),
        n=tuple(curve.n.tolist()),
        models=tuple(curve.models) if len(set(curve.models)) > 1 else tuple(curve.models[:1]),
        breakthroughness=shape.breakthroughness,
        linearity=shape.linearity,
        forecast=Forecast(
            **vars(forecast.estimate), truth=forecast.truth, scale=forecast.scale, says=forecast.says
        ),
    )


def _account(account: Account | None) -> ExactMatchAccount | None:
    if account is None:
        return None
    return ExactMatchAccount(
        metric=account.metric,
        token_metric=account.token_metric,
        length=account.length,
        fitted=account.fitted,
        scale=tuple(account.scale.tolist()),
        predicted=tuple(account.predicted.tolist()),
        seen=tuple(account.seen.tolist()),
        away=account.away,
        spread=account.spread,
    )
