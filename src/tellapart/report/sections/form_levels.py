"""Success against complexity, beside what unreliable steps alone would give (p^steps)."""

from tellapart.findings.finding import Finding
from tellapart.findings.form import LEVELS
from tellapart.report.figures import Curve, bare, curves
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, Tick, linear, percent_ticks
from tellapart.report.template import filled, template
from tellapart.stats.wording import plain

_TEMPLATE = template("""
<figure class="chart">
  <ul class="legend" aria-hidden="true"><li><i class="key line tuned"></i>right, of those not truncated</li>
  <li><i class="key line floor"></i>p^steps</li></ul>
  {{ picture }}
  <details class="data"><summary>Figures of this chart</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Figures of this chart">
<table><thead><tr><th scope="col">Complexity</th>
  <th scope="col" class="number">Steps</th><th scope="col" class="number">Answers</th>
  <th scope="col" class="number">Truncated</th><th scope="col" class="number">Right</th>
  <th scope="col" class="number">p^steps</th></tr></thead><tbody>{% for row in rows %}<tr>
  <th scope="row">{{ row.complexity | plain }}</th><td class="number">{{ row.steps | plain }}</td>
  <td class="number">{{ row.answers | count }}</td><td class="number">{{ row.cut_off | count }}</td>
  <td class="number">{{ row.right | percent }} <span class="interval">{{ between(row.low, row.high) }}</span></td>
  <td class="number">{{ row.expected | percent }}</td></tr>{% endfor %}</tbody></table></div></details>
</figure>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the chart, where items say how complex they are."""
    rows = LEVELS.read(finding)
    if len(rows) < 2:
        return None
    xs = [row.complexity for row in rows]
    lines = [
        Curve("p^steps", "floor dotless", xs, bare([row.expected for row in rows])),
        Curve("right", "tuned", xs, [(row.right, row.low, row.high) for row in rows]),
    ]
    ticks = tuple(Tick(x, plain(x)) for x in xs)
    area = Area(
        Axis("complexity", ticks, linear(xs[0], xs[-1])),
        Axis("right", percent_ticks(0, 1), linear(0, 1)),
        260,
    )
    picture = curves(area, "share right against complexity", lines, lambda x: f"complexity {plain(x)}")
    lead = "p is fitted on the simpler half: falling below the dashed line is more than unreliable steps."
    return Section(
        "levels", "Against complexity", lead, filled(_TEMPLATE, {"picture": picture, "rows": rows})
    )
