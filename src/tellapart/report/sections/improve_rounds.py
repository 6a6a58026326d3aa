"""Rounds of `improve`: score and reward by round, pass@k round by round, what an anchor bought, what was hacked."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.reading import number as parsed
from tellapart.report.figures import Curve, curves, triples
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
    table = finding.tables.get("improve_rounds")
    if not table:
        return None
    lines = _lines(table)
    xs = sorted({x for line in lines for x in line.xs})
    area = Area(_round_axis(xs), Axis("score", percent_ticks(0, 1), linear(0, 1)), HEIGHT)
    context: dict[str, object] = {
        "legend": [(line.name, line.kind.split()[0]) for line in lines],
        "drawing": curves(area, "score by round", lines, lambda x: f"round {x:.0f}") if len(xs) > 1 else "",
        "forecasts": [_foretold(one, table["most"]) for one in table["forecasts"]],
        "arms": [_arm(arm) for arm in table["arms"]],
        "heads": HEADS,
    }
    return Section("rounds", "Round by round", _lead(finding, table), filled(_ROUNDS, context))


def fan(finding: Finding, number: int) -> Section | None:
    """Return pass@k of every round: where later rounds lie below earlier ones at large k, diversity was lost."""
    table = finding.tables.get("improve_rounds")
    if not table or len(table["arms"][0]["rounds"]) < 2:
        return None
    rounds = table["arms"][0]["rounds"]
    ks = sorted(float(k) for k in rounds[0]["passes"])
    if len(ks) < 2:
        return None
    lines = []
    for at, one in enumerate(rounds):
        kind = "tuned" if at == len(rounds) - 1 else FAN[min(at, len(FAN) - 1)]
        spread = triples([one["passes"][f"{k:.0f}"] for k in ks])
        shown_band = at in (0, len(rounds) - 1)
        told = spread if shown_band else [(value, math.nan, math.nan) for value, _, _ in spread]
        lines.append(Curve(f"round {one['round']}" if one["round"] else "start", kind, ks, told))
    ticks = tuple(Tick(k, f"{k:.0f}") for k in ks)
    area = Area(
        Axis("samples k (log scale)", ticks, logarithmic(ks[0], ks[-1])),
        Axis("pass@k", percent_ticks(0, 1), linear(0, 1)),
        HEIGHT,
    )
    drawing: Markup = curves(area, "pass@k by round", lines, lambda k: f"k = {k:.0f}")
    first, last = rounds[0]["answers"], rounds[-1]["answers"]
    lead = (
        f"An item had {plain(parsed(first[0]))} different answers at the start, {plain(parsed(last[0]))} at the end. "
        "Where a later round lies lower at large k, answers were lost that the start could still find."
    )
    context: dict[str, object] = {"legend": [(line.name, line.kind) for line in lines], "drawing": drawing}
    return Section("fan", "Breadth: pass@k by round", lead, filled(_FAN, context))


def hacked(finding: Finding, number: int) -> Section | None:
    """Return answers that the verifier accepts and that are wrong."""
    table = finding.tables.get("improve_rounds")
    if not table or not table["examples"]["shown"]:
        return None
    told = table["examples"]
    lead = (
        f"In round {told['round']} the verifier accepts a wrong answer on {told['total']} of {told['items']} items. "
        f"{len(told['shown'])} of them:"
    )
    return Section("hacked", "Accepted and wrong", lead, filled(_HACKED, {"shown": told["shown"]}))


def _lead(finding: Finding, table: Mapping[str, Any]) -> str:
    if (bought := finding.estimates.get("anchor_difference")) is None:
        return "Score on items that were not trained on, beside training on answers picked at random."
    count = next(arm["anchored"] for arm in table["arms"] if arm["arm"] == "anchored")
    figure = shown("anchor_difference", bought)
    return (
        f"Score on items that were not trained on. An anchor on {count} training prompts bought {figure.value} "
        f"{figure.interval}."
    )


def _lines(table: Mapping[str, Any]) -> list[Curve]:
    lines = []
    for arm in table["arms"]:
        xs = [float(one["round"]) for one in arm["rounds"]]
        name = "unanchored" if arm["arm"] == "unanchored" else arm["arm"]
        lines.append(Curve(name, KINDS[name], xs, triples([one["score"] for one in arm["rounds"]])))
    own = table["arms"][0]["rounds"]
    rewards = [(parsed(one["reward"][0]), math.nan, math.nan) for one in own]
    if any(math.isfinite(value) for value, _, _ in rewards):
        lines.append(Curve("reward, unanchored", "fourth", [float(one["round"]) for one in own], rewards))
    return lines


def _round_axis(xs: Sequence[float]) -> Axis:
    return Axis("round", tuple(Tick(x, f"{x:.0f}") for x in xs), linear(xs[0], max(xs[-1], xs[0] + 1)))


def _foretold(one: Mapping[str, Any], most: int) -> str:
    value, interval = cell(one["forecast"])
    came = parsed(one["came"])
    told = f"After round {one['after']} the score foretold for round {most} was {value} {interval} (90 %)"
    if not math.isfinite(came):
        return f"{told}; the rounds were broken off before a plateau."
    low, high = (parsed(end) for end in one["forecast"][1:])
    return f"{told}; {percent(came)} came, {'inside' if low <= came <= high else 'outside'}."


def _arm(arm: Mapping[str, Any]) -> dict[str, Any]:
    canaries = list(arm["rounds"][0]["canaries"])
    return {
        "title": f"{arm['arm'].capitalize()}: {arm['verifier']}",
        "why": f"Ended because {arm['why']}.",
        "canaries": canaries,
        "rows": [
            {"round": one["round"], "cells": [*_cells(one), *(cell(one["canaries"][c][0]) for c in canaries)]}
            for one in arm["rounds"]
        ],
    }


def _cells(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    value, interval = cell(one["hacking"], points)
    flagged = (f"{value} (flagged)" if one["hacked"] else value, interval)
    learned = (f"{one['examples']} answer{'' if one['examples'] == 1 else 's'}" if one["round"] else "–", "")
    counted = [cell(one[name], plain) for name in ("answers", "chains")]
    return [learned, cell(one["score"]), cell(one["accepted"]), cell(one["verification"]), flagged, *counted]
