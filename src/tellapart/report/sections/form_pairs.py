"""Example pairs: what full and the form-only arm were shown and answered, the differences marked."""

import difflib
import re
from typing import NamedTuple

from markupsafe import Markup, escape

from tellapart.findings.finding import Finding
from tellapart.findings.form import PAIRS, SHOWN, ArmAnswer, ArmExample
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import plain

LONGEST = 3000
_WORD = re.compile(r"\w+|\s+|[^\w\s]")

_TEMPLATE = template("""
{% macro side(arm) %}<div class="side"><h4>{{ arm.name }}{% if arm.score %} · score {{ arm.score }}{% endif %}</h4>
<pre class="marked">{{ arm.marked }}</pre></div>{% endmacro %}
{% if shown %}<h3>Shown before each question</h3><div class="sides">{{ side(shown.full) }}{{ side(shown.form) }}</div>
{% endif %}
{% if pairs %}<h3>Answers</h3>
{% for pair in pairs %}{% if loop.index == 4 %}<details class="data"><summary>{{ pairs | length - 3 }} more</summary>
{% endif %}
<p class="hint"><code>{{ pair.item }}</code>{% if pair.target %} · target {{ pair.target }}{% endif %}</p>
{% if pair.prompt %}<pre>{{ pair.prompt }}</pre>{% endif %}
<div class="sides">{{ side(pair.full) }}{{ side(pair.form) }}</div>
{% endfor %}{% if pairs | length > 3 %}</details>{% endif %}{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the pairs, where the finding has such."""
    pairs, shown = PAIRS.read(finding), SHOWN.read(finding)
    if not pairs and not shown:
        return None
    context = {
        "shown": _marked(shown.full, shown.form) if shown else None,
        "pairs": [
            {
                **_marked(pair.full, pair.form),
                "item": pair.item,
                "target": pair.target,
                "prompt": pair.prompt[:LONGEST],
            }
            for pair in pairs
        ],
    }
    lead = "Marked: what stands on one side only. Items on which the two arms differ most come first."
    return Section("pairs", "Full against form", lead, filled(_TEMPLATE, context))


class Side(NamedTuple):
    """An arm's text with the words marked that the other one's lacks."""

    name: str
    score: str
    marked: Markup


def _marked(full: ArmAnswer | ArmExample, form: ArmAnswer | ArmExample) -> dict[str, Side]:
    left, right = marked(full.text[:LONGEST], form.text[:LONGEST])
    return {
        name: Side(side.arm.replace("_", " "), plain(side.score) if isinstance(side, ArmAnswer) else "", text)
        for name, side, text in (("full", full, left), ("form", form, right))
    }


def marked(full: str, form: str) -> tuple[Markup, Markup]:
    """Return both texts as HTML, the words that stand in one of them only inside <ins>."""
    words = (_WORD.findall(full), _WORD.findall(form))
    operations = difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    sides: tuple[list[Markup], list[Markup]] = ([], [])
    for what, *ends in operations:
        for side, (start, end) in enumerate(((ends[0], ends[1]), (ends[2], ends[3]))):
            text = escape("".join(words[side][start:end]))
            if text:
                sides[side].append(text if what == "equal" else Markup("<ins>{}</ins>").format(text))
    return Markup("").join(sides[0]), Markup("").join(sides[1])
