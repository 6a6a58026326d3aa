"""`gain --logs A B`: the same rows, read from other tools' logs instead of asked."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tellapart.logs import content_of
from tellapart.logs.answers import Believed, accepted, answers_by, read_answers
from tellapart.logs.asked import question_keys
from tellapart.logs.sides import read_sides
from tellapart.runs.table import from_frame
from tellapart.studies.gain.elsewhere import Given, Way, notes_of, read_ways, sources_of
from tellapart.studies.gain.recorded import ElicitorRecord, ItemKey, PairingRecord
from tellapart.studies.gain.tables import LONGEST_TEXT
from tellapart.tasks.answer_space import candidates, copied, stands_in_prompt
from tellapart.tasks.item import Item, Task

LOOKED_AT = 2000
"""Items in whose questions it is looked for targets and candidates."""
MOST_SHOWN = 5000
"""Items whose questions are kept with the run, for its page; all of a larger log would weigh too much."""


class FromLogs(NamedTuple):
    """The rows of all logs, where they came from, what is odd about them, the items' answer keys, how the two sides
    were paired, what is told of each way (Facts.elicitors), and the items' questions and targets to be shown."""

    table: pa.Table
    sources: dict[str, dict[str, str]]
    notes: tuple[str, ...]
    keys: dict[str, ItemKey]
    recognised: float
    pairing: PairingRecord
    elicitors: dict[str, ElicitorRecord]
    prompts: dict[str, str]
    targets: dict[str, str]


def rows_from_logs(base: str, tuned: str, given: Mapping[str, Given] | None = None) -> FromLogs:
    """Read two logs and return their rows as base/plain and tuned/plain, and those of the ways `given` as base/NAME;
    items are paired by question text where both logs hold it. Raises UserMistake (one line) where a log cannot be read
    or nothing pairs."""
    sides = read_sides(base, tuned, ("base", "tuned"))
    given = given or {}
    logs, paired = {"base": sides.a, "tuned": sides.b}, sides.paired
    frames = {"base": [paired.a, paired.a_rest], "tuned": [paired.b, paired.b_rest]}
    every = pd.concat([part for parts in frames.values() for part in parts if len(part)], ignore_index=True)
    answers = read_answers(every)
    ways = read_ways(given, sides, answers.by)
    rows = pd.concat(
        [log_rows("gain", f"{role}/plain", p) for role, parts in frames.items() for p in parts if len(p)],
        ignore_index=True,
    )
    items = every.drop_duplicates("item").reset_index(drop=True)
    rows["answer"] = pd.Series(answers.texts, dtype=object)
    rows = pd.concat([rows, *_rows_of(ways, answers.by)], ignore_index=True)
    questions = _questions(items)
    rows["question"] = rows["item"].map(questions).fillna("").astype(object) if questions else ""
    sources = {
        role: {"source": log.source, "tool": log.tool, "model": log.model, "content": content_of(path)}
        for (role, log), path in zip(logs.items(), (base, tuned), strict=True)
    }
    pairing: PairingRecord = {
        "by": paired.by,
        "items": paired.items,
        "only_base": paired.a_unmatched,
        "only_tuned": paired.b_unmatched,
        "metric": {role: log.metric.label or "score" for role, log in logs.items()},
    }
    if sides.a.untold_samples:
        pairing["untold_samples"] = True
    if ways:
        pairing["ways"] = {way.name: way.pairing for way in ways}
    return FromLogs(
        from_frame(rows),
        sources | sources_of(ways, given),
        (*sides.notes, *notes_of(ways, given, sides)),
        answer_keys_of(items, answers.by),
        1.0 if answers.by is None else answers.by.recognised,
        pairing,
        {way.name: way.about for way in ways},
        *(_texts(items, name) for name in ("question", "target")),
    )


def _texts(items: pd.DataFrame, name: str) -> dict[str, str]:
    """Return what each item's answers are shown with, where the items are few enough to be kept with the run."""
    if len(items) > MOST_SHOWN:
        return {}
    texts = zip(items["item"].tolist(), items[name].tolist(), strict=True)
    return {item: text[:LONGEST_TEXT] for item, text in texts if text}


def _rows_of(ways: list[Way], by: Believed | None) -> list[pd.DataFrame]:
    """Return the rows of the ways and their controls, answers found by the reader that base and tuned were read by."""
    parts = []
    for way in ways:
        for condition, frame in way.frames().items():
            rows = log_rows("gain", f"base/{condition}", frame)
            parts.append(rows.assign(answer=pd.Series(answers_by(by, frame), dtype=object), bits=0.0))
    return parts


def _questions(items: pd.DataFrame) -> dict[str, str]:
    """Return the key of each item's question; items without a text are questions of their own."""
    return {item: key for item, key in zip(items["item"], question_keys(items), strict=True) if key}


def answer_keys_of(items: pd.DataFrame, by: Believed | None) -> dict[str, ItemKey]:
    """Return the answer keys of the items (keys.py); none where no reader was believed. What stands in the question is
    looked at on LOOKED_AT items."""
    if by is None:
        return {}
    reader = by.reader
    columns = list(zip(items["item"], items["question"], items["target"], strict=True))
    keys: dict[str, ItemKey] = {}
    looked = columns[:LOOKED_AT]
    shares = copied([question for _, question, _ in looked], [[target] for _, _, target in looked])
    every = max(1, len(columns) // LOOKED_AT)
    for at, (item, question, target) in enumerate(columns):
        accepted_answers = sorted(accepted(reader, target))
        if at % every:
            keys[item] = {"accepted": accepted_answers, "kind": reader.name}
            continue
        row = Item(str(item), {"question": question}, (target,))
        task = Task("log", (), "{question}", reader)
        answers = candidates(task, row) if question else None
        keys[item] = {
            "accepted": accepted_answers,
            "kind": reader.name,
            "candidates": None if answers is None else len(answers),
            "in_prompt": bool(question) and stands_in_prompt(task, row),
        }
    for (item, question, _), share in zip(looked, shares or (), strict=False):
        if question:
            keys[item]["copied"] = share
    return keys


def log_rows(study: str, condition: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a log (Recorded.frame, or a part of it) as rows of a run's condition."""
    tokens = frame["tokens"].to_numpy(dtype=np.float64)
    columns = {
        "study": study,
        "condition": condition,
        "item": frame["item"],
        "sample": frame["sample"],
        "split": "report",
        "cluster": frame["cluster"],
        "completion": frame["completion"],
        "score": frame["score"],
        "status": frame["status"],
        "logprob": frame["logprob"],
        "tokens": pd.array(np.nan_to_num(tokens, nan=-1).astype(np.int64)).astype("Int64"),
        "token_logprobs": frame["token_logprobs"],
        "steps": frame["steps"],
    }
    rows = pd.DataFrame(columns)
    rows.loc[np.isnan(tokens), "tokens"] = pd.NA
    return rows
