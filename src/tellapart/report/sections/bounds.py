"""What decided: the two bounds with every piece of evidence on them, what kept a word from being said, and what
another chance level would have changed."""

import math
from dataclasses import replace

from tellapart.findings.finding import Finding
from tellapart.findings.gain import BOUNDS, DECISION, SENSITIVITY, Decision
from tellapart.findings.shown import OBSTACLES
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, percent

LEAD = (
    "The share of the gain above chance that the base certainly held is raised by positive evidence alone; the share "
    "that it could have held is lowered only by methods that found a planted skill in this base."
)

_TEMPLATE = template("""
<p>Chance level: {{ chance }}{% if chance_by %} ({{ chance_by }}){% endif %}.
{% if no_probability %}No probability is given: {{ no_probability }}.{% endif %}</p>
{% if lines %}
<div class="scroll" tabindex="0" role="region" aria-label="Evidence on the bounds"><table>
<thead><tr><th scope="col">Bound</th><th scope="col">By</th><th scope="col" class="number">Share of the gain</th>
<th scope="col">Counts</th></tr></thead>
<tbody>{% for line in lines %}<tr><td>{{ line.bound }}</td><th scope="row">{{ line.by }}</th>
<td class="number">{{ line.share | percent }} <span class="interval">{{ between(line.low, line.high) }}</span></td>
<td>{% if line.decides %}<strong>decides</strong>{% elif line.obstacle %}no: {{ line.obstacle }}{% else %}
does not decide{% endif %}</td></tr>{% endfor %}</tbody></table></div>
{% endif %}
{% if obstacles %}<h3>What keeps it open, and what would settle it</h3>
<ul>{% for one in obstacles %}<li>{{ one.what }}{% if one.remove %}: <strong>{{ one.remove }}</strong>{% endif %}</li>
{% endfor %}</ul>{% endif %}
{% if levels %}<h3>At another chance level</h3>
<div class="scroll" tabindex="0" role="region" aria-label="At another chance level">
<table><thead><tr><th scope="col">Chance level</th><th scope="col" class="number">Score</th>
<th scope="col" class="number">Held at least</th></tr></thead>
<tbody>{% for one in levels %}<tr><th scope="row">{{ one.chance }}</th><td class="number">{{ one.level | percent }}</td>
{% if one.refused %}<td>{{ one.refused }}</td>{% else %}
<td class="number">{{ one.held_at_least | percent }}</td>{% endif %}
</tr>{% endfor %}</tbody></table></div>{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the section, where the verdict was made of two bounds."""
    decision = DECISION.read(finding)
    if decision is None:
        return None
    context = {
        "chance": _level(decision),
        "chance_by": decision.chance_by.removeprefix("missing: "),
        "no_probability": decision.no_probability,
        "lines": [replace(bound, by=bound.by.replace("_", " ")) for bound in BOUNDS.read(finding)],
        "obstacles": OBSTACLES.read(finding),
        "levels": SENSITIVITY.read(finding),
        "between": between,
        "percent": percent,
    }
    lead = LEAD if context["lines"] else ""
    return Section("bounds", "What decided", lead, filled(_TEMPLATE, context))


def _level(decision: Decision) -> str:
    if math.isnan(decision.chance):
        return "not known"
    return f"{100 * decision.chance:.2g} %, at most {100 * decision.chance_upper:.2g} %"
