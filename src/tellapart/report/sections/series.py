"""The score of each checkpoint over the steps of a training run."""

from tellapart.findings.finding import Finding
from tellapart.findings.gain import SERIES
from tellapart.report.figures import over_steps
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template

_TEMPLATE = template("""
<figure class="chart">
  <figcaption><h3>Score by step</h3><p>Each checkpoint's plain score, with its 95 % interval; step 0 is the base.</p>
  </figcaption>
  {{ drawn }}
  <details class="data"><summary>Figures of this chart</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Figures of this chart">
<table><thead><tr><th scope="col" class="number">step</th><th scope="col" class="number">score</th>
  <th scope="col" class="number">gain</th><th scope="col" class="number">items</th></tr></thead>
  <tbody>{% for row in rows %}<tr><th scope="row" class="number">{{ row.step | count }}</th>
  <td class="number">{{ row.score | percent }} <span class="interval">{{ between(row.low, row.high) }}</span></td>
  <td class="number">{{ row.gain | percent }} <span class="interval">{{ between(row.gain_low, row.gain_high) }}</span>
  </td><td class="number">{{ row.n | count }}</td></tr>{% endfor %}</tbody></table></div></details>
</figure>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the curve, where the tuned model was a series of checkpoints."""
    rows = SERIES.read(finding)
    if not rows:
        return None
    context = {"rows": rows, "drawn": over_steps(rows)}
    return Section("series", "Over training", "When did the score rise?", filled(_TEMPLATE, context))
