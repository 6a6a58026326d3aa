"""Text of a report: control characters made visible, JSON safe inside a page, figures in plain words."""

import json
import math

from markupsafe import Markup

from tellapart.errors import visible
from tellapart.findings.finding import PLAIN
from tellapart.findings.shown import Tokens
from tellapart.jsonvalue import Json, JsonObject


def visible_deep(value: Json) -> Json:
    """Return a JSON value in which every text is `visible` and every NaN or infinity is None."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {
            visible(str(key)): visible(inner)
            if type(inner) is str
            else inner
            if type(inner) in PLAIN
            else visible_deep(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [visible_deep(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def visible_object(fields: JsonObject) -> dict[str, Json]:
    """Return a JSON object as `visible_deep` does."""
    return {visible(str(name)): visible_deep(value) for name, value in fields.items()}


def embedded_json(value: Json) -> Markup:
    """Return `value` as JSON that can stand inside <script>: ASCII only, no `<`, `>` or `&`."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def tokens_spent(spent: Tokens | None) -> str:
    """Return what a run spent, by kind and in all; nothing where it was not counted.

    >>> tokens_spent(Tokens(generated=1200, scored=30, trained=4))
    'Tokens spent: 1,234 (1,200 generated, 30 scored, 4 trained on).'
    """
    if spent is None:
        return ""
    kinds = [kind or 0 for kind in (spent.generated, spent.scored, spent.trained)]
    return "Tokens spent: {:,} ({:,} generated, {:,} scored, {:,} trained on).".format(sum(kinds), *kinds)
