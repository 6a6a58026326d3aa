"""What each measure of the inside says, whether it survives a rotation of the hidden basis, and which ones decide."""

from typing import NamedTuple

from tellapart.findings.finding import Finding
from tellapart.findings.inside import CONCEPTS, NETWORK, VoteLine
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
    network, concepts = NETWORK.read(finding), CONCEPTS.read(finding)
    table = network or concepts
    if table is None or not table.votes:
        return None
    lead = (
        "Each measure beside the other model. The verdict rests on those marked; the others are told beside it. "
        "A rotation is one of the hidden basis."
    )
    if concepts is not None:
        lead = (
            "What those marked, means over concepts, say of this model by itself: the verdict compares that with the "
            "other model. The others are told beside the other model, and do not decide. "
            "A rotation is one of the hidden basis."
        )
    rows = [_row(finding, vote) for vote in table.votes]
    return Section("measures", "Measures", lead, filled(_TEMPLATE, {"rows": rows}))


class Line(NamedTuple):
    """A measure as its row of the page, its figure in words."""

    label: str
    value: str
    interval: str
    says: str
    survives: bool
    decides: bool


def _row(finding: Finding, vote: VoteLine) -> Line:
    figure = (
        shown(vote.measure, finding.estimates[vote.measure]) if vote.measure in finding.estimates else None
    )
    value, interval = ("", "") if figure is None else (figure.value, figure.interval)
    return Line(label(vote.measure), value, interval, vote.says, vote.survives, vote.decides)
