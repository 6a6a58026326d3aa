"""`tellapart guard`: problems or rollouts -> decisions and signals -> findings, filtered problems."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.logs import content_of
from tellapart.logs.recorded import Origin, from_columns
from tellapart.logs.source import Source, open_source, split
from tellapart.models.budget import current
from tellapart.runs.folder import RunFolder, read_fields
from tellapart.stats.difficulty import Bands
from tellapart.studies.guard.abilities import after
from tellapart.studies.guard.alarms import BY_HAND, Limits, calibrate
from tellapart.studies.guard.analyse import before, during, signals_over
from tellapart.studies.guard.before_after import ask_models, from_logs, keep_abilities, read_abilities
from tellapart.studies.guard.decide import Decided, decide_problems
from tellapart.studies.guard.filtered import write_filtered
from tellapart.studies.guard.problems import Problems, from_answers, from_log, from_source, success_of
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.guard.training_log import TrainingLog, find_log, read_training
from tellapart.studies.opening import identities, opened, tell_chat
from tellapart.studies.outcome import left_out
from tellapart.studies.study import Changes, Opened, Step, recorded_spec, refuse_changed

GROUP = 8


def open_guard(spec: GuardSpec, quiet: bool = False) -> Opened:
    """Read the problems, the logs, or the models before and after training."""
    if not spec.before:
        return _open_data(spec)
    return _open_models(spec, quiet) if spec.task else _open_sides(spec)


def _open_sides(spec: GuardSpec) -> Opened:
    abilities = from_logs(spec.before, spec.after)
    sources = [_source(name) for name in (*spec.before, *spec.after)]

    def find(folder: RunFolder) -> list[Finding]:
        keep_abilities(folder, abilities)
        return [after(abilities, spec.margin)]

    return Opened(spec, {"fingerprint": _fingerprint(sources)}, find, asks=False)


def _open_models(spec: GuardSpec, quiet: bool) -> Opened:
    from tellapart.tasks.sources import open_task

    tasks = [open_task(name, limit=spec.limit, seed=spec.seed) for name in spec.task]
    first, second = (opened(spec, name) for name in (*spec.before, *spec.after))
    tell_chat(spec, (first, second), quiet)
    prints = [first.fingerprint, second.fingerprint, *(task.fingerprint for task in tasks)]

    def find(folder: RunFolder) -> list[Finding]:
        abilities = ask_models(folder, spec, (first, second), tasks)
        spent = left_out(current())
        abilities = [replace(ability, notes=(*ability.notes, *spent)) for ability in abilities]
        keep_abilities(folder, abilities)
        return [after(abilities, spec.margin)]

    answers_by_task = [(task, 2 * len(task.items) * spec.samples) for task in tasks]
    steps = tuple(
        Step(f"{task.name}, before and after", n, n * task.max_tokens) for task, n in answers_by_task
    )
    identity = identities({"before": first, "after": second})
    return Opened(spec, {"fingerprint": prints, "identity": identity}, find, steps=steps)


def _open_data(spec: GuardSpec) -> Opened:
    sources: Sequence[Source | str] = find_log(spec.data)
    if sources:
        findings, problems, decided = _from_log(spec, read_training(sources))
    else:
        source = _source(spec.data)
        sources = [source]
        problems = (
            from_log(source, spec.success)
            if isinstance(source, str)
            else from_source(source, spec.group, spec.success)
        )
        findings, decided = _judged(spec, problems, problems.group)

    def find(folder: RunFolder) -> list[Finding]:
        write_filtered(folder.path, problems, decided)
        return findings

    return Opened(spec, {"fingerprint": _fingerprint(sources)}, find, asks=False)


def analyse_again(folder: Path, changes: Changes) -> list[Finding]:
    """Return the findings of a finished run: of abilities from the answers it keeps, of problems and logs from their
    files. Raises UserMistake where it is not finished, or where the files have changed."""
    fields = read_fields(folder)
    spec = replace(recorded_spec(GuardSpec, fields), **changes)
    if spec.before:
        return [after(read_abilities(folder), spec.margin)]
    read = _open_data(spec)
    refuse_changed(folder, fields, read.beside)
    return list(read.find(RunFolder(folder)))


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


def _source(reference: str) -> Source | str:
    """Return the file at a reference, opened; of a folder the reference itself, since only its reader knows its
    files."""
    path, choice = split(reference)
    return reference if path.is_dir() else open_source(reference, path, choice)


def _fingerprint(sources: Sequence[Source | str]) -> str:
    """Return a content hash of all files."""
    held = hashlib.blake2b(digest_size=8)
    for source in sources:
        if isinstance(source, str):
            held.update(content_of(source).encode())
            continue
        try:
            held.update(source.data or source.path.read_bytes())
        except OSError as error:
            raise UserMistake(f"{source.path}: cannot be read ({error})") from None
    return held.hexdigest()
