"""The one Jinja environment of the report: everything put into a template is escaped, an unknown name is an error."""

from collections.abc import Mapping

import jinja2
from markupsafe import Markup

from tellapart.stats import wording

_ENVIRONMENT = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "percent": wording.percent,
    "points": wording.points,
    "count": wording.count,
    "bits": wording.bits,
    "signed": wording.signed,
    "plain": wording.plain,
    "label": wording.label,
}
_ENVIRONMENT.globals |= {"between": wording.between}


def template(source: str) -> jinja2.Template:
    """Return the template whose text is `source`."""
    return _ENVIRONMENT.from_string(source)


def filled(source: jinja2.Template, context: Mapping[str, object]) -> Markup:
    """Return the filled template as text that is HTML already."""
    return Markup(source.render(context))
