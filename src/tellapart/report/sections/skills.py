"""`skills`: every expert on every task, where z moved, how alike experts are, what the first pass chose and cost."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.skills import (
    DISPATCH,
    MAP,
    MATRIX,
    SPECTRUM,
    TRAINING,
    DispatchTable,
    SkillMap,
    SpectrumRow,
    TrainingLog,
)
from tellapart.report.figures import Curve, curves
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, Tick, linear, percent_ticks
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, percent, plain

HEIGHT = 190
BINS = 16
KINDS = ("base", "tuned", "third", "fourth", "fifth")
PUBLISHED = "Published for Transformer-squared on three tasks: 13, 19 and 47 % (Sun et al. 2025)."
_TABLE = """
{% macro grid(corner, columns, rows) %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ corner }}"><table>
<thead><tr><th scope="col">{{ corner }}</th>{% for c in columns %}
<th scope="col" class="number">{{ c }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}
<tr><th scope="row">{{ row.head }}</th>{% for cell in row.cells %}
<td class="number">{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>{% endmacro %}
"""
_MATRIX = template(_TABLE + "{{ grid('Asked', columns, rows) }}")
_SPECTRUM = template(
    _TABLE
    + """{{ grid('Matrix', columns, rows) }}
<ul class="legend" aria-hidden="true">{% for key in keys %}
<li><i class="key line {{ key.kind }}"></i>{{ key.name }}</li>{% endfor %}</ul>
<figure class="chart"><figcaption><h3>Along the spectrum</h3></figcaption>{{ chart }}</figure>
<h3>Skill map</h3><p class="hint">Cosine of z − 1 of each two experts over all matrices: 0 is unrelated.</p>
{{ grid('Expert', skills, cosines) }}
{% if rewards %}<figure class="chart"><figcaption><h3>Reward over the training steps</h3></figcaption>{{ rewards }}
</figure>{% endif %}"""
)
_DISPATCH = template(
    _TABLE
    + """{% for one in passes %}<h3>Judge: {{ one.judge }}, right in {{ one.share }}</h3>
{{ grid('Task', one.columns, one.rows) }}{% endfor %}<p class="hint">{{ published }}</p>"""
)


def matrix(finding: Finding, number: int) -> Section | None:
    """Return every expert, mix, null control and LoRA on every task."""
    table = MATRIX.read(finding)
    if table is None:
        return None
    tasks = table.tasks
    rows = [GridRow(row.who, tuple(_cell(row.cells.get(task)) for task in tasks)) for row in table.rows]
    lead = "Scores with 95 % intervals. a+b adds two experts; ~null is the same z in another order; ~lora is LoRA."
    return Section(
        "skills", "Every expert on every task", lead, filled(_MATRIX, {"columns": tasks, "rows": rows})
    )


def spectrum(finding: Finding, number: int) -> Section | None:
    """Return how far z moved, by layer and matrix and along the spectrum, and how alike experts are."""
    table = SPECTRUM.read(finding)
    if not table:
        return None
    skills = list(dict.fromkeys(row.skill for row in table))
    places = list(dict.fromkeys((row.layer, row.matrix) for row in table))
    moved = {(row.skill, row.layer, row.matrix): plain(row.rms) for row in table}
    rows = [
        GridRow(f"layer {layer} {name}", tuple(moved.get((skill, layer, name), "–") for skill in skills))
        for layer, name in places
    ]
    similar = MAP.read(finding) or SkillMap((), ())
    cosines = [
        GridRow(skill, tuple(plain(round(value, 3)) for value in line))
        for skill, line in zip(similar.skills, similar.cosine, strict=True)
    ]
    context = {
        "columns": skills,
        "rows": rows,
        "keys": [{"name": skill, "kind": KINDS[at % len(KINDS)]} for at, skill in enumerate(skills)],
        "chart": _along(skills, table),
        "skills": similar.skills,
        "cosines": cosines,
        "rewards": _rewards(TRAINING.read(finding)),
    }
    lead = "Root mean square of z − 1, in shares of a singular value: 0 leaves the matrix as it is."
    return Section("spectrum", "Where the experts act", lead, filled(_SPECTRUM, context))


def dispatch(finding: Finding, number: int) -> Section | None:
    """Return what the first pass chose for each task, and what it cost."""
    passes = DISPATCH.read(finding)
    if not passes:
        return None
    lead = "Which expert the first pass chose for prompts of each task; cost is its time over that of the answers."
    context = {"passes": [_pass(table) for table in passes], "published": PUBLISHED}
    return Section("dispatch", "The first pass", lead, filled(_DISPATCH, context))


class GridRow(NamedTuple):
    """A row of a grid: its head, and cells in words."""

    head: str
    cells: tuple[str, ...]


class Pass(NamedTuple):
    """A judge's part of the page."""

    judge: str
    share: str
    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]


def _pass(table: DispatchTable) -> Pass:
    mixes = sorted({mix for row in table.rows for mix in row.chosen})
    rows = tuple(
        GridRow(
            f"{row.task} (wants {row.wanted})",
            (
                *(str(row.chosen.get(mix, 0)) for mix in mixes),
                f"{row.right} of {row.asked}",
                percent(row.first_share),
            ),
        )
        for row in table.rows
    )
    value, low, high = table.share
    return Pass(table.judge, f"{percent(value)} {between(low, high)}", (*mixes, "right", "cost"), rows)


def _cell(cell: tuple[float, float, float, float] | None) -> str:
    if cell is None:
        return "–"
    value, low, high, _ = cell
    return f"{percent(value)} {between(low, high)}".rstrip()


class _Plain(Curve):
    """A line whose values are no shares."""

    def tip(self, x: float) -> str:
        at = [point for place, point in zip(self.xs, self.points, strict=True) if place == x]
        return f"{self.name}: {plain(at[0][0])}" if at else ""


def _along(skills: Sequence[str], table: Sequence[SpectrumRow]) -> Markup:
    """Return root mean square of z - 1 over the place in the spectrum, all matrices together, a line a skill."""
    xs = [(at + 0.5) / BINS for at in range(BINS)]
    lines = []
    for index, skill in enumerate(skills):
        bins: list[list[float]] = [[] for _ in range(BINS)]
        for row in table:
            if row.skill == skill:
                for at, z in enumerate(row.z):
                    bins[at * BINS // len(row.z)].append((z - 1) ** 2)
        values = [math.sqrt(sum(losses) / len(losses)) if losses else math.nan for losses in bins]
        lines.append(_Plain(skill, f"{KINDS[index % len(KINDS)]} dotless", xs, _points(values)))
    area = Area(
        Axis("singular values, largest first", percent_ticks(0, 1), linear(0, 1)),
        _height([p[0] for c in lines for p in c.points]),
        HEIGHT,
    )
    named = "how far z moved along the spectrum, a line each: " + ", ".join(skills)
    return curves(area, named, lines, lambda x: f"at {percent(x)} of the spectrum")


def _rewards(logs: Mapping[str, TrainingLog]) -> Markup:
    """Return mean reward a step, smoothed over eight, a line a skill; nothing where targets were learned (ce)."""
    lines = []
    for index, (skill, log) in enumerate(logs.items()):
        values = log.reward
        smooth = [
            sum(values[max(0, at - 7) : at + 1]) / (at - max(0, at - 7) + 1) for at in range(len(values))
        ]
        steps = [float(step) + 1 for step in log.step]
        lines.append(Curve(skill, f"{KINDS[index % len(KINDS)]} dotless", steps, _points(smooth)))
    if not lines or len(lines[0].xs) < 2 or all(point[0] == 1 for line in lines for point in line.points):
        return Markup("")
    last = max(line.xs[-1] for line in lines)
    ticks = tuple(Tick(at, f"{at:.0f}") for at in (1.0, round((1 + last) / 2), last))
    area = Area(Axis("step", ticks, linear(1, last)), Axis("", percent_ticks(0, 1), linear(0, 1)), HEIGHT)
    named = "reward over steps, a line each: " + ", ".join(line.name for line in lines)
    return curves(area, named, lines, lambda step: f"step {step:.0f}")


def _points(values: Sequence[float]) -> list[tuple[float, float, float]]:
    return [(value, math.nan, math.nan) for value in values]


def _height(values: Sequence[float]) -> Axis:
    high = max([value for value in values if math.isfinite(value)], default=0.0) or 1.0
    return Axis("", tuple(Tick(v, plain(round(v, 3))) for v in (0.0, high / 2, high)), linear(0, high))
