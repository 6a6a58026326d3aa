"""The head of a finding: the verdict, how sure, the one-sided sentence, the main figures, and why."""

import math
from dataclasses import replace

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.report.figures import weight
from tellapart.report.template import filled, template
from tellapart.stats.wording import plain, shown

MAIN = ("base_score", "tuned_score", "full_score", "gain", "form_share", "held_at_least", "held_at_most")

_TEMPLATE = template("""
<p class="question">{{ finding.question }}</p>
<div class="verdict">
  <h1 id="verdict-{{ number }}">{{ finding.verdict }}</h1>
  {% if sure is not none %}
  <p class="sure"><strong>{{ sure }}</strong> probable</p>
  {% else %}
  <p class="sure">no probability</p>
  {% endif %}
</div>
<p class="sentence">{{ finding.sentence }}</p>
{% if figures %}
<dl class="figures">
  {% for figure in figures %}
  <div class="{{ figure.name.split('_')[0] }}">
    <dt>{{ figure.label }}</dt>
    <dd>{% if figure.missing %}<span class="missing">{{ figure.missing }}</span>{% else %}
    <b>{{ figure.value }}</b>
    <span class="interval">{{ figure.interval }}</span>{% endif %}</dd>
  </div>
  {% endfor %}
</dl>
{% endif %}
{% if finding.caveats %}
<p class="hint"><a href="#trust-{{ number }}">{{ finding.caveats | length }}
{{ "caveat" if finding.caveats | length == 1 else "caveats" }}</a></p>
{% endif %}
{% if terms %}
<section class="why" aria-labelledby="why-{{ number }}">
  <h2 id="why-{{ number }}">Why</h2>
  <table class="terms">
    <caption>{{ "The verdict's terms: what was seen, and what each adds to the log-odds or takes away." if weighed
    else "What the verdict rests on." }}</caption>
    <thead><tr><th scope="col">Seen</th><th scope="col" class="number">Value</th>
    {% if weighed %}<th scope="col" class="bar">Takes away | adds</th>
    <th scope="col" class="number">Log-odds</th>{% endif %}</tr></thead>
    <tbody>
    {% for what, value, adds, bar in terms %}
    <tr><th scope="row">{{ what }}</th><td class="number">{{ value }}</td>
    {% if weighed %}<td class="bar">{{ bar }}</td><td class="number">{{ adds | signed }}</td>{% endif %}</tr>
    {% endfor %}
    </tbody>
  </table>
</section>
{% endif %}
""")


def head(finding: Finding, number: int) -> Markup:
    """Return the head of the finding, the `number`th on its page."""
    largest = max((abs(adds) for _, _, adds in finding.evidence if math.isfinite(adds)), default=0.0)
    return filled(
        _TEMPLATE,
        {
            "finding": finding,
            "weighed": any(math.isfinite(adds) for _, _, adds in finding.evidence),
            "number": number,
            "sure": probability(finding.probability),
            "figures": [shown(name, finding.estimates[name]) for name in MAIN if name in finding.estimates],
            "terms": [
                (*named(finding, what, value), adds, weight(adds, largest))
                for what, value, adds in finding.evidence
            ],
        },
    )


def named(finding: Finding, what: str, value: float) -> tuple[str, str]:
    """Return a term and its value in words; one that is an estimate of the finding, "NAME" or "NAME: by what", is
    written like it."""
    name, colon, by = what.partition(": ")
    if name not in finding.estimates:
        return what, plain(value)
    figure = shown(name, replace(finding.estimates[name], value=value))
    return figure.label + (f" ({by})" if colon else ""), figure.value


def probability(value: float) -> str | None:
    """Return a probability in whole percent, never rounded to 0 or 100; None where there is none."""
    if not math.isfinite(value):
        return None
    if value > 0.995:
        return "over 99 %"
    return "under 1 %" if value < 0.005 else f"{100 * value:.0f} %"
