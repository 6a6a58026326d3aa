"""Does the model know what it knows: the reliability diagram and the risk-coverage curve of the full arm."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.form import RELIABILITY, RISK_COVERAGE, ConfidenceBin, RiskCoverage
from tellapart.report.figures import Curve, bare, curves
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, linear, percent_ticks
from tellapart.report.template import filled, template
from tellapart.stats.wording import percent

_TEMPLATE = template("""
<div class="pair">
{% if reliability %}<figure class="chart"><figcaption><h3>Reliability</h3><p>Share of right answers against confidence;
on the dashed line confidence is what it says.</p></figcaption>
<ul class="legend" aria-hidden="true"><li><i class="key line tuned"></i>full</li>
<li><i class="key line floor"></i>calibrated</li></ul>{{ reliability }}</figure>{% endif %}
{% if risk %}<figure class="chart"><figcaption><h3>Risk against coverage</h3><p>Share of wrong answers among the most
confident ones that are kept. Flat: confidence tells nothing.</p></figcaption>
<ul class="legend" aria-hidden="true"><li><i class="key line tuned"></i>full</li></ul>{{ risk }}</figure>{% endif %}
</div>
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the curves, where answers came with log-probabilities."""
    bins, kept = RELIABILITY.read(finding), RISK_COVERAGE.read(finding)
    if not bins and not kept:
        return None
    context = {
        "reliability": _reliability(bins) if bins else None,
        "risk": _risk(kept) if kept else None,
    }
    lead = "Confidence is the geometric mean probability of the answer's tokens."
    return Section("confidence", "Does it know what it knows?", lead, filled(_TEMPLATE, context))


def _reliability(bins: Sequence[ConfidenceBin]) -> Markup:
    xs = [row.confidence for row in bins]
    points = [(row.right, row.low, row.high) for row in bins]
    ends = [0.0, 1.0]
    lines = [Curve("calibrated", "floor dotless", ends, bare(ends)), Curve("right", "tuned", xs, points)]
    return curves(_area("confidence", "right"), "share right against confidence", lines, _at("confidence"))


def _risk(kept: RiskCoverage) -> Markup:
    line = Curve("wrong", "tuned dotless", kept.coverage, bare(kept.risk))
    return curves(_area("answers kept", "wrong"), "risk against coverage", [line], _at("kept"))


def _area(x: str, y: str) -> Area:
    ticks = percent_ticks(0, 1)
    return Area(Axis(x, ticks, linear(0, 1)), Axis(y, ticks, linear(0, 1)), 240)


def _at(what: str) -> Callable[[float], str]:
    return lambda value: f"{what} {percent(value)}"
