"""`tellapart form`: spec -> rows -> findings -> report, in a run folder that can be gone on with."""

from pathlib import Path
from typing import Any

from rich.console import Console

from tellapart.findings.finding import Finding
from tellapart.logs.find import content_of_file
from tellapart.runs.folder import RunFolder, open_run, run_path
from tellapart.runs.provenance import provenance
from tellapart.runs.table import read_table, write_table
from tellapart.studies.form.analyse import analyse
from tellapart.studies.form.facts import GIVEN, Facts
from tellapart.studies.form.imitation import judged_finding
from tellapart.studies.form.judged import read_pairs
from tellapart.studies.form.logs import rows_from_logs
from tellapart.studies.form.rates import is_table, rates_finding, read_preferences
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.opening import opened
from tellapart.studies.outcome import Run, asked, conclude, tell

FREE = ("out", "json", "budget", "device", "max_rows")
"""Fields of the spec that may differ when a run is gone on with."""


def run_form(spec: FormSpec, quiet: bool = False) -> Run:
    """Run `form` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    out = run_path(spec.out, "form")
    if spec.pairs is not None:
        findings = _from_pairs(spec, out)
    elif spec.logs:
        findings = _from_logs(spec, out)
    else:
        from tellapart.studies.form.models import from_models

        findings = from_models(spec, out)
    run = Run(out, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run


def _from_logs(spec: FormSpec, out: Path) -> list[Finding]:
    read = rows_from_logs(spec.logs)
    facts = Facts(
        families={GIVEN: read.arms},
        margin=spec.margin,
        correct_at=spec.correct_at,
        seed=spec.seed,
        prompts=read.prompts,
        targets=read.targets,
        notes=read.notes,
    )
    with open_run(
        out, {**canonical_spec(spec), "sources": read.sources}, {"provenance": provenance(spec.device)}
    ) as folder:
        write_table(folder.path, read.table)
        return finish(folder, facts)


def _from_pairs(spec: FormSpec, out: Path) -> list[Finding]:
    assert spec.pairs is not None
    if spec.judge is not None:
        return _from_judge(spec, out)
    if is_table(spec.pairs):
        read = read_preferences(spec.pairs)
        finding, count = rates_finding(read), len(read.frame)
    else:
        judged, notes = read_pairs(spec.pairs)
        finding, count = judged_finding(judged, spec.seed, notes), len(judged)
    described = {**canonical_spec(spec), "judged": count, "content": content_of_file(spec.pairs)}
    with open_run(out, described, {"provenance": provenance(spec.device)}) as folder:
        return conclude(folder.path, "form", [finding])


def _from_judge(spec: FormSpec, out: Path) -> list[Finding]:
    from tellapart.studies.form.judging import judge_pairs, read_unjudged

    assert spec.pairs is not None
    assert spec.judge is not None
    pairs = read_unjudged(spec.pairs)
    judge = opened(spec, spec.judge)
    described = {
        **canonical_spec(spec),
        "fingerprints": {"judge": judge.fingerprint},
        "pairs_read": len(pairs),
        "content": content_of_file(spec.pairs),
    }
    with open_run(out, described, {"provenance": provenance(spec.device)}) as folder:
        judged = judge_pairs(folder, judge, pairs, spec.json)
        finding = judged_finding(judged, spec.seed, judge.notes)
        return conclude(folder.path, "form", [finding])


def canonical_spec(spec: FormSpec) -> dict[str, Any]:
    """Return what must be the same for a run to be gone on with."""
    return asked("form", spec, FREE)


def finish(folder: RunFolder, facts: Facts) -> list[Finding]:
    """Analyse the rows of the folder, write findings.json and report.html."""
    folder.write_artifact("facts", facts.as_json())
    findings = analyse(read_table(folder.path), facts)
    return conclude(folder.path, "form", findings)
