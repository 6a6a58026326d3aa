"""What decided: the two bounds with every piece of evidence on them, what kept a word from being said, and what
another chance level would have changed."""

import math
from collections.abc import Mapping
from typing import Any

from tellapart.findings.finding import Finding
from tellapart.findings.reading import number as parsed
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
<table><thead><tr><th scope="col">Chance level</th><th scope="col" class="number">Score</th>
<th scope="col" class="number">Held at least</th></tr></thead>
<tbody>{% for one in levels %}<tr><th scope="row">{{ one.chance }}</th><td class="number">{{ one.level | percent }}</td>
<td class="number">{% if one.refused %}{{ one.refused }}{% else %}{{ one.held | percent }}{% endif %}</td></tr>
{% endfor %}</tbody></table>{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the section, where the verdict was made of two bounds."""
    decision = finding.tables.get("decision")
    if not decision:
        return None
    context = {
        "chance": _level(decision),
        "chance_by": str(decision.get("chance_by") or "").removeprefix("missing: "),
        "no_probability": str(decision.get("no_probability") or ""),
        "lines": [_line(one) for one in finding.tables.get("bounds") or []],
        "obstacles": [
            {name: str(one.get(name) or "") for name in ("what", "remove")}
            for one in finding.tables.get("obstacles") or []
        ],
        "levels": [
            {
                "chance": str(one.get("chance", "")),
                "level": parsed(one.get("level")),
                "held": parsed(one.get("held_at_least")),
                "refused": str(one.get("refused") or ""),
            }
            for one in finding.tables.get("sensitivity") or []
        ],
        "between": between,
        "percent": percent,
    }
    lead = LEAD if context["lines"] else ""
    return Section("bounds", "What decided", lead, filled(_TEMPLATE, context))


def _level(decision: Mapping[str, Any]) -> str:
    value, upper = parsed(decision.get("chance")), parsed(decision.get("chance_upper"))
    if math.isnan(value):
        return "not known"
    return f"{100 * value:.2g} %, at most {100 * upper:.2g} %"


def _line(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: parsed(told.get(name)) for name in ("share", "low", "high")},
        "bound": str(told.get("bound", "")),
        "by": str(told.get("by", "")).replace("_", " "),
        "obstacle": str(told.get("obstacle") or ""),
        "decides": bool(told.get("decides")),
    }
