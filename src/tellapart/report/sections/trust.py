"""What to trust it by: counts of answers that add up, controls, caveats."""

from collections.abc import Callable, Mapping, Sequence

from tellapart.findings.finding import Finding
from tellapart.findings.shown import COUNTS, TOKENS, Counted
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.report.text import tokens_spent

ROWS = 20
FEW = 8
"""More controls or conditions than this stand folded."""
Columns = Mapping[str, Callable[[Counted], int | None]]
COLUMNS: Columns = {
    "asked": lambda row: row.asked,
    "correct": lambda row: row.correct,
    "wrong": lambda row: row.wrong,
    "truncated": lambda row: row.cut_off,
    "failed": lambda row: row.failed,
}
"""Headings of the counts, and what stands under each."""

_TEMPLATE = template("""
{% macro counted(rows) %}
<div class="scroll" tabindex="0" role="region" aria-label="Answers counted"><table class="counts">
<caption class="hidden">Answers by condition</caption>
<thead><tr><th scope="col">Condition</th>{% for column in columns %}
<th scope="col" class="number">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}<tr><th scope="row">{{ row.condition }}</th>{% for read in columns.values() %}
<td class="number">{{ read(row) | count }}</td>{% endfor %}</tr>{% endfor %}</tbody>
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
    counts = COUNTS.read(finding)
    if not (counts or finding.caveats or finding.controls or finding.rows):
        return None
    columns = answer_columns(counts)
    unequal = [row.condition for row in counts if not _adds_up(row, columns)]
    first, rest = folded(counts)
    context = {
        "finding": finding,
        "shown": finding.rows[:ROWS],
        "counts": counts,
        "spent": tokens_spent(TOKENS.read(finding)),
        "first": first,
        "rest": rest,
        "columns": columns,
        "parts": list(columns)[1:],
        "unequal": unequal,
        "few": FEW,
    }
    return Section("trust", "Caveats, controls, counts", "", filled(_TEMPLATE, context))


def folded(counts: Sequence[Counted]) -> tuple[list[Counted], list[Counted]]:
    """Return the conditions shown at once and those folded away: with many, only the plain ones are shown."""
    plain = [row for row in counts if row.condition.endswith("/plain")]
    if len(counts) <= FEW or not plain:
        return list(counts), []
    return plain, [row for row in counts if row not in plain]


def answer_columns(counts: Sequence[Counted]) -> Columns:
    """Return the columns of the counts: the four kinds of answers, and "unscored" where a log has such."""
    unscored = any(row.unscored for row in counts)
    return {**COLUMNS, "unscored": lambda row: row.unscored} if unscored else COLUMNS


def _adds_up(row: Counted, columns: Columns) -> bool:
    total, *parts = (read(row) for read in columns.values())
    return total == sum(part or 0 for part in parts)
