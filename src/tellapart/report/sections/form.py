"""The arms of a form study side by side: score, difference to full, share of the effect that is left to form."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.form import ARMS, MATRIX, ArmRow
from tellapart.report.figures import rung
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, percent, points

KINDS = {"base": "base", "full": "tuned", "form": "third", "second form": "fourth", "destroyed": "floor"}
"""The colour of an arm by its role; a probe is the fifth."""

_TEMPLATE = template("""
<table class="ladder arms">
  <thead class="hidden"><tr><th scope="col">Arm</th><th scope="col">0 to 100 %</th><th scope="col">Score</th>
  <th scope="col">Against full</th><th scope="col">Left to form</th></tr></thead>
  <tbody>
  {% for arm in arms %}
  <tr class="{{ arm.kind }}"><th scope="row">{{ arm.name }}
  {% if arm.decides %}<span class="tag">decides</span>{% endif %}<small>{{ arm.description }}</small></th>
  <td class="bar">{{ arm.drawing }}</td>
  <td class="number"><b>{{ arm.score }}</b><span class="interval">{{ arm.interval }}</span></td>
  <td class="number">{{ arm.difference }}<span class="interval">{{ arm.difference_interval }}</span></td>
  <td class="number">{{ arm.share }}<span class="interval">{{ arm.share_interval }}</span></td></tr>
  {% endfor %}
  </tbody>
</table>
<p class="hint">Score, points against full, and the share of the effect (full against base) that is left to form.
{{ power }}</p>
{% if sources %}<details class="data"><summary>What each arm keeps and takes away</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Arms"><table><thead><tr><th scope="col">Arm</th>
<th scope="col">Keeps</th><th scope="col">Takes away</th><th scope="col">After</th></tr></thead><tbody>
{% for row in sources %}<tr><th scope="row">{{ row.name }}</th><td>{{ row.keeps }}</td><td>{{ row.removes }}</td>
<td>{{ row.source }}</td></tr>{% endfor %}</tbody></table></div></details>{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the arms, where the finding has such."""
    table = ARMS.read(finding)
    if not table:
        return None
    rows = [_row(row) for row in table]
    sources = [row for row in rows if row.keeps or row.removes]
    lead = "One task under conditions that keep one of form and substance and take the other away, on the same items."
    context = {"arms": rows, "sources": sources, "power": _power(table)}
    return Section("arms", "Arms side by side", lead, filled(_TEMPLATE, context))


class Line(NamedTuple):
    """An arm as its row of the page, figures in words."""

    name: str
    kind: str
    description: str
    decides: bool
    drawing: Markup
    score: str
    interval: str
    difference: str
    difference_interval: str
    share: str
    share_interval: str
    keeps: str
    removes: str
    source: str


UNKNOWN = (math.nan, math.nan, math.nan)


def _row(row: ArmRow) -> Line:
    score, difference, share = (figure or UNKNOWN for figure in (row.score, row.difference, row.share))
    kind = KINDS.get(row.role, "fifth")
    return Line(
        name=row.arm.replace("_", " "),
        kind=kind,
        description=f"{row.role}, the same as full within the margin" if row.same else row.role,
        decides=row.decides,
        drawing=rung(1.0, *score, kind),
        score=percent(score[0]),
        interval=between(*score[1:]),
        difference=points(difference[0]) if row.difference else "",
        difference_interval=between(*difference[1:], points),
        share=percent(share[0]) if row.share else "",
        share_interval=between(*share[1:]),
        keeps=row.keeps,
        removes=row.removes,
        source=row.source,
    )


def _power(table: Sequence[ArmRow]) -> str:
    """Return what drop the items could have shown, for the deciding arm (else the first compared one)."""
    measured = [(row, row.drop[0]) for row in table if row.drop and not math.isnan(row.drop[0])]
    if not measured:
        return ""
    row, drop = next((row_drop for row_drop in measured if row_drop[0].decides), measured[0])
    name = row.arm.replace("_", " ")
    return f"These items could have seen a drop of {percent(drop)} from full to {name} (power 80 %)."


def matrix(finding: Finding, number: int) -> Section | None:
    """Return items by arms as one strip an arm; items that go the same way in all arms lie together."""
    table = MATRIX.read(finding)
    if table is None or len(table.arms) < 2 or not table.scores:
        return None
    roles = {row.arm: row.role for row in ARMS.read(finding)}
    strips = [
        {
            "name": arm.replace("_", " "),
            "drawing": _strip([row[at] for row in table.scores], KINDS.get(roles.get(arm, ""), "fifth")),
        }
        for at, arm in enumerate(table.arms)
    ]
    lead = (
        f"Each strip holds the same {len(table.scores):,} items in one order; dark is right. A block that is dark "
        "in full and light below is what the control took away."
    )
    return Section("matrix", "Items by arms", lead, filled(_STRIPS, {"strips": strips}))


_STRIPS = template("""
<table class="ladder strips"><tbody>{% for strip in strips %}
<tr><th scope="row">{{ strip.name }}</th><td class="bar">{{ strip.drawing }}</td></tr>{% endfor %}</tbody></table>
""")


def _strip(scores: Sequence[float], kind: str) -> Markup:
    """Return one strip; neighbours with equal scores are one rectangle, items that the arm lacks are left blank."""
    parts, start, n = [], 0, len(scores)
    box = Markup(
        '<rect class="cell {}" x="{:.3f}%" y="2" width="{:.3f}%" height="24" fill-opacity="{:.2f}"/>'
    )
    for at in range(1, n + 1):
        if at == n or not _equal(scores[at], scores[start]):
            score = scores[start]
            if not math.isnan(score):
                shade = 0.08 + 0.82 * min(max(score, 0.0), 1.0)
                parts.append(box.format(kind, 100 * start / n, 100 * (at - start) / n, shade))
            start = at
    scored = [score for score in scores if not math.isnan(score)]
    words = f"{sum(score >= 1 for score in scored)} of {len(scored)} right"
    frame = Markup('<svg class="mini" width="100%" height="28" role="img" aria-label="{}">{}</svg>')
    return frame.format(words, Markup("").join(parts))


def _equal(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))
