"""`tellapart guard`: problems or rollouts -> decisions and signals -> findings, filtered problems, report."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.logs.recorded import Origin, from_columns
from tellapart.logs.source import Source, open_source, split
from tellapart.runs.folder import open_run
from tellapart.runs.provenance import provenance
from tellapart.stats.difficulty import Bands
from tellapart.studies.finding import Finding
from tellapart.studies.guard.analyse import before, during
from tellapart.studies.guard.decide import Decided, decide_problems
from tellapart.studies.guard.filtered import write_filtered
from tellapart.studies.guard.problems import Problems, from_answers, from_source, success_of
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.guard.training_log import TrainingLog, find_log, read_training
from tellapart.studies.outcome import Run, asked, conclude, tell

FREE = ("out", "json")
"""Fields of the spec that may differ when a run is gone on with."""
GROUP = 8


def run_guard(spec: GuardSpec, quiet: bool = False) -> Run:
    """Run `guard` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    out = Path(spec.out or time.strftime("runs/guard-%Y%m%d-%H%M%S"))
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
    with open_run(out, described, {"provenance": provenance()}) as folder:
        write_filtered(folder.path, problems, decided)
        conclude(folder.path, "guard", findings)
    run = Run(out, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run


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
    return [during(log, success), *findings], problems, decided


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
