"""Rounds of `improve`: score and reward by round, pass@k round by round, what an anchor bought, what was hacked."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.improve import ROUNDS, ArmRounds, PlateauForecast, RoundLine, RoundsTable
from tellapart.report.figures import Curve, curves
from tellapart.report.sections.improve import cell
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, Tick, linear, logarithmic, percent_ticks
from tellapart.report.template import filled, template
from tellapart.stats.wording import percent, plain, points, shown

HEIGHT = 240
KINDS = {"unanchored": "tuned", "by chance": "floor", "anchored": "base"}
FAN = ("floor", "third", "fourth", "base", "fifth")
_ROUNDS = template("""
<figure class="chart"><ul class="legend" aria-hidden="true">{% for name, kind in legend %}<li>
<i class="key line {{ kind }}"></i>{{ name }}</li>{% endfor %}</ul>{{ drawing }}</figure>
{% if forecasts %}<p>{% for one in forecasts %}{{ one }} {% endfor %}</p>{% endif %}
{% for arm in arms %}<h3>{{ arm.title }}</h3><p class="hint">{{ arm.why }}</p>
<div class="scroll" tabindex="0" role="region" aria-label="{{ arm.title }}"><table><thead><tr>
<th scope="col" class="number">Round</th>
{% for head in heads %}<th scope="col" class="number">{{ head }}</th>{% endfor %}
{% for name in arm.canaries %}<th scope="col" class="number">{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for row in arm.rows %}<tr><th scope="row" class="number">{{ row.round }}</th>{% for value, interval in row.cells %}
<td class="number">{{ value }}<br>
<span class="interval">{{ interval }}</span></td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>{% endfor %}
""")
_FAN = template("""
<figure class="chart"><ul class="legend" aria-hidden="true">{% for name, kind in legend %}<li>
<i class="key line {{ kind }}"></i>{{ name }}</li>{% endfor %}</ul>{{ drawing }}</figure>
""")
_HACKED = template("""
{% for one in shown %}<details{% if loop.first %} open{% endif %}><summary>{{ one.item }}</summary>
<p>{{ one.prompt }}</p><pre>{{ one.completion }}</pre>
<p>Right: {{ one.target }}</p></details>{% endfor %}
""")
HEADS = (
    "Learned from", "Score", "Accepted", "Right of these", "Reward − truth", "Different answers", "Different texts",
)  # fmt: skip


def section(finding: Finding, number: int) -> Section | None:
    """Return the curves and the figures of every round."""
    table = ROUNDS.read(finding)
    if table is None:
        return None
    lines = _lines(table)
    xs = sorted({x for line in lines for x in line.xs})
    area = Area(_round_axis(xs), Axis("score", percent_ticks(0, 1), linear(0, 1)), HEIGHT)
    context = {
        "legend": [(line.name, line.kind.split()[0]) for line in lines],
        "drawing": curves(area, "score by round", lines, lambda x: f"round {x:.0f}") if len(xs) > 1 else "",
        "forecasts": [_foretold(forecast, table.most) for forecast in table.forecasts],
        "arms": [_arm(arm) for arm in table.arms],
        "heads": HEADS,
    }
    return Section("rounds", "Round by round", _lead(finding, table), filled(_ROUNDS, context))


def fan(finding: Finding, number: int) -> Section | None:
    """Return pass@k of every round: where later rounds lie below earlier ones at large k, diversity was lost."""
    table = ROUNDS.read(finding)
    if table is None or len(table.arms[0].rounds) < 2:
        return None
    rounds = table.arms[0].rounds
    ks = sorted(float(k) for k in rounds[0].passes)
    if len(ks) < 2:
        return None
    lines = []
    for at, round_line in enumerate(rounds):
        kind = "tuned" if at == len(rounds) - 1 else FAN[min(at, len(FAN) - 1)]
        spread = [round_line.passes[f"{k:.0f}"] for k in ks]
        shown_band = at in (0, len(rounds) - 1)
        curve = spread if shown_band else [(value, math.nan, math.nan) for value, _, _ in spread]
        lines.append(Curve(f"round {round_line.round}" if round_line.round else "start", kind, ks, curve))
    ticks = tuple(Tick(k, f"{k:.0f}") for k in ks)
    area = Area(
        Axis("samples k (log scale)", ticks, logarithmic(ks[0], ks[-1])),
        Axis("pass@k", percent_ticks(0, 1), linear(0, 1)),
        HEIGHT,
    )
    drawing: Markup = curves(area, "pass@k by round", lines, lambda k: f"k = {k:.0f}")
    first, last = rounds[0].answers, rounds[-1].answers
    lead = (
        f"An item had {plain(first[0])} different answers at the start, {plain(last[0])} at the end. "
        "Where a later round lies lower at large k, answers were lost that the start could still find."
    )
    context = {"legend": [(line.name, line.kind) for line in lines], "drawing": drawing}
    return Section("fan", "Breadth: pass@k by round", lead, filled(_FAN, context))


def hacked(finding: Finding, number: int) -> Section | None:
    """Return answers that the verifier accepts and that are wrong."""
    table = ROUNDS.read(finding)
    if table is None or not table.examples.shown:
        return None
    examples = table.examples
    lead = (
        f"In round {examples.round} the verifier accepts a wrong answer on {examples.total} of {examples.items} items. "
        f"{len(examples.shown)} of them:"
    )
    return Section("hacked", "Accepted and wrong", lead, filled(_HACKED, {"shown": examples.shown}))


def _lead(finding: Finding, table: RoundsTable) -> str:
    if (bought := finding.estimates.get("anchor_difference")) is None:
        return "Score on items that were not trained on, beside training on answers picked at random."
    count = next(arm.anchored for arm in table.arms if arm.arm == "anchored")
    figure = shown("anchor_difference", bought)
    return (
        f"Score on items that were not trained on. An anchor on {count} training prompts bought {figure.value} "
        f"{figure.interval}."
    )


def _lines(table: RoundsTable) -> list[Curve]:
    lines = []
    for arm in table.arms:
        xs = [float(round_line.round) for round_line in arm.rounds]
        lines.append(Curve(arm.arm, KINDS[arm.arm], xs, [round_line.score for round_line in arm.rounds]))
    own = table.arms[0].rounds
    rewards = [(round_line.reward[0], math.nan, math.nan) for round_line in own]
    if any(math.isfinite(value) for value, _, _ in rewards):
        lines.append(
            Curve("reward, unanchored", "fourth", [float(round_line.round) for round_line in own], rewards)
        )
    return lines


def _round_axis(xs: Sequence[float]) -> Axis:
    return Axis("round", tuple(Tick(x, f"{x:.0f}") for x in xs), linear(xs[0], max(xs[-1], xs[0] + 1)))


def _foretold(forecast: PlateauForecast, most: int) -> str:
    value, interval = cell(forecast.forecast)
    came = forecast.came
    start = f"After round {forecast.after} the score foretold for round {most} was {value} {interval} (90 %)"
    if not math.isfinite(came):
        return f"{start}; the rounds were broken off before a plateau."
    _, low, high = forecast.forecast
    return f"{start}; {percent(came)} came, {'inside' if low <= came <= high else 'outside'}."


class RoundRow(NamedTuple):
    """A round as its row of the page, each figure and its interval in words."""

    round: int
    cells: tuple[tuple[str, str], ...]


class ArmPart(NamedTuple):
    """An arm as its part of the page."""

    title: str
    why: str
    canaries: tuple[str, ...]
    rows: tuple[RoundRow, ...]


def _arm(arm: ArmRounds) -> ArmPart:
    canaries = tuple(arm.rounds[0].canaries)
    return ArmPart(
        title=f"{arm.arm.capitalize()}: {arm.verifier}",
        why=f"Ended because {arm.why}.",
        canaries=canaries,
        rows=tuple(
            RoundRow(
                round_line.round,
                (*_cells(round_line), *(cell(round_line.canaries[name][0]) for name in canaries)),
            )
            for round_line in arm.rounds
        ),
    )


def _cells(line: RoundLine) -> list[tuple[str, str]]:
    value, interval = cell(line.hacking, points)
    flagged = (f"{value} (flagged)" if line.hacked else value, interval)
    learned = (f"{line.examples} answer{'' if line.examples == 1 else 's'}" if line.round else "–", "")
    counted = (cell(line.answers, plain), cell(line.chains, plain))
    return [learned, cell(line.score), cell(line.accepted), cell(line.verification), flagged, *counted]
