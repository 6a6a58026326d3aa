"""The charts of a report: tables of a Finding in, SVG out (svg.py). What each shows: docs/reading-a-report.md."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from tellapart.findings.gain import Concentration, Coverage, RoutedPoint, SeriesStep
from tellapart.findings.reading import number
from tellapart.report.svg import (
    Area,
    Axis,
    Tick,
    band,
    chart,
    dot,
    hits,
    line,
    linear,
    logarithmic,
    percent_ticks,
    stretched,
)
from tellapart.stats.wording import between, percent, plain

HEIGHT = 260
_SCORE_TICKS = percent_ticks(0, 1)


Triple = tuple[float, float, float]


class Curve(NamedTuple):
    """One line of a chart: its name, its style class, its x, and a value with interval at each (NaN: not known)."""

    name: str
    kind: str
    xs: Sequence[float]
    points: Sequence[tuple[float, float, float]]

    def tip(self, x: float) -> str:
        """Return what a tip says of this line at `x`; empty where it has no point there."""
        at = [point for place, point in zip(self.xs, self.points, strict=True) if place == x]
        return f"{self.name}: {percent(at[0][0])} {between(*at[0][1:])}".rstrip() if at else ""


def bare(values: Sequence[Any]) -> list[tuple[float, float, float]]:
    """Return values without intervals as points of a Curve."""
    return [(number(value), math.nan, math.nan) for value in values]


def curves(area: Area, name: str, lines: Sequence[Curve], head: Callable[[float], str]) -> Markup:
    """Return a chart of `lines` with their bands, and a tip at each x that begins with `head(x)`."""
    drawing = [band(area, c.xs, [p[1] for p in c.points], [p[2] for p in c.points], c.kind) for c in lines]
    drawing += [line(area, c.xs, [p[0] for p in c.points], c.kind) for c in lines]
    dots = [
        dot(area, x, point[0], curve.kind)
        for curve in lines
        if "dotless" not in curve.kind
        for x, point in zip(curve.xs, curve.points, strict=True)
        if math.isfinite(point[0])
    ]
    xs = sorted({x for curve in lines for x in curve.xs})
    tips = ["\n".join([head(x), *filter(None, (curve.tip(x) for curve in lines))]) for x in xs]
    return chart(area, name, [stretched(area, Markup("").join(drawing)), *dots, hits(area, xs, tips)])


def pass_at_k(table: Coverage) -> Markup:
    """Return pass@k of base and tuned over k, and of a random guesser."""
    ks = [float(k) for k in table.k]
    lines = [
        Curve("random guesser", "floor dotless", ks, bare(table.know_nothing or [math.nan] * len(ks))),
        Curve("base", "base", ks, table.base),
        Curve("tuned", "tuned", ks, table.tuned),
    ]
    area = Area(
        Axis("samples k (log scale)", _k_ticks(ks), logarithmic(ks[0], ks[-1])), _share_axis("pass@k"), HEIGHT
    )
    return curves(area, "pass@k of base and tuned against k", lines, lambda k: f"k = {k:.0f}")


def over_steps(rows: Sequence[SeriesStep]) -> Markup:
    """Return the score of each checkpoint over the steps of a training run."""
    steps = [float(row.step) for row in rows]
    line_of = Curve("score", "tuned", steps, [(row.score, row.low, row.high) for row in rows])
    ticks = tuple(
        Tick(step, f"{step:.0f}", 0 < at < len(steps) - 1 and at % 2 == 1) for at, step in enumerate(steps)
    )
    area = Area(Axis("step", ticks, linear(steps[0], steps[-1])), _share_axis("score"), HEIGHT)
    return curves(area, "score over the steps of training", [line_of], lambda step: f"step {step:.0f}")


def _k_ticks(ks: Sequence[float]) -> tuple[Tick, ...]:
    """Return ticks at the ends and at the powers of two between that have room."""
    inner = [k for k in ks if k > ks[0] and math.log2(k).is_integer() and k * 1.5 < ks[-1]]
    places = [ks[0], *inner, ks[-1]]
    return tuple(
        Tick(k, f"{k:.0f}", len(places) > 6 and i % 2 == 1 and k != ks[-1]) for i, k in enumerate(places)
    )


def cover_at_tau(table: Coverage) -> Markup:
    """Return the share of items solved at least as often as tau, of base and tuned, over tau."""
    taus = list(table.tau)
    dots = " dotless" if len(taus) > 12 else ""
    lines = [
        Curve("base", f"base{dots}", taus, table.base_cover),
        Curve("tuned", f"tuned{dots}", taus, table.tuned_cover),
    ]
    ticks = tuple(Tick(t, f"{100 * t:.0f} %") for t in (0, 0.25, 0.5, 0.75, 1))
    area = Area(
        Axis("success rate τ asked of an item", ticks, linear(0, 1)), _share_axis("items covered"), HEIGHT
    )
    return curves(area, "cover@tau of base and tuned against tau", lines, lambda tau: f"τ = {plain(tau)}")


def routing(rows: Sequence[RoutedPoint]) -> tuple[Markup, list[Curve]]:
    """Return recovered share over routed share, one line a router, and the lines for the legend."""
    lines, fresh = [], iter(("tuned", "base", "third", "fourth", *["fifth"] * len(rows)))
    for router in dict.fromkeys(row.decider for row in rows):
        own = sorted((row for row in rows if row.decider == router), key=lambda row: row.routed_share)
        kind = "floor" if "random" in router.lower() or router.endswith("~null") else next(fresh)
        points = [(row.share, row.low, row.high) for row in own]
        lines.append(Curve(router, kind, [row.routed_share for row in own], points))
    ticks = tuple(Tick(t, f"{100 * t:.0f} %", t in (0.02, 0.75)) for t in (0, 0.02, 0.1, 0.25, 0.5, 0.75, 1))
    area = Area(
        Axis("tokens written by the tuned model (square-root scale)", ticks, math.sqrt),
        _free_axis("gain recovered", [v for curve in lines for point in curve.points for v in point]),
        HEIGHT,
    )
    name = "recovered share of the gain against routed share of tokens"
    return curves(area, name, lines, lambda x: f"{percent(x)} of the tokens routed"), lines


def concentration(table: Concentration) -> Markup:
    """Return the share of all bits that lies in the top share of tokens, beside an even spread."""
    xs = list(table.top_share)
    lines = [
        Curve("if spread evenly", "floor dotless", xs, bare(xs)),
        Curve("these answers", "tuned", xs, bare(table.bits_share)),
    ]
    ticks = tuple(Tick(x, f"{100 * x:g} %", x in (0.02, 0.05, 0.2)) for x in xs)
    area = Area(
        Axis("top share of tokens (log scale)", ticks, logarithmic(xs[0], xs[-1])),
        _share_axis("of all bits"),
        190,
    )
    return curves(area, "share of bits in the top share of tokens", lines, lambda x: f"top {percent(x)}")


def profile(table: Concentration) -> Markup:
    """Return mean bits by token position as bars."""
    values = list(table.profile)
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(0.0, *finite), max(1e-9, *finite)
    positions = [i + 0.5 for i in range(len(values))]
    ends = sorted({1, (len(values) + 1) // 2, len(values)})
    ticks = tuple(Tick(i - 0.5, str(i)) for i in ends)
    heights = tuple(Tick(v, plain(v)) for v in ((0.0, high) if -low < high / 8 else (low, 0.0, high)))
    area = Area(
        Axis("token position", ticks, linear(0, len(values))),
        Axis("mean bits", heights, linear(low, high)),
        190,
    )
    bars = Markup("").join(_bar(area, i, value) for i, value in enumerate(values) if math.isfinite(value))
    tips = [f"position {i + 1}: {plain(value)} bits" for i, value in enumerate(values)]
    return chart(area, "mean bits by token position", [stretched(area, bars), hits(area, positions, tips)])


def histogram(rates: Sequence[float]) -> Markup:
    """Return how many problems have a success rate in each tenth from 0 to 1, as bars; 1 lies in the last."""
    places = [min(int(10 * rate), 9) for rate in rates if math.isfinite(rate)]
    counts = [places.count(place) for place in range(10)]
    high = max(1, *counts)
    heights = tuple(Tick(float(count), f"{count:,}") for count in sorted({0, high}))
    area = Area(
        Axis("success rate", tuple(Tick(at, f"{10 * at} %") for at in (0, 5, 10)), linear(0, 10)),
        Axis("problems", heights, linear(0, high)),
        150,
    )
    bars = Markup("").join(_bar(area, place, count) for place, count in enumerate(counts))
    tips = [
        f"{10 * place} to {10 * place + 10} %: {count:,} problem{'s' * (count != 1)}"
        for place, count in enumerate(counts)
    ]
    middles = [place + 0.5 for place in range(10)]
    return chart(area, "problems by success rate", [stretched(area, bars), hits(area, middles, tips)])


def _bar(area: Area, index: int, value: float) -> Markup:
    left, right = 1000 * area.x.scale(index + 0.1), 1000 * area.x.scale(index + 0.9)
    top, bottom = sorted((area.top(value), area.top(0)))
    return Markup('<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        "tuned" if value >= 0 else "base", left, top, right - left, bottom - top
    )


def rung(scale_to: float, value: float, low: float, high: float, kind: str) -> Markup:
    """Return one rung of the ladder: a dot with its interval on a track from 0 to `scale_to`."""
    at = [f"{100 * x / scale_to:.2f}%" if math.isfinite(x) else None for x in (value, low, high)]
    parts = [Markup('<line class="track" x1="0" x2="100%" y1="14" y2="14"/>')]
    if at[1] and at[2]:
        parts.append(
            Markup('<line class="whisker {}" x1="{}" x2="{}" y1="14" y2="14"/>').format(kind, at[1], at[2])
        )
    if at[0]:
        parts.append(Markup('<circle class="dot {}" cx="{}" cy="14" r="6"/>').format(kind, at[0]))
    return _row(Markup("").join(parts), f"{percent(value)} {between(low, high)}")


def forest(low_end: float, high_end: float, shares: Sequence[Triple], nulls: Sequence[Triple]) -> Markup:
    """Return the shares of an elicitor and of its null control, each [value, low, high], on one small track."""
    scale = linear(low_end, high_end)
    rule = Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="28"/>')
    parts = [rule.format(100 * scale(x)) for x in (0, 1)]
    for y, kind, points in ((20, "null", nulls), (10, "base", shares)):
        for value, low, high in points:
            if math.isfinite(low) and math.isfinite(high):
                ends = (100 * scale(low), 100 * scale(high))
                whisker = Markup('<line class="whisker {0}" x1="{1:.2f}%" x2="{2:.2f}%" y1="{3}" y2="{3}"/>')
                parts.append(whisker.format(kind, *ends, y))
            if math.isfinite(value):
                mark = Markup('<circle class="dot {}" cx="{:.2f}%" cy="{}" r="4"/>')
                parts.append(mark.format(kind, 100 * scale(value), y))
    words = [f"{name} {', '.join(percent(point[0]) for point in points)}" for name, points in
            (("share", shares), ("null control", nulls))]  # fmt: skip
    return _row(Markup("").join(parts), "; ".join(words))


def weight(adds: float, largest: float) -> Markup:
    """Return a bar that runs from the middle to the right (adds) or to the left (takes away)."""
    if not math.isfinite(adds) or largest == 0:
        return Markup("")
    length = 50 * abs(adds) / largest
    return _row(
        Markup(
            '<line class="zero" x1="50%" x2="50%" y1="2" y2="26"/>'
            '<rect class="bar {}" x="{:.2f}%" y="8" width="{:.2f}%" height="12" rx="1"/>'
        ).format("for" if adds >= 0 else "against", 50 if adds >= 0 else 50 - length, length),
        f"{adds:+.2f}",
    )


def _row(drawing: Markup, words: str) -> Markup:
    return Markup('<svg class="mini" width="100%" height="28" role="img" aria-label="{}">{}</svg>').format(
        words, drawing
    )


def _share_axis(title: str) -> Axis:
    return Axis(title, _SCORE_TICKS, linear(0, 1))


def _free_axis(title: str, values: Sequence[float]) -> Axis:
    low, high = span(values)
    return Axis(title, percent_ticks(low, high), linear(low, high))


def span(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of a share's axis: 0 to 1, and further where a share or interval lies outside."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(0.0, *finite, 0.0), max(1.0, *finite, 1.0)
    return (low - 0.03 if low < 0 else low), (high + 0.03 if high > 1 else high)
