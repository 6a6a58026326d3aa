"""Inside a network: its picture, maps of its features, sweeps of its weights, and the spectrum of its features."""

import re
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.inside import NETWORK
from tellapart.report.sections.section import Section
from tellapart.report.svg import Area, Axis, Tick, chart, line, linear, percent_ticks, stretched
from tellapart.report.template import filled, template

_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
_TEMPLATE = template("""
<figure><img src="{{ picture }}" width="128" height="128" alt="The picture that {{ name }} draws"></figure>
<h3>Feature maps</h3>
<p class="hint">Distinct features from the first hidden layer to the last, dark low, light high.</p>
<p>{% for one in features %}<img src="{{ one }}" width="64" height="64" alt="Feature map {{ loop.index }}">
{% endfor %}</p>
<h3>Weight sweeps</h3>
<p class="hint">The picture with one weight moved from w − 1 to w + 1; w itself is in the middle.</p>
{% for one in strips %}<figure><img src="{{ one.strip }}" width="320" height="64"
alt="Sweep of {{ one.weight }}"><figcaption>{{ one.weight }}</figcaption></figure>
{% endfor %}
{% if spectrum %}<h3>Spectrum of the distinct features</h3><figure class="chart">{{ spectrum }}</figure>{% endif %}
""")


def section(finding: Finding, number: int) -> Section | None:
    """Return the pictures of the network, None where the finding is of another study."""
    table = NETWORK.read(finding)
    if table is None:
        return None
    context = {
        "name": table.name,
        "picture": _checked(table.picture),
        "features": [_checked(feature) for feature in table.features],
        "strips": [replace(strip, strip=_checked(strip.strip)) for strip in table.strips],
        "spectrum": spectrum_chart(table.spectrum),
    }
    lead = (
        "What the network's units and weights do. No picture here enters the verdict; the figures above do."
    )
    return Section("inside", "Inside", lead, filled(_TEMPLATE, context))


def _checked(value: str) -> str:
    """Return the address of an embedded PNG; ValueError for any other address."""
    if _PICTURE.fullmatch(value) is None:
        raise ValueError("a picture is not an embedded PNG")
    return value


def spectrum_chart(shares: Sequence[float]) -> Markup | str:
    """Return the variance explained over principal directions, from their shares of variance; "" for fewer than two."""
    if len(shares) < 2:
        return ""
    explained = [sum(shares[: index + 1]) for index in range(len(shares))]
    last = len(shares)
    ticks = tuple(Tick(at, str(at)) for at in sorted({1, (1 + last) // 2, last}))
    area = Area(
        Axis("principal directions", ticks, linear(1, last)),
        Axis("variance explained", percent_ticks(0, 1), linear(0, 1)),
        180,
    )
    drawn = stretched(area, line(area, range(1, last + 1), explained, "base"))
    return chart(area, "Variance explained over principal directions", [drawn])
