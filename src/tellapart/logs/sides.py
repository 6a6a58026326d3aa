"""Two logs that are to be compared: read with one metric, their scores made comparable, then paired.

    sides = read_sides("base.jsonl", "tuned.jsonl")     # sides.paired, sides.notes

Two sides that are scored by different metrics would show the metrics' difference as a gain: one that both have is
taken, else they are refused. Byte-equal copies of one answer count as one.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tellapart.errors import UserMistake
from tellapart.logs import read_log
from tellapart.logs.mapped import TOOL as MAPPED
from tellapart.logs.metric import Metric
from tellapart.logs.pair import Paired, pair
from tellapart.logs.recorded import Recorded, without_copies
from tellapart.logs.source import split
from tellapart.logs.value import listed, short


class Sides(NamedTuple):
    """Both logs, their shared items, and the notes on all of it, each once."""

    a: Recorded
    b: Recorded
    paired: Paired
    notes: tuple[str, ...]


def read_sides(first: str, second: str) -> Sides:
    """Return two logs scored by one metric and paired; raises UserMistake, one line, where they cannot be compared."""
    a, b = read_log(first), read_log(second)
    a, b, told = one_metric(a, b)
    a, b, oriented = _two_values(a, b)
    a, b = without_copies(a), without_copies(b)
    paired = pair(a, b)
    notes = (*a.notes, *b.notes, *told, *oriented, *paired.notes, *_samples(a, b, paired))
    return Sides(a, b, paired, tuple(dict.fromkeys(notes)))


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
    told = f"{a.source} is scored by {short(a.metric.label)}, {b.source} by {short(b.metric.label)}"
    if a.tool != b.tool or a.tool == MAPPED:
        return a, b, [f"{told}: a difference between them may be the scorers'"]
    raise UserMistake(
        f"{told}: a gain would be the metrics'. Choose one that both have: {a.source} has "
        f"{listed(m.label for m in a.metrics)}, "
        f"{b.source} has {listed(m.label for m in b.metrics)} (PATH#NAME)"
    )


def _in(metric: Metric, log: Recorded) -> bool:
    return any(metric.same_as(one) for one in log.metrics)


def _is_chosen(log: Recorded) -> bool:
    """Say whether the user named the metric of a log."""
    _, choice = split(log.source)
    parts = [choice, *choice.split("#")]
    return any(part and (log.metric.named(part) or part in log.metric.label) for part in parts)


def _reread(log: Recorded, metric: Metric) -> Recorded:
    """Return the log scored by `metric`, read again where it is scored by another."""
    if log.metric.same_as(metric):
        return _without_choice(log)
    own = next(one for one in log.metrics if one.same_as(metric))
    path, choice = split(log.source)
    choice, sign, least = choice.rpartition(">=") if ">=" in choice else (choice, "", "")
    again = read_log(
        f"{path}#{choice}#{own.label}{sign}{least}" if choice else f"{path}#{own.label}{sign}{least}"
    )
    return _without_choice(replace(again, source=log.source))


def _without_choice(log: Recorded) -> Recorded:
    return replace(log, notes=tuple(note for note in log.notes if not note.startswith("scored by ")))


def _two_values(a: Recorded, b: Recorded) -> tuple[Recorded, Recorded, list[str]]:
    """Return both logs with scores of 0 and 1 where they have two values of another range (-1 and 1): the
    larger is right."""
    values = np.unique(np.concatenate([log.frame["score"].dropna().to_numpy() for log in (a, b)]))
    if len(values) == 0 or (values[0] >= 0 and values[-1] <= 1):
        return a, b, []
    if len(values) == 2 and values[1] > 0:
        low, high = values
        made = [
            replace(
                log,
                frame=log.frame.assign(score=(log.frame["score"] - low) / (high - low)),
                notes=tuple(note for note in log.notes if not note.startswith("scores lie between")),
            )
            for log in (a, b)
        ]
        return (
            made[0],
            made[1],
            [f"scores are {low:g} and {high:g} only: {high:g} is taken for right, {low:g} for wrong"],
        )
    raise UserMistake(
        f"{a.source} and {b.source}: scores take {len(values)} values from {values[0]:g} to "
        f"{values[-1]:g}, and must lie between "
        "0 and 1: say from which on an answer is right, as "
        f"{a.source}{'' if split(a.source)[1] else '#'}>={values[-1]:g}"
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
