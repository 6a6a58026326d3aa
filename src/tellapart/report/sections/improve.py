"""Headroom of `improve`: what each verifier would gain, beside verification by chance."""

import math
from collections.abc import Callable
from typing import NamedTuple

from tellapart.findings.finding import Finding
from tellapart.findings.improve import HEADROOM, VerifierLine
from tellapart.findings.shown import Triple
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, percent, points

_TEMPLATE = template("""
<div class="scroll" tabindex="0" role="region" aria-label="Verifiers"><table>
<thead><tr><th scope="col">Verifier</th><th scope="col">Is</th><th scope="col" class="number">Accepts</th>
<th scope="col" class="number">Right of these</th><th scope="col" class="number">Gap</th>
<th scope="col" class="number">By chance</th><th scope="col" class="number">Relative gap</th></tr></thead><tbody>
{% for v in verifiers %}<tr><th scope="row">{{ v.name }}
{% if v.unread %}<small>{{ v.unread }} unread</small>{% endif %}</th>
<td>{{ v.kind }}</td>{% for value, interval in v.cells %}<td class="number">{{ value }}<br>
<span class="interval">{{ interval }}</span></td>{% endfor %}</tr>{% endfor %}</tbody></table></div>
<p class="hint">Own: asked of the model itself; outside: help that it did not write.
Right of these: an item of which nothing is accepted keeps its answers as they are. Gap: by how much
that is above the score without a verifier. By chance: the same for as many answers of each item, picked at random.
Relative gap: the share of what is missing to 100 % that the verifier gains, item by item.</p>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the table of verifiers, where the finding is on headroom."""
    table = HEADROOM.read(finding)
    if table is None:
        return None
    lead = (
        "Answers of the model as it is, none of them trained on: what would be gained if only those counted that a "
        "verifier accepts."
    )
    rows = [_row(row) for row in table.verifiers]
    return Section("headroom", "Headroom by verifier", lead, filled(_TEMPLATE, {"verifiers": rows}))


class Line(NamedTuple):
    """A verifier as its row of the page, figures in words."""

    name: str
    kind: str
    unread: str
    cells: tuple[tuple[str, str], ...]


def _row(row: VerifierLine) -> Line:
    return Line(
        name=row.verifier,
        kind="control" if row.control else "outside" if row.outside else "own",
        unread=percent(1 - row.read) if row.read < 1 else "",
        cells=(
            cell(row.accepted),
            cell(row.verification),
            cell(row.gap, points),
            cell(row.null, points),
            cell(row.relative),
        ),
    )


def cell(values: Triple, write: Callable[[float], str] = percent) -> tuple[str, str]:
    """Return a value and its interval in words."""
    value, low, high = values
    return write(value), between(low, high, write) if math.isfinite(low) else ""
