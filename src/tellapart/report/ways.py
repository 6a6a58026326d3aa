"""The elicitors table as ways: one setting tried is a point, a method tried at three settings or more is a curve."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tellapart.findings.reading import number
from tellapart.stats.wording import between, bits, percent

CURVE = 3
"""From this many settings on a method is one way (routing at 1, 2, 5 .. % of the tokens), not several."""

Triple = tuple[float, float, float]


class Point(NamedTuple):
    """One setting: its name after "@", bits supplied, and [value, low, high] of its share and its null twin's."""

    setting: str
    bits: float
    share: Triple
    null: Triple

    def told(self) -> str:
        """Return the figures as lines of a tip."""
        told = f"recovered {percent(self.share[0])} {between(*self.share[1:])}".rstrip()
        twin = f"null control {percent(self.null[0])} {between(*self.null[1:])}".rstrip()
        return f"{told}\n{twin}\n{bits(self.bits)} bits supplied"

    def above_null(self) -> float:
        """Return the share less the null twin's, the share itself where there is no twin; -inf where not known."""
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
        """Return the point that stands for the way: the farthest above its null twin, then the cheapest."""
        return max(self.points, key=lambda point: (point.above_null(), -point.bits))


def ways(rows: Sequence[Mapping[str, Any]]) -> list[Way]:
    """Return the ways of an elicitors table, in its order; those that were not tried come last."""
    family = [str(row["name"]).partition("@")[0] for row in rows]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row, name in zip(rows, family, strict=True):
        key = name if family.count(name) >= CURVE else str(row["name"])
        groups.setdefault(key, []).append(row)
    ordered = sorted(groups.values(), key=lambda group: all(row["share"] is None for row in group))
    return [_way(index, group) for index, group in enumerate(ordered, 1)]


def _way(index: int, group: Sequence[Mapping[str, Any]]) -> Way:
    points = sorted((_point(row) for row in group), key=_order)
    first = group[0]
    title = str(first["title"] or first["name"])
    title = title.partition("@")[0] if len(group) > 1 else title.replace("@", ", ")
    notes = {str(row["note"] or "") for row in group}
    note = notes.pop() if len(notes) == 1 else ""
    return Way(index, title, str(first["source"] or ""), note, tuple(points))


def _order(point: Point) -> tuple[float, float]:
    """Return the place of a setting on its curve: by its number where it is one, else by bits."""
    try:
        return float(point.setting), point.bits
    except ValueError:
        return point.bits, point.bits


def _point(row: Mapping[str, Any]) -> Point:
    share = (number(row["share"]), number(row["low"]), number(row["high"]))
    null = (number(row["null_share"]), number(row["null_low"]), number(row["null_high"]))
    return Point(str(row["name"]).partition("@")[2], number(row["bits"]), share, null)
