"""Example pairs: what full and the form-only arm were shown and answered, the differences marked."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from tellapart.findings.finding import Finding
from tellapart.findings.reading import number as parsed
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.stats.wording import plain

LONGEST = 3000
_WORD = re.compile(r"\w+|\s+|[^\w\s]")

_TEMPLATE = template("""
{% macro side(told) %}<div class="side"><h4>{{ told.name }}{% if told.score %} · score {{ told.score }}{% endif %}</h4>
<pre class="marked">{{ told.marked }}</pre></div>{% endmacro %}
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
    pairs, shown = finding.tables.get("pairs") or [], finding.tables.get("shown")
    if not pairs and not shown:
        return None
    context = {
        "shown": _marked(shown) if shown else None,
        "pairs": [
            {
                **_marked(pair),
                "item": pair["item"],
                "target": pair["target"],
                "prompt": str(pair["prompt"])[:LONGEST],
            }
            for pair in pairs
        ],
    }
    lead = "Marked: what stands on one side only. Items on which the two arms differ most come first."
    return Section("pairs", "Full against form", lead, filled(_TEMPLATE, context))


def _marked(pair: Mapping[str, Any]) -> dict[str, Any]:
    """Return both sides with the words that only one of them has marked."""
    full, form = (str(pair[side]["text"])[:LONGEST] for side in ("full", "form"))
    left, right = marked(full, form)
    return {
        side: {
            "name": str(pair[side]["arm"]).replace("_", " "),
            "score": plain(parsed(pair[side].get("score"))) if "score" in pair[side] else "",
            "marked": text,
        }
        for side, text in (("full", left), ("form", right))
    }


def marked(full: str, form: str) -> tuple[Markup, Markup]:
    """Return both texts as HTML, the words that stand in one of them only inside <ins>."""
    words = (_WORD.findall(full), _WORD.findall(form))
    found = difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    sides: tuple[list[Markup], list[Markup]] = ([], [])
    for what, *ends in found:
        for side, (start, end) in enumerate(((ends[0], ends[1]), (ends[2], ends[3]))):
            text = escape("".join(words[side][start:end]))
            if text:
                sides[side].append(text if what == "equal" else Markup("<ins>{}</ins>").format(text))
    return Markup("").join(sides[0]), Markup("").join(sides[1])
