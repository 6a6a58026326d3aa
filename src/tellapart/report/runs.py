"""`tellapart runs`: what lies under a folder, newest first."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart import remote
from tellapart.errors import InvalidInput, UserMistake, one_line
from tellapart.findings.reading import read_findings
from tellapart.report.document import read_spec
from tellapart.report.subjects import subjects
from tellapart.report.text import visible
from tellapart.runs.folder import doing

SPEC = "spec.json"

PIPED = 2000
"""Characters a line where no terminal sets a width."""


@dataclass(frozen=True)
class Listed:
    """A run folder in a list. `state` is finished, unfinished, under way (and at what), or what is wrong with it;
    `verdicts` one a finding."""

    folder: str
    study: str
    started: str
    verdicts: tuple[str, ...]
    about: str
    state: str


def list_runs(folder: Path) -> list[Listed]:
    """Return the runs under a folder, newest first; what is inside a run is not looked at. Raises InvalidInput where
    there is no such folder."""
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder: give the one that holds the runs (default: runs)")
    return sorted(map(_listed, _run_folders(folder)), key=lambda run: run.started, reverse=True)


def print_runs(folder: str, as_json: bool) -> None:
    """Print the list."""
    runs = list_runs(remote.folder(folder, only=(SPEC, "findings.json")))
    if as_json:
        print(json.dumps([asdict(run) for run in runs], indent=1))
        return
    # A pipe has no width: whatever reads it wants whole paths.
    console = Console(width=None if sys.stdout.isatty() else PIPED)
    if not runs:
        console.print(f"no runs under {folder}", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "started", "study", "verdicts", "about"):
        table.add_column(name, overflow="fold", no_wrap=name == "study")
    for run in runs:
        said = ", ".join(run.verdicts) if run.state == "finished" else run.state
        table.add_row(
            *(Text(visible(text)) for text in (run.folder, run.started, run.study, said, run.about))
        )
    console.print(table)


def _run_folders(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders.sort()
        if SPEC in files:
            folders.clear()
            yield Path(path)


def _listed(folder: Path) -> Listed:
    place = remote.named(str(folder))
    try:
        spec = read_spec(folder)
    except UserMistake as mistake:
        return Listed(place, "", _changed(folder), (), "", str(mistake))
    fields = spec.get("spec")
    study = str(fields.get("study", "")) if isinstance(fields, dict) else ""
    about = ", ".join(f"{key} {name}" for key, name in subjects(spec))
    started = str(spec.get("started") or _changed(folder))
    try:
        if (now := doing(folder)) is not None:
            state = f"under way: {one_line(now, 100)}" if now else "under way"
            return Listed(place, study, started, (), about, state)
    except (UserMistake, OSError) as mistake:
        return Listed(place, study, started, (), about, str(mistake))
    if not (folder / "findings.json").exists():
        return Listed(place, study, started, (), about, "unfinished")
    try:
        verdicts = tuple(finding.verdict for finding in read_findings(folder))
    except UserMistake as mistake:
        return Listed(place, study, started, (), about, str(mistake))
    return Listed(place, study, started, verdicts, about, "finished")


def _changed(folder: Path) -> str:
    """Return when spec.json was written: runs of older versions do not say when they were started."""
    return datetime.fromtimestamp((folder / SPEC).stat().st_mtime, UTC).isoformat(timespec="seconds")
