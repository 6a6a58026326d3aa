"""A chart area in SVG that is fluid: x in percent of the width, y in pixels, labels that never stretch.

Curves lie in an inner <svg> that stretches without scaling its strokes. So one drawing serves a desktop, a phone and
paper. Colours come from the page's style sheet by class.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

WIDE = 1000


class Tick(NamedTuple):
    """A labelled place on an axis. A `minor` one is left out on a narrow screen."""

    at: float
    label: str
    minor: bool = False


@dataclass(frozen=True)
class Axis:
    """A title, ticks, and the scale: a value to its fraction of the axis, 0 (start) to 1 (end)."""

    title: str
    ticks: tuple[Tick, ...]
    scale: Callable[[float], float]


@dataclass(frozen=True)
class Area:
    """The area inside the axes; `height` in pixels."""

    x: Axis
    y: Axis
    height: int

    def left(self, value: float) -> str:
        """Return the x of `value` as an SVG percentage."""
        return f"{100 * self.x.scale(value):.2f}%"

    def top(self, value: float) -> float:
        """Return the y of `value` in pixels from the top."""
        return round(self.height * (1 - self.y.scale(value)), 1)

    def point(self, x: float, y: float) -> str:
        """Return a point of an inner, stretched drawing."""
        return f"{WIDE * self.x.scale(x):.1f} {self.top(y):.1f}"


def linear(low: float, high: float) -> Callable[[float], float]:
    """Return the scale that runs evenly from `low` to `high`."""
    return lambda value: (value - low) / (high - low)


def logarithmic(low: float, high: float) -> Callable[[float], float]:
    """Return the scale that is even in the logarithm; both ends are above 0."""
    span = math.log(high / low) or 1.0
    return lambda value: math.log(value / low) / span


def percent_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """Return ticks in percent at a round step that cover low..high."""
    step = next(
        step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 1e9) if (high - low) / step <= 6
    )
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(Tick(i * step, f"{100 * i * step:.0f} %".replace("-", "−")) for i in range(first, last + 1))


def chart(area: Area, name: str, marks: Sequence[Markup]) -> Markup:
    """Return the whole chart: grid, axes and marks. `name` is what a screen reader says."""
    grid = Markup("").join(_rows(area))
    return Markup(
        '<div class="plot-frame"><svg class="plot" width="100%" height="{height}" role="group" aria-label="{name}">'
        '<g aria-hidden="true">{grid}{ticks}<text class="axis" x="-44" y="-10">{y}</text>'
        '<text class="axis end" x="100%" y="{below}">{x}</text></g>{marks}</svg></div>'
    ).format(
        height=area.height,
        name=name,
        grid=grid,
        ticks=Markup("").join(_columns(area)),
        y=area.y.title,
        x=area.x.title,
        below=area.height + 36,
        marks=Markup("").join(marks),
    )


def _rows(area: Area) -> list[Markup]:
    line = Markup(
        '<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/><text class="tick end" x="-8" y="{1}">{2}</text>'
    )
    return [line.format(area.top(t.at), area.top(t.at) + 4, t.label) for t in area.y.ticks]


def _columns(area: Area) -> list[Markup]:
    mark = Markup(
        '<g class="{3}"><line class="notch" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
        '<text class="tick mid" x="{0}" y="{4}">{5}</text></g>'
    )
    h = area.height
    return [
        mark.format(area.left(t.at), h, h + 4, "minor" if t.minor else "major", h + 18, t.label)
        for t in area.x.ticks
    ]


def stretched(area: Area, drawing: Markup) -> Markup:
    """Return an inner drawing in units of WIDE x height that fills the area."""
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" width="100%" height="{}" aria-hidden="true">{}</svg>'
    ).format(WIDE, area.height, area.height, drawing)


def line(area: Area, xs: Sequence[float], ys: Sequence[float], kind: str) -> Markup:
    """Return a polyline through the known points; it breaks where a value is NaN."""
    parts, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            parts.append(f"{pen}{area.point(x, y)}")
        pen = "L" if math.isfinite(y) else "M"
    return Markup('<path class="line {}" vector-effect="non-scaling-stroke" d="{}"/>').format(
        kind, " ".join(parts)
    )


def band(area: Area, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], kind: str) -> Markup:
    """Return the filled band between `lows` and `highs`, over the points where both are known."""
    finite = [
        (x, low, high)
        for x, low, high in zip(xs, lows, highs, strict=True)
        if math.isfinite(low) and math.isfinite(high)
    ]
    if not finite:
        return Markup("")
    there = [area.point(x, high) for x, _, high in finite]
    back = [area.point(x, low) for x, low, _ in reversed(finite)]
    return Markup('<path class="band {}" d="M{}Z"/>').format(kind, "L".join(there + back))


def dot(area: Area, x: float, y: float, kind: str, radius: float = 3.5) -> Markup:
    """Return a dot."""
    return Markup('<circle class="dot {}" cx="{}" cy="{}" r="{}"/>').format(
        kind, area.left(x), area.top(y), radius
    )


def hits(area: Area, xs: Sequence[float], tips: Sequence[str]) -> Markup:
    """Return one invisible column around each x, which shows its tip on hover, tap and focus."""
    places = [area.x.scale(x) for x in xs]
    edges = [max(0.0, places[0] - 0.03), *((a + b) / 2 for a, b in pairwise(places))]
    edges.append(min(1.0, places[-1] + 0.03))
    column = Markup(
        '<rect class="hit" x="{:.2f}%" width="{:.2f}%" y="0" height="{}" tabindex="0" role="img" '
        'data-tip="{}" aria-label="{}"/>'
    )
    return Markup("").join(
        column.format(100 * left, 100 * max(right - left, 0.0), area.height, tip, tip)
        for (left, right), tip in zip(pairwise(edges), tips, strict=True)
    )
