"""The picture every user gets: recovered share of the gain against bits supplied, with null controls.

Bits run from a band for 0 (decoding supplies none) to a log scale. Each way is a numbered dot, or a curve with one
number where it was tried at several settings; the number is its row in the table below. Dots that would cover each
other are moved apart sideways, so a dot's exact bits are read from its tip or the table.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.report.figures import span
from tellapart.report.svg import Area, Axis, Tick, chart, dot, line, linear, percent_ticks, stretched
from tellapart.report.ways import CURVE, Point, Triple, Way
from tellapart.stats.wording import bits

HEIGHT = 360
_ASSUMED_WIDTH = 640.0
_LETTER = 6.4
_APART = 0.05
_NULL_OFFSET = 12
"""Pixels that a null control stands right of its dot, on any screen."""


class Mark(NamedTuple):
    """A numbered dot: its way, the point it stands at, and its x in 0..1 after moving apart."""

    way: Way
    point: Point
    x: float


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float


def recovered(ways: Sequence[Way]) -> Markup | None:
    """Return the chart of the ways, None where none has both a share and bits."""
    drawn = [way._replace(points=tuple(p for p in way.points if p.drawable())) for way in ways]
    drawn = [way for way in drawn if way.points]
    if not drawn:
        return None
    area = _area([point for way in drawn for point in way.points])
    curves = [way for way in drawn if len(way.points) >= CURVE]
    marks = _apart(drawn, area)
    marks_of_points = [mark for mark in marks if mark.way not in curves]
    drawing = [_free(area), _guide(area, 0.0, "base"), _guide(area, 1.0, "tuned")]
    drawing += [_curve(way, area) for way in curves]
    drawing += [_null(mark, area) for mark in marks_of_points] + [_numbered(mark, area) for mark in marks]
    return chart(area, "recovered share of the gain against bits supplied", [*drawing, *_labels(marks, area)])


def _area(points: Sequence[Point]) -> Area:
    free = sum(point.bits <= 0 for point in points)
    positive = [point.bits for point in points if point.bits > 0] or [1.0, 1000.0]
    first = math.floor(math.log10(min(positive)))
    last = max(math.ceil(math.log10(max(positive)) + 0.1), first + 2)
    start = min(0.1 + _APART * free, 0.35) if free else 0.02

    def scale(value: float) -> float:
        if value <= 0:
            return (start - 0.04) / 2
        return start + (math.log10(value) - first) / (last - first) * (1 - start)

    powers = range(first, last + 1)
    ticks = [
        Tick(10.0**p, bits(10.0**p).replace(".0", ""), len(powers) > 4 and (p - first) % 2 == 1)
        for p in powers
    ]
    ticks += [Tick(0.0, "0")] if free else []
    low, high = span([value for point in points for value in (*point.share, *point.null)])
    y = Axis("gain recovered", percent_ticks(low, high), linear(low, high))
    return Area(Axis("bits supplied from outside (log scale, 0 apart)", tuple(ticks), scale), y, HEIGHT)


def _apart(drawn: Sequence[Way], area: Area) -> list[Mark]:
    """Return one mark a way. A curve's number stands on one of its points; another dot that would cover one moves
    sideways: by one step at most on the log scale, so that its bits stay readable, anywhere in the band of 0 bits."""
    placed: list[Mark] = []
    for way in sorted(
        drawn, key=lambda way: (len(way.points) < CURVE, min(point.bits for point in way.points))
    ):
        point = way.standing()
        x = min(max(area.x.scale(point.bits), 0.02), 0.985)
        steps = range(1, 2 if point.bits > 0 else 5)
        tries = [x, *(x + sign * step * _APART for step in steps for sign in (1, -1))]
        marks = [Mark(way, point, at) for at in tries if 0.02 <= at <= 0.985]
        if len(way.points) >= CURVE:
            ranked = sorted(way.points, key=lambda point: (-point.above_null(), point.bits))
            marks = [Mark(way, point, area.x.scale(point.bits)) for point in ranked]
        placed.append(min(marks, key=lambda mark: sum(_cover(mark, other, area) for other in placed)))
    return placed


def _cover(a: Mark, b: Mark, area: Area) -> float:
    """Return how far (in x) two dots or their whiskers lie over each other; in the band of 0 bits their twins too."""
    depth = 0.99 * _APART - abs(a.x - b.x)
    if depth <= 0:
        return 0.0
    pairs = ((left, right) for left in _reaches(a.point, area) for right in _reaches(b.point, area))
    return depth if any(left[0] < right[1] and right[0] < left[1] for left, right in pairs) else 0.0


def _reaches(point: Point, area: Area) -> list[tuple[float, float]]:
    """Return the highest and lowest pixel of a dot with its whisker, and (at 0 bits) of its null control's."""
    reaches = []
    null = [(point.null, 5)] if point.bits <= 0 else []
    for (value, low, high), radius in [(point.share, 11), *null]:
        if math.isfinite(value):
            heights = [area.top(share) for share in (value, low, high) if math.isfinite(share)]
            reaches.append((min(*heights, heights[0] - radius), max(*heights, heights[0] + radius)))
    return reaches


def _free(area: Area) -> Markup:
    """Return the shade behind the band of 0 bits, where the axis has one."""
    if all(tick.at > 0 for tick in area.x.ticks):
        return Markup("")
    width = 200 * (area.x.scale(0.0) + 0.005)
    return Markup('<rect class="free" x="0" y="0" width="{:.2f}%" height="{}"/>').format(width, area.height)


def _guide(area: Area, share: float, kind: str) -> Markup:
    return Markup(
        '<line class="guide {0}" x1="0" x2="100%" y1="{1}" y2="{1}"/>'
        '<text class="guide end {0}" x="100%" y="{2}">{0}</text>'
    ).format(kind, area.top(share), area.top(share) - 5)


def _curve(way: Way, area: Area) -> Markup:
    """Return a way of several settings as a line through its points, and its null controls as a dashed one."""
    xs = [point.bits for point in way.points]
    shares, nulls = [point.share[0] for point in way.points], [point.null[0] for point in way.points]
    drawing = [stretched(area, line(area, xs, nulls, "floor") + line(area, xs, shares, "base thin"))]
    for point in way.points:
        drawing.append(_whisker(100 * area.x.scale(point.bits), point.share, "base", area))
        tip = f"{way.number}  {way.title}, {point.setting}\n{point.tip()}"
        drawing.append(
            Markup('<g data-tip="{}">{}</g>').format(tip, dot(area, point.bits, point.share[0], "base"))
        )
    return Markup("").join(drawing)


def _null(mark: Mark, area: Area) -> Markup:
    if not math.isfinite(mark.point.null[0]):
        return Markup("")
    x = 100 * mark.x
    ring = Markup('<circle class="dot null" cx="{:.2f}%" cy="{}" r="4"/>').format(
        x, area.top(mark.point.null[0])
    )
    null = _whisker(x, mark.point.null, "null", area) + ring
    return Markup('<g transform="translate({} 0)">{}</g>').format(_NULL_OFFSET, null)


def _whisker(x: float, share: Triple, kind: str, area: Area) -> Markup:
    _, low, high = share
    if not (math.isfinite(low) and math.isfinite(high)):
        return Markup("")
    return Markup('<line class="whisker {0}" x1="{1:.2f}%" x2="{1:.2f}%" y1="{2}" y2="{3}"/>').format(
        kind, x, area.top(low), area.top(high)
    )


def _numbered(mark: Mark, area: Area) -> Markup:
    x, y = 100 * mark.x, area.top(mark.point.share[0])
    setting = f", {mark.point.setting}" if len(mark.way.points) > 1 else ""
    tip = f"{mark.way.number}  {mark.way.title}{setting}\n{mark.point.tip()}"
    return _whisker(x, mark.point.share, "base", area) + Markup(
        '<g class="numbered" tabindex="0" role="img" data-tip="{}" aria-label="{}">'
        '<circle class="dot base" cx="{:.2f}%" cy="{}" r="9"/><text x="{:.2f}%" y="{}">{}</text></g>'
    ).format(tip, tip, x, y, x, y + 4, mark.way.number)


def _labels(marks: Sequence[Mark], area: Area) -> list[Markup]:
    """Return the names that find free room beside their dot on a wide screen; the others keep their number."""
    taken = [box for mark in marks for box in _occupied(mark, area)]
    labels = []
    for mark in sorted(marks, key=lambda mark: -mark.point.share[0]):
        for anchor, dx, y in _places(mark, area):
            box = _box(_ASSUMED_WIDTH * mark.x + dx, y, anchor, _LETTER * len(mark.way.title))
            if (
                box.left >= 0
                and box.right <= _ASSUMED_WIDTH
                and not any(_overlap(box, other) for other in taken)
            ):
                taken.append(box)
                labels.append(_label(mark, anchor, dx, y))
                break
    return labels


def _occupied(mark: Mark, area: Area) -> list[Box]:
    """Return the pixels, on the assumed width, of a dot, of its whisker and its null control's, of a curve's dots."""
    x, y = _ASSUMED_WIDTH * mark.x, area.top(mark.point.share[0])
    boxes = [Box(x - 11, y - 11, x + 11, y + 11)]
    for middle, (_, low, high) in ((x, mark.point.share), (x + _NULL_OFFSET, mark.point.null)):
        if math.isfinite(low) and math.isfinite(high):
            boxes.append(Box(middle - 3, area.top(high), middle + 3, area.top(low)))
    if math.isfinite(mark.point.null[0]) and len(mark.way.points) < CURVE:
        at, top = x + _NULL_OFFSET, area.top(mark.point.null[0])
        boxes.append(Box(at - 6, top - 6, at + 6, top + 6))
    for point in mark.way.points if len(mark.way.points) >= CURVE else ():
        at, top = _ASSUMED_WIDTH * area.x.scale(point.bits), area.top(point.share[0])
        boxes.append(Box(at - 5, top - 5, at + 5, top + 5))
    return boxes


def _places(mark: Mark, area: Area) -> list[tuple[str, float, float]]:
    """Return where a name may stand, best first, as (anchor, pixels to the right of the dot, y)."""
    _, low, high = mark.point.share
    y = area.top(mark.point.share[0])
    above = min(area.top(high), y - 8) - 6 if math.isfinite(high) else y - 14
    below = max(area.top(low) + 14, y + 22) if math.isfinite(low) else y + 24
    return [
        ("start", 15, y + 4), ("end", -15, y + 4), ("start", 15, y - 10), ("end", -15, y - 10),
        ("mid", 0, above), ("start", -9, above), ("end", 9, above),
        ("mid", 0, below), ("start", -9, below), ("end", 9, below),
    ]  # fmt: skip


def _box(x: float, y: float, anchor: str, wide: float) -> Box:
    left = {"start": x, "mid": x - wide / 2, "end": x - wide}[anchor]
    return Box(left, y - 11, left + wide, y + 4)


def _label(mark: Mark, anchor: str, dx: float, y: float) -> Markup:
    return Markup(
        '<text class="name wide {}" x="{:.2f}%" dx="{}" y="{}" aria-hidden="true">{}</text>'
    ).format(anchor, 100 * mark.x, dx, y, mark.way.title)


def _overlap(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom
