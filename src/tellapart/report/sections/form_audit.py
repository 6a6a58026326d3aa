"""What was checked beside the scores: right answers on wrong steps, families of items, the audit of the form."""

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.findings.finding import Finding
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import plain

FEW = 12
_TABLES = (
    (
        "trainings",
        "Did each training take?",
        "One row a training. Labels given: of the items trained on, those that the trained copy answers with the label "
        "it was taught (fittable: with what the prompts could tell it). An arm of which one training gives less than "
        "90 % of the fittable labels, or one answer to everything, decides nothing.",
    ),
    ("steps", "Right answers on wrong steps", "Answers whose steps could be checked."),
    ("families", "By family of items", "The largest loss from base to full first."),
    ("audit", "Audit of the form", "Each property in the full arm and in the control, means a text."),
)

_TEMPLATE = template("""
{% for table in tables %}
<h3>{{ table.title }}</h3>
<p class="hint">{{ table.description }}</p>
{% if table.folded %}<details class="data"><summary>{{ table.rows | length }} rows</summary>{% endif %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ table.title }}"><table>
<thead><tr>{% for column, kind in table.columns %}<th scope="col" class="{{ kind }}">{{ column }}</th>{% endfor %}</tr>
</thead><tbody>{% for row in table.rows %}<tr>{% for cell, kind in row %}<td class="{{ kind }}">{{ cell }}</td>
{% endfor %}</tr>{% endfor %}</tbody></table></div>
{% if table.folded %}</details>{% endif %}
{% endfor %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the tables that the finding has; nothing where it has no arms."""
    if not finding.tables.get("arms"):
        return None
    tables = [
        {"title": title, "description": description, **_table(finding.tables[name])}
        for name, title, description in _TABLES
        if finding.tables.get(name)
    ]
    if not tables:
        return None
    return Section("checks", "What was checked", "", filled(_TEMPLATE, {"tables": tables}))


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = list(rows[0])
    kinds = {name: "number" if isinstance(rows[0][name], int | float) else "" for name in names}
    return {
        "folded": len(rows) > FEW,
        "columns": [(name, kinds[name]) for name in names],
        "rows": [[(_cell(row.get(name)), kinds[name]) for name in names] for row in rows],
    }


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return plain(float(value)) if isinstance(value, int | float) else str(value)[:300].replace("_", " ")
