"""Token routing: the base writes, the tuned model takes over on a share of the tokens."""

import math

from tellapart.findings.finding import Finding
from tellapart.findings.gain import ROUTING
from tellapart.report.figures import routing
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template

_TEMPLATE = template("""
<figure class="chart">
  {% if picture %}<ul class="legend">{% for line in lines %}
  <li><i class="key line {{ line.kind }}"></i>{{ line.name }}</li>
  {% endfor %}</ul>
  {{ picture }}{% else %}<p class="refused">The routed shares are not known, so no curve can be drawn.</p>{% endif %}
  <details class="data"><summary>Figures of this chart</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Figures of this chart">
<table><thead><tr><th scope="col">Decider</th><th scope="col" class="number">Routed</th>
  <th scope="col" class="number">Recovered</th><th scope="col" class="number">Bits</th></tr></thead>
  <tbody>{% for row in rows %}<tr><th scope="row">{{ row.decider }}</th>
  <td class="number">{{ row.routed_share | percent }}</td>
  <td class="number">{{ row.share | percent }} <span class="interval">{{ between(row.low, row.high) }}</span></td>
  <td class="number">{{ row.bits | bits }}</td></tr>{% endfor %}</tbody></table></div></details>
</figure>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the curve, where routing was tried."""
    rows = ROUTING.read(finding)
    if not rows:
        return None
    placed = [row for row in rows if not math.isnan(row.routed_share)]
    picture, lines = routing(placed) if placed else (None, [])
    lead = (
        "The base writes and the tuned model takes over on some tokens. Who decides where matters: "
        "random positions are the null."
    )
    context = {"picture": picture, "lines": lines, "rows": rows}
    return Section("routing", "Token routing", lead, filled(_TEMPLATE, context))
