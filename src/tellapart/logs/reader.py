"""What every reader of a log is: a name, a test on the head of the file, and a function that reads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs.metric import UNNAMED, Metric
from tellapart.logs.recorded import Column, Origin, Recorded, from_columns
from tellapart.logs.rollouts import numbered
from tellapart.logs.source import Source
from tellapart.logs.value import listed, short


@dataclass(frozen=True)
class Reader:
    """`recognises` looks at the head only; `read` raises UserMistake (one line) where the log cannot be used.

    `whole` returns the files of a folder that together are one log (a benchmark of one file a task), none where the
    folder is no such log; `joined` reads them. `task_of` names the task of a file: files of one folder, one model and
    different tasks are one log as well ("" where a file of this tool does not tell its task).
    """

    tool: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Recorded]
    whole: Callable[[Path], list[Path]] = lambda folder: []
    task_of: Callable[[Source], str] = lambda source: ""


def joined(parts: Sequence[Recorded], where: Origin) -> Recorded:
    """Return logs of one model on several tasks as one log; the notes of all of them, each once."""
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    columns = {name: frame[name] for name in frame.columns}
    return from_columns(columns, where, list(dict.fromkeys(note for part in parts for note in part.notes)))


def shards_joined(parts: Sequence[Recorded], source: str) -> Recorded:
    """Return the parts of one table as one log. Readers that count prompts number them in each part anew: an item is
    then told by its question; samples are counted over all parts. Raises UserMistake where models or metrics differ."""
    first = parts[0]
    for what, values in (
        ("models", {part.model for part in parts}),
        ("metrics", {part.metric.label for part in parts}),
    ):
        if len(values) > 1:
            raise UserMistake(
                f"{source}: its shards are of several {what} ({listed(sorted(values))}); name one"
            )
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    columns: dict[str, Column] = {name: frame[name] for name in frame.columns}
    if first.numbered:
        columns["item"] = numbered(frame["question"].tolist())
    if pd.DataFrame({"item": columns["item"], "sample": frame["sample"]}).duplicated().any():
        del columns["sample"]
    where = Origin(
        first.tool,
        source,
        first.model,
        first.task,
        first.metric,
        first.metrics,
        first.settings,
        first.numbered,
    )
    notes = [note for part in parts for note in part.notes if note not in part.remarks]
    return from_columns(columns, where, [f"{len(parts)} shards of one table", *dict.fromkeys(notes)])


def as_tasks(parts: Sequence[Recorded], where: Origin) -> Recorded:
    """Return logs of different tasks as one: an item is task/id, its cluster the task. Raises UserMistake
    where they are several models' or scored by different metrics."""
    models = {part.model for part in parts}
    if len(models) > 1:
        raise UserMistake(
            f"{where.source}: holds logs of several models ({listed(sorted(models))}); name one"
        )
    metrics = {part.metric.label: part for part in parts}
    if len(metrics) > 1:
        scored = "; ".join(
            f"{short(metric.task)} by {short(label)}" for label, metric in list(metrics.items())[:3]
        )
        raise UserMistake(
            f"{where.source}: its tasks are scored by different metrics ({scored}); choose tasks or a "
            "metric that all have: "
            f"{where.source}#TASK* or {where.source}#METRIC"
        )
    tasks = [part.frame.assign(
        item=part.task + "/" + part.frame["item"],
        cluster=[f"{part.task}/{cluster}" if cluster else part.task for cluster in part.frame["cluster"]],
    ) for part in parts]  # fmt: skip
    renamed = [
        Recorded(frame, part.tool, part.source, part.model, part.notes)
        for frame, part in zip(tasks, parts, strict=True)
    ]
    shared = [metric for metric in parts[0].metrics if all(metric in part.metrics for part in parts)]
    settings = [setting for setting in parts[0].settings if all(setting in part.settings for part in parts)]
    common = where._replace(
        model=parts[0].model, metric=parts[0].metric, metrics=tuple(shared), settings=tuple(settings)
    )
    return joined(renamed, common)


def origin(
    source: Source,
    tool: str,
    model: str = "",
    task: str = "",
    metric: Metric = UNNAMED,
    metrics: Sequence[Metric] = (),
) -> Origin:
    """Return where the rows of `source` come from, and what their scores are."""
    return Origin(tool, source.reference, model, task, metric, tuple(metrics) or (metric,))
