"""`guard`: the signals of a run over its steps with alarms and the answers behind them; the problems, sorted out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.reading import number as parsed
from tellapart.report.figures import Curve, curves
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, Tick, linear, percent_ticks
from tellapart.report.template import filled, template
from tellapart.stats.rollout_signals import SIGNALS
from tellapart.stats.wording import between, percent, plain

HEIGHT = 150
LISTED = 200
SHARES = (
    "reward", "lucky", "skipped", "thin", "thin_paid", "repeats_within", "repeats_across", "concentration",
    "all_wrong", "all_right",
)  # fmt: skip
_SIGNALS = template("""
{% if alarms %}<div class="scroll"><table><thead><tr><th scope="col">Signal</th><th scope="col">Is</th>
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
<div class="scroll"><table><thead><tr><th scope="col">Problem</th><th scope="col">Decision</th>
<th scope="col" class="number">Success</th><th scope="col" class="number">Rollouts</th>{% if ranked %}
<th scope="col" class="number">Rank by spread</th>{% endif %}<th scope="col">Why</th></tr></thead><tbody>
{% for p in problems %}<tr><th scope="row">{{ p.item }}</th><td>{{ p.decision }}{% if p.open %} (open){% endif %}</td>
<td class="number">{{ p.rate }}</td><td class="number">{{ p.n }}</td>{% if ranked %}<td class="number">{{ p.rank }}</td>
{% endif %}<td>{{ p.reason }}</td></tr>{% endfor %}</tbody></table></div>
<p class="hint">{{ listed }} of {{ total }} problems. All are in kept.jsonl, held.jsonl and dropped.jsonl.</p>
""")


def signals(finding: Finding, number: int) -> Section | None:
    """Return the timeline of signals, where the finding is on a run."""
    table = finding.tables.get("guard_signals")
    if not table:
        return None
    steps = [float(step) for step in table["steps"]]
    known = {name: [parsed(v) for v in values] for name, values in table["signals"].items()}
    told = [name for name, values in known.items() if sum(map(math.isfinite, values)) > 1]
    alarmed = [alarm["signal"] for alarm in table["alarms"]]
    told.sort(key=lambda name: alarmed.index(name) if name in alarmed else len(alarmed))
    context: dict[str, object] = {
        "alarms": [_alarm(alarm) for alarm in table["alarms"]],
        "charts": [_chart(name, steps, known[name], table["alarms"]) for name in told]
        if len(steps) > 1
        else [],
        "silent": ", ".join(_words(name) for name in known if name not in told),
        "behind": [{**one, "signal": _words(one["signal"])} for one in table["behind"]],
    }
    lead = (
        f"The first {table['baseline']} steps are the run's own baseline. An alarm is a signal of harm beyond its "
        "limit for two steps in a row, or a canary that fell; a notice is one of difficulty."
    )
    return Section("signals", "Signals over the run", lead, filled(_SIGNALS, context))


def problems(finding: Finding, number: int) -> Section | None:
    """Return the problems with their decisions, dropped and held first."""
    table = finding.tables.get("guard_problems")
    if not table:
        return None
    order = {"drop": 0, "hold": 1, "keep": 2}
    rows = sorted(table["problems"], key=lambda row: order[row["decision"]])
    taken = [row for name in order for row in [r for r in rows if r["decision"] == name][: LISTED // 3]]
    context: dict[str, object] = {
        "problems": [_problem(row) for row in taken],
        "ranked": all(row["rank"] is not None for row in rows),
        "listed": f"{len(taken):,}",
        "total": f"{table['total']:,}",
    }
    lead = f"For training in groups of {table['group']}. Difficulty alone drops no problem. 95 % intervals are exact."
    return Section("problems", "Problems", lead, filled(_PROBLEMS, context))


def _alarm(alarm: Mapping[str, Any]) -> dict[str, str]:
    write = percent if _is_share(alarm["signal"]) else plain
    figures = {name: write(parsed(alarm[name])) for name in ("value", "baseline", "limit")}
    if alarm["baseline"] == alarm["limit"]:
        figures["baseline"] = "any step"
    kind = "alarm" if alarm["harm"] else "notice"
    return {"signal": _words(alarm["signal"]), "kind": kind, "step": str(alarm["step"]), **figures}


def _problem(row: Mapping[str, Any]) -> dict[str, Any]:
    value, low, high = (parsed(row[name]) for name in ("rate", "low", "high"))
    return {**row, "item": str(row["item"])[:80], "rate": f"{percent(value)} {between(low, high)}".rstrip()}


def _chart(
    name: str, steps: Sequence[float], values: Sequence[float], alarms: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    if name.startswith("canary "):  # asked now and then: a line from one asking to the next
        known = [at for at, value in enumerate(values) if math.isfinite(value)]
        steps, values = [steps[at] for at in known], [values[at] for at in known]
    share = _is_share(name) and all(0 <= v <= 1 for v in values if math.isfinite(v))
    alarm = next((a for a in alarms if a["signal"] == name), None)
    points = [(value, math.nan, math.nan) for value in values]
    lines = [
        _line(
            share, _words(name), "tuned dotless" if alarm and alarm["harm"] else "base dotless", steps, points
        )
    ]
    if alarm:
        limit = parsed(alarm["limit"])
        ends = [steps[0], steps[-1]]
        lines.append(_line(share, "limit", "floor dotless", ends, [(limit, math.nan, math.nan)] * 2))
    area = Area(_step_axis(steps), _value_axis([p[0] for line in lines for p in line.points], share), HEIGHT)
    drawing: Markup = curves(area, f"{_words(name)} over steps", lines, lambda step: f"step {step:.0f}")
    said = f"{'Alarm' if alarm['harm'] else 'Notice'} at step {alarm['step']}" if alarm else ""
    meaning = SIGNALS.get(name, "score on a task of an ability held before, which is not trained on")
    return {"title": _words(name), "meaning": f"{meaning}.", "alarm": said, "drawing": drawing}


class _Plain(Curve):
    """A line whose values are no shares."""

    def told(self, x: float) -> str:
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
    known = [value for value in values if math.isfinite(value)]
    low, high = min(0.0, *known), max(known)
    high = high if high > low else low + 1
    return Axis("", tuple(Tick(v, plain(v)) for v in (low, (low + high) / 2, high)), linear(low, high))


def _is_share(signal: str) -> bool:
    return signal in SHARES or signal.startswith("canary ")


def _words(signal: str) -> str:
    return signal.replace("_", " ")
