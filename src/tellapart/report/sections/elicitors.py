"""Recovered share of the gain against bits supplied: the picture, and the table that its numbers point into."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.gain import ELICITORS, SURFACING
from tellapart.report.figures import forest, span
from tellapart.report.recovered import recovered
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.report.ways import Way, ways
from tellapart.stats.wording import NOTHING, between, bits, percent

_TEMPLATE = template("""
{% if picture %}
<figure class="chart">
  <ul class="legend" aria-hidden="true"><li><i class="key base"></i>base with an elicitor</li>
  <li><i class="key null"></i>its null control</li>{% if curves %}
  <li><i class="key line base"></i>one method at several settings</li>
  <li><i class="key line floor"></i>their null controls</li>{% endif %}</ul>
  {{ picture }}
</figure>
{% else %}
<p class="refused">{{ reason }}</p>
{% endif %}
<table class="elicitors stacking">
  <thead><tr><th scope="col" class="number">No.</th><th scope="col">Way</th>
  <th scope="col" class="number">Bits</th>
  <th scope="col" class="number">Recovered</th><th scope="col" class="number">Null control</th>
  <th scope="col">From base to tuned</th></tr></thead>
  <tbody>
  {% for way in rows %}
  <tr>
    <td class="number index">{{ way.number }}</td>
    <th scope="row">{{ way.title }}<small>{{ way.source }}
    {% if way.note %}{{ " · " if way.source }}{{ way.note }}{% endif %}</small></th>
    <td class="number" data-label="Bits">{{ way.bits }}</td>
    <td class="number" data-label="Recovered"><b>{{ way.share[0] }}</b>
    <span class="interval">{{ way.share[1] }}</span></td>
    <td class="number" data-label="Null control">{{ way.null[0] }}
    <span class="interval">{{ way.null[1] }}</span></td>
    <td class="bar">{{ way.drawing }}</td>
  </tr>
  {% endfor %}
  </tbody>
</table>
{% if curves %}
<details class="data"><summary>Every setting of the ways tried at several</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Every setting"><table>
<thead><tr><th scope="col">Way</th><th scope="col">Setting</th><th scope="col" class="number">Bits</th>
<th scope="col" class="number">Recovered</th><th scope="col" class="number">Null control</th></tr></thead>
<tbody>{% for way in curves %}{% for point in way.points %}
<tr><th scope="row">{{ way.title }}</th><td>{{ point.setting }}</td><td class="number">{{ point.bits | bits }}</td>
{% for share in (point.share, point.null) %}
<td class="number">{{ share[0] | percent }} <span class="interval">{{ between(share[1], share[2]) }}</span></td>
{% endfor %}</tr>
{% endfor %}{% endfor %}</tbody></table></div></details>
{% endif %}
{% if envelope %}
<details class="data"><summary>The best share for at most so many bits, each way chosen on other items</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Best share by bits"><table>
<thead><tr><th scope="col">From</th><th scope="col">Best way</th>
<th scope="col" class="number">Recovered</th></tr></thead>
<tbody>{% for step in envelope %}
<tr><td class="number">{{ step.bits | bits }}</td><th scope="row">{{ step.way }}</th>
<td class="number">{{ step.share | percent }} <span class="interval">{{ between(step.low, step.high) }}</span></td></tr>
{% endfor %}</tbody></table></div></details>
{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the section, where elicitors were tried."""
    table = ELICITORS.read(finding)
    if not table:
        return None
    drawn_ways = ways(table)
    low, high = span([v for way in drawn_ways for point in way.points for v in (*point.share, *point.null)])
    context = {
        "picture": recovered(drawn_ways),
        "rows": [_row(way, low, high) for way in drawn_ways],
        "curves": [way for way in drawn_ways if len(way.points) > 1],
        "envelope": SURFACING.read(finding),
        "reason": _reason(finding),
    }
    lead = (
        "How much of the gain each method elicits from the base, and how many bits it was given. "
        "High and left: it was there."
    )
    return Section("elicitors", "Recovered against bits supplied", lead, filled(_TEMPLATE, context))


class Line(NamedTuple):
    """A way as its row of the table; shares are a value and its interval in words."""

    number: int
    title: str
    source: str
    note: str
    bits: str
    share: tuple[str, str]
    null: tuple[str, str]
    drawing: Markup


def _row(way: Way, low: float, high: float) -> Line:
    shares, nulls = [point.share for point in way.points], [point.null for point in way.points]
    single = len(way.points) == 1
    several = "" if single else f"{len(way.points)} settings, see below"
    return Line(
        number=way.number,
        title=way.title,
        source=way.source,
        note=" · ".join(filter(None, (way.note, several))),
        bits=_range([point.bits for point in way.points], bits),
        share=(_range([s[0] for s in shares], percent), between(*shares[0][1:]) if single else ""),
        null=(_range([n[0] for n in nulls], percent), between(*nulls[0][1:]) if single else ""),
        drawing=forest(low, high, shares, nulls),
    )


def _range(values: Sequence[float], write: Callable[[float], str]) -> str:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return NOTHING
    first, last = write(min(finite)), write(max(finite))
    return first if first == last else f"{first.removesuffix(' %')} to {last}"


def _reason(finding: Finding) -> str:
    estimate = finding.estimates.get("elicited_share")
    reason = estimate.method.removeprefix("missing: ") if estimate and math.isnan(estimate.value) else ""
    return f"No share can be drawn: {reason or 'no elicitor has both a share and bits'}."
