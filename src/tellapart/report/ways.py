"""The elicitors table as ways: one setting tried is a point, a method tried at three settings or more is a curve."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tellapart.findings.gain import ElicitorLine
from tellapart.stats.wording import between, bits, percent

CURVE = 3
"""From this many settings on a method is one way (routing at 1, 2, 5 .. % of the tokens), not several."""

Triple = tuple[float, float, float]


class Point(NamedTuple):
    """One setting: its name after "@", bits supplied, and [value, low, high] of its share and its null control's."""

    setting: str
    bits: float
    share: Triple
    null: Triple

    def tip(self) -> str:
        """Return the figures as lines of a tip."""
        share = f"recovered {percent(self.share[0])} {between(*self.share[1:])}".rstrip()
        null = f"null control {percent(self.null[0])} {between(*self.null[1:])}".rstrip()
        return f"{share}\n{null}\n{bits(self.bits)} bits supplied"

    def above_null(self) -> float:
        """Return the share less the null control's, the share itself where there is none; -inf where not known."""
        above = self.share[0] - (self.null[0] if math.isfinite(self.null[0]) else 0.0)
        return above if math.isfinite(above) else -math.inf

    def drawable(self) -> bool:
        """Return whether it has a place in the picture."""
        return math.isfinite(self.bits) and math.isfinite(self.share[0])


class Way(NamedTuple):
    """One numbered way of the picture and its table; points are in order of their setting."""

    number: int
    title: str
    source: str
    note: str
    points: tuple[Point, ...]

    def standing(self) -> Point:
        """Return the point that stands for the way: the farthest above its null control, then the cheapest."""
        return max(self.points, key=lambda point: (point.above_null(), -point.bits))


def ways(rows: Sequence[ElicitorLine]) -> list[Way]:
    """Return the ways of an elicitors table, in its order; those that were not tried come last."""
    family = [row.name.partition("@")[0] for row in rows]
    groups: dict[str, list[ElicitorLine]] = {}
    for row, name in zip(rows, family, strict=True):
        key = name if family.count(name) >= CURVE else row.name
        groups.setdefault(key, []).append(row)
    ordered = sorted(groups.values(), key=lambda group: all(math.isnan(row.share) for row in group))
    return [_way(index, group) for index, group in enumerate(ordered, 1)]


def _way(index: int, group: Sequence[ElicitorLine]) -> Way:
    points = sorted((_point(row) for row in group), key=_order)
    first = group[0]
    title = first.title or first.name
    title = title.partition("@")[0] if len(group) > 1 else title.replace("@", ", ")
    notes = {row.note for row in group}
    note = notes.pop() if len(notes) == 1 else ""
    return Way(index, title, first.source, note, tuple(points))


def _order(point: Point) -> tuple[float, float]:
    """Return the place of a setting on its curve: by its number where it is one, else by bits."""
    try:
        return float(point.setting), point.bits
    except ValueError:
        return point.bits, point.bits


def _point(row: ElicitorLine) -> Point:
    share, null = (row.share, row.low, row.high), (row.null_share, row.null_low, row.null_high)
    return Point(row.name.partition("@")[2], row.bits, share, null)
