"""The one way every study runs: checked -> opened -> folder -> findings -> report -> told."""

import contextlib
import gc
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tellapart.errors import InvalidInput, Refused, UserMistake, closest
from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.budget import BudgetSpent
from tellapart.runs.executors import executing_as
from tellapart.runs.folder import canonical, keep_given, open_run, read_fields, run_path
from tellapart.runs.provenance import provenance
from tellapart.runs.spending import spending
from tellapart.studies.options import WITHOUT_EFFECT, ModelOptions, RunOptions, defaults_of
from tellapart.studies.outcome import Run, conclude, tell
from tellapart.studies.study import Opened, Reckoning, Study


def run(study: Study, spec: RunOptions, quiet: bool = False) -> Run:
    """Run a study as its spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    _check_gate(study, spec)
    with _uncollected() if spec.reads_logs else contextlib.nullcontext():
        return _run(study, spec, quiet)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave out the search for cycles: logs are millions of objects in none, and it takes a fifth of the time."""
    if enabled := gc.isenabled():
        gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _run(study: Study, spec: RunOptions, quiet: bool) -> Run:
    out = run_path(spec.out, study.name)
    opened = study.opened(spec, quiet or spec.json)
    if isinstance(spec, ModelOptions) and spec.dry_run:
        reckoned = opened.reckon() if opened.reckon else Reckoning()
        steps = [step._asdict() for step in opened.steps]
        lines = [planned(study, opened), *reckoned.lines]
        print(
            json.dumps({**reckoned.figures, "lines": list(reckoned.lines), "steps": steps})
            if spec.json
            else "\n".join(lines)
        )
        return Run(out, ())
    done = find(study, spec, opened, out)
    tell(done, spec.json, None if quiet else Console())
    return done


def find(study: Study, spec: RunOptions, opened: Opened, out: Path) -> Run:
    """Ask what the folder `out` lacks, and write what was found to it."""
    described = as_recorded(out, described_by(study, opened), type(spec))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_run(out, described, _context(spec)))
        keep_given(folder, described)
        if opened.asks and isinstance(spec, ModelOptions):
            stack.enter_context(spending(folder, spec.budget))
            stack.enter_context(executing_as(spec.executor, spec.workers, spec.device, folder))
        try:
            findings = opened.find(folder)
        except BudgetSpent as spent:
            raise Refused(
                f"{spent} before there was anything to say: run the same command with a larger --budget"
            ) from spent
        findings = conclude(folder.path, study.name, findings)
    return Run(out, tuple(findings))


def gated(run: Run, spec: RunOptions) -> str:
    """Return the first of the verdicts that were to fail (--fail-on) and that stands in the run; "" where none does."""
    return next((finding.verdict for finding in run.findings if finding.verdict in spec.fail_on), "")


def described_by(study: Study, opened: Opened) -> dict[str, Json]:
    """Return what must be the same for a run to be resumed: the spec's fields but the free ones, and what was read."""
    free = WITHOUT_EFFECT | set(opened.free)
    fields = {name: value for name, value in asdict(opened.spec).items() if name not in free}
    return {"study": study.name, **fields, **opened.beside}


def as_recorded(out: Path, described: JsonObject, spec: type[RunOptions]) -> dict[str, Json]:
    """Return the description as the folder has recorded it, where an older version recorded more or fewer options: one
    that it did not know had its default, and one that changes no answer may be what it was."""
    try:
        before = read_fields(out)
        recorded = set(before)
    except (UserMistake, ValueError):
        return dict(described)  # nothing there; or open_run says what is wrong with it
    defaults = defaults_of(spec)
    later = {name for name in described if name in defaults and name not in recorded}
    same = {name for name in later if canonical(described[name]) == canonical(defaults[name])}
    kept = {name: value for name, value in described.items() if name not in same}
    return kept | {name: before[name] for name in recorded & WITHOUT_EFFECT}


def planned(study: Study, opened: Opened) -> str:
    """Return in lines what would be asked: answers, and tokens at most."""
    if not opened.steps:
        return f"{study.name}: all inputs were read; nothing would be asked of a model"
    lines = [f"{study.name}: all inputs were read; this would be asked, less what the folder holds:"]
    for what, answers, tokens in opened.steps:
        most = "tokens not known" if tokens is None else f"at most {tokens:,} tokens"
        lines.append(f"  {what}: {answers:,} answers, {most}")
    total = sum(step.tokens or 0 for step in opened.steps)
    lines.append(
        f"  in all {sum(step.answers for step in opened.steps):,} answers, {total:,} tokens or fewer"
    )
    return "\n".join(lines)


def _check_gate(study: Study, spec: RunOptions) -> None:
    for verdict in spec.fail_on:
        if verdict not in study.verdicts:
            verdicts = ", ".join(study.verdicts)
            raise InvalidInput(
                f"--fail-on {verdict!r}{closest(verdict, study.verdicts)}: {study.name} says {verdicts}"
            )


def _context(spec: RunOptions) -> dict[str, Json]:
    """Return what is recorded beside the spec and may differ."""
    return {
        "provenance": provenance(spec.device if isinstance(spec, ModelOptions) else ""),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["tellapart", *sys.argv[1:]]) if _is_command() else "",
    }


def _is_command() -> bool:
    """Return whether this process is the command line (and its arguments are those of the run)."""
    return Path(sys.argv[0]).name in ("tellapart", "cli.py", "__main__.py")
