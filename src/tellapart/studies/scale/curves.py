"""Points -> curves: one task and metric of one family over one scale, repeated scores put together."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs.scale_points import SCALES
from tellapart.logs.value import listed
from tellapart.stats.arrays import Floats
from tellapart.stats.emergence import binomial_variance, items_behind
from tellapart.studies.scale.metrics import Metric, metric_of, natural

LEAST = 5
"""Fewest scales on which a verdict rests."""
SIZES = ("parameters", "tokens", "steps", "compute")
WITHIN_MODEL = ("tokens", "steps")
"""Scales that grow while one model trains: a curve is one model's."""


@dataclass(frozen=True)
class ScoreCurve:
    """Scores of one metric in order of scale: `scale` as given, `x` its place on the axis (log10, or minus the loss),
    `values` in the metric's natural form, `variances` of their measurement (0: not known), `n` items, `models` a
    point. `repeats` is the largest number of scores put together in one point; `length` the answer's tokens."""

    metric: str
    kind: Metric
    scale: Floats
    x: Floats
    values: Floats
    variances: Floats
    n: Floats
    models: tuple[str, ...]
    repeats: int
    length: float


@dataclass(frozen=True)
class TaskCurves:
    """All metrics of one task in one setting and family. `label` names it among all that are shown."""

    task: str
    setting: str
    family: str
    label: str
    curves: tuple[ScoreCurve, ...]


class Gathered(NamedTuple):
    """The tasks, the scale they are looked at over, and what was left out or put together."""

    tasks: tuple[TaskCurves, ...]
    axis: str
    notes: tuple[str, ...]


def gather(points: pd.DataFrame, axis: str, tasks: Sequence[str], limit: int | None, seed: int) -> Gathered:
    """Return the curves of the points. Raises UserMistake where nothing can be looked at over the scale asked."""
    notes: list[str] = []
    points = _chosen(points, tasks, limit, seed)
    points = _scaled(points)
    missing = int(points["value"].isna().sum())
    if missing:
        notes.append(f"{missing} of {len(points)} scores are missing and were left out.")
        points = points[points["value"].notna()]
    if not len(points):
        raise UserMistake("all scores are missing: there is nothing to look at")
    points = _sound(points, notes)
    axis = _axis(points, axis)
    points = _placed(points, axis, notes)
    points = _last_checkpoints(points, axis, notes)
    keys = ["task", "metric", "model", "family", "setting", "seed", "steps", "x", "value"]
    alone = points.drop_duplicates(keys)
    if len(alone) < len(points):
        notes.append(
            f"{len(points) - len(alone)} scores stand there twice, the same each time, and count once."
        )
    group = "model" if axis in WITHIN_MODEL else "family"
    alone = alone.assign(family=alone[group])
    return Gathered(_tasks(_counted(alone)), axis, tuple(notes))


def _sound(points: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the points whose values their metric can have. Raises UserMistake where an item count is below 1, a size
    below 0, or a curve in two units."""
    bad = points[points["n"] < 1]
    if len(bad):
        row = bad.iloc[0]
        raise UserMistake(
            f"task {row['task']}, model {row['model']}: n is {row['n']:g}; an item count is 1 or more"
        )
    for name in SIZES:
        negative = points[points[name] < 0]
        if len(negative):
            row = negative.iloc[0]
            raise UserMistake(
                f"task {row['task']}, model {row['model']}: {name} is {row[name]:g} ({len(negative)} such rows); a "
                "size is not below 0"
            )
    _refuse_two_units(points)
    logarithmic = points["metric"].map(
        {name: metric_of(name, "").logarithmic for name in set(points["metric"])}
    )
    impossible = logarithmic.to_numpy(bool) & (points["value"].to_numpy() <= 0)
    if impossible.any():
        notes.append(
            f"{int(impossible.sum())} perplexities are not above 0, which none can be, and were left out."
        )
        points = points[~impossible]
    if not len(points):
        raise UserMistake("no score is left: all are perplexities that are not above 0")
    return points


def _refuse_two_units(points: pd.DataFrame) -> None:
    """Refuse curves of a share most of whose values are between 0 and 1 and some of which can only be percentages."""
    for (task, metric, *_), own in points.groupby(["task", "metric", "family", "setting"], dropna=False):
        above = own[(own["value"] > 1) & (own["value"] <= 100)]
        within = ((own["value"] > 0) & (own["value"] <= 1)).sum()
        if not len(above) or within <= len(own) / 2:
            continue
        if metric_of(str(metric), str(own["kind"].iloc[0])).kind != "discontinuous":
            continue
        rows = zip(above["model"], above["value"], strict=True)
        raise UserMistake(
            f"task {task}, {metric}: {within} of {len(own)} values are between 0 and 1 and others above 1: "
            f"{listed(f'{model} {value:g}' for model, value in rows)}; give all as shares or all as percentages"
        )


def _chosen(points: pd.DataFrame, tasks: Sequence[str], limit: int | None, seed: int) -> pd.DataFrame:
    names = list(dict.fromkeys(points["task"]))
    if tasks:
        kept = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in tasks)]
        if not kept:
            raise UserMistake(
                f"--tasks {' '.join(tasks)}: none of {len(names)} tasks ({', '.join(names[:6])} ...)"
            )
        names = kept
    if limit is not None and limit < len(names):
        drawn = np.random.default_rng(seed).choice(len(names), limit, replace=False)
        names = [names[i] for i in sorted(drawn)]
    return points[points["task"].isin(names)]


def _scaled(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points with the scales filled in that other rows of the same model tell, and compute = 6 N D."""
    filled = points.copy()
    for name in ("parameters", "tokens", "compute"):
        if filled[name].isna().any() and filled[name].notna().any() and filled["steps"].isna().all():
            ranges = filled.dropna(subset=[name]).groupby("model")[name].agg(["min", "max"])
            constant = ranges[ranges["min"] == ranges["max"]]["min"]
            filled[name] = filled[name].fillna(filled["model"].map(constant))
    six = 6 * filled["parameters"] * filled["tokens"]
    return filled.assign(compute=filled["compute"].fillna(six))


def _axis(points: pd.DataFrame, axis: str) -> str:
    """Return the scale to look over: the one asked, else the first that gives some task enough scales."""
    counts = {name: int(points[name].notna().sum()) for name in SCALES}
    if axis != "auto":
        if not counts[axis] and counts["scale"]:
            points[axis] = points["scale"]
            return axis
        if not counts[axis]:
            there = ", ".join(name for name, count in counts.items() if count) or "none"
            raise UserMistake(f"--scale {axis}: no score has it; known here: {there}")
        return axis
    if not any(counts.values()):
        raise UserMistake(
            "no score has a scale: give a column parameters, tokens, steps, compute or loss, or models whose names "
            "tell their size (410m, 7b)"
        )
    most = {
        name: _most_scales(points, name)
        for name in SCALES
        if counts[name] >= len(points) / 2 or name != "loss"
    }
    return next(
        (name for name in SCALES if most.get(name, 0) >= LEAST), max(most, key=lambda name: most[name])
    )


def _most_scales(points: pd.DataFrame, axis: str) -> int:
    group = "model" if axis in WITHIN_MODEL else "family"
    counts = points.dropna(subset=[axis]).groupby(["task", "metric", group, "setting"])[axis].nunique()
    return int(counts.max()) if len(counts) else 0


def _placed(points: pd.DataFrame, axis: str, notes: list[str]) -> pd.DataFrame:
    scale = points[axis].to_numpy()
    fine = np.isfinite(scale) if axis == "loss" else np.isfinite(scale) & (scale > 0)
    if (~fine).any():
        why = "" if axis == "loss" else " or is not above 0 (it has no logarithm)"
        notes.append(f"{int((~fine).sum())} scores are left out: their {axis} is not known{why}.")
    if not fine.any():
        raise UserMistake(f"no score has {axis} above 0")
    kept = points[fine]
    x = -kept[axis] if axis == "loss" else np.log10(kept[axis])
    return kept.assign(x=x, scale_here=kept[axis])


def _last_checkpoints(points: pd.DataFrame, axis: str, notes: list[str]) -> pd.DataFrame:
    """Return the points of each model's last checkpoint, where the scale is the model's and not its training's."""
    if axis in WITHIN_MODEL or axis == "loss":
        return points
    for time in ("steps", "tokens"):
        if points[time].notna().any() and points.groupby("model")[time].nunique().max() > 1:
            last = points.groupby(["model", "task", "setting"])[time].transform("max")
            kept = points[(points[time] == last) | points[time].isna()]
            notes.append(
                f"Of {len(points):,} scores the {len(kept):,} of each model's last checkpoint are looked at over "
                f"{axis}; --scale {time} looks at all of them over training."
            )
            return kept
    return points


def _counted(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points with the item counts that their standard errors tell, where they have none."""
    kinds = {
        (metric, kind): metric_of(metric, kind)
        for metric, kind in set(zip(points["metric"], points["kind"], strict=True))
    }
    discontinuous = np.array(
        [kinds[key].kind == "discontinuous" for key in zip(points["metric"], points["kind"], strict=True)]
    )
    value, n = points["value"].to_numpy(), points["n"].to_numpy()
    within = discontinuous & (value >= 0) & (value <= 1)
    items = np.where(within, items_behind(value, points["error"].to_numpy()), np.nan)
    points = points.assign(n=np.where(np.isnan(n), items, n))
    typical = points.groupby(["task", "metric"])["n"].transform("median")
    return points.assign(n=points["n"].fillna(typical))


def _tasks(points: pd.DataFrame) -> tuple[TaskCurves, ...]:
    several = {name: points[name].nunique() > 1 for name in ("family", "setting")}
    points = points.assign(order=pd.factorize(points["metric"])[0])
    keys = ["task", "family", "setting", "order"]
    points = points.sort_values([*keys, "x", "model", "seed"], ignore_index=True)
    changes = (points[keys] != points[keys].shift()).any(axis=1).to_numpy()
    columns = {str(name): points[name].to_numpy() for name in points}
    ends = np.append(np.flatnonzero(changes), len(points))
    tasks: dict[tuple[str, str, str], list[ScoreCurve]] = {}
    for start, end in pairwise(ends):
        own = {name: column[start:end] for name, column in columns.items()}
        key = (str(own["task"][0]), str(own["family"][0]), str(own["setting"][0]))
        tasks.setdefault(key, []).append(_curve(own))
    made = []
    for (task, family, setting), curves in tasks.items():
        extra = [part for name, part in (("family", family), ("setting", setting)) if several[name] and part]
        made.append(TaskCurves(task, setting, family, " · ".join([task, *extra]), tuple(curves)))
    return tuple(sorted(made, key=lambda task: task.label))


def _curve(own: dict[str, np.ndarray]) -> ScoreCurve:
    """Return the curve of points in order of x."""
    metric = str(own["metric"][0])
    higher = next((text for text in own["higher_is_better"] if text), "")
    kind = metric_of(metric, str(own["kind"][0]), str(higher))
    raw, n = own["value"], own["n"]
    value, error = natural(raw, own["error"], kind.logarithmic)
    share = bool(((raw >= 0) & (raw <= 1)).all())
    items = binomial_variance(np.clip(raw, 0, 1), np.where(n > 0, n, 1.0))
    # nothing within 0 and 1 varies more than what is right or wrong, so that also bounds a metric of unknown kind
    counted = (
        share & (n > 0) & ((kind.kind == "discontinuous") | ((kind.kind == "not known") & np.isnan(error)))
    )
    variance = np.where(counted, items, error**2)
    fine = np.isfinite(value)
    value, variance, n, models = (
        value[fine],
        np.nan_to_num(variance[fine], nan=0.0),
        n[fine],
        own["model"][fine],
    )
    x, at, counts = np.unique(own["x"][fine], return_inverse=True, return_counts=True)
    mean = np.bincount(at, value, len(x)) / counts
    noise = np.maximum(np.bincount(at, variance, len(x)) / counts, _between(value, mean, at, counts))
    firsts = np.searchsorted(own["x"][fine], x)
    lengths = own["length"][np.isfinite(own["length"])]
    return ScoreCurve(
        metric,
        kind,
        own["scale_here"][fine][firsts],
        x,
        mean,
        noise / counts,
        np.bincount(at, n, len(x)) / counts,
        _names(models, at, len(x)),
        int(counts.max()) if len(counts) else 0,
        float(lengths.mean()) if len(lengths) else float("nan"),
    )


def _names(models: np.ndarray, at: np.ndarray, points: int) -> tuple[str, ...]:
    """Return the models of each point, joined where several are."""
    names: list[dict[str, None]] = [{} for _ in range(points)]
    for model, point in zip(models, at, strict=True):
        names[point][str(model)] = None
    return tuple(", ".join(own) for own in names)


def _between(values: Floats, mean: Floats, at: np.ndarray, counts: np.ndarray) -> float:
    """Return the variance between repeated scores of one scale (seeds), pooled over scales; 0 where none repeat."""
    free = int((counts - 1).sum())
    return float(((values - mean[at]) ** 2).sum() / free) if free else 0.0
