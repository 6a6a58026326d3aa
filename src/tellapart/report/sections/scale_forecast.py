"""The largest scale forecast from the smaller ones, beside what it scored; and how often the intervals held."""

import math

from tellapart.findings.finding import Finding
from tellapart.findings.scale import SCALE, ScaleTable
from tellapart.report.scale_figures import Forecasted, forecasts
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, percent

DRAWN = 600

_TEMPLATE = template("""
<ul class="legend" aria-hidden="true"><li><i class="key null"></i>inside its 90 % interval</li>
<li><i class="key tuned"></i>outside</li></ul>
<figure class="chart">{{ drawing }}</figure>
<p class="hint">{{ drawn }} of {{ total }} forecasts are drawn: those of scores between 0 and 1 that a smaller scale can
say something about. {{ mute }} others come from scales whose scores vary less than the interval is wide: there the
smaller models cannot say what the largest will score.</p>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return forecast against truth, where any curve has enough scales."""
    table = SCALE.read(finding)
    rows = _rows(table) if table else []
    drawn = [row for row in rows if row.says and 0 <= row.truth <= 1 and not row.logarithm][:DRAWN]
    if not rows or len(drawn) < 2:
        return None
    covered = finding.estimates["forecast_coverage"]
    share = f"{percent(covered.value)} {between(covered.low, covered.high)}"
    lead = (
        f"Of {covered.n} forecasts {share} hold the score in their 90 % interval. Left and right: the forecast and its "
        "interval; up: the score."
    )
    context = {
        "drawing": forecasts(drawn),
        "drawn": len(drawn),
        "total": len(rows),
        "mute": sum(not row.says for row in rows),
    }
    return Section("forecast", "Forecast against truth", lead, filled(_TEMPLATE, context))


def _rows(table: ScaleTable) -> list[Forecasted]:
    rows = []
    for task in table.tasks:
        for metric in task.metrics:
            forecast = metric.forecast
            figures = (forecast.value, forecast.low, forecast.high, forecast.truth)
            if all(math.isfinite(value) for value in figures):
                rows.append(Forecasted(task.label, metric.metric, *figures, forecast.says, metric.logarithm))
    return rows
