"""`tellapart export RUN --format inspect --out DIR`: a run's answers as logs of other tools, one a condition.

The question and target of an item come from the run's facts, else from its task or logs, opened again and only where
they are what the run read; an item without them is written under its id.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tellapart import inputs
from tellapart.errors import InvalidInput, NotApplicable, UserMistake, closest
from tellapart.findings.reading import in_form, read_findings
from tellapart.jsonvalue import JsonObject
from tellapart.logs import content_of
from tellapart.logs.sides import read_sides
from tellapart.logs.write import Export, write_inspect, write_plain
from tellapart.logs.write_eee import write_eee
from tellapart.report.document import read_spec
from tellapart.report.subjects import portable, subjects
from tellapart.runs.files import telling
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.table import read_table
from tellapart.tasks.questions import with_duplicates_joined
from tellapart.tasks.sources import open_task

Writer = Callable[[pd.DataFrame, Path, Export], Path]


class Exported(NamedTuple):
    """The files that were written, one-line notes on what was not, and the condition of each file (logs only)."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


class Texts(NamedTuple):
    """By item, what was asked and what was right; empty, with the reason, where the run does not tell."""

    questions: Mapping[str, str]
    targets: Mapping[str, str]
    lacking: str = ""


def _plain(suffix: str, rows: pd.DataFrame, folder: Path, export: Export) -> Path:
    condition = str(rows["condition"].iloc[0])
    readable = "".join(char if char.isalnum() else "-" for char in condition)[:60]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{readable}-{digest(condition)[:8]}.{suffix}"
    write_plain(rows, path, export)
    return path


FORMATS: Mapping[str, Writer] = {
    "inspect": partial(write_inspect, kind="eval"),
    "inspect-json": partial(write_inspect, kind="json"),
    "eee": write_eee,
    "parquet": partial(_plain, "parquet"),
    "jsonl": partial(_plain, "jsonl"),
}


def export_logs(run: Path, form: str, out: Path, conditions: Sequence[str] = ()) -> Exported:
    """Write the conditions of a run (default: all that hold answers of their own) to `out` in one of FORMATS.

    Raises UserMistake for a run without rows, and InvalidInput for a format or a condition that is not there.
    """
    if form not in FORMATS:
        raise InvalidInput(f"--format {form!r}{closest(form, FORMATS)}: give one of {', '.join(FORMATS)}")
    spec = read_spec(run)
    rows = read_table(run)
    every = list(dict.fromkeys(rows["condition"].tolist()))
    # base<tuned: what one model makes of the other's answers; no answers of its own
    answered = [name for name in every if "<" not in name]
    for name in conditions:
        if name not in answered:
            raise InvalidInput(
                f"--condition {name!r}{closest(name, answered)}: {run} has {', '.join(answered) or 'none'}"
            )
    with inputs.looking_in(run / inputs.FOLDER):
        texts = read_texts(run, spec)
    paths: dict[str, Path] = {}
    notes = [texts.lacking] if texts.lacking else []
    with telling(out), in_form(f"{run} holds rows that are"):
        for name in conditions or answered:
            export = Export(_task(spec), _model(spec, name), texts.questions, texts.targets, _started(spec))
            try:
                paths[name] = FORMATS[form](rows[rows["condition"] == name], out, export)
            except NotApplicable as reason:
                notes.append(f"left out: {reason}")
    return Exported(tuple(paths.values()), tuple(notes), tuple(paths))


def reading_back(run: Path, done: Exported) -> list[str]:
    """Return the command that judges the exported logs of a `gain` run anew, as words; none for other runs, or
    where no method was tried. What each was told are the bits that the run found."""
    by_condition = dict(zip(done.conditions, map(str, done.paths), strict=True))
    base, tuned = by_condition.get("base/plain"), by_condition.get("tuned/plain")
    methods = (RunFolder(run).read_artifact("facts") or {}).get("elicitors")
    if base is None or tuned is None or not isinstance(methods, dict):
        return []
    (finding, *_) = read_findings(run)
    way, null, stated = [], [], []
    for name, about in methods.items():
        bits = finding.estimates.get(f"bits_supplied/{name}")
        log, control = (by_condition.get(f"base/{log_name}") for log_name in (name, f"{name}~null"))
        if log is None or bits is None or not isinstance(about, Mapping):
            continue
        way.append(f"{name}={log}")
        stated += [f"{name}={bits.value!r}"] if math.isfinite(bits.value) else []
        if control is not None:
            null.append(f"{name}={control}")
            stated += [f"{name}~null=0"] if about.get("null_tells") == "nothing" else []
    if not way:
        return []
    options = (("--way", way), ("--null", null), ("--bits", stated))
    written = [word for option, words in options if words for word in (option, *words)]
    return ["tellapart", "gain", "--logs", base, tuned, *written]


def read_texts(run: Path, spec: JsonObject) -> Texts:
    """Return what the items of a run asked."""
    facts = RunFolder(run).read_artifact("facts") or {}
    questions, targets = facts.get("prompts"), facts.get("targets")
    fields = spec.get("spec")
    fields = fields if isinstance(fields, dict) else {}
    whole = not fields.get("logs")  # of logs the facts hold texts to be shown, cut
    if whole and isinstance(questions, dict) and questions:
        return Texts(_texts(questions), _texts(targets if isinstance(targets, dict) else {}))
    try:
        return _from_logs(fields) if fields.get("logs") else _from_task(fields)
    except UserMistake as reason:
        return Texts({}, {}, f"items are written under their ids, without questions and targets: {reason}")


def _from_logs(fields: JsonObject) -> Texts:
    logs, sources = fields["logs"], fields.get("sources")
    if not isinstance(logs, list) or len(logs) != 2 or not isinstance(sources, dict):
        raise UserMistake("the run does not say which logs hold them")
    base, tuned = map(str, logs)
    for name, source in zip((base, tuned), sources.values(), strict=False):
        if not isinstance(source, dict) or content_of(name) != source.get("content"):
            raise UserMistake(f"{name} has changed since the run read it")
    paired = read_sides(base, tuned).paired
    frames = [frame for frame in (paired.a, paired.b, paired.a_rest, paired.b_rest) if len(frame)]
    items_frame = pd.concat(frames, ignore_index=True).drop_duplicates("item")
    items = items_frame["item"].tolist()
    questions, targets = (
        dict(zip(items, items_frame[name].tolist(), strict=True)) for name in ("question", "target")
    )
    return Texts(questions, targets)


def _from_task(fields: JsonObject) -> Texts:
    reference = fields.get("task")
    if not isinstance(reference, str):
        raise UserMistake("the run is of no single task")
    limit, seed = fields.get("limit"), fields.get("seed", 0)
    task = open_task(
        reference, limit=limit if isinstance(limit, int) else None, seed=seed if isinstance(seed, int) else 0
    )
    recorded = fields.get("fingerprints")
    fingerprint = recorded.get("task") if isinstance(recorded, dict) else None
    if fingerprint not in (task.fingerprint, with_duplicates_joined(task).fingerprint):
        raise UserMistake(f"{reference} is not the task that the run asked")
    return Texts(
        {item.id: task.prompt(item) for item in task.items},
        {item.id: " | ".join(item.target) for item in task.items},
    )


def _texts(values: JsonObject) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _task(spec: JsonObject) -> str:
    named = dict(subjects(spec)).get("task", "")
    return Path(named).stem if Path(named).suffix else named or "log"


def _model(spec: JsonObject, condition: str) -> str:
    """Return the model that answered: by the role that begins a condition (base/, tuned@STEP/), else the run's."""
    names = dict(subjects(spec))
    role, _, step = condition.partition("/")[0].partition("@")
    name = names.get(role) or names.get("model") or names.get("base") or "unknown"
    shown = portable(name)
    return f"{shown}@{step}" if step else shown


def _started(spec: JsonObject) -> str:
    """Return when a run was started; "" where it does not say (runs of older versions), which is written as now."""
    try:
        return datetime.fromisoformat(str(spec.get("started"))).isoformat(timespec="seconds")
    except ValueError:
        return ""
