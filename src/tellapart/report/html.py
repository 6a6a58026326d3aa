"""report.html: one file that opens offline, without any address to load from.

Its content security policy allows nothing but the page's own style and script, each by its hash; so even text that
found its way into the markup could neither run nor call home. `tellapart view` serves the same file (view.py).
"""

import base64
import hashlib
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from jinja2 import TemplateError
from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.reading import finding_from_json, in_form, read_findings
from tellapart.jsonvalue import JsonObject
from tellapart.report.document import read_row_columns, read_spec, with_models, with_tokens
from tellapart.report.provenance import provenance
from tellapart.report.sections import SECTIONS, Section
from tellapart.report.sections.verdict import head
from tellapart.report.subjects import describe_run, subjects
from tellapart.report.template import filled, template
from tellapart.report.text import visible_object
from tellapart.runs.files import write_atomically
from tellapart.version import __version__

SCRIPTS = ("tips.js", "heat.js", "items.js", "scale.js", "tables.js")
OFFLINE = "connect-src 'none'"
SERVED = "connect-src 'self'"


def write_report(run_folder: Path) -> Path:
    """Write report.html into a finished run's folder, whole or not at all, and return its path."""
    findings = with_tokens(read_findings(run_folder), run_folder)
    with in_form(f"{run_folder / 'findings.json'} or spec.json is", TemplateError):
        page = render(findings, with_models(read_spec(run_folder), run_folder), read_row_columns(run_folder))
    path = run_folder / "report.html"
    write_atomically(path, page)
    return path


def render(findings: Sequence[Finding], spec: JsonObject, rows: pd.DataFrame | None) -> str:
    """Return the page. `spec` is spec.json; `rows` has at least document.ROW_COLUMNS, or is None.

    A table of a finding that is not in its documented form raises UserMistake with the section's name.
    """
    clean = [finding_from_json(visible_object(finding.as_json())) for finding in findings]
    shown_spec = visible_object(spec)
    parts = [
        {"head": head(finding, number), "sections": _sections(finding, number), "number": number}
        for number, finding in enumerate(clean, 1)
    ]
    context = {
        "title": _title(clean, shown_spec),
        "subjects": subjects(shown_spec),
        "asked": _list_settings(shown_spec, clean),
        "command": str(shown_spec.get("command") or ""),
        "policy": Markup(page_policy()),
        "style": Markup(_style()),
        "script": Markup(_script()),
        "parts": parts,
        "provenance": provenance(shown_spec, rows),
        "version": __version__,
    }
    return str(filled(template(_static("report.html", "templates")), context))


def _list_settings(spec: JsonObject, findings: Sequence[Finding]) -> list[str]:
    with in_form("findings.json: the tables pairing, counts or guard_problems are"):
        return describe_run(spec, findings)


def _sections(finding: Finding, number: int) -> list[Section]:
    made = []
    for maker in SECTIONS:
        with in_form(
            f"findings.json: the tables of section {maker.__module__.rpartition('.')[2]} are", TemplateError
        ):
            section = maker(finding, number)
        if section is not None:
            made.append(section)
    return made


def _title(findings: Sequence[Finding], spec: JsonObject) -> str:
    verdicts = ", ".join(finding.verdict for finding in findings) or "no finding"
    names = " → ".join(name for _, name in subjects(spec)[:2])
    return f"{verdicts}: {names}" if names else verdicts


def page_policy(connections: str = OFFLINE) -> str:
    """Return the content security policy of the page: its own style and script, by their hashes, and nothing else."""
    sources = {"style-src": _style(), "script-src": _script()}
    hashes = (f"{name} 'sha256-{_hash(text)}'" for name, text in sources.items())
    rest = ("img-src data:", connections, "base-uri 'none'", "form-action 'none'")
    return "; ".join(("default-src 'none'", *hashes, *rest))


def _style() -> str:
    return _static("report.css")


def _script() -> str:
    return "\n".join(_static(name) for name in SCRIPTS)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _static(name: str, folder: str = "static") -> str:
    return (importlib.resources.files("tellapart.report") / folder / name).read_text(encoding="utf-8")
