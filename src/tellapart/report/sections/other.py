"""Tables that no section of its own shows: a list of objects becomes a plain table, so that nothing stays hidden."""

from tellapart.findings.finding import Finding
from tellapart.jsonvalue import Json
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import plain

SHOWN_ELSEWHERE = {
    "ladder", "coverage", "elicitors", "routing", "divergence", "concentration", "items", "samples", "counts", "tokens",
    "hidden_methods", "hidden_slices", "hidden_arms", "hidden_items", "signs",
    "surfacing", "arms", "pairs", "audit", "families", "steps", "reliability", "levels", "series",
}  # fmt: skip
ROWS = 200

_TEMPLATE = template("""
{% for name, columns, rows, total in tables %}
<h3>{{ name }}</h3>
<div class="scroll" tabindex="0" role="region" aria-label="{{ name }}"><table>
<thead><tr>{% for column in columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% if total > rows | length %}<p class="hint">The first {{ rows | length }} of {{ total | count }} rows; all
are in findings.json.</p>{% endif %}
{% endfor %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the remaining tables, where there are any."""
    tables = []
    for name, table in finding.tables.items():
        if name in SHOWN_ELSEWHERE or not isinstance(table, list) or not table:
            continue
        lines = [row for row in table if isinstance(row, dict)]
        if len(lines) < len(table):
            continue
        columns = list(dict.fromkeys(str(key) for line in lines[:ROWS] for key in line))
        rows = [[_cell(line.get(column)) for column in columns] for line in lines[:ROWS]]
        tables.append((name.replace("_", " "), columns, rows, len(table)))
    if not tables:
        return None
    return Section("tables", "Further tables", "", filled(_TEMPLATE, {"tables": tables}))


def _cell(value: Json) -> str:
    if value is None:
        return "–"
    return plain(value) if isinstance(value, float) else str(value)[:500]
