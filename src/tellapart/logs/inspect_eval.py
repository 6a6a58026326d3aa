"""Inspect logs: `.json`, and `.eval` (a ZIP of header.json and samples, whole or chunked).

Scores: the first scorer's value (`path#SCORER` or `path#SCORER/KEY` chooses another), C 1, P 0.5, I and N 0.
"""

import re
from collections.abc import Sequence

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.archive import Archive
from tellapart.logs.inspect_sample import logged, reading_of
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, parse
from tellapart.logs.value import field, listed, listing, mapping, text

TOOL = "inspect"
WHOLE = re.compile(r"samples/.+_epoch_\d+\.json", re.DOTALL)
SHELL = re.compile(r"samples/.+_epoch_\d+/sample\.json", re.DOTALL)
WITHOUT = {
    "cancelled": "the run was cancelled before a sample finished",
    "error": "the run ended in an error before a sample finished",
    "started": "the run had not finished a sample",
}


def read(source: Source) -> Recorded:
    """Return one row a sample and epoch; raises UserMistake where the log holds no samples."""
    place = str(source.path)
    header, samples = _opened(source)
    spec = mapping(field(header, "eval", place), f"{place}: eval")
    model, status = text(spec.get("model")), text(header.get("status"))
    notes = []
    if status not in ("success", ""):
        notes.append(f"the run's status is {status!r}: samples may be missing")
    if not samples:
        raise UserMistake(f"{place}: holds no samples ({WITHOUT.get(status, 'run with samples logged')})")
    reading = reading_of(samples, _scorers(header), source.choice, trusted=not model.startswith("hf/"))
    rows = [logged(sample, reading, where) for where, sample in samples]
    notes += _missing(header, rows)
    if not reading.trusted:
        notes.append("log-probabilities and stop reasons of Inspect's hf/ models are not reliable: left out")
    metrics = [Metric(name) for name in reading.scores]
    return recorded(
        rows,
        origin(source, TOOL, model, text(spec.get("task")), Metric(reading.used), metrics),
        [*notes, *reading.notes()],
    )


def _scorers(header: JsonObject) -> list[str]:
    """Return the names of the scorers in the order in which the header lists them."""
    results = header.get("results")
    scores = results.get("scores") if isinstance(results, dict) else None
    every = [score for score in scores if isinstance(score, dict)] if isinstance(scores, list) else []
    return [text(score.get("scorer") or score.get("name")) for score in every]


def _missing(header: JsonObject, rows: Sequence[Logged]) -> list[str]:
    """Return a note where the header tells of more samples than the file holds."""
    results = header.get("results")
    results = results if isinstance(results, dict) else {}
    counts = [results.get(name) for name in ("completed_samples", "total_samples")]
    whole_counts = [count for count in counts if isinstance(count, int) and not isinstance(count, bool)]
    if not whole_counts or len(rows) >= whole_counts[0]:
        return []
    return [
        f"{len(rows):,} of {whole_counts[0]:,} samples are in the file: the run's own score is over all of them"
    ]


def task_of(source: Source) -> str:
    """Return the task that a log's header names."""
    header = source.head if source.kind == "json" else _header(Archive(source.path))[1]
    spec = header.get("eval")
    return text(spec.get("task")) if isinstance(spec, dict) else ""


def _opened(source: Source) -> tuple[JsonObject, list[tuple[str, JsonObject]]]:
    place = str(source.path)
    if source.kind == "json":
        samples = listing(source.head.get("samples") or [], f"{place}: samples")
        named = [(f"{place}: sample {index + 1}", sample) for index, sample in enumerate(samples)]
        return source.head, [(where, mapping(sample, where)) for where, sample in named]
    archive = Archive(source.path)
    head, header = _header(archive)
    if head != "header.json":
        header = {"status": "started", **header}
    opened = []
    for name in archive.names:
        where = f"{place}: {listed([name])}"
        if WHOLE.fullmatch(name):
            opened.append((where, mapping(parse(archive.read(name), where), where)))
        elif SHELL.fullmatch(name):
            opened.append((where, _chunked(archive, name, where)))
    return header, opened


def _header(archive: Archive) -> tuple[str, JsonObject]:
    """Return the name of the entry that begins a log, and its content."""
    names, place = archive.names, str(archive.path)
    head = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
    if head is None and "xl/workbook.xml" in names:
        raise UserMistake(f"{place}: is an Excel workbook; save it as CSV (UTF-8)")
    if head is None:
        raise UserMistake(
            f"{place}: is a ZIP without header.json, so no Inspect log (it holds {listed(names)}); unpack it first"
        )
    return head, mapping(parse(archive.read(head), f"{place}: {head}"), f"{place}: {head}")


def _chunked(archive: Archive, shell: str, where: str) -> JsonObject:
    """Return a chunked sample with its attachments, which are numbered across the chunks."""
    sample = dict(mapping(parse(archive.read(shell), where), where))
    prefix = shell.removesuffix("sample.json") + "attachments/"
    attachments: dict[str, Json] = {}
    for name in archive.names:
        start = name.removeprefix(prefix).removesuffix(".json")
        if name.startswith(prefix) and start.isdecimal() and len(start) < 16:
            chunk = listing(parse(archive.read(name), f"{where}: attachments"), f"{where}: attachments")
            attachments |= {str(int(start) + index): value for index, value in enumerate(chunk)}
    return {**sample, "attachments": attachments}


def _recognises(source: Source) -> bool:
    if source.kind == "zip":
        return True
    if source.kind != "json" or not source.has("eval"):
        return False
    # `version` has a default in Inspect's own reader, so a log may lack it
    spec = source.head["eval"]
    return source.has("version") or (isinstance(spec, dict) and ("task" in spec or "model" in spec))


READER = Reader(TOOL, _recognises, read, task_of=task_of)
