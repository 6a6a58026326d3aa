"""pass@k and cover@tau of both models."""

from tellapart.findings.finding import Finding
from tellapart.findings.gain import COVERAGE, Coverage
from tellapart.report.figures import bare, cover_at_tau, pass_at_k
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import points

_TEMPLATE = template("""
{% macro data(head, xs, columns) %}
<details class="data"><summary>Figures of this chart</summary>
<div class="scroll" tabindex="0" role="region" aria-label="{{ head }}">
<table><thead><tr><th scope="col" class="number">{{ head }}</th>{% for name, _ in columns %}
<th scope="col" class="number">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for x in xs %}{% set i = loop.index0 %}<tr><th scope="row" class="number">{{ x | plain }}</th>
{% for _, values in columns %}<td class="number">{{ values[i][0] | percent }}
<span class="interval">{{ between(values[i][1], values[i][2]) }}</span></td>{% endfor %}</tr>
{% endfor %}</tbody></table></div></details>
{% endmacro %}
<div class="pair">
{% if passes %}
<figure class="chart">
  <figcaption><h3>pass@k</h3><p>At least one of k answers is right. Where the base's curve meets the tuned's,
  the tuned is sharper, not wider.</p></figcaption>
  <ul class="legend" aria-hidden="true"><li><i class="key line base"></i>base</li><li>
  <i class="key line tuned"></i>tuned</li>
  {% if floor %}<li><i class="key line floor"></i>random guesser</li>{% endif %}</ul>
  {{ passes }}
  {{ data("k", table.k, pass_columns) }}
</figure>
{% endif %}
{% if covers %}
<figure class="chart">
  <figcaption><h3>cover@τ</h3><p>Share of the items that are solved in at least τ of the answers.
  {% if crossing %} The curves cross at τ = {{ crossing }}.{% endif %}</p></figcaption>
  <ul class="legend" aria-hidden="true"><li><i class="key line base"></i>base</li><li>
  <i class="key line tuned"></i>tuned</li></ul>
  {{ covers }}
  {{ data("τ", table.tau, cover_columns) }}
</figure>
{% endif %}
</div>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the curves, where the run has several samples an item."""
    table = COVERAGE.read(finding)
    if table is None or not (table.k or table.tau):
        return None
    floor = table.know_nothing or ()
    columns = [("base", table.base), ("tuned", table.tuned)] if table.k else []
    if floor:
        columns.append(("random guesser", tuple(bare(floor))))
    crossing = table.crossing_tau
    context = {
        "table": table,
        "floor": floor,
        "passes": pass_at_k(table) if len(table.k) > 1 else None,
        "covers": cover_at_tau(table) if len(table.tau) > 1 else None,
        "pass_columns": columns,
        "cover_columns": [("base", table.base_cover), ("tuned", table.tuned_cover)],
        "crossing": f"{crossing:.2g}" if crossing == crossing else "",
    }
    return Section("coverage", "Breadth and depth", _lead(finding, table), filled(_TEMPLATE, context))


def _lead(finding: Finding, table: Coverage) -> str:
    largest = max(table.k, default=0)
    difference = finding.estimates.get(f"pass@{largest}_difference")
    if difference is None or difference.value != difference.value:
        return "Is the tuned model right more often on the same items, or right on more items?"
    inside = difference.low <= 0 <= difference.high
    words = "does not tell the two apart" if inside else f"differs by {points(difference.value)}"
    return f"Right more often on the same items, or right on more items? pass@{largest} {words}."
