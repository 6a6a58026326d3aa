"""The charts of `scale`: a task's metrics over scale, the map of tasks, forecast against truth."""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.scale import MetricCurve, ScaleTask
from tellapart.report.figures import Curve, curves
from tellapart.report.svg import Area, Axis, Tick, chart, dot, linear, logarithmic, percent_ticks
from tellapart.stats.wording import between, percent, plain

HEIGHT = 220
EDGE = 3.0
"""Log10 odds at which the map ends: 1000 to 1. What is farther out is drawn on its edge."""
KINDS = {
    "sharp in the model too": "tuned",
    "sharp in the ruler only": "fourth",
    "smooth": "base",
    "cannot tell": "fifth",
}
_AXES = {
    "parameters": "parameters (log scale)",
    "compute": "training compute, FLOP (log scale)",
    "tokens": "training tokens (log scale)",
    "steps": "training steps (log scale)",
    "loss": "pretraining loss, nats (falling)",
    "scale": "scale (log scale)",
}
_COLOURS = {
    "discontinuous": ("tuned", "fifth", "fourth"),
    "continuous": ("base", "third", "fourth"),
    "not known": ("fifth", "fourth", "third"),
}


class _Plain(Curve):
    """A line whose values are no shares."""

    def tip(self, x: float) -> str:
        at = [point for place, point in zip(self.xs, self.points, strict=True) if place == x]
        return f"{self.name}: {plain(at[0][0])} {between(*at[0][1:], plain)}".rstrip() if at else ""


class Key(NamedTuple):
    """A line of a legend."""

    name: str
    colour: str
    kind: str
    form: str


class Panel(NamedTuple):
    """A chart with its legend."""

    legend: tuple[Key, ...]
    chart: Markup


def panels(metrics: Sequence[MetricCurve], axis: str, label: str) -> list[Panel]:
    """Return the panels of a task: shares together, every other metric by itself; each with its legend."""
    curved = [metric for metric in metrics if len(metric.scale) > 1]
    shares = [metric for metric in curved if _is_share(metric)]
    groups = [shares] if shares else []
    groups += [[metric] for metric in curved if not _is_share(metric)]
    return [_panel(group, axis, label, group is shares) for group in groups]


def _is_share(metric: MetricCurve) -> bool:
    return not metric.logarithm and all(0 <= value <= 1 for value in metric.value)


def _panel(group: Sequence[MetricCurve], axis: str, label: str, shares: bool) -> Panel:
    lines, legend, used = [], [], dict.fromkeys(_COLOURS, 0)
    for metric in group:
        kinds = _COLOURS[metric.kind]
        colour = kinds[min(used[metric.kind], len(kinds) - 1)]
        used[metric.kind] += 1
        name = f"log {metric.metric} (nats)" if metric.logarithm else metric.metric
        points = list(zip(metric.value, metric.low, metric.high, strict=True))
        lines.append((Curve if shares else _Plain)(name, colour, metric.scale, points))
        legend.append(Key(name, colour, metric.kind, metric.form))
    scale = _scale_axis(axis, [x for line in lines for x in line.xs])
    area = Area(scale, _value_axis(lines, shares), HEIGHT)
    name = f"{label}: {', '.join(metric.metric for metric in group)} over {axis}"
    return Panel(tuple(legend), curves(area, name, lines, lambda x: f"{axis}: {plain(x)}"))


def _scale_axis(axis: str, xs: Sequence[float]) -> Axis:
    low, high = min(xs), max(xs)
    if axis == "loss":
        ticks = tuple(Tick(x, plain(x)) for x in (high, (low + high) / 2, low))
        return Axis(_AXES[axis], ticks, linear(high, low))
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    places = [10.0**power for power in powers if low * 0.999 <= 10.0**power <= high * 1.001]
    if len(places) < 2:
        places = [low, high]
    return Axis(_AXES[axis], tuple(Tick(x, _short(x)) for x in places), logarithmic(low, high))


def _short(x: float) -> str:
    """Return a scale in few characters: 70 M, 1 B, 1e21."""
    for limit, divisor, unit in (
        (1e3, 1.0, ""),
        (1e6, 1e3, " k"),
        (1e9, 1e6, " M"),
        (1e12, 1e9, " B"),
        (1e15, 1e12, " T"),
    ):
        if 1 <= x < limit:
            return f"{x / divisor:.3g}{unit}"
    return f"{x:.2g}".replace("e+", "e")


def _value_axis(lines: Sequence[Curve], shares: bool) -> Axis:
    finite = [value for line in lines for point in line.points for value in point if math.isfinite(value)]
    low, high = min(finite), max(finite)
    title = "score" if shares else lines[0].name
    if shares:
        low, high = (0.0, 1.0) if high > 0.5 else (min(0.0, low), max(high * 1.1, 0.02))
        low, high = min(low, *finite), max(high, *finite)
        return Axis(title, percent_ticks(low, high), linear(low, high))
    room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.05
    low, high = low - room, high + room
    ticks = tuple(Tick(v, plain(float(f"{v:.3g}"))) for v in _round_places(low, high))
    return Axis(title, ticks, linear(low, high))


def _round_places(low: float, high: float) -> list[float]:
    """Return 3 to 7 places at a round step within low..high."""
    raw = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= raw)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def task_map(tasks: Sequence[ScaleTask]) -> tuple[Markup, int]:
    """Return the map of tasks, and how many are on it: those with both kinds of metric in a form."""
    marks = []
    for task in tasks:
        pair = [_probability(task, kind) for kind in ("discontinuous", "continuous")]
        if any(math.isnan(share) for share in pair):
            continue
        x, y = (_odds(share) for share in pair)
        kind = KINDS.get(task.verdict, "null")
        sharp = f"sharp: discontinuous {percent(pair[0])}, continuous {percent(pair[1])}"
        tip = f"{task.label}\n{task.verdict}\n{sharp}"
        shift = [0.12 * (part / 255 - 0.5) for part in hashlib.sha256(task.label.encode()).digest()[:2]]
        marks.append((x + shift[0], y + shift[1], kind, tip))
    labels = ((-EDGE, "0.1 %"), (-2.0, "1 %"), (0.0, "50 %"), (2.0, "99 %"), (EDGE, "99.9 %"))
    ticks = tuple(Tick(at, text, abs(at) == 2) for at, text in labels)
    scale = linear(-EDGE - 0.2, EDGE + 0.2)
    area = Area(
        Axis("sharp under the discontinuous metric", ticks, scale),
        Axis("sharp under the continuous", ticks, scale),
        340,
    )
    zero = Markup('<line class="zero" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    lines = [zero.format("50%", "50%", 0, 340), zero.format("0", "100%", 170, 170)]
    names = (
        (0.51, 160, "", "in the model too"),
        (0.51, 188, "", "in the ruler only"),
        (0.01, 188, "", "smooth"),
    )
    lines += [
        Markup('<text class="name {}" x="{}%" y="{}">{}</text>').format(a, 100 * x, y, n)
        for x, y, a, n in names
    ]
    dots = [_tipped(area, *mark) for mark in marks]
    return chart(area, "tasks by how sharp they are under either kind of metric", [*lines, *dots]), len(marks)


def _probability(task: ScaleTask, kind: str) -> float:
    """Return how probably sharp a task is under a kind of metric: the surest metric of that kind; NaN for none."""
    chances = [
        metric.sharp for metric in task.metrics if metric.kind == kind and metric.form in ("smooth", "sharp")
    ]
    return max(chances, key=lambda chance: abs(chance - 0.5), default=math.nan)


def _odds(probability: float) -> float:
    if probability <= 10**-EDGE:
        return -EDGE
    if probability >= 1 - 10**-EDGE:
        return EDGE
    return math.log10(probability / (1 - probability))


def _tipped(area: Area, x: float, y: float, kind: str, tip: str) -> Markup:
    return Markup('<g data-tip="{}">{}</g>').format(tip, dot(area, x, y, kind, 4.5))


class Forecasted(NamedTuple):
    """A forecast (90 % interval) beside what was measured."""

    label: str
    metric: str
    value: float
    low: float
    high: float
    truth: float
    says: bool
    logarithm: bool

    @property
    def inside(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def forecasts(rows: Sequence[Forecasted]) -> Markup:
    """Return truth over forecast with 90 % intervals, for scores that are shares."""
    values = [value for row in rows for value in (row.value, row.low, row.high, row.truth)]
    low, high = min(0.0, *values), max(1.0, *values)
    ticks = percent_ticks(low, high)
    area = Area(
        Axis("forecast from the smaller scales", ticks, linear(low, high)),
        Axis("score", ticks, linear(low, high)),
        340,
    )
    marks = [
        Markup('<line class="guide base" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            area.left(low), area.top(low), area.left(high), area.top(high)
        )
    ]
    for row in sorted(rows, key=lambda row: not row.inside):
        kind = "floor" if row.inside else "tuned"
        ends = (area.left(row.low), area.left(row.high))
        y = area.top(row.truth)
        tip = (
            f"{row.label}, {row.metric}\nforecast {percent(row.value)} {between(row.low, row.high)}\n"
            f"score {percent(row.truth)}"
        )
        whisker = Markup('<line class="whisker {}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
            kind, *ends, y=y
        )
        spot = dot(area, row.value, row.truth, kind, 3)
        marks.append(Markup('<g data-tip="{}">{}{}</g>').format(tip, whisker, spot))
    return chart(area, "scores over their forecasts", marks)
