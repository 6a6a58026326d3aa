"""Rows of a run in formats that other tools open: an Inspect log, or plain Parquet and JSONL.

write_inspect(rows, Path("logs"), Export(task="gsm8k", model="my-model"))     # write_eee.py: Every Eval Ever
"""

import datetime
import hashlib
import json
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject

PLAIN = ("item", "model", "sample", "score", "completion", "status", "cluster", "logprob", "tokens")
NEEDED = ("condition", "item", "sample", "completion", "score", "status", "logprob", "tokens", "cluster")
STOP = {"ok": "stop", "cut off": "max_tokens", "failed": "unknown"}


class AnswerRow(NamedTuple):
    """One answer of a run's table, as far as other tools' logs hold it; the last three where the table has them."""

    item: str
    sample: int
    completion: str
    score: float
    status: str
    tokens: float
    logprob: float
    cluster: str
    error: str | None = None
    answer: str | None = None
    prompt_tokens: float | None = None


@dataclass(frozen=True)
class Export:
    """What rows do not say: names, and per item the text asked and the target (the id and "" without them)."""

    task: str
    model: str
    questions: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    created: str = ""


def write_inspect(
    rows: pd.DataFrame, folder: Path, export: Export, kind: Literal["eval", "json"] = "json"
) -> Path:
    """Write one condition's rows as an Inspect log (version 2), scorer `tellapart`, and return its path.

    The file is named TIME_TASK-CONDITION_ID.json or .eval in `folder`: Inspect's viewer and data frames find no other
    names. A missing score is written as NaN (Inspect's own way); token log-probabilities are not written. Raises
    UserMistake where the rows are of several conditions.
    """
    condition = condition_of(rows)
    created = export.created or datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    samples = [_sample(row, export) for row in answers_of(rows)]
    scores = [float(s) for s in rows["score"].tolist() if not math.isnan(s)]
    items = list(dict.fromkeys(rows["item"].tolist()))
    task_id = _hashed(export.task, export.model, condition)
    log: JsonObject = {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": _hashed(condition, created),
            "run_id": _hashed(export.task, created),
            "created": created,
            "task": export.task,
            "task_id": task_id,
            "dataset": {"name": export.task, "samples": len(items), "sample_ids": items, "shuffled": False},
            "model": export.model,
            "solver": condition,
            "config": {"epochs": max(int(s) for s in rows["sample"].tolist()) + 1},
            "metadata": {"condition": condition},
        },
        "plan": {"name": condition, "steps": []},
        "results": _results(scores, len(samples)),
        "stats": {"started_at": created, "completed_at": created},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_inspect_name(created, f'{export.task}-{condition}', task_id)}.{kind}"
    if kind == "json":
        replace_text(path, json.dumps({**log, "samples": samples}, indent=1))
    else:
        _replace_zip(path, {"header.json": log, **_entries(samples)})
    return path


def _entries(samples: list[JsonObject]) -> JsonObject:
    """Return the entries of an .eval archive beside its header: each sample, and the summaries for lists."""
    named = {f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in samples}
    return {**named, "summaries.json": [_summary(sample) for sample in samples]}


def _summary(sample: JsonObject) -> JsonObject:
    summary = {name: sample[name] for name in ("id", "epoch", "input", "target", "metadata", "scores")}
    error = sample.get("error")
    return {**summary, "error": error["message"]} if isinstance(error, dict) else summary


def write_plain(rows: pd.DataFrame, path: Path, export: Export) -> None:
    """Write one condition's rows as .parquet or .jsonl with item, model, sample, score and the texts: a format
    that `read_log` reads back. Raises UserMistake for another suffix or rows of several conditions."""
    condition_of(rows)
    plain = rows.assign(model=export.model).reindex(columns=list(PLAIN))
    for name, texts in (("question", export.questions), ("target", export.targets)):
        if texts:
            plain = plain.assign(**{name: [texts.get(item, "") for item in rows["item"].tolist()]})
    if path.suffix == ".parquet":
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        plain.to_parquet(temporary, index=False)
        os.replace(temporary, path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps({k: None if v != v else v for k, v in row.items()}) for row in records_of(plain)]
        replace_text(path, "\n".join(lines) + "\n")
    else:
        raise UserMistake(f"{path}: write to .parquet or .jsonl")


def _inspect_name(created: str, task: str, task_id: str) -> str:
    time, name = re.sub(r"[^0-9T+-]", "-", created), re.sub(r"[^0-9A-Za-z]+", "-", task)[:60]
    return f"{time}_{name}_{task_id}"


def condition_of(rows: pd.DataFrame) -> str:
    """Return the condition of rows; raises UserMistake where they are of several, or lack a column."""
    missing = [name for name in NEEDED if name not in rows.columns]
    if missing:
        raise UserMistake(f"rows have no column {missing[0]!r}; needed are {', '.join(NEEDED)}")
    names = sorted(set(rows["condition"].tolist()))
    if len(names) != 1:
        raise UserMistake(f"rows of {len(names)} conditions ({', '.join(names[:6])}); write one at a time")
    return names[0]


def records_of(rows: pd.DataFrame) -> Iterator[dict[str, Json]]:
    """Yield each row as a mapping from column to value."""
    names = [str(name) for name in rows.columns]
    columns = [rows[name].tolist() for name in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def answers_of(rows: pd.DataFrame) -> Iterator[AnswerRow]:
    """Yield each row of a table that has the columns NEEDED."""
    names = [name for name in AnswerRow._fields if name in rows.columns]
    for values in zip(*(rows[name].tolist() for name in names), strict=True):
        yield AnswerRow(**dict(zip(names, values, strict=True)))


def _sample(row: AnswerRow, export: Export) -> JsonObject:
    question = export.questions.get(row.item, row.item)
    answer = {"role": "assistant", "content": row.completion, "source": "generate", "model": export.model}
    tokens = row.tokens
    usage = (
        {} if math.isnan(tokens) else {"usage": {"output_tokens": int(tokens), "total_tokens": int(tokens)}}
    )
    sample: dict[str, Json] = {
        "id": row.item,
        "epoch": int(row.sample) + 1,
        "input": question,
        "target": export.targets.get(row.item, ""),
        "messages": [{"role": "user", "content": question, "source": "input"}, answer],
        "output": {
            "model": export.model,
            "choices": [{"message": answer, "stop_reason": STOP[row.status]}],
            "completion": row.completion,
            **usage,
        },
        "scores": {"tellapart": {"value": row.score, "answer": row.completion}},
        "metadata": {
            "cluster": row.cluster,
            "logprob": None if math.isnan(row.logprob) else row.logprob,
        },
        "store": {},
        "events": [],
        "attachments": {},
    }
    if row.status == "failed":
        reason = row.error or "no answer"
        sample["error"] = {"message": reason, "traceback": "", "traceback_ansi": ""}
    return sample


def _results(scores: list[float], total: int) -> dict[str, Json]:
    metrics = {}
    if scores:
        metrics["mean"] = {"name": "mean", "value": sum(scores) / len(scores), "params": {}}
    score = {"name": "tellapart", "scorer": "tellapart", "params": {}, "metrics": metrics}
    score |= {"scored_samples": len(scores), "unscored_samples": total - len(scores)}
    return {"total_samples": total, "completed_samples": total, "scores": [score]}


def _hashed(*parts: str) -> str:
    return hashlib.blake2b("\x00".join(parts).encode(), digest_size=11).hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _replace_zip(path: Path, entries: JsonObject) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in entries.items():
            # an entry keeps the default date, so that the same rows make the same bytes
            archive.writestr(zipfile.ZipInfo(name), json.dumps(value), zipfile.ZIP_DEFLATED)
    os.replace(temporary, path)
