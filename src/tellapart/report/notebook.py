"""A run in a notebook: verdict, sentence, main figures, the chart of methods, caveats. All text of the run is escaped,
and charts are images, so nothing of it is markup of the notebook's page."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.reading import finding_from_json
from tellapart.report.document import read_spec
from tellapart.report.main_figures import main_figures
from tellapart.report.pictures import pictures
from tellapart.report.sections.verdict import probability
from tellapart.report.subjects import subjects
from tellapart.report.template import filled, template
from tellapart.report.text import visible_deep, visible_object

FINDINGS, CAVEATS = 6, 8
"""How many of each are shown; the report has all."""

_TEMPLATE = template("""
<div style="max-width: 54rem; line-height: 1.45">
{% if about %}<p style="opacity: .7; margin: 0">{{ about }}</p>{% endif %}
{% for one in findings %}
<p style="opacity: .7; margin: .4rem 0 0">{{ one.finding.question }}</p>
<p style="margin: 0"><b style="font-size: 1.6em">{{ one.finding.verdict }}</b> {{ one.sure }}</p>
<p style="margin: .2rem 0 .6rem">{{ one.finding.sentence }}</p>
{% if one.figures %}
<table><thead><tr><th></th><th>value</th><th>95 % interval</th><th>n</th></tr></thead><tbody>
{% for figure in one.figures %}<tr><th style="text-align: left">{{ figure.label }}</th>
<td>{{ figure.value }}</td><td>{{ figure.interval }}</td><td>{{ figure.n | count }}</td></tr>
{% endfor %}</tbody></table>
{% endif %}
{{ one.picture }}
{% if one.caveats %}<details><summary>{{ one.finding.caveats | length }}
{{ "caveat" if one.finding.caveats | length == 1 else "caveats" }}</summary><ul>
{% for caveat in one.caveats %}<li>{{ caveat }}</li>{% endfor %}
{% if one.finding.caveats | length > one.caveats | length %}<li>… all are in the report</li>{% endif %}
</ul></details>{% endif %}
{% endfor %}
{% if more %}<p>… and {{ more }} more findings, all in the report</p>{% endif %}
<p style="opacity: .7">Report: <code>{{ report }}</code></p>
</div>
""")


def notebook_html(run_folder: Path, findings: Sequence[Finding]) -> str:
    """Return the run as HTML to stand in a notebook's page."""
    clean = [finding_from_json(visible_object(finding.as_json())) for finding in findings[:FINDINGS]]
    described = [
        {
            "finding": finding,
            "sure": f"{sure} probable" if (sure := probability(finding.probability)) else "no probability",
            "figures": [figure for figure in main_figures(finding) if not figure.missing],
            "picture": Markup("").join(Markup(picture._repr_html_()) for picture in pictures([finding])[:1]),
            "caveats": finding.caveats[:CAVEATS],
        }
        for finding in clean
    ]
    spec = read_spec(run_folder) if (run_folder / "spec.json").exists() else {}
    context = {
        "about": " → ".join(name for key, name in subjects(visible_object(spec)) if key != "task"),
        "findings": described,
        "more": len(findings) - len(clean),
        "report": str(visible_deep(str(run_folder / "report.html"))),
    }
    return str(filled(_TEMPLATE, context))
