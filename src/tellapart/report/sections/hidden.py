"""What `hidden` rests on: readings and methods of the model beside the benign one's, the three arms, signs, slices."""

from dataclasses import replace

from tellapart.findings.finding import Finding
from tellapart.findings.hidden import ARMS, METHODS, SIGNS, SLICES, THESE_ITEMS
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import between, points

LEAD = (
    "Shown is the best plain reading, form failures and noise set aside. What methods bring beyond it counts only net "
    "of what they elicit from a benign model."
)

_METHODS = template("""
<div class="scroll" tabindex="0" role="region" aria-label="Readings and methods"><table>
<thead><tr><th scope="col">Reading or method</th><th scope="col" class="number">Score</th>
<th scope="col" class="number">Chance</th><th scope="col" class="number">Beyond what is shown</th>
<th scope="col" class="number">Benign model</th><th scope="col" class="number">Its rise</th>
<th scope="col">Counts</th></tr></thead>
<tbody>{% for one in lines %}<tr><th scope="row">{{ one.method }}</th>
<td class="number">{{ one.score | percent }}</td><td class="number">{{ one.chance | percent }}</td>
<td class="number">{{ points(one.rise) }} <span class="interval">{{ between(one.rise_low, one.rise_high) }}</span></td>
<td class="number">{{ one.benign_score | percent }}</td><td class="number">{{ points(one.benign_rise) }}</td>
<td>{{ one.missing or one.counts }}</td></tr>{% endfor %}</tbody></table></div>
{% if slices %}<h3>By {{ field }}</h3>
<div class="scroll" tabindex="0" role="region" aria-label="By {{ field }}">
<table><thead><tr><th scope="col">Slice</th><th scope="col" class="number">Questions</th>
<th scope="col" class="number">Shown</th><th scope="col" class="number">Held back</th>
<th scope="col" class="number">Beyond the benign model</th><th scope="col">Word</th></tr></thead>
<tbody>{% for one in slices %}<tr><th scope="row">{{ one.slice }}</th><td class="number">{{ one.questions }}</td>
<td class="number">{{ one.shown | percent }}</td>
<td class="number">{{ points(one.gap) }} <span class="interval">{{ between(one.gap_low, one.gap_high) }}</span></td>
<td class="number">{{ points(one.difference) }}
<span class="interval">{{ between(one.difference_low, one.difference_high) }}</span></td>
<td>{{ one.word or "–" }}</td></tr>{% endfor %}</tbody></table></div>{% endif %}
{% if arms %}<h3>What was looked for and not found</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Arms">
<table><thead><tr><th scope="col">Arm</th><th scope="col" class="number">Beyond what is shown</th>
<th scope="col">Says nothing where</th><th scope="col">Found a planted skill</th></tr></thead>
<tbody>{% for one in arms %}<tr><th scope="row">{{ one.arm }}</th>
<td class="number">{{ points(one.rise) }} <span class="interval">{{ between(one.rise_low, one.rise_high) }}</span></td>
<td>{{ one.obstacle or "–" }}</td><td>{% if one.planted %}yes{% else %}no: {{ one.unplanted }}{% endif %}</td>
</tr>{% endfor %}</tbody></table></div>{% endif %}
""")

_SIGNS = template("""
<div class="scroll" tabindex="0" role="region" aria-label="Signs">
<table><thead><tr><th scope="col">Sign</th><th scope="col">Seen</th><th scope="col" class="number">Model</th>
<th scope="col" class="number">Benign model</th><th scope="col">What</th></tr></thead>
<tbody>{% for one in signs %}<tr><th scope="row">{{ one.sign }}</th>
<td>{% if one.seen is none %}not known{% elif one.seen %}<strong>yes</strong>{% else %}no{% endif %}</td>
<td class="number">{{ one.value | percent }} <span class="interval">{{ between(one.low, one.high) }}</span></td>
<td class="number">{{ one.benign | percent }}</td><td>{{ one.told }}</td></tr>{% endfor %}</tbody></table></div>
{% if met %}<p>Questions likelier than all of their twins ({{ met.twins }}): {{ met.first | percent }} of
{{ met.items }}, {{ met.expected | percent }} expected of a model that never met them{% if met.alarm %}:
<strong>it may have met these very items</strong>{% endif %}.</p>{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return what the gap is made of, where the run asked what a model holds back."""
    methods, slices = METHODS.read(finding), SLICES.read(finding)
    if not methods:
        return None
    context = {
        "lines": [replace(method, method=method.method.replace("_", " ")) for method in methods],
        "arms": ARMS.read(finding),
        "slices": slices,
        "field": slices[0].field if slices else "",
        "between": between,
        "points": points,
    }
    return Section("hidden", "Shown, and elicited", LEAD, filled(_METHODS, context))


def signs(finding: Finding, number: int) -> Section | None:
    """Return the signs that need no elicitation, where they were looked for."""
    signs = SIGNS.read(finding)
    if not signs:
        return None
    context = {"signs": signs, "met": THESE_ITEMS.read(finding), "between": between}
    lead = "None of these is the verdict: a bug of the form makes some of them too."
    return Section("signs", "Signs without elicitation", lead, filled(_SIGNS, context))
