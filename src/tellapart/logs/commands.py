"""`tellapart read FILE`: what is this log, what key, what metric, what would be compared. It makes no run folder.

tellapart read base/ tuned/                                   both, and how they pair
tellapart read odd.json --map item=task_id,correct=passed     rows of a format that is not known
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd
from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.logs import read_log
from tellapart.logs.mapped import mapping_of
from tellapart.logs.recorded import Recorded
from tellapart.logs.sides import Sides, read_sides

KEYS = {"document": "whole document (hash)", "question": "question (text)"}


@dataclass(frozen=True)
class MetricReport:
    """What the scores of a log are; `lowest` and `highest` of them, None where there is none."""

    name: str
    filter: str | None
    higher_is_better: bool | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class LogReport:
    """What `tellapart read` says of one log; None for what it does not tell."""

    source: str
    tool: str
    model: str | None
    task: str | None
    metric: MetricReport
    other_metrics: list[str]
    answers: int
    items: int
    samples_an_item: tuple[int, int]
    without_score: int
    mean_over_items: float | None
    statuses: dict[str, int]
    clusters: int
    keys: list[str]
    notes: list[str]


@dataclass(frozen=True)
class PairingReport:
    """What `tellapart read` says of two logs: how they pair, and what would be compared."""

    by: str
    items: int
    only_first: int
    only_second: int
    metric: tuple[str, str]
    mean_over_shared_items: tuple[float | None, float | None]
    notes: list[str]


def print_logs(files: Sequence[str], mapping: str | None = None, as_json: bool = False) -> None:
    """Print what one log, or two that are to be compared, hold. Raises UserMistake where one cannot be read."""
    if not 1 <= len(files) <= 2:
        raise UserMistake(f"read: {len(files)} logs given: give one, or two that are to be compared")
    if mapping is not None and mapping_of(mapping) is None:
        raise UserMistake(f"--map {mapping!r}: give FIELD=KEY, as item=task_id,correct=passed")
    names = [f"{name}#{mapping}" if mapping else name for name in files]
    logs = [described(read_log(name)) for name in names]
    pair = pairing(read_sides(names[0], names[1])) if len(names) == 2 else None
    if as_json:
        report = {"logs": [asdict(log) for log in logs]} | ({} if pair is None else {"pairing": asdict(pair)})
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        _show(logs, pair, Console())


def described(log: Recorded) -> LogReport:
    """Return what a log is."""
    frame = log.frame
    by_item = frame.groupby("item")["score"]
    samples = by_item.size()
    mean = float(by_item.mean().mean())
    scores = frame["score"].dropna()
    return LogReport(
        source=log.source,
        tool=log.tool,
        model=log.model or None,
        task=log.task or None,
        metric=MetricReport(
            name=log.metric.name or "score",
            filter=log.metric.filter or None,
            higher_is_better=log.metric.higher_is_better,
            lowest=float(scores.min()) if len(scores) else None,
            highest=float(scores.max()) if len(scores) else None,
        ),
        other_metrics=[metric.label for metric in log.metrics if not metric.same_as(log.metric)],
        answers=len(frame),
        items=int(frame["item"].nunique()),
        samples_an_item=(int(samples.min()), int(samples.max())),
        without_score=int(frame["score"].isna().sum()),
        mean_over_items=None if math.isnan(mean) else mean,
        statuses={str(name): int(count) for name, count in frame["status"].value_counts().items()},
        clusters=int(frame["cluster"].nunique()) if (frame["cluster"] != "").any() else 0,
        keys=keys_of(log),
        notes=list(log.notes),
    )


def keys_of(log: Recorded) -> list[str]:
    """Return the keys by which items of a log can be paired, the strongest first."""
    frame = log.frame
    columns = [text for name, text in KEYS.items() if (frame[name] != "").all()]
    return [*columns, "task and id" if (frame["cluster"] != "").all() or log.task else "id"]


def pairing(sides: Sides) -> PairingReport:
    """Return how two logs pair and what would be compared."""
    paired = sides.paired
    return PairingReport(
        by=paired.by,
        items=paired.items,
        only_first=paired.a_unmatched,
        only_second=paired.b_unmatched,
        metric=(sides.a.metric.label or "score", sides.b.metric.label or "score"),
        mean_over_shared_items=(_mean(paired.a), _mean(paired.b)),
        notes=list(sides.notes),
    )


def _mean(frame: pd.DataFrame) -> float | None:
    mean = float(frame.groupby("item")["score"].mean().mean())
    return None if math.isnan(mean) else mean


def _show(logs: Sequence[LogReport], pair: PairingReport | None, console: Console) -> None:
    for log in logs:
        console.print(log.source, style="bold", markup=False, highlight=False)
        for name, text in _lines(log):
            console.print(f"  {name:<10}{text}", markup=False, highlight=False, soft_wrap=True)
    if pair is not None:
        first, second = (_number(mean) for mean in pair.mean_over_shared_items)
        lines = [
            f"{pair.items} items are paired by {pair.by}; {pair.only_first} only in the first log, "
            f"{pair.only_second} only in the second",
            f"compared would be {' and '.join(dict.fromkeys(pair.metric))}: {first} and {second} "
            "over the shared items",
            *pair.notes,
        ]
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _lines(log: LogReport) -> list[tuple[str, str]]:
    metric, (least, most) = log.metric, log.samples_an_item
    direction = {True: ", higher is better", False: ", lower is better", None: ""}[metric.higher_is_better]
    filtered = f", filter {metric.filter}" if metric.filter else ""
    scores = f", {metric.lowest:g} to {metric.highest:g}" if metric.lowest is not None else ", no score"
    lines = [
        ("tool", log.tool),
        ("model", log.model or "not told"),
        ("task", log.task or "not told"),
        ("metric", f"{metric.name}{filtered}{direction}{scores}"),
        (
            "others",
            ", ".join(log.other_metrics) + " (choose with #NAME)" if log.other_metrics else "none",
        ),
        (
            "items",
            f"{log.items:,} ({log.answers:,} answers, "
            f"{least if least == most else f'{least} to {most}'} an item)",
        ),
        (
            "mean",
            f"{_number(log.mean_over_items)} over items; {log.without_score:,} answers without a score",
        ),
        ("status", ", ".join(f"{name} {count:,}" for name, count in log.statuses.items())),
        ("clusters", f"{log.clusters:,}" if log.clusters else "none"),
        ("keys", "; ".join(log.keys)),
    ]
    return [*lines, *(("note", note) for note in log.notes)]


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
