"""How it was asked: every look of an adaptive plan in order, and the rule it stopped by."""

from dataclasses import replace

from tellapart.findings.finding import Finding
from tellapart.findings.gain import PLAN
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
    plan = PLAN.read(finding)
    if plan is None or plan.plan not in ("adaptive", "quick"):
        return None
    context = {
        "rule": RULE,
        "looks": [replace(look, tells=look.tells or "nothing") for look in plan.looks or ()],
        "stopped": f"Stopped: {plan.stopped}." if plan.stopped else "Every way that can run was asked.",
        "dropped": sorted((plan.dropped or {}).items()),
        "between": between,
        "percent": percent,
    }
    return Section("plan", "How it was asked", "", filled(_TEMPLATE, context))
