"""Tasks over scale: the map, and the table whose rows open to the task's figure. Drawn a page at a time."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.scale import SCALE, Forecast, MetricCurve, ScaleTask
from tellapart.report.scale_figures import KINDS, panels, task_map
from tellapart.report.scale_order import ORDER, deciding, in_order
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.report.text import embedded_json
from tellapart.stats.estimate import Estimate
from tellapart.stats.wording import plain

FIGURES = 400
"""Tasks whose figure is in the page; all scores are in findings.json."""
_MAP = template("""
<ul class="legend" aria-hidden="true">{% for name, kind in legend %}<li><i class="key {{ kind }}"></i>{{ name }}</li>
{% endfor %}<li><i class="key null"></i>too noisy</li></ul>
<figure class="chart">{{ drawing }}</figure>
""")
_TABLE = template("""
<div class="items" data-part="scale" data-from="scale-{{ number }}" data-size="25">
  <div class="bar-of-controls">
    <label class="search"><span class="hidden">Search tasks</span>
    <input type="search" placeholder="Search {{ total }} tasks" autocomplete="off" spellcheck="false"></label>
    <div class="choices" role="group" aria-label="Which tasks">
      {% for value, told in choices %}
      <button type="button" data-choice="{{ value }}" aria-pressed="false">{{ told }}</button>{% endfor %}
    </div>
  </div>
  <div class="scroll" role="region" aria-label="Tasks over scale" tabindex="0"><table class="list">
  <caption class="hidden">Tasks over scale</caption></table></div>
  <div class="pager"><button type="button" data-turn="-1">‹ Previous</button><span aria-live="polite"></span>
  <button type="button" data-turn="1">Next ›</button></div>
  <noscript><p>The list of tasks needs scripts; its figures are in findings.json, table "scale".</p></noscript>
</div>
{% for figure in figures %}<template id="task-{{ number }}-{{ loop.index0 }}">{{ figure }}</template>
{% endfor %}
<script type="application/json" id="scale-{{ number }}">{{ data }}</script>
""")
_FIGURE = template("""
<p class="hint">{{ task.sentence }}</p>
<div class="pair">{% for panel in panels %}<figure class="chart"><figcaption><ul class="legend">
{% for line in panel.legend %}<li><i class="key line {{ line.colour }}"></i>{{ line.name }} ({{ line.kind }}):
{{ line.form }}</li>{% endfor %}</ul></figcaption>{{ panel.chart }}</figure>{% endfor %}</div>
<div class="scroll" tabindex="0" role="region" aria-label="Metrics">
<table><thead><tr><th scope="col">Metric</th><th scope="col">Form</th>
<th scope="col" class="number">Breakthroughness</th><th scope="col" class="number">Linearity</th>
<th scope="col" class="number">Broken less smooth</th><th scope="col" class="number">Forecast of the largest</th>
<th scope="col" class="number">It scored</th></tr></thead><tbody>
{% for m in metrics %}<tr><th scope="row">{{ m.name }}</th><td>{{ m.form }}{% if m.reason %}<small>{{ m.reason }}
</small>{% endif %}</td><td class="number">{{ m.breakthroughness }}</td>
<td class="number">{{ m.linearity }}</td>
<td class="number">{{ m.difference }}</td><td class="number">{{ m.forecast }}{% if m.mute %}<small>the smaller
scales cannot say</small>{% endif %}</td><td class="number">{{ m.truth }}</td></tr>{% endfor %}</tbody></table></div>
{% if account %}<p class="hint">If each of {{ account.length | plain }} tokens is right by itself,
{{ account.metric }} is the right
token's probability ({{ account.token_metric }}) to that power: it is {{ account.away | percent }} off (root mean
square), the scores
themselves vary by {{ account.spread | percent }}.{% if account.fitted %} The number of tokens is fitted.{% endif %}</p>
{% endif %}
""")


def mapped(finding: Finding, number: int) -> Section | None:
    """Return the map of tasks, where at least two have both kinds of metric."""
    table = SCALE.read(finding)
    if table is None:
        return None
    drawing, count = task_map(table.tasks)
    if count < 2:
        return None
    lead = (
        f"{count} of {len(table.tasks)} tasks have a discontinuous and a continuous metric that tell a form. Right: "
        "the score jumps. Above: what lies under it jumps as well. Dots are moved apart a little."
    )
    return Section(
        "map", "Map of tasks", lead, filled(_MAP, {"drawing": drawing, "legend": list(KINDS.items())})
    )


def section(finding: Finding, number: int) -> Section | None:
    """Return the table of tasks."""
    table = SCALE.read(finding)
    if table is None:
        return None
    tasks = in_order(table.tasks)
    figures = [_figure(task, table.axis) for task in tasks[:FIGURES]]
    present = [verdict for verdict in ORDER if any(task.verdict == verdict for task in tasks)]
    context = {
        "number": number,
        "total": f"{len(tasks):,}",
        "choices": [("", "All"), *((verdict, verdict.capitalize()) for verdict in present)],
        "figures": figures,
        "data": embedded_json(_data(tasks)),
    }
    lead = (
        f"Scores over {table.axis}, each task in one setting and family of models. Open one for all its metrics "
        "with 95 % intervals. Breakthroughness and forecast are those of the metric that the verdict is about."
    )
    return Section("tasks", "Tasks", lead, filled(_TABLE, context))


def _data(tasks: Sequence[ScaleTask]) -> dict[str, Sequence[str | float | None]]:
    chosen = [deciding(task) for task in tasks]
    return {
        "label": [task.label for task in tasks],
        "verdict": [task.verdict for task in tasks],
        "probability": [_short(task.probability) for task in tasks],
        "metric": [metric.metric for metric in chosen],
        "b": [_short(metric.breakthroughness.value) for metric in chosen],
        "forecast": [_short(metric.forecast.value) for metric in chosen],
        "truth": [_short(metric.forecast.truth) for metric in chosen],
        "scales": [len(metric.scale) for metric in chosen],
    }


def _short(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.4g}")


def _figure(task: ScaleTask, axis: str) -> Markup:
    metrics = [_line(metric) for metric in task.metrics]
    drawn = panels(task.metrics, axis, task.label)
    return filled(_FIGURE, {"task": task, "panels": drawn, "metrics": metrics, "account": task.account})


class Line(NamedTuple):
    """A metric as its row of the page, figures in words."""

    name: str
    form: str
    reason: str
    breakthroughness: str
    linearity: str
    difference: str
    forecast: str
    mute: bool
    truth: str


def _line(metric: MetricCurve) -> Line:
    forecast = metric.forecast
    return Line(
        name=metric.metric,
        form=metric.form,
        reason=metric.reason,
        breakthroughness=_ranged(metric.breakthroughness),
        linearity=_ranged(metric.linearity),
        difference=plain(metric.held_out_difference),
        forecast=_ranged(forecast),
        mute=not math.isnan(forecast.value) and not forecast.says,
        truth=plain(forecast.truth),
    )


def _ranged(estimate: Estimate | Forecast) -> str:
    value, low, high = estimate.value, estimate.low, estimate.high
    inside = f" [{plain(low)}, {plain(high)}]" if math.isfinite(low) and math.isfinite(high) else ""
    return f"{plain(value)}{inside}"
