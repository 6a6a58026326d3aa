"""How it was asked: every look of an adaptive plan in order, and the rule it stopped by."""

from collections.abc import Mapping
from typing import Any

from tellapart.findings.finding import Finding
from tellapart.findings.reading import number as parsed
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, percent

RULE = (
    "After each method the verdict is made anew from all answers so far. Asked next is the cheapest method that could "
    "still change the word; once there is none, asking ends. To end early as elicited, the interval must hold at 99 %."
)

_TEMPLATE = template("""
<p>{{ rule }}</p>
{% if looks %}
<div class="scroll" tabindex="0" role="region" aria-label="Looks"><table>
<thead><tr><th scope="col" class="number">Look</th><th scope="col">Way</th><th scope="col">Works by</th>
<th scope="col" class="number">Recovered</th><th scope="col">Asked because</th></tr></thead>
<tbody>{% for look in looks %}<tr><td class="number">{{ loop.index }}</td><th scope="row">{{ look.way }}</th>
<td>{{ look.mechanism }}{% if look.tells != "nothing" %} (tells {{ look.tells }}){% endif %}</td>
<td class="number">{{ look.share | percent }} <span class="interval">{{ between(look.low, look.high) }}</span></td>
<td>{{ look.reason }}</td></tr>{% endfor %}</tbody></table></div>
{% endif %}
{% if dropped %}<p>Mechanisms of which no method gave a figure, and which were not waited for:</p>
<ul>{% for name, reason in dropped %}<li>{{ name }}: {{ reason }}</li>{% endfor %}</ul>{% endif %}
<p>{{ stopped }}</p>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the section, where the run followed an adaptive plan."""
    plan = finding.tables.get("plan")
    if not plan or plan.get("plan") not in ("adaptive", "quick"):
        return None
    stopped = str(plan.get("stopped") or "")
    context = {
        "rule": RULE,
        "looks": [_look(one) for one in plan.get("looks") or []],
        "stopped": f"Stopped: {stopped}." if stopped else "Every way that can run was asked.",
        "dropped": sorted((plan.get("dropped") or {}).items()),
        "between": between,
        "percent": percent,
    }
    return Section("plan", "How it was asked", "", filled(_TEMPLATE, context))


def _look(told: Mapping[str, Any]) -> dict[str, Any]:
    shares = {name: parsed(told.get(name)) for name in ("share", "low", "high")}
    return {
        **shares,
        "way": str(told.get("way", "")),
        "mechanism": str(told.get("mechanism", "")),
        "tells": str(told.get("tells") or "nothing"),
        "reason": str(told.get("reason") or ""),
    }
