"""From a path to the reader that understands it: files by their content, folders by the one log they hold."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from tellapart.errors import UserMistake
from tellapart.logs import mapped
from tellapart.logs.reader import Reader, as_tasks, joined, shards_joined
from tellapart.logs.recorded import Origin, Recorded
from tellapart.logs.source import SAVED, Source, as_rows, in_form, open_source, split
from tellapart.logs.source import SUFFIXES as PACKED
from tellapart.logs.value import listed

SUFFIXES = {".json", ".jsonl", ".csv", ".tsv", ".parquet", ".eval"}
WHOLE = ("rows.parquet", "per_instance_stats.json")
"""Files that stand for the folder they lie in."""
BESIDE = re.compile(
    r"(?:results?_.*\d{4}-\d\d-\d\d.*|metadata|metrics|config|run_spec|stats|scenario|scenario_state|summary|result|manifest"
    r"|.*_metrics|.*_summary)\.json"
)
"""Files that tools write beside their samples."""
_SHARD = re.compile(r"(?P<name>.*)-(?P<number>\d{3,})-of-(?P<of>\d{3,})\.\w+(?:\.(?:gz|bz2|xz|zst))?")
"""The files of one table that was cut in parts, as data sets on the hub are."""
_THRESHOLD = re.compile(r"^(?P<name>(?:[^=]|==)*?)>=\s*(?P<least>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)$")


def read_with(readers: Sequence[Reader], reference: str) -> Recorded:
    """Return the log at `reference`, read by the first of `readers` that recognises it."""
    path, choice = split(str(reference))
    with in_form(path):
        return _chosen(readers, str(reference), path, choice)


def _chosen(readers: Sequence[Reader], reference: str, path: Path, choice: str) -> Recorded:
    mapping = mapped.mapping_of(choice)
    if mapping is None and (threshold := _THRESHOLD.match(choice)):
        log = _read(readers, reference, path, threshold["name"])
        return _thresholded(log, float(threshold["least"]))
    return _read(readers, reference, path, choice)


def _read(readers: Sequence[Reader], reference: str, path: Path, choice: str) -> Recorded:
    try:
        if path.is_dir():
            for reader in readers:
                if files := reader.whole(path):
                    return _joined(reader, reference, files)
            files, choice = _in_folder(path, choice, readers)
            if len(files) > 1 and _SHARD.fullmatch(files[0].name):
                return _of_shards(readers, reference, files, choice)
            if len(files) > 1:
                return _of_tasks(readers, reference, files, choice, path)
            path = files[0]
    except OSError as error:
        raise UserMistake(f"{path}: cannot be read ({error})") from None
    log = read_source(readers, open_source(reference, path, choice))
    shard = _SHARD.fullmatch(path.name)
    if shard is None or int(shard["of"]) < 2:
        return log
    note = f"{path.name} is one of {int(shard['of'])} shards of a table: give the folder to read all"
    return replace(log, notes=(*log.notes, note))


def content_hash(readers: Sequence[Reader], reference: str) -> str:
    """Return a hash (32 hex digits) of the bytes of the files that `read_with` reads at `reference`."""
    path, choice = split(str(reference))
    if not path.is_dir():
        return content_of_file(path)
    whole = next((whole_file for reader in readers if (whole_file := reader.whole(path))), None)
    return content_of_file(*(whole or _in_folder(path, choice, readers)[0]))


def content_of_file(*paths: str | Path) -> str:
    """Return a hash (32 hex digits) of what files hold, in their order. Raises UserMistake where one cannot be read."""
    held = hashlib.blake2b(digest_size=16)
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                held.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise UserMistake(f"{path}: cannot be read ({error})") from None
    return held.hexdigest()


def read_source(readers: Sequence[Reader], source: Source) -> Recorded:
    """Return the log that a file holds; raises UserMistake with the keys that were found where none is known."""
    mapping = mapped.mapping_of(source.choice)
    if mapping is not None:
        return mapped.read(source, mapping)
    recognised = recogniser(readers, source)
    if recognised is not None:
        reader, view = recognised
        return reader.read(view)
    tools = ", ".join(reader.tool for reader in readers)
    raise UserMistake(f"{source.path}: {not_a_log(source)}; known formats: {tools}")


def recogniser(readers: Sequence[Reader], source: Source) -> tuple[Reader, Source] | None:
    """Return the reader of a file and the view that it reads: the file as it is, else the rows in its document."""
    rows = as_rows(source)
    for view in (source,) if rows is None else (source, rows):
        for reader in readers:
            if reader.recognises(view):
                return reader, view
    return None


def _thresholded(log: Recorded, least: float) -> Recorded:
    """Return the log with its scores made 1 from `least` on and 0 below; missing stays missing."""
    scores = log.frame["score"].to_numpy()
    right = np.where(np.isnan(scores), np.nan, (scores >= least).astype(float))
    notes = [note for note in log.notes if not note.startswith("scores lie between")]
    note = f"{log.source}: an answer is right from a score of {least:g} on, as said"
    return replace(log, frame=log.frame.assign(score=right), notes=(*notes, note))


def _of_shards(readers: Sequence[Reader], reference: str, files: Sequence[Path], choice: str) -> Recorded:
    """Return the shards of one table (train-00000-of-00003.parquet, ..) as one log. Raises UserMistake where some are
    missing, or other files lie among them."""
    matches = [_SHARD.fullmatch(file.name) for file in files]
    names = {(match["name"], int(match["of"])) for match in matches if match}
    folder = files[0].parent
    if not all(matches) or len(names) > 1:
        raise UserMistake(
            f"{folder}: holds the shards of several tables ({_named(files)}); name one: {folder}#PART*"
        )
    (_, total), numbers = next(iter(names)), {int(match["number"]) for match in matches if match}
    if missing := sorted(set(range(total)) - numbers):
        raise UserMistake(
            f"{folder}: {len(missing)} of the {total} shards of one table are missing (the first is {missing[0]:05d}): "
            "copy them all, or name one shard"
        )
    sources = [open_source(str(file), file, choice) for file in files]
    return shards_joined([read_source(readers, source) for source in sources], reference)


def _joined(reader: Reader, reference: str, files: Sequence[Path]) -> Recorded:
    sources = [open_source(str(file), file, "") for file in files]
    for source in sources:
        if not reader.recognises(source):
            raise UserMistake(
                f"{source.path}: {not_a_log(source)}; the other files there are of {reader.tool}"
            )
    return joined([reader.read(source) for source in sources], Origin(reader.tool, reference))


def _of_tasks(
    readers: Sequence[Reader], reference: str, files: Sequence[Path], choice: str, folder: Path
) -> Recorded:
    """Return files of one model and several tasks as one log; raises UserMistake where they are not that."""
    several = (
        f"{folder}: holds {len(files)} logs ({_named(files)}); name one of them, as {folder}#PART-OF-ITS-NAME"
    )
    if mapped.mapping_of(choice) is not None:
        raise UserMistake(several)
    tasks_read = []
    left_out = []
    for file in files:
        source = open_source(str(file), file, choice)
        read = recogniser(readers, source)
        if (
            read is None
            and source.kind == "json"
            and as_rows(source) is None
            and not_a_log(source) != AGGREGATE
        ):
            left_out.append(file.name)  # settings, as a script keeps them beside its answers
        elif read is None:
            raise UserMistake(f"{several} ({file.name} is no known log)")
        else:
            tasks_read.append(read)
    if left_out and len(tasks_read) == 1:
        log = tasks_read[0][0].read(tasks_read[0][1])
        return replace(log, notes=(*log.notes, f"without {listed(left_out)}, which hold no answers"))
    if left_out:
        raise UserMistake(f"{several} ({left_out[0]} is no known log)")
    tools = {reader.tool for reader, _ in tasks_read}
    tasks = [reader.task_of(view) for reader, view in tasks_read]
    if len(tools) > 1 or not all(tasks):
        raise UserMistake(several)
    if len(set(tasks)) < len(tasks):
        twice = next(task for task in tasks if tasks.count(task) > 1)
        raise UserMistake(f"{several}: task {twice} is there {tasks.count(twice)} times")
    parts = [
        replace(reader.read(view), task=task) for (reader, view), task in zip(tasks_read, tasks, strict=True)
    ]
    if not choice and len({part.metric.label for part in parts}) > 1:
        shared = [
            metric
            for metric in parts[0].metrics
            if not metric.is_error and all(any(metric.same_as(m) for m in part.metrics) for part in parts)
        ]
        if shared:
            return _of_tasks(readers, reference, files, shared[0].label, folder)
    return as_tasks(parts, Origin(parts[0].tool, reference))


def _in_folder(folder: Path, choice: str, readers: Sequence[Reader]) -> tuple[list[Path], str]:
    """Return the files of a folder that are its log, and the choice that is left once files were chosen by it.

    A pattern or a whole name of a task chooses files; so does a part of a name, unless it is the name of a metric too
    (acc, of mmlu_professional_accounting)."""
    while True:
        for name in WHOLE:
            if (folder / name).is_file():
                return [folder / name], choice
        if (folder / "spec.json").is_file():
            raise UserMistake(f"{folder}: the run is not complete (no rows.parquet); run its command again")
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        if arrow := next((path for path in inside if path.suffix == ".arrow"), None):
            raise UserMistake(f"{folder}: holds {arrow.name}, an Arrow file, {SAVED}")
        logs = [path for path in inside if path.is_file() and _suffix(path) in SUFFIXES]
        folders = [path for path in inside if path.is_dir()]
        if len(folders) == 1 and not logs:  # what else lies there is no log: a README
            folder = folders[0]
            continue
        break
    samples = [path for path in logs if path.name.startswith("samples_")]
    logs = samples or [path for path in logs if not BESIDE.fullmatch(path.name)] or logs
    if len(logs) > 1 and choice:
        part, _, rest = choice.partition("#")
        named = [path for path in logs if fnmatchcase(_bare(path.name), part)]
        if not named and not _names_metric(readers, logs[0], part):
            named = [path for path in logs if part in path.name]
        if named:
            return named, rest
    if logs:
        return logs, choice
    way = f"; its folders: {listed(path.name for path in folders)}: name one" if folders else ""
    raise UserMistake(f"{folder}: holds no log ({', '.join(sorted(SUFFIXES))}){way}")


def _names_metric(readers: Sequence[Reader], file: Path, name: str) -> bool:
    """Say whether a log has a metric, filter or scorer of this name."""
    try:
        recognised = recogniser(readers, open_source(str(file), file, ""))
        log = recognised[0].read(recognised[1]) if recognised else None
    except UserMistake:
        return False
    return log is not None and any(
        metric.named(name) or metric.name.split("/")[0] == name for metric in log.metrics
    )


AGGREGATE = "holds aggregate results only; give the samples (lm_eval --log_samples)"


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.name.endswith(PACKED) else path.suffix


def _bare(name: str) -> str:
    """Return the task in a file's name: what stands between samples_ or details_ and the time."""
    return re.sub(r"(?:_\d{4}-\d\d-\d\d.*)?\.\w+$", "", re.sub(r"^(?:samples|details)_", "", name))


def _named(files: Sequence[Path]) -> str:
    return ", ".join(path.name for path in files[:6]) + (", ..." if len(files) > 6 else "")


def not_a_log(source: Source) -> str:
    """Return why a file is no log, with the keys that it has and the --map that would do."""
    if source.kind == "json" and source.has("results") and (source.has("versions") or source.has("config")):
        results = source.head["results"]
        if isinstance(results, dict) and not isinstance(results.get("results"), list):
            return AGGREGATE
    return "is no known log" + mapped.proposal(source)
