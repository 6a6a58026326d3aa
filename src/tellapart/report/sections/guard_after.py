"""`guard --before --after`: abilities before and after, what became of their items, and the items that were lost."""

from collections.abc import Mapping
from typing import Any

from tellapart.findings.finding import Finding
from tellapart.findings.lost_items import WHAT
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.estimate import Estimate
from tellapart.stats.wording import between, percent

LISTED = 40
_TEMPLATE = template("""
<div class="scroll"><table><thead><tr><th scope="col">Ability</th><th scope="col">Is</th>
<th scope="col" class="number">Before</th><th scope="col" class="number">After</th>
<th scope="col" class="number">Difference</th><th scope="col" class="number">Items kept</th>
<th scope="col" class="number">Lost</th><th scope="col" class="number">Gained</th></tr></thead><tbody>
{% for a in abilities %}<tr><th scope="row">{{ a.ability }}</th><td>{{ a.verdict }}</td>
<td class="number">{{ a.before }}</td><td class="number">{{ a.after }}</td><td class="number">{{ a.difference }}</td>
<td class="number">{{ a.kept }}</td><td class="number">{{ a.lost }}</td><td class="number">{{ a.gained }}</td></tr>
{% endfor %}</tbody></table></div>
{% for a in abilities %}{% if a.rows %}<h3>{{ a.ability }}: items that were lost</h3>
<p>{% if a.lost_is %}What was lost is: {{ a.lost_is }}. {% endif %}{{ a.what }}.</p>
{% if a.again %}<p>{{ a.again }}</p>{% endif %}
{% for one in a.rows %}<details><summary>{{ one.item }}: {{ one.what }}</summary><p>{{ one.question }}</p>
<p class="hint">before</p><pre>{{ one.before }}</pre><p class="hint">after</p><pre>{{ one.after }}</pre></details>
{% endfor %}{% if a.more %}<p class="hint">The first {{ a.rows | length }} of {{ a.lost }}; all are in
findings.json.</p>{% endif %}{% endif %}{% endfor %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the table of abilities, None where the finding is of another sort."""
    table = finding.tables.get("guard_abilities")
    if not table:
        return None
    told = [_ability(one, finding.estimates) for one in table["abilities"]]
    lead = (
        f"Paired by item. Kept means shown to be within {percent(float(table['margin']))} (equivalence test); lost and "
        "gained, that the 95 % interval of the difference leaves 0 out. An item is had where half of its answers are "
        "right."
    )
    return Section("abilities", "Abilities before and after", lead, filled(_TEMPLATE, {"abilities": told}))


def _ability(told: Mapping[str, Any], estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    figures = {
        name: estimates[f"{name}/{told['ability']}"]
        for name in ("before", "after", "difference", "brought_back", "brought_back_null")
    }
    shown = {name: _shown(one) for name, one in figures.items()}
    rows = [{**row, "what": WHAT[row["what"]]} for row in told["lost_items"][:LISTED]]
    what = "; ".join(f"{count}: {WHAT[name]}" for name, count in sorted(told["what"].items()))
    again = (
        f"Made to begin as the answer before did (one token), it gets {shown['brought_back']} of them right; with "
        f"the first token of another item's answer {shown['brought_back_null']}."
        if figures["brought_back"].n
        else ""
    )
    return {**told, **shown, "rows": rows, "what": what, "again": again, "more": told["lost"] > len(rows)}


def _shown(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} {between(estimate.low, estimate.high)}".rstrip()
