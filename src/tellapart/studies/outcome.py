"""How every study ends: findings.json and its views (report.html) in its folder, and what is printed."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.findings.finding import FINDINGS_VERSION, Finding
from tellapart.models.budget import TokenBudget
from tellapart.runs.files import write_atomically
from tellapart.runs.folder import canonical, read_object
from tellapart.runs.provenance import mixed
from tellapart.studies.views import VIEWS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Run(NamedTuple):
    """What a study gives back: its folder and its findings."""

    folder: Path
    findings: tuple[Finding, ...]


def asked(study: str, spec: "DataclassInstance", free: Sequence[str]) -> dict[str, Any]:
    """Return what must be the same for a run to be gone on with: the spec's fields but the `free` ones, and but the
    permission to run code, which changes no answer."""
    free = (*free, "allow_code")
    return {"study": study, **{name: value for name, value in asdict(spec).items() if name not in free}}


def left_out(budget: TokenBudget) -> tuple[str, ...]:
    """Return the caveat that a budget left something out; nothing where it paid for all."""
    if not budget.refused:
        return ()
    said = f"The budget of {budget.limit:,} tokens was spent: what is missing was left out"
    return (f"{said}; the same command with a larger --budget goes on from there.",)


def conclude(folder: Path, study: str, findings: Sequence[Finding]) -> list[Finding]:
    """Write findings.json, whole or not at all, and every view of it (report.html); return the findings as written:
    with a caveat where rows were made under several versions."""
    said = mixed(read_object(folder / "spec.json"))
    written = [replace(one, caveats=(*one.caveats, said)) if said else one for one in findings]
    value = {"version": FINDINGS_VERSION, "study": study, "findings": [one.as_json() for one in written]}
    try:
        write_atomically(folder / "findings.json", canonical(value))
    except ValueError as error:
        raise UserMistake(f"findings hold a number that JSON cannot: {error}") from error
    for view in VIEWS:
        view.write(folder)
    return written


def tell(run: Run, as_json: bool, console: Console | None) -> None:
    """Print the findings as JSON and nothing else, or a summary to `console` (None: nothing)."""
    if as_json:
        print((run.folder / "findings.json").read_text())
    elif console is not None:
        for view in VIEWS:
            view.show(run.folder, run.findings, console)
