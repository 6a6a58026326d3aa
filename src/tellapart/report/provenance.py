"""Where the figures come from: what was asked, the spec, versions, fingerprints."""

import pandas as pd
from markupsafe import Markup

from tellapart.jsonvalue import Json, JsonObject
from tellapart.report.template import filled, template
from tellapart.report.text import visible
from tellapart.stats.wording import NOTHING

_TEMPLATE = template("""
<section id="provenance" aria-labelledby="provenance-title">
<h2 id="provenance-title">Spec and provenance</h2>
{% if conditions %}
<details class="data"><summary>{{ total | count }} rows in {{ conditions | length }} conditions</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Rows by condition"><table>
<thead><tr><th scope="col">Condition</th>
<th scope="col" class="number">Rows</th><th scope="col" class="number">Items</th>
<th scope="col" class="number">Tokens</th><th scope="col" class="number">Seconds</th></tr></thead>
<tbody>{% for row in conditions %}<tr><th scope="row">{{ row.condition }}</th>
{% for name in ("rows", "distinct", "tokens", "seconds") %}<td class="number">{{ row[name] | count }}</td>
{% endfor %}</tr>
{% endfor %}</tbody>
</table></div></details>
{% endif %}
<details class="data"><summary>Spec, versions, fingerprints</summary>
<dl class="spec">
{% for name, value in fields %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}
</dl></details>
</section>
""")


def provenance(spec: JsonObject, rows: pd.DataFrame | None) -> Markup:
    """Return the closing section: rows by condition, and every field of spec.json."""
    conditions = _conditions(rows) if rows is not None and len(rows) else []
    context = {
        "conditions": conditions,
        "total": float(len(rows)) if rows is not None else 0.0,
        "fields": list(_fields(spec)),
    }
    return filled(_TEMPLATE, context)


def _conditions(rows: pd.DataFrame) -> list[dict[str, str | float]]:
    grouped = rows.groupby("condition", sort=True)
    summed = grouped.agg(
        rows=("item", "size"),
        distinct=("item", "nunique"),
        tokens=("tokens", "sum"),
        seconds=("seconds", "sum"),
    )
    return [
        {"condition": visible(str(values["condition"]))}
        | {name: float(values[name]) for name in ("rows", "distinct", "tokens", "seconds")}
        for values in summed.reset_index().to_dict("records")
    ]


def _fields(value: Json, name: str = "") -> list[tuple[str, str]]:
    """Return a nested JSON value as (dotted name, text) pairs."""
    if isinstance(value, dict) and value:
        return [pair for key, inner in value.items() for pair in _fields(inner, f"{name}.{key}".lstrip("."))]
    if isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        return [pair for i, inner in enumerate(value) for pair in _fields(inner, f"{name}.{i}")]
    if isinstance(value, list):
        return [(name, ", ".join(str(inner) for inner in value) or NOTHING)]
    return [(name, NOTHING if value is None or value == {} else str(value))]
