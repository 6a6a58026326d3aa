"""What to trust it by: counts of answers that add up, controls, caveats."""

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.findings.finding import Finding
from tellapart.findings.reading import number as parsed
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.report.text import tokens_spent

ROWS = 20
FEW = 8
"""More controls or conditions than this stand folded."""
LABELS = {"cut off": "truncated"}
"""Headings of columns whose key is another word than the glossary has."""
COLUMNS = ("asked", "correct", "wrong", "cut off", "failed")

_TEMPLATE = template("""
{% macro counted(rows) %}
<div class="scroll" tabindex="0" role="region" aria-label="Answers counted"><table class="counts">
<caption class="hidden">Answers by condition</caption>
<thead><tr><th scope="col">Condition</th>{% for column in columns %}
<th scope="col" class="number">{{ labels.get(column, column) }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}<tr><th scope="row">{{ row.condition }}</th>{% for column in columns %}
<td class="number">{{ row[column] | count }}</td>{% endfor %}</tr>{% endfor %}</tbody>
</table></div>
{% endmacro %}
{% if finding.caveats %}
<h3>Caveats</h3>
<ul class="caveats">{% for caveat in finding.caveats %}<li>{{ caveat }}</li>{% endfor %}</ul>
{% endif %}
{% if finding.controls %}
<h3>Controls</h3>
{% if finding.controls | length > few %}
<details class="data"><summary>{{ finding.controls | length }} controls</summary>
{% endif %}
<dl class="controls">{% for name, told in finding.controls.items() %}<div><dt>{{ name }}</dt>
<dd>{{ told }}</dd></div>{% endfor %}</dl>
{% if finding.controls | length > few %}</details>{% endif %}
{% endif %}
{% if shown %}
<h3>Rows that show it</h3>
<p class="hint rows">{% for condition, item in shown %}
<code>{{ condition }}</code> {{ item }}{{ "" if loop.last else ", " }}
{% endfor %}{% if finding.rows | length > shown | length %}, and {{ finding.rows | length - shown | length }} more
{% endif %}</p>
{% endif %}
{% if counts %}
<h3>Answers</h3>
{{ counted(first) }}
{% if rest %}
<details class="data"><summary>{{ rest | length }} further conditions</summary>{{ counted(rest) }}</details>
{% endif %}
<p class="hint">asked = {{ parts | join(" + ") }}.{% if unequal %} <strong>These do not add up:
{{ unequal | join(", ") }}.</strong>{% endif %}</p>
{% endif %}
{% if spent %}<p class="hint">{{ spent }}</p>{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return caveats, controls and counts, as far as the finding has them."""
    counts = finding.tables.get("counts") or []
    if not (counts or finding.caveats or finding.controls or finding.rows):
        return None
    columns = answer_columns(counts)
    unequal = [row["condition"] for row in counts if not _adds_up(row, columns)]
    first, rest = folded(counts)
    context = {
        "finding": finding,
        "shown": finding.rows[:ROWS],
        "counts": counts,
        "spent": tokens_spent(finding.tables.get("tokens") or {}),
        "first": first,
        "rest": rest,
        "columns": columns,
        "labels": LABELS,
        "parts": [LABELS.get(column, column) for column in columns[1:]],
        "unequal": unequal,
        "few": FEW,
    }
    return Section("trust", "Caveats, controls, counts", "", filled(_TEMPLATE, context))


def folded(counts: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the conditions shown at once and those folded away: with many, only the plain ones are shown."""
    plain = [row for row in counts if str(row["condition"]).endswith("/plain")]
    if len(counts) <= FEW or not plain:
        return list(counts), []
    return plain, [row for row in counts if row not in plain]


def answer_columns(counts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the columns of the counts: the four kinds of answers, and "unscored" where a log has such."""
    unscored = any(row.get("unscored") for row in counts)
    return (*COLUMNS, "unscored") if unscored else COLUMNS


def _adds_up(row: Mapping[str, Any], columns: Sequence[str]) -> bool:
    asked, *parts = (parsed(row[column]) for column in columns)
    return asked == sum(parts)
