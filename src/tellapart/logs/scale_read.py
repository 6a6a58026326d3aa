"""Scores over scale from files and folders of any known kind: `read_points(paths)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs import READERS, scale_big_bench, scale_lm_eval, scale_samples, scale_table
from tellapart.logs.lm_eval import NAME
from tellapart.logs.scale_points import Point, to_frame
from tellapart.logs.source import Source, in_form, open_source, parse, split
from tellapart.logs.value import mapping

SUFFIXES = {".json", ".jsonl", ".csv", ".parquet"}
KINDS = "lm-eval results, BIG-bench scores, tables (model, task, metric, value and a scale), per-sample logs"


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
    files = 0
    for reference in references:
        path, _ = split(str(reference))
        inside = path.is_dir()
        for file in _files(path):
            source = open_source(str(file), file, "")
            with in_form(file):
                read = _read(source)
            if read is None and inside:
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
    notes = (
        (f"{len(skipped)} files of no known kind were left out: {', '.join(skipped[:4])}",) if skipped else ()
    )
    if not frames:
        raise UserMistake(f"{', '.join(map(str, references))}: the files hold no score")
    return Points(pd.concat(frames, ignore_index=True), files, notes)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())


def _read(source: Source) -> pd.DataFrame | list[Point] | None:
    """Return the points of one file, None where it is of no known kind."""
    if scale_lm_eval.recognises(source):
        return list(scale_lm_eval.read(source))
    if scale_big_bench.recognises(source):
        return list(scale_big_bench.read(source))
    if scale_samples.recognises(source):
        return list(scale_samples.read(source, *_sampled(source.path)))
    if scale_table.recognises(source):
        return scale_table.read(source)
    for reader in READERS.values():
        if reader.recognises(source):
            log = reader.read(source)
            if not log.model:
                raise UserMistake(f"{source.path}: the log names no model, so its scale is not known")
            return list(scale_samples.from_recorded(log, source.path.stem))
    return None


def _sampled(path: Path) -> tuple[str, str]:
    """Return the model and the task of a samples file: from the results beside it, else from its folder and name."""
    name = NAME.fullmatch(path.name)
    task = name["task"] if name else path.stem.removeprefix("samples_")
    beside = [file for file in path.parent.glob("results*.json") if not name or name["time"] in file.name]
    if len(beside) == 1:
        held = mapping(parse(beside[0].read_bytes(), str(beside[0])), str(beside[0]))
        told = held.get("model_name")
        if isinstance(told, str) and told:
            return told, task
    return path.parent.name.replace("__", "/"), task
