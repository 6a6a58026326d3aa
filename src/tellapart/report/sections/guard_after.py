"""`guard --before --after`: abilities before and after, what became of their items, and the items that were lost."""

from collections.abc import Mapping
from typing import NamedTuple

from tellapart.findings.finding import Finding
from tellapart.findings.guard import ABILITIES, AbilityLine, LostItem
from tellapart.findings.lost_items import WHAT
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.estimate import Estimate
from tellapart.stats.wording import between, percent

LISTED = 40
_TEMPLATE = template("""
<div class="scroll" tabindex="0" role="region" aria-label="Abilities">
<table><thead><tr><th scope="col">Ability</th><th scope="col">Is</th>
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
{% for one, what in a.rows %}<details><summary>{{ one.item }}: {{ what }}</summary><p>{{ one.question }}</p>
<p class="hint">before</p><pre>{{ one.before }}</pre><p class="hint">after</p><pre>{{ one.after }}</pre></details>
{% endfor %}{% if a.more %}<p class="hint">The first {{ a.rows | length }} of {{ a.lost }}; all are in
findings.json.</p>{% endif %}{% endif %}{% endfor %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the table of abilities, None where the finding is of another sort."""
    table = ABILITIES.read(finding)
    if table is None:
        return None
    rows = [_ability(line, finding.estimates) for line in table.abilities]
    lead = (
        f"Paired by item. Kept means shown to be within {percent(table.margin)} (equivalence test); lost and "
        "gained, that the 95 % interval of the difference leaves 0 out. An item is had where half of its answers are "
        "right."
    )
    return Section("abilities", "Abilities before and after", lead, filled(_TEMPLATE, {"abilities": rows}))


class AbilityRow(NamedTuple):
    """An ability as its part of the page, figures in words; `rows` are the lost items that are shown."""

    ability: str
    verdict: str
    before: str
    after: str
    difference: str
    kept: int
    lost: int
    gained: int
    lost_is: str
    what: str
    again: str
    rows: tuple[tuple[LostItem, str], ...]
    more: bool


def _ability(line: AbilityLine, estimates: Mapping[str, Estimate]) -> AbilityRow:
    back, null = (estimates[f"{name}/{line.ability}"] for name in ("brought_back", "brought_back_null"))
    before, after, difference = (
        _shown(estimates[f"{name}/{line.ability}"]) for name in ("before", "after", "difference")
    )
    again = (
        f"Made to begin as the answer before did (one token), it gets {_shown(back)} of them right; with "
        f"the first token of another item's answer {_shown(null)}."
        if back.n
        else ""
    )
    return AbilityRow(
        ability=line.ability,
        verdict=line.verdict,
        before=before,
        after=after,
        difference=difference,
        kept=line.kept,
        lost=line.lost,
        gained=line.gained,
        lost_is=line.lost_is,
        what="; ".join(f"{count}: {WHAT[name]}" for name, count in sorted(line.what.items())),
        again=again,
        rows=tuple((item, WHAT[item.what]) for item in line.lost_items[:LISTED]),
        more=line.lost > len(line.lost_items[:LISTED]),
    )


def _shown(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} {between(estimate.low, estimate.high)}".rstrip()
