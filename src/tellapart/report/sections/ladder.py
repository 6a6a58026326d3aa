"""The ladder of one skill: expressible >= latent >= demonstrated, with the tuned model and the guess floor."""

import math
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.shown import LADDER, Rung
from tellapart.report.figures import rung
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import percent

_ORDER = ("expressible", "benign", "tuned", "latent", "demonstrated", "guess floor")
_KINDS = {"tuned": "tuned", "benign": "tuned", "guess floor": "floor", "expressible": "floor"}
_TOLD = {
    "expressible": "what the shape can hold",
    "tuned": "what the tuned model shows",
    "latent": "what some method elicits from the base",
    "demonstrated": "what the base shows when asked plainly",
    "guess floor": "what guessing in the right form gets",
}

_TEMPLATE = template("""
<table class="ladder">
  <thead class="hidden"><tr><th scope="col">Rung</th><th scope="col">0 to {{ scale_to | percent }}</th>
  <th scope="col">Score</th></tr></thead>
  <tbody>
  {% for rung in rungs %}
  <tr class="{{ rung.kind }}"><th scope="row">{{ rung.name }}<small>{{ rung.how }}</small></th>
  <td class="bar">{{ rung.drawing }}</td>
  <td class="number"><b>{{ rung.value | percent }}</b>
  <span class="interval">{{ between(rung.low, rung.high) }}</span></td></tr>
  {% endfor %}
  </tbody>
</table>
""")


class Drawn(NamedTuple):
    """A rung as its row of the page."""

    name: str
    how: str
    kind: str
    value: float
    low: float
    high: float
    drawing: Markup


def section(finding: Finding, number: int) -> Section | None:
    """Return the ladder, where there is one."""
    table = LADDER.read(finding)
    if not table:
        return None
    ends = [end for row in table for end in (row.value, row.high)]
    scale_to = _round_up(max((end for end in ends if math.isfinite(end)), default=1.0))
    rungs = []
    for row in sorted(table, key=_place):
        kind = _KINDS.get(row.rung, "base")
        drawing = rung(scale_to, row.value, row.low, row.high, kind)
        how = row.how or _TOLD.get(row.rung, "")
        rungs.append(Drawn(row.rung, how, kind, row.value, row.low, row.high, drawing))
    lead = f"One skill on the same items; the track runs from 0 to {percent(scale_to).replace('.0', '')}."
    return Section("ladder", "The ladder", lead, filled(_TEMPLATE, {"rungs": rungs, "scale_to": scale_to}))


def _place(row: Rung) -> int:
    return _ORDER.index(row.rung) if row.rung in _ORDER else len(_ORDER)


def _round_up(value: float) -> float:
    """Return the least of 10 %, 20 %, .. 100 % that is not below `value`; a share is never above 100 %."""
    return min(1.0, max(0.1, math.ceil(10 * value - 1e-9) / 10))
