"""How every study ends: findings.json and report.html in its folder, and what is printed."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.models.budget import TokenBudget
from tellapart.report.document import with_tokens
from tellapart.report.html import write_report
from tellapart.report.terminal import print_summary
from tellapart.runs.folder import canonical, write_atomically
from tellapart.studies.finding import FINDINGS_VERSION, Finding

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Run(NamedTuple):
    """What a study gives back: its folder and its findings."""

    folder: Path
    findings: tuple[Finding, ...]


def asked(study: str, spec: "DataclassInstance", free: Sequence[str]) -> dict[str, Any]:
    """Return what must be the same for a run to be gone on with: the spec's fields but the `free` ones."""
    return {"study": study, **{name: value for name, value in asdict(spec).items() if name not in free}}


def left_out(budget: TokenBudget) -> tuple[str, ...]:
    """Return the caveat that a budget left something out; nothing where it paid for all."""
    if not budget.refused:
        return ()
    said = f"The budget of {budget.limit:,} tokens was spent: what is missing was left out"
    return (f"{said}; the same command with a larger --budget goes on from there.",)


def conclude(folder: Path, study: str, findings: Sequence[Finding]) -> None:
    """Write findings.json, whole or not at all, and report.html."""
    value = {
        "version": FINDINGS_VERSION,
        "study": study,
        "findings": [finding.as_json() for finding in findings],
    }
    try:
        write_atomically(folder / "findings.json", canonical(value))
    except ValueError as error:
        raise UserMistake(f"findings hold a number that JSON cannot: {error}") from error
    write_report(folder)


def tell(run: Run, as_json: bool, console: Console | None) -> None:
    """Print the findings as JSON and nothing else, or a summary to `console` (None: nothing)."""
    if as_json:
        print((run.folder / "findings.json").read_text())
    elif console is not None:
        told = json.loads((run.folder / "spec.json").read_text())
        print_summary(with_tokens(run.findings, run.folder), told, console, run.folder / "report.html")
