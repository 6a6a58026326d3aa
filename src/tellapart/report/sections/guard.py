"""`guard`: the signals of a run over its steps with alarms and the answers behind them; the problems, sorted out."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.guard import PROBLEMS as GUARD_PROBLEMS
from tellapart.findings.guard import SIGNALS as GUARD_SIGNALS
from tellapart.findings.guard import AlarmLine, ProblemLine
from tellapart.report.figures import Curve, curves, histogram
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, Tick, linear, percent_ticks
from tellapart.report.template import filled, template
from tellapart.stats.rollout_signals import SIGNALS
from tellapart.stats.wording import between, percent, plain

HEIGHT = 150
LISTED = 3000
"""Problems on the page, a third of each decision at most; 50 are shown at a time."""
SHARES = (
    "reward", "lucky", "skipped", "thin", "thin_paid", "repeats_within", "repeats_across", "concentration",
    "all_wrong", "all_right",
)  # fmt: skip
_SIGNALS = template("""
{% if alarms %}<div class="scroll" tabindex="0" role="region" aria-label="Alarms">
<table><thead><tr><th scope="col">Signal</th><th scope="col">Is</th>
<th scope="col" class="number">Step</th><th scope="col" class="number">Value</th>
<th scope="col" class="number">Began at</th><th scope="col" class="number">Limit</th></tr></thead><tbody>
{% for a in alarms %}<tr><th scope="row">{{ a.signal }}</th><td>{{ a.kind }}</td><td class="number">{{ a.step }}</td>
<td class="number">{{ a.value }}</td><td class="number">{{ a.baseline }}</td><td class="number">{{ a.limit }}</td></tr>
{% endfor %}</tbody></table></div>{% endif %}
{% for chart in charts %}<figure class="chart"><figcaption><h3>{{ chart.title }}</h3>
<p>{{ chart.meaning }}{% if chart.alarm %}{{ " " }}<strong>{{ chart.alarm }}.</strong>{% endif %}</p></figcaption>
{{ chart.drawing }}</figure>{% endfor %}
{% if silent %}<p class="hint">The log does not tell: {{ silent }}.</p>{% endif %}
{% if behind %}<h3>Answers behind the alarms</h3>
{% for one in behind %}<details><summary>{{ one.signal }}, step {{ one.step }}: {{ one.why }}</summary>
<p>{{ one.item }}</p><pre>{{ one.completion }}</pre></details>{% endfor %}{% endif %}
""")
_PROBLEMS = template("""
<figure class="chart"><figcaption><h3>Success rates</h3>
<p>{{ drawn }} problems by the share of their rollouts that succeed.</p></figcaption>{{ histogram }}</figure>
<div data-part="pages" data-size="50"><div class="bar-of-controls" hidden><label class="search">
<span class="hidden">Search problems</span><input type="search" placeholder="Search problems" autocomplete="off"
spellcheck="false"></label></div>
<div class="scroll" tabindex="0" role="region" aria-label="Problems">
<table><thead><tr><th scope="col">Problem</th><th scope="col">Decision</th>
<th scope="col" class="number">Success</th><th scope="col" class="number">Rollouts</th>{% if ranked %}
<th scope="col" class="number">Rank by spread</th>{% endif %}<th scope="col">Why</th></tr></thead><tbody>
{% for p in problems %}<tr><th scope="row">{{ p.item }}</th><td>{{ p.decision }}{% if p.open %} (open){% endif %}</td>
<td class="number">{{ p.rate }}</td><td class="number">{{ p.n }}</td>{% if ranked %}<td class="number">{{ p.rank }}</td>
{% endif %}<td>{{ p.reason }}</td></tr>{% endfor %}</tbody></table></div>
<div class="pager" hidden><button type="button" data-turn="-1">‹ Previous</button><span aria-live="polite"></span>
<button type="button" data-turn="1">Next ›</button></div></div>
<p class="hint">{{ listed }} of {{ total }} problems. All are in kept.jsonl, held.jsonl and dropped.jsonl.</p>
""")


def signals(finding: Finding, number: int) -> Section | None:
    """Return the timeline of signals, where the finding is on a run."""
    table = GUARD_SIGNALS.read(finding)
    if table is None:
        return None
    steps, signals = [float(step) for step in table.steps], table.signals
    named = [name for name, values in signals.items() if sum(map(math.isfinite, values)) > 1]
    alarmed = [alarm.signal for alarm in table.alarms]
    named.sort(key=lambda name: alarmed.index(name) if name in alarmed else len(alarmed))
    context = {
        "alarms": [_alarm(alarm) for alarm in table.alarms],
        "charts": [_chart(name, steps, signals[name], table.alarms) for name in named]
        if len(steps) > 1
        else [],
        "silent": ", ".join(_words(name) for name in signals if name not in named),
        "behind": [replace(line, signal=_words(line.signal)) for line in table.behind],
    }
    lead = (
        f"The first {table.baseline} steps are the run's own baseline. An alarm is a signal of harm beyond its "
        "limit for two steps in a row, or a canary that fell; a notice is one of difficulty."
    )
    return Section("signals", "Signals over the run", lead, filled(_SIGNALS, context))


def problems(finding: Finding, number: int) -> Section | None:
    """Return the problems with their decisions, dropped and held first."""
    table = GUARD_PROBLEMS.read(finding)
    if table is None:
        return None
    order = {"drop": 0, "hold": 1, "keep": 2}
    rows = sorted(table.problems, key=lambda row: order[row.decision])
    taken = [row for name in order for row in [r for r in rows if r.decision == name][: LISTED // 3]]
    context = {
        "histogram": histogram([row.rate for row in rows]),
        "drawn": f"The first {len(rows):,} of {table.total:,}"
        if len(rows) < table.total
        else f"All {table.total:,}",
        "problems": [_problem(row) for row in taken],
        "ranked": all(row.rank is not None for row in rows),
        "listed": f"{len(taken):,}",
        "total": f"{table.total:,}",
    }
    lead = f"For training in groups of {table.group}. Difficulty alone drops no problem. 95 % intervals are exact."
    return Section("problems", "Problems", lead, filled(_PROBLEMS, context))


class AlarmRow(NamedTuple):
    """An alarm as its row of the page, figures in words."""

    signal: str
    kind: str
    step: int
    value: str
    baseline: str
    limit: str


def _alarm(alarm: AlarmLine) -> AlarmRow:
    write = percent if _is_share(alarm.signal) else plain
    return AlarmRow(
        signal=_words(alarm.signal),
        kind="alarm" if alarm.harm else "notice",
        step=alarm.step,
        value=write(alarm.value),
        baseline="any step" if alarm.baseline == alarm.limit else write(alarm.baseline),
        limit=write(alarm.limit),
    )


class ProblemRow(NamedTuple):
    """A problem as its row of the page, its rate in words."""

    item: str
    decision: str
    open: bool
    rate: str
    n: int
    rank: int | None
    reason: str


def _problem(row: ProblemLine) -> ProblemRow:
    rate = f"{percent(row.rate)} {between(row.low, row.high)}".rstrip()
    return ProblemRow(row.item[:80], row.decision, row.open, rate, row.n, row.rank, row.reason)


class SignalChart(NamedTuple):
    """A signal over the steps, what it means, and its alarm in words."""

    title: str
    meaning: str
    alarm: str
    drawing: Markup


def _chart(
    name: str, steps: Sequence[float], values: Sequence[float], alarms: Sequence[AlarmLine]
) -> SignalChart:
    if name.startswith("canary "):  # asked now and then: a line from one asking to the next
        places = [at for at, value in enumerate(values) if math.isfinite(value)]
        steps, values = [steps[at] for at in places], [values[at] for at in places]
    share = _is_share(name) and all(0 <= v <= 1 for v in values if math.isfinite(v))
    alarm = next((a for a in alarms if a.signal == name), None)
    points = [(value, math.nan, math.nan) for value in values]
    lines = [
        _line(share, _words(name), "tuned dotless" if alarm and alarm.harm else "base dotless", steps, points)
    ]
    if alarm:
        limit = alarm.limit
        ends = [steps[0], steps[-1]]
        lines.append(_line(share, "limit", "floor dotless", ends, [(limit, math.nan, math.nan)] * 2))
    area = Area(_step_axis(steps), _value_axis([p[0] for line in lines for p in line.points], share), HEIGHT)
    drawing: Markup = curves(area, f"{_words(name)} over steps", lines, lambda step: f"step {step:.0f}")
    said = f"{'Alarm' if alarm.harm else 'Notice'} at step {alarm.step}" if alarm else ""
    meaning = SIGNALS.get(name, "score on a task of an ability held before, which is not trained on")
    return SignalChart(_words(name), f"{meaning}.", said, drawing)


class _Plain(Curve):
    """A line whose values are no shares."""

    def tip(self, x: float) -> str:
        at = [point for place, point in zip(self.xs, self.points, strict=True) if place == x]
        return f"{self.name}: {plain(at[0][0])}" if at else ""


def _line(
    share: bool, name: str, kind: str, xs: Sequence[float], points: Sequence[tuple[float, float, float]]
) -> Curve:
    return (Curve if share else _Plain)(name, kind, xs, points)


def _step_axis(steps: Sequence[float]) -> Axis:
    low, high = steps[0], steps[-1]
    ticks = tuple(Tick(step, f"{step:.0f}") for step in sorted({low, round((low + high) / 2), high}))
    return Axis("training step", ticks, linear(low, high))


def _value_axis(values: Sequence[float], share: bool) -> Axis:
    if share:
        return Axis("", percent_ticks(0, 1), linear(0, 1))
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(0.0, *finite), max(finite)
    high = high if high > low else low + 1
    return Axis("", tuple(Tick(v, plain(v)) for v in (low, (low + high) / 2, high)), linear(low, high))


def _is_share(signal: str) -> bool:
    return signal in SHARES or signal.startswith("canary ")


def _words(signal: str) -> str:
    return signal.replace("_", " ")
