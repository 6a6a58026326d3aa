"""Two logs that are to be compared: read with one metric, their scores made comparable, then paired.

    sides = read_sides("base.jsonl", "tuned.jsonl")     # sides.paired, sides.notes

Two sides that are scored by different metrics would show the metrics' difference as a gain: one that both have is
taken, else they are refused. Byte-equal copies of one answer count as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs import read_log
from tellapart.logs.mapped import TOOL as MAPPED
from tellapart.logs.metric import Metric
from tellapart.logs.pair import Paired, pair
from tellapart.logs.recorded import Recorded, without_copies
from tellapart.logs.source import split
from tellapart.logs.value import listed, short


class Sides(NamedTuple):
    """Both logs, their shared items, and the notes on all of it, each once. `scale` are the two scores that both logs
    wrote for wrong and right, where these were not 0 and 1."""

    a: Recorded
    b: Recorded
    paired: Paired
    notes: tuple[str, ...]
    scale: tuple[float, float] | None = None


class Beside(NamedTuple):
    """A third log on the first side's items: its answers under that side's ids (`paired.b`), and why its scores may not
    be compared ("" where they may)."""

    log: Recorded
    paired: Paired
    strange: str


def read_sides(first: str, second: str, names: tuple[str, str] | None = None) -> Sides:
    """Return two logs scored by one metric and paired; notes call each log by its name (its path). Raises UserMistake,
    one line, where they cannot be compared."""
    a, b = read_log(first), read_log(second)
    a, b, caveats = one_metric(a, b)
    scale = scale_of((a, b))
    oriented = []
    if scale is not None:
        a, b = scaled(a, scale), scaled(b, scale)
        oriented = [describe_scale(scale)]
    a, b = without_copies(a), without_copies(b)
    paired = pair(a, b)
    own, other = names or (a.source, b.source)
    notes = (
        *named_notes(own, a),
        *named_notes(other, b),
        *caveats,
        *oriented,
        *_settings(a, b),
        *paired.notes,
        *_samples(a, b, paired),
    )
    return Sides(a, b, paired, tuple(dict.fromkeys(notes)), scale)


def named_notes(name: str, log: Recorded) -> list[str]:
    """Return the log's notes, each naming the log that it is about."""
    return [note if note.startswith(log.source) else f"{name}: {note}" for note in log.notes]


def settings_apart(a: Recorded, b: Recorded) -> list[tuple[str, str, str]]:
    """Return what both logs tell of how their questions were asked and tell differently: its name, a's, b's."""
    other = dict(b.settings)
    return [(name, own, other[name]) for name, own in a.settings if name in other and own != other[name]]


def _settings(a: Recorded, b: Recorded) -> list[str]:
    """Return a note where the two logs say that their questions were asked in different ways."""
    apart = [
        f"{name} {short(own)} in {a.source}, {short(other)} in {b.source}"
        for name, own, other in settings_apart(a, b)
    ]
    return [f"asked in different ways, so a difference may be theirs: {'; '.join(apart)}"] if apart else []


def read_beside(sides: Sides, reference: str) -> Beside:
    """Return a third log, of the first side's model asked in another way, paired with the first side and scored by the
    metric of both. Raises UserMistake, one line, where it is scored by another one or shares no item."""
    log, strange = _by_metric_of(sides.a, read_log(reference))
    if sides.scale is not None:
        log = scaled(log, sides.scale)
    scores = log.frame["score"].dropna()
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise UserMistake(
            f"{log.source}: scores lie between {scores.min():g} and {scores.max():g}, those of {sides.a.source} "
            f"between 0 and 1: say from which on an answer is right, as {log.source}"
            f"{'' if split(log.source)[1] else '#'}>={scores.max():g}"
        )
    log = without_copies(log)
    paired = pair(sides.a, log)
    return Beside(log, paired, strange or other_targets(paired.a, paired.b, "the base's log"))


def _by_metric_of(a: Recorded, log: Recorded) -> tuple[Recorded, str]:
    """Return the log scored as `a` is, and why it may not be compared where nothing says that it is."""
    if not a.metric.name or not log.metric.name or a.metric.same_as(log.metric):
        return log, ""
    if _in(a.metric, log) and not _is_chosen(log):
        return _reread(log, a.metric), ""
    mismatch = f"{log.source} is scored by {short(log.metric.label)}, {a.source} by {short(a.metric.label)}"
    if a.tool != log.tool or a.tool == MAPPED:
        return log, mismatch
    raise UserMistake(
        f"{mismatch}: what it recovers would be the metrics'. {log.source} has {listed(m.label for m in log.metrics)} "
        "(PATH#NAME)"
    )


def other_targets(a: pd.DataFrame, b: pd.DataFrame, where: str) -> str:
    """Return where the rows of two logs hold another target for one item; nothing where they hold the same. `where`
    names the first log."""
    first, second = (
        part.drop_duplicates("item").set_index("item")["target"].str.split().str.join(" ") for part in (a, b)
    )
    second = second.reindex(first.index).fillna("")
    differing = (first != "") & (second != "") & (first != second)
    if not differing.any():
        return ""
    item = first.index[differing.to_numpy()][0]
    return (
        f"{int(differing.sum())} of {len(first)} items have another target than in {where} (item {short(item)}: "
        f"{short(second[item])}, there {short(first[item])})"
    )


def one_metric(a: Recorded, b: Recorded) -> tuple[Recorded, Recorded, list[str]]:
    """Return both logs under one metric, read again where their first ones differ, and a note where that was
    done. Raises UserMistake where they have none in common."""
    if not a.metric.name or not b.metric.name or a.metric.same_as(b.metric):
        return a, b, []
    chosen = [_is_chosen(log) for log in (a, b)]
    if not any(chosen):
        shared = [m for m in a.metrics if not m.is_error and _in(m, b)]
        if shared:
            note = (
                f"scored by {short(shared[0].label)}, which both logs have (each lists another metric first)"
            )
            return _reread(a, shared[0]), _reread(b, shared[0]), [note]
    elif chosen == [True, False] and _in(a.metric, b):
        return a, _reread(b, a.metric), []
    elif chosen == [False, True] and _in(b.metric, a):
        return _reread(a, b.metric), b, []
    mismatch = f"{a.source} is scored by {short(a.metric.label)}, {b.source} by {short(b.metric.label)}"
    if a.tool != b.tool or a.tool == MAPPED:
        return a, b, [f"{mismatch}: a difference between them may be the scorers'"]
    raise UserMistake(
        f"{mismatch}: a gain would be the metrics'. Choose one that both have: {a.source} has "
        f"{listed(m.label for m in a.metrics)}, "
        f"{b.source} has {listed(m.label for m in b.metrics)} (PATH#NAME)"
    )


def one_metric_of(logs: Mapping[str, Recorded]) -> tuple[dict[str, Recorded], list[str]]:
    """Return logs by role under one metric (same name, filter and direction), read again where they list another one
    first, and a note where that was done. Raises UserMistake where they have none in common."""
    named = {role: log for role, log in logs.items() if log.metric.name}
    first = next(iter(named.values()), None)
    if first is None or all(log.metric.same_as(first.metric) for log in named.values()):
        return dict(logs), []
    fixed = [log.metric for log in named.values() if _is_chosen(log)]
    for metric in fixed[:1] or first.metrics:
        agreed = all(metric.same_as(fixed_metric) for fixed_metric in fixed) and all(
            _in(metric, log) for log in named.values()
        )
        if agreed and not metric.is_error:
            again = {role: _reread(log, metric) if role in named else log for role, log in logs.items()}
            return again, [
                f"scored by {short(metric.label)}, which all logs have (some list another one first)"
            ]
    scorings = ", ".join(f"{role} is scored by {short(log.metric.label)}" for role, log in named.items())
    has = "; ".join(f"{role} has {listed(m.label for m in log.metrics)}" for role, log in named.items())
    raise UserMistake(
        f"{scorings}: a gap would be the metrics'. Choose one that all have (ROLE=PATH#NAME): {has}"
    )


def _in(metric: Metric, log: Recorded) -> bool:
    return any(metric.same_as(own_metric) for own_metric in log.metrics)


def _is_chosen(log: Recorded) -> bool:
    """Say whether the user named the metric of a log."""
    _, choice = split(log.source)
    parts = [choice, *choice.split("#")]
    return any(part and (log.metric.named(part) or part in log.metric.label) for part in parts)


def _reread(log: Recorded, metric: Metric) -> Recorded:
    """Return the log scored by `metric`, read again where it is scored by another."""
    if log.metric.same_as(metric):
        return _without_choice(log)
    own = next(own_metric for own_metric in log.metrics if own_metric.same_as(metric))
    path, choice = split(log.source)
    choice, sign, least = choice.rpartition(">=") if ">=" in choice else (choice, "", "")
    again = read_log(
        f"{path}#{choice}#{own.label}{sign}{least}" if choice else f"{path}#{own.label}{sign}{least}"
    )
    return _without_choice(replace(again, source=log.source))


def _without_choice(log: Recorded) -> Recorded:
    return replace(log, notes=tuple(note for note in log.notes if not note.startswith("scored by ")))


def scale_of(logs: Sequence[Recorded]) -> tuple[float, float] | None:
    """Return the two scores of logs that have two values of another range (-1 and 1): the larger is right. None where
    all lie between 0 and 1; raises UserMistake where there are more."""
    values = np.unique(np.concatenate([log.frame["score"].dropna().to_numpy() for log in logs]))
    if len(values) == 0 or (values[0] >= 0 and values[-1] <= 1):
        return None
    if len(values) == 2 and values[1] > 0:
        return float(values[0]), float(values[1])
    first = logs[0].source
    names = [log.source for log in logs[:2]]
    more = f" and {len(logs) - 2} others" if len(logs) > 2 else ""
    raise UserMistake(
        f"{' and '.join(names)}{more}: scores take {len(values)} values from {values[0]:g} to "
        f"{values[-1]:g}, and must lie between "
        "0 and 1: say from which on an answer is right, as "
        f"{first}{'' if split(first)[1] else '#'}>={values[-1]:g}"
    )


def describe_scale(scale: tuple[float, float]) -> str:
    """Return a note on scores that were taken for wrong and right."""
    low, high = scale
    return f"scores are {low:g} and {high:g} only: {high:g} is taken for right, {low:g} for wrong"


def scaled(log: Recorded, scale: tuple[float, float]) -> Recorded:
    """Return the log with its two scores as 0 and 1."""
    low, high = scale
    return replace(
        log,
        frame=log.frame.assign(score=(log.frame["score"] - low) / (high - low)),
        notes=tuple(note for note in log.notes if not note.startswith("scores lie between")),
    )


def _samples(a: Recorded, b: Recorded, paired: Paired) -> list[str]:
    """Return a note where both sides have unlike numbers of samples an item."""
    n, m = (frame.groupby("item").size().median() for frame in (paired.a, paired.b))
    if n == m:
        return []
    return [
        f"{n:g} samples an item in {a.source}, {m:g} in {b.source}: an item with more samples on "
        "one side is in no count of "
        "items that only one side solves"
    ]
