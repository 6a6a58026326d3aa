"""Every estimate of a finding in one table: value, interval, n, method."""

from tellapart.findings.finding import Finding
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import shown

ROWS = 1000
"""Figures that stand in the page."""

_TEMPLATE = template("""
<details class="data"><summary>{{ total | count }} figures</summary>
<table class="estimates stacking">
<thead><tr><th scope="col">Figure</th><th scope="col" class="number">Value</th>
<th scope="col" class="number">95 % interval</th>
<th scope="col" class="number">n</th><th scope="col">Method</th></tr></thead>
<tbody>{% for row in rows %}<tr><th scope="row">{{ row.label }}<small><code>{{ row.name }}</code></small></th>
<td class="number" data-label="Value">{{ row.value }}</td>
<td class="number" data-label="Interval">{{ row.interval or "–" }}</td>
<td class="number" data-label="n">{{ row.n | count }}</td><td data-label="Method">{% if row.missing %}missing:
{{ row.missing }}{% else %}{{ row.method }}{% endif %}</td></tr>
{% endfor %}</tbody></table>
{% if total > rows | length %}<p class="hint">The first {{ rows | length }} of {{ total | count }}; all are in
findings.json.</p>{% endif %}</details>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the table of all estimates."""
    if not finding.estimates:
        return None
    rows = [shown(name, estimate) for name, estimate in list(finding.estimates.items())[:ROWS]]
    lead = "Each as it stands in findings.json; a missing one says why."
    return Section(
        "figures", "All figures", lead, filled(_TEMPLATE, {"rows": rows, "total": len(finding.estimates)})
    )
