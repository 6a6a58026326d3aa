"""What each measure of the inside says, whether it survives a rotation of the hidden basis, and which ones decide."""

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.findings.finding import Finding
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import label, shown

_TEMPLATE = template("""
<div class="scroll" tabindex="0" role="region" aria-label="Measures"><table class="votes">
<thead><tr><th scope="col">Measure</th><th scope="col" class="number">Value</th><th scope="col">Says</th>
<th scope="col">After a rotation</th></tr></thead>
<tbody>{% for row in rows %}<tr><th scope="row">{{ row.label }}
{% if row.decides %}<span class="tag">decides</span>{% endif %}</th>
<td class="number">{{ row.value }} <span class="interval">{{ row.interval }}</span></td>
<td>{{ row.says }}</td><td>{{ "the same" if row.survives else "another" }}</td></tr>{% endfor %}</tbody>
</table></div>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the measures beside their votes, where two models were compared."""
    table = finding.tables.get("inside") or finding.tables.get("concepts")
    if not isinstance(table, Mapping) or not table.get("votes"):
        return None
    lead = (
        "Each measure beside the other model. The verdict rests on those marked; the others are told beside it. "
        "A rotation is one of the hidden basis."
    )
    if finding.tables.get("concepts"):
        lead = (
            "What those marked, means over concepts, say of this model by itself: the verdict compares that with the "
            "other model. The others are told beside the other model, and do not decide. "
            "A rotation is one of the hidden basis."
        )
    rows = _rows(finding, table["votes"])
    return Section("measures", "Measures", lead, filled(_TEMPLATE, {"rows": rows}))


def _rows(finding: Finding, votes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for vote in votes:
        name = str(vote["measure"])
        figure = shown(name, finding.estimates[name]) if name in finding.estimates else None
        rows.append({
            "label": label(name),
            "value": "" if figure is None else figure.value,
            "interval": "" if figure is None else figure.interval,
            "says": str(vote["says"]),
            "survives": bool(vote["survives"]),
            "decides": bool(vote["decides"]),
        })  # fmt: skip
    return rows
