"""`tellapart guard`: problems or rollouts -> decisions and signals -> findings, filtered problems, report."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.logs.recorded import Origin, from_columns
from tellapart.logs.source import Source, open_source, split
from tellapart.runs.folder import open_run, run_path
from tellapart.runs.provenance import provenance
from tellapart.stats.difficulty import Bands
from tellapart.studies.guard.abilities import after
from tellapart.studies.guard.alarms import BY_HAND, Limits, calibrate
from tellapart.studies.guard.analyse import before, during, signals_over
from tellapart.studies.guard.before_after import ask_models, from_logs
from tellapart.studies.guard.decide import Decided, decide_problems
from tellapart.studies.guard.filtered import write_filtered
from tellapart.studies.guard.problems import Problems, from_answers, from_source, success_of
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.guard.training_log import TrainingLog, find_log, read_training
from tellapart.studies.opening import identities, opened, tell_chat
from tellapart.studies.outcome import Run, asked, conclude, tell

FREE = ("out", "json", "max_rows")
"""Fields of the spec that may differ when a run is gone on with."""
GROUP = 8


def run_guard(spec: GuardSpec, quiet: bool = False) -> Run:
    """Run `guard` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    out = run_path(spec.out, "guard")
    findings = _before_after(spec, out) if spec.before else _of_data(spec, out)
    run = Run(out, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run


def _before_after(spec: GuardSpec, out: Path) -> list[Finding]:
    if not spec.task:
        abilities = from_logs(spec.before, spec.after)
        sources = [open_source(name, *split(name)) for name in (*spec.before, *spec.after)]
        described = {**asked("guard", spec, FREE), "fingerprint": _fingerprint(sources)}
        with open_run(out, described, {"provenance": provenance(spec.device)}) as folder:
            findings = [after(abilities, spec.margin)]
            return conclude(folder.path, "guard", findings)
    from tellapart.tasks.sources import open_task

    tasks = [open_task(name, limit=spec.limit, seed=spec.seed) for name in spec.task]
    first, second = (opened(spec, name) for name in (*spec.before, *spec.after))
    tell_chat(spec, (first, second), spec.json)
    prints = [first.fingerprint, second.fingerprint, *(task.fingerprint for task in tasks)]
    identity = identities({"before": first, "after": second})
    described = {**asked("guard", spec, FREE), "fingerprint": prints, "identity": identity}
    with open_run(out, described, {"provenance": provenance(spec.device)}) as folder:
        findings = [after(ask_models(folder, spec, (first, second), tasks), spec.margin)]
        return conclude(folder.path, "guard", findings)


def _of_data(spec: GuardSpec, out: Path) -> list[Finding]:
    sources = find_log(spec.data)
    if sources:
        findings, problems, decided = _from_log(spec, read_training(sources))
    else:
        path, choice = split(spec.data)
        sources = [open_source(spec.data, path, choice)]
        problems = from_source(sources[0], spec.group, spec.success)
        findings, decided = _judged(spec, problems, problems.group)
    described = {
        **asked("guard", spec, FREE),
        "fingerprint": _fingerprint(sources),
    }
    with open_run(out, described, {"provenance": provenance(spec.device)}) as folder:
        write_filtered(folder.path, problems, decided)
        return conclude(folder.path, "guard", findings)


def _from_log(spec: GuardSpec, log: TrainingLog) -> tuple[list[Finding], Problems, Decided]:
    success = success_of(log.frame["score"].to_numpy(), spec.success, spec.data)
    frame = log.frame
    columns = {name: frame[name] for name in ("item", "question", "completion", "score", "steps", "target")}
    answers = from_columns(columns, Origin(log.tool, spec.data), ())
    note = "rates are those over the whole log, of a model that was being trained"
    problems = from_answers(answers, success)
    problems = Problems(problems.frame, problems.records, 0, (*log.notes, note))
    sizes = frame.groupby(["step", "item"]).size()
    findings, decided = _judged(spec, problems, int(sizes.median()) if len(sizes) else 0)
    return [during(log, success, limits_of(spec), spec.margin), *findings], problems, decided


def limits_of(spec: GuardSpec) -> Limits:
    """Return the limits of alarms: calibrated where healthy runs are given, else set by hand."""
    if not spec.healthy:
        return BY_HAND
    runs = []
    for name in spec.healthy:
        sources = find_log(name)
        if not sources:
            raise UserMistake(f"--healthy {name}: is no log of a trainer")
        log = read_training(sources)
        runs.append(signals_over(log, success_of(log.frame["score"].to_numpy(), spec.success, name))[1])
    return calibrate(runs)


def _judged(spec: GuardSpec, problems: Problems, seen: int) -> tuple[list[Finding], Decided]:
    decided = decide_problems(problems.frame, Bands(spec.hard, spec.solved), spec.guess)
    group = spec.group or (seen if seen > 1 else GROUP)
    return [before(problems, decided, group)], decided


def _fingerprint(sources: Sequence[Source]) -> str:
    """Return a content hash of all files."""
    held = hashlib.blake2b(digest_size=8)
    for source in sources:
        try:
            held.update(source.data or source.path.read_bytes())
        except OSError as error:
            raise UserMistake(f"{source.path}: cannot be read ({error})") from None
    return held.hexdigest()
