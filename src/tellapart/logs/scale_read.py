"""Scores over scale from files and folders of any known kind: `read_points(paths)`.

What belongs together is joined: samples with the results beside them (each metric once, the settings and sizes of the
results), the logs of one task whatever their files are called, a HELM run's files as one run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs import READERS, mapped, scale_big_bench, scale_lm_eval, scale_samples, scale_table
from tellapart.logs.find import BESIDE, recogniser
from tellapart.logs.lm_eval import results_beside, task_of
from tellapart.logs.recorded import Recorded
from tellapart.logs.scale_points import Point, to_frame
from tellapart.logs.source import SUFFIXES as PACKED
from tellapart.logs.source import Source, in_form, open_source, split

SUFFIXES = {".json", ".jsonl", ".csv", ".tsv", ".parquet", ".eval"}
KINDS = "lm-eval results, BIG-bench scores, tables (model, task, metric, value and a scale), per-sample logs"
HELM = "per_instance_stats.json"
"""The file that stands for a run of HELM; the others of its folder are read with it."""


class Points(NamedTuple):
    """The points of all files (columns of Point), how many files they came from, and what is odd about them."""

    frame: pd.DataFrame
    files: int
    notes: tuple[str, ...]


def read_points(references: Sequence[str]) -> Points:
    """Return the points of files and folders (searched in depth). A file that was named must be readable; in a folder,
    files of no known kind are left out, with a note. Raises UserMistake in one line."""
    frames: list[pd.DataFrame] = []
    loose: list[Point] = []
    skipped: list[str] = []
    notes: list[str] = []
    files = 0
    for reference in references:
        path, choice = split(str(reference))
        inside = path.is_dir()
        for file in _files(path):
            source = open_source(f"{file}#{choice}" if choice else str(file), file, choice)
            with in_form(file):
                read = _read(source, notes)
            if read is None and inside:
                if not BESIDE.fullmatch(file.name):
                    skipped.append(str(file.relative_to(path)))
                continue
            if read is None:
                raise UserMistake(f"{file}: holds no scores over scale; known: {KINDS}")
            files += 1
            if isinstance(read, pd.DataFrame):
                frames.append(read)
            else:
                loose.extend(read)
    if files == 0:
        raise UserMistake(
            f"{', '.join(map(str, references))}: no file with scores over scale; known: {KINDS}"
        )
    with in_form(", ".join(map(str, references))):
        frames = [frame for frame in (*frames, to_frame(loose)) if len(frame)]
    if skipped:
        notes.append(f"{len(skipped)} files of no known kind were left out: {', '.join(skipped[:4])}")
    if not frames:
        raise UserMistake(f"{', '.join(map(str, references))}: the files hold no score")
    return Points(pd.concat(frames, ignore_index=True), files, tuple(dict.fromkeys(notes)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*") if _suffix(file) in SUFFIXES and file.is_file())
    runs = {file.parent for file in files if file.name == HELM}
    return [file for file in files if file.parent not in runs or file.name == HELM]


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.name.endswith(PACKED) else path.suffix


def _read(source: Source, notes: list[str]) -> pd.DataFrame | list[Point] | None:
    """Return the points of one file, None where it is of no known kind."""
    if (mapping := mapped.mapping_of(source.choice)) is not None:
        log = mapped.read(source, mapping)
        return list(scale_samples.from_recorded(_with_model(log, source), log.task or _named(source)))
    if scale_lm_eval.recognises(source):
        return list(scale_lm_eval.read(source))
    if scale_big_bench.recognises(source):
        return list(scale_big_bench.read(source))
    if scale_samples.recognises(source):
        return _of_samples(source)
    recognised = recogniser([reader for reader in READERS.values() if reader.tool != "counts"], source)
    if recognised is not None:
        reader, view = recognised
        log = _with_model(reader.read(view), source)
        notes += log.notes
        return list(scale_samples.from_recorded(log, log.task or _named(source)))
    if scale_table.recognises(source):
        return scale_table.read(source)
    recognised = recogniser(list(READERS.values()), source)
    if recognised is not None:
        log = _with_model(recognised[0].read(recognised[1]), source)
        return list(scale_samples.from_recorded(log, log.task or _named(source)))
    return None


def _with_model(log: Recorded, source: Source) -> Recorded:
    if not log.model:
        raise UserMistake(f"{source.path}: the log names no model, so its scale is not known")
    return log


def _named(source: Source) -> str:
    return source.path.parent.name if source.path.name == HELM else Path(source.name).stem


def _of_samples(source: Source) -> list[Point]:
    """Return the points of lm-eval's samples: all of them, or those that the results beside do not tell."""
    task = task_of(source) or Path(source.name).stem.removeprefix("samples_")
    results = results_beside(source.path)
    beside = Source(str(source.path), source.path, "", "json", results)
    points = (
        [point for point in scale_lm_eval.read(beside) if point.task == task]
        if scale_lm_eval.recognises(beside)
        else []
    )
    model = str(results.get("model_name") or "") or source.path.parent.name.replace("__", "/")
    if not points:
        return list(scale_samples.read(source, model, task))
    first = points[0]
    metrics = {point.metric for point in points}
    return [
        point._replace(model=first.model, family=first.family, setting=first.setting, parameters=first.parameters,
                     steps=first.steps)
        for point in scale_samples.read(source, model, task)
        if point.metric not in metrics
    ]  # fmt: skip
