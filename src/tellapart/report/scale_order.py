"""The tasks of `scale` in order of what their verdict claims, and the metric that a verdict is about."""

import math
from collections.abc import Sequence

from tellapart.findings.scale import MetricCurve, ScaleTask

ORDER = (
    "sharp in the model too", "sharp in the ruler only", "not monotone", "cannot tell", "smooth", "too noisy",
    "too few points",
)  # fmt: skip


def in_order(tasks: Sequence[ScaleTask]) -> list[ScaleTask]:
    """Return the tasks by verdict, within one by the size of their breakthroughness."""
    return sorted(tasks, key=_order)


def deciding(task: ScaleTask) -> MetricCurve:
    """Return the metric that a task's verdict is about: the first discontinuous one with the task's verdict."""
    same = [metric for metric in task.metrics if metric.verdict == task.verdict]
    ordered = sorted(same or task.metrics, key=lambda metric: metric.kind == "continuous")
    return ordered[0]


def _order(task: ScaleTask) -> tuple[int, float, str]:
    size = deciding(task).breakthroughness.value
    return ORDER.index(task.verdict), -abs(size) if math.isfinite(size) else 0.0, task.label
