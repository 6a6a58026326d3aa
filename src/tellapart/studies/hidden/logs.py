"""`hidden --logs ROLE=LOG ...`: the same rows, read from other tools' logs instead of asked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from tellapart.logs import pair, read_log
from tellapart.logs.answers import read_answers
from tellapart.runs.table import from_frame
from tellapart.studies.gain.logs import answer_keys_of, log_rows
from tellapart.tasks.questions import question_key

CONDITIONS = {
    "plain": "model/plain",
    "elicited": "model/elicited",
    "permuted": "model/permuted",
    "benign": "benign/plain",
    "benign_elicited": "benign/elicited",
}
ELICITED = {
    "elicitor": "elicited",
    "source": "a log",
    "oracle": False,
    "outside": True,
    "tells": "nothing",
    "null_tells": "nothing",
}


class FromLogs(NamedTuple):
    """The rows of all logs, where they came from, what is odd about them, answer keys, and the permuted log's."""

    table: pa.Table
    sources: dict[str, dict[str, str]]
    notes: tuple[str, ...]
    keys: dict[str, dict[str, Any]]
    permuted: dict[str, tuple[str, ...]]
    recognised: float


def rows_from_logs(paths: Mapping[str, str]) -> FromLogs:
    """Read logs by role and return their rows under the items of the plain one. Raises UserMistake (one line) where a
    log cannot be read or shares no item with it."""
    logs = {role: read_log(path) for role, path in paths.items()}
    frames = {"plain": logs["plain"].frame}
    notes = list(logs["plain"].notes)
    for role, log in logs.items():
        if role != "plain":
            paired = pair(logs["plain"], log)
            frames[role] = paired.b
            notes += [f"{role}: {note}" for note in (*log.notes, *paired.notes)]
    every = pd.concat(list(frames.values()), ignore_index=True)
    answers = read_answers(every)
    rows = pd.concat(
        [log_rows("hidden", CONDITIONS[role], frame) for role, frame in frames.items()], ignore_index=True
    )
    rows["answer"] = pd.Series(answers.found, dtype=object)
    asked = frames["plain"].drop_duplicates("item").reset_index(drop=True)
    columns = zip(asked["item"], asked["question"], asked["target"], strict=True)
    known = {item: question_key(question, [target]) for item, question, target in columns if question.strip()}
    rows["question"] = rows["item"].map(known).fillna("").astype(object) if known else ""
    turned: dict[str, tuple[str, ...]] = {}
    if "permuted" in frames:
        there = frames["permuted"].drop_duplicates("item").reset_index(drop=True)
        turned = {
            item: tuple(one["accepted"])
            for item, one in answer_keys_of(there, answers.by).items()
            if one["accepted"]
        }
    return FromLogs(
        from_frame(rows),
        {role: {"source": log.source, "tool": log.tool, "model": log.model} for role, log in logs.items()},
        tuple(dict.fromkeys(notes)),
        answer_keys_of(asked, answers.by),
        turned,
        1.0 if answers.by is None else answers.by.recognised,
    )
