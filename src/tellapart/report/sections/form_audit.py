"""What was checked beside the scores: right answers on wrong steps, families of items, the audit of the form."""

from collections.abc import Sequence
from typing import TypedDict

from tellapart.findings.finding import Finding
from tellapart.findings.table import listed_rows
from tellapart.jsonvalue import Json
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
        {"title": title, "description": description, **_table(listed_rows(finding.tables[name]))}
        for name, title, description in _TABLES
        if finding.tables.get(name)
    ]
    if not tables:
        return None
    return Section("checks", "What was checked", "", filled(_TEMPLATE, {"tables": tables}))


class _Shown(TypedDict):
    """A table as the page shows it: cells with the class of their column; `folded` where it is long."""

    folded: bool
    columns: list[tuple[str, str]]
    rows: list[list[tuple[str, str]]]


def _table(rows: Sequence[Json]) -> _Shown:
    lines = [row for row in rows if isinstance(row, dict)]
    kinds = {name: "number" if isinstance(value, int | float) else "" for name, value in lines[0].items()}
    return {
        "folded": len(lines) > FEW,
        "columns": list(kinds.items()),
        "rows": [[(_cell(line.get(name)), kind) for name, kind in kinds.items()] for line in lines],
    }


def _cell(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return plain(float(value)) if isinstance(value, int | float) else str(value)[:300].replace("_", " ")
