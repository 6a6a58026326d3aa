"""The verdict on a task: its discontinuous metric beside a continuous one of the same outputs.

Sharp under both: the jump is in the model. Sharp under the discontinuous one only: it is in the ruler. A metric that
is sharp with no continuous one beside it cannot be placed.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tellapart.studies.scale.curves import ScoreCurve
from tellapart.studies.scale.shape import Shaped

Label = Literal[
    "smooth",
    "sharp in the ruler only",
    "sharp in the model too",
    "not monotone",
    "too noisy",
    "too few points",
    "cannot tell",
]
LABELS: tuple[Label, ...] = (
    "sharp in the model too", "sharp in the ruler only", "not monotone", "cannot tell", "smooth", "too noisy",
    "too few points",
)  # fmt: skip

SAME_ITEMS = 0.02
"""Share by which item counts of the same outputs may differ: some come back from rounded standard errors, and a few
outputs have no edit distance."""
_KINDS = ("discontinuous", "not known", "continuous")
LIKELY = 0.5
"""A jump is placed where the forms of both metrics are together at least this probable."""


class Verdict(NamedTuple):
    """A label, its probability (NaN: none), one sentence, and the metric that the verdict was read beside."""

    label: Label
    probability: float
    sentence: str
    companion: str = ""


Read = tuple[ScoreCurve, Shaped]


def metric_verdict(own: Read, task: Sequence[Read]) -> Verdict:
    """Return the verdict on one metric of a task, whose metrics are `task`."""
    curve, shape = own
    match shape.form:
        case "too few points":
            return Verdict("too few points", math.nan, f"{curve.metric}: {shape.reason}.")
        case "too noisy":
            return Verdict("too noisy", math.nan, f"{curve.metric}: {shape.reason}.")
        case "not monotone":
            return Verdict("not monotone", shape.sure, _turned(own))
        case "smooth":
            said = f"{curve.metric} changes gradually over the scales measured{_worse(curve)}."
            return Verdict("smooth", shape.sure, said)
    if curve.kind.kind == "continuous":
        return Verdict(
            "sharp in the model too", shape.sure, f"{curve.metric} is continuous, and {_jumps(shape)}."
        )
    if curve.kind.kind == "not known":
        said = (
            f"{curve.metric} {_jumps(shape)}; whether it is continuous is not known, so the jump cannot be placed. A "
            "column kind (discontinuous | continuous) tells it."
        )
        return Verdict("cannot tell", math.nan, said)
    return _placed(own, [read for read in task if read[0].kind.kind == "continuous"])


def task_verdict(task: Sequence[Read]) -> Verdict:
    """Return the verdict on a task: that on its first discontinuous metric with a form, else on its first."""
    ordered = sorted(task, key=lambda read: (_KINDS.index(read[0].kind.kind), _unformed(read[1])))
    return metric_verdict(ordered[0], task)


def _unformed(shape: Shaped) -> int:
    return {"too noisy": 1, "too few points": 2}.get(shape.form, 0)


def _jumps(shape: Shaped) -> str:
    return "jumps twice" if shape.stairs else "jumps"


def _worse(curve: ScoreCurve) -> str:
    """Return that the scores get worse, where the metric's direction is known and they do."""
    up = bool(curve.values[-1] > curve.values[0])
    return ", for the worse" if (curve.kind.better, up) in (("higher", False), ("lower", True)) else ""


def _turned(own: Read) -> str:
    curve, turn = own[0], own[1].turn
    assert turn is not None
    better = f" ({curve.kind.better} is better)" if curve.kind.better != "not known" else ""
    return (
        f"{curve.metric} both rises, by {turn.rise:.3g} ({turn.rise_z:.1f} standard errors), and falls, by "
        f"{turn.fall:.3g} ({turn.fall_z:.1f}), from a smaller to a larger scale{better}: neither smooth nor sharp."
    )


def apart(own: ScoreCurve, other: ScoreCurve) -> str:
    """Return why a metric is not of the same outputs as another of its task, "" where it is: the same filter, the same
    models at every scale, and item counts that are equal within SAME_ITEMS where both are known."""
    if own.kind.filter != other.kind.filter:
        return f"another filter ({other.kind.filter or 'none'})"
    at = {float(x): place for place, x in enumerate(other.x)}
    if any(float(x) not in at or own.models[i] != other.models[at[float(x)]] for i, x in enumerate(own.x)):
        return "not of the same models at every scale"
    there = other.n[[at[float(x)] for x in own.x]]
    counted = np.isfinite(own.n) & np.isfinite(there)
    unequal = counted & (np.abs(own.n - there) > SAME_ITEMS * np.maximum(own.n, there))
    if unequal.any():
        i = int(np.argmax(unequal))
        return f"{there[i]:g} items where {own.metric} has {own.n[i]:g}"
    return ""


def _placed(own: Read, every: Sequence[Read]) -> Verdict:
    """Return where the jump of a sharp discontinuous metric is."""
    curve, shape = own
    why = {read[0].metric: apart(curve, read[0]) for read in every}
    continuous = [read for read in every if not why[read[0].metric]]
    if not continuous:
        return _alone(own, {metric: reason for metric, reason in why.items() if reason})
    formed = [read for read in continuous if read[1].form in ("smooth", "sharp")]
    if not formed:
        return _unplaced(own, continuous)
    beside, other = max(formed, key=lambda read: read[1].sure)
    both = shape.sure * other.sure
    if both < LIKELY:
        said = f"{curve.metric} seems to jump, but whether {beside.metric} does as well is not settled."
        return Verdict("too noisy", math.nan, said, beside.metric)
    if other.form == "sharp":
        said = (
            f"{curve.metric} {_jumps(shape)}, and so does {beside.metric}, which needs no answer to be right as a "
            "whole."
        )
        return Verdict("sharp in the model too", both, said, beside.metric)
    said = f"{curve.metric} {_jumps(shape)} while {beside.metric} of the same outputs changes gradually."
    return Verdict("sharp in the ruler only", both, said, beside.metric)


def _alone(own: Read, apart_by: Mapping[str, str]) -> Verdict:
    names = "; ".join(f"{metric}: {reason}" for metric, reason in apart_by.items())
    said = (
        f"{own[0].metric} {_jumps(own[1])}; no continuous metric of the same outputs is there to tell whether the "
        f"model does{f' ({names})' if names else ''}. Give per-sample logs, or log-probabilities."
    )
    return Verdict("cannot tell", math.nan, said)


def _unplaced(own: Read, continuous: Sequence[Read]) -> Verdict:
    curve, shape = own
    names = ", ".join(f"{read[0].metric}: {read[1].reason}" for read in continuous)
    few = all(read[1].form == "too few points" for read in continuous)
    said = f"{curve.metric} {_jumps(shape)}, but its continuous metrics have no form ({names})."
    return Verdict("cannot tell" if few else "too noisy", math.nan, said)
