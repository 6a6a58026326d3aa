"""`hidden --logs ROLE=LOG ...`: the same rows, read from other tools' logs instead of asked."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from tellapart.logs import content_of, pair, read_log
from tellapart.logs.answers import read_answers
from tellapart.logs.asked import question_keys
from tellapart.logs.recorded import without_copies
from tellapart.logs.sides import describe_scale, named_notes, one_metric_of, scale_of, scaled
from tellapart.logs.source import split
from tellapart.runs.table import from_frame
from tellapart.studies.gain.logs import answer_keys_of, log_rows
from tellapart.studies.gain.recorded import ElicitorRecord, ItemKey
from tellapart.studies.hidden.comparable import Roles, barred, lost, same_model, settings_notes

CONDITIONS = {
    "plain": "model/plain",
    "elicited": "model/elicited",
    "permuted": "model/permuted",
    "benign": "benign/plain",
    "benign_elicited": "benign/elicited",
}
ELICITED: ElicitorRecord = {
    "elicitor": "elicited",
    "source": "a log",
    "oracle": False,
    "outside": True,
    "tells": "nothing",
    "null_tells": "nothing",
}


class FromLogs(NamedTuple):
    """The rows of all logs, where they came from, what is odd about them, answer keys, and the permuted log's; and what
    keeps the logs from being compared (comparable.py)."""

    table: pa.Table
    sources: dict[str, dict[str, str]]
    notes: tuple[str, ...]
    keys: dict[str, ItemKey]
    permuted: dict[str, tuple[str, ...]]
    recognised: float
    barred: tuple[tuple[str, str], ...]
    lost: float
    same_model: bool


def rows_from_logs(paths: Mapping[str, str]) -> FromLogs:
    """Read logs by role and return their rows under the items of the plain one. Raises UserMistake (one line) where a
    log cannot be read or shares no item with it."""
    logs, notes = one_metric_of({role: read_log(path) for role, path in paths.items()})
    scale = scale_of(list(logs.values()))
    if scale is not None:
        logs = {role: scaled(log, scale) for role, log in logs.items()}
        notes.append(describe_scale(scale))
    logs = {role: without_copies(log) for role, log in logs.items()}
    frames = {"plain": logs["plain"].frame}
    notes += settings_notes(logs)
    for role, log in logs.items():
        notes += named_notes(role, log)
        if role != "plain":
            paired = pair(logs["plain"], log)
            frames[role] = paired.b
            notes += [f"{role}: {note}" for note in paired.notes]
    roles = Roles(logs, frames, {role: (content_of(path), split(path)[1]) for role, path in paths.items()})
    every = pd.concat(list(frames.values()), ignore_index=True)
    answers = read_answers(every)
    rows = pd.concat(
        [log_rows("hidden", CONDITIONS[role], frame) for role, frame in frames.items()], ignore_index=True
    )
    rows["answer"] = pd.Series(answers.texts, dtype=object)
    items = _complete_items(frames)
    questions = {item: key for item, key in zip(items["item"], question_keys(items), strict=True) if key}
    rows["question"] = rows["item"].map(questions).fillna("").astype(object) if questions else ""
    turned: dict[str, tuple[str, ...]] = {}
    if "permuted" in frames:
        there = frames["permuted"].drop_duplicates("item").reset_index(drop=True)
        turned = {
            item: tuple(key["accepted"])
            for item, key in answer_keys_of(there, answers.by).items()
            if key["accepted"]
        }
    return FromLogs(
        from_frame(rows),
        {role: {"source": log.source, "tool": log.tool, "model": log.model} for role, log in logs.items()},
        tuple(dict.fromkeys(notes)),
        answer_keys_of(items, answers.by),
        turned,
        1.0 if answers.by is None else answers.by.recognised,
        barred(roles),
        lost(roles),
        same_model(roles),
    )


def _complete_items(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the plain log's items; a question or target that it lacks is taken from the other logs."""
    every = pd.concat([frame for role, frame in frames.items() if role != "permuted"], ignore_index=True)
    items = frames["plain"].drop_duplicates("item").reset_index(drop=True)
    for name in ("question", "target"):
        rows = every[every[name] != ""].drop_duplicates("item")
        filled = dict(zip(rows["item"], rows[name], strict=True))
        own = zip(items["item"], items[name], strict=True)
        items[name] = pd.Series([value or filled.get(item, "") for item, value in own], dtype="str")
    return items
