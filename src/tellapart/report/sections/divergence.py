"""Where the two models differ: bits per token on the text of the tuned model's own answers."""

from dataclasses import replace

from tellapart.findings.finding import Finding
from tellapart.findings.gain import CONCENTRATION, DIVERGENCE, DivergentAnswer
from tellapart.findings.typed import to_json
from tellapart.report.figures import concentration, profile
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.report.text import embedded_json

ANSWERS = 40
TOKENS = 2000

_TEMPLATE = template("""
{% if answers %}
<div class="heat" data-part="heat" data-from="heat-{{ number }}">
  <div class="bar-of-controls">
    <label>Answer <select></select></label>
    <span class="steps"><button type="button" data-step="-1" aria-label="previous answer">‹</button>
    <button type="button" data-step="1" aria-label="next answer">›</button></span>
    <ul class="legend scale" aria-label="colours">
      <li>base prefers</li>
      {% for level in ("b3", "b2", "b1") %}<li><i class="swatch {{ level }}"></i></li>{% endfor %}
      <li>0</li>
      {% for level in ("t1", "t2", "t3", "t4") %}<li><i class="swatch {{ level }}"></i></li>{% endfor %}
      <li>tuned prefers</li>
    </ul>
  </div>
  <p class="prompt"></p>
  <div class="answer" tabindex="0" role="group"
    aria-label="Answer, token by token; arrow keys step through the tokens"></div>
  <p class="readout" aria-live="polite">Point at a token, tap it, or step with the arrow keys.</p>
  <p class="hint">Shades begin at 0.25, 1, 3 and 6 bits. A token with +3 bits is 8 times as likely under the
  tuned model.{% if cut %} Answers are shown up to {{ token_limit }} tokens.{% endif %}</p>
  <noscript><p>The coloured answers need scripts; the figures are in findings.json, table
  "divergence".</p></noscript>
</div>
<script type="application/json" id="heat-{{ number }}">{{ answers }}</script>
{% endif %}
{% if shape %}
<div class="pair">
<figure class="chart"><figcaption><h3>Concentration</h3><p>Few decision tokens: the tuning changed when. Spread
out: it changed how.</p></figcaption>
<ul class="legend" aria-hidden="true"><li><i class="key line tuned"></i>these answers</li><li>
<i class="key line floor"></i>if spread evenly</li></ul>{{ shape }}</figure>
{% if positions %}
<figure class="chart"><figcaption><h3>By position</h3><p>Mean bits of the first, second, … token of an
answer.</p></figcaption>{{ positions }}</figure>
{% endif %}
</div>
{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the map, where log-probabilities of both models are known."""
    answers, spread = DIVERGENCE.read(finding), CONCENTRATION.read(finding)
    if not answers and spread is None:
        return None
    bounded = [_bounded(answer) for answer in answers[:ANSWERS]]
    context = {
        "number": number,
        "answers": embedded_json(to_json(bounded)) if bounded else None,
        "cut": any(len(answer.tokens) > TOKENS for answer in answers),
        "token_limit": TOKENS,
        "shape": concentration(spread) if spread and len(spread.top_share) > 1 else None,
        "positions": profile(spread) if spread and spread.profile else None,
    }
    lead = (
        "Per token of the tuned model's own answers: log2 of its probability under the tuned "
        "over that under the base."
    )
    return Section("divergence", "Where they differ", lead, filled(_TEMPLATE, context))


def _bounded(answer: DivergentAnswer) -> DivergentAnswer:
    return replace(
        answer,
        prompt=answer.prompt[:4000],
        tokens=tuple(token[:200] for token in answer.tokens[:TOKENS]),
        bits=tuple(round(value, 2) for value in answer.bits[:TOKENS]),
    )
