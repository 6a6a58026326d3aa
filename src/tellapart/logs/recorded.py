"""A log of another tool as one table: `Recorded`, one row a scored answer.

Every reader ends here, so the checks that hold for all logs are made once, in `recorded`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs.metric import UNNAMED, Metric
from tellapart.logs.value import hashed, short

Status = Literal["ok", "cut off", "failed"]
NAN = float("nan")
Column = pd.Series | np.ndarray | Sequence[str] | Sequence[float] | Sequence[tuple[float, ...] | None]
"""A column of a log before it is checked: one value a row."""
TEXT = ("item", "question", "completion", "status", "cluster", "target", "steps", "document")
FLOAT = ("score", "logprob", "tokens")
KEYED = "key:"
"""Begins a `document` that covers what the target means: where two logs share it, targets that differ are the letters
of options in another order."""
FEWEST_DOUBLED = 20
"""Different answers from which on a log that holds each several times is refused."""
LONG_ANSWER = 20
"""Characters of an answer that two independent samples hardly share."""
FEWEST_COPIED = 5
COPIES_SHARE = 0.9
"""Items of copies, and their share, from which on a log of long answers is one of copies."""
COLUMNS = (
    "item", "question", "sample", "completion", "score", "status",
    "logprob", "tokens", "cluster", "target", "token_logprobs", "steps", "document",
)  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """The answers of one model, read from a log.

    `frame` has COLUMNS, one row a sample: `item` (its id in this log), `question` (the text used to pair,
    "" where the log has none), `sample` (0, 1, ... within the item), `completion`, `score` (NaN where there is
    none), `status` (ok | cut off | failed), `logprob` (nats, summed over the completion; NaN where unknown),
    `tokens` (generated; NaN where unknown), `cluster` (subtask or data set, "family/subtask" where those are
    nested, "" if none), `target`, `token_logprobs` (nats, a list a row; None where the log has none), `steps`
    (valid | invalid where the log says whether the steps are right, else ""), and `document` (a hash of the whole item
    as the log holds it, options and all; "" where it does not). One id is one item: where a log uses an id for
    several questions (ids that start again in each part) they are told apart. `notes` are one-line warnings. `task`
    is what the log calls its task ("" where it does not), `metric` what its scores are, `metrics` all that could be
    chosen. `settings` are how the questions were asked, as far as the log tells (shots, longest answer, template).
    `untold_samples`: ids repeat, and nothing shows that the rows of one are samples of one item. `remarks` are those
    of the notes that count over all rows, made anew where logs are joined. `numbered`: see Origin.
    """

    frame: pd.DataFrame
    tool: str
    source: str
    model: str
    notes: tuple[str, ...] = ()
    task: str = ""
    metric: Metric = UNNAMED
    metrics: tuple[Metric, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    untold_samples: bool = False
    remarks: tuple[str, ...] = ()
    numbered: bool = False


class Logged(NamedTuple):
    """One answer as a reader hands it over. `sample` None: the next of its item, in order of the log."""

    item: str
    score: float
    question: str = ""
    completion: str = ""
    sample: int | None = None
    status: Status = "ok"
    logprob: float = NAN
    tokens: float = NAN
    cluster: str = ""
    target: str = ""
    token_logprobs: tuple[float, ...] | None = None
    steps: str = ""
    document: str = ""


class Origin(NamedTuple):
    """Where rows come from: the tool that wrote them, the path as the user gave it, the names of model and task, and
    what the scores are. `numbered`: the tool gives no ids, and the reader numbered the prompts of each file."""

    tool: str
    source: str
    model: str = ""
    task: str = ""
    metric: Metric = Metric()
    metrics: tuple[Metric, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    numbered: bool = False


def recorded(rows: Iterable[Logged], origin: Origin, notes: Sequence[str] = ()) -> Recorded:
    """Return the log made of `rows`; raises UserMistake where they cannot be one model's answers."""
    rows = list(rows)
    if not rows:
        raise UserMistake(f"{origin.source}: the log holds no answers")
    columns: dict[str, Column] = dict(zip(Logged._fields, zip(*rows, strict=True), strict=True))
    if all(sample is None for sample in columns["sample"]):
        del columns["sample"]
    elif any(sample is None for sample in columns["sample"]):
        raise UserMistake(f"{origin.source}: some answers have a sample number and some have none")
    return from_columns(columns, origin, notes)


def from_columns(columns: Mapping[str, Column], origin: Origin, notes: Sequence[str] = ()) -> Recorded:
    """Return the log made of whole columns (`item` and `score` at least), defaults filled in and checked."""
    notes = list(notes)
    length = len(columns["item"])
    if length == 0:
        raise UserMistake(f"{origin.source}: the log holds no answers")
    texts: dict[str, pd.Series] = {}
    data: dict[str, pd.Series | np.ndarray] = {}
    for name in COLUMNS:
        if name in TEXT:
            texts[name] = _texts(columns.get(name), name, length, notes)
        elif name in FLOAT:
            data[name] = np.asarray(
                columns[name] if name in columns else np.full(length, np.nan), dtype=float
            )
        elif name == "token_logprobs":
            data[name] = _objects(columns.get(name), length)
    texts["item"] = _tell_apart(texts, notes)
    codes = texts["item"].factorize()[0]
    data["sample"] = _samples(columns.get("sample"), codes, length)
    frame = pd.DataFrame({**texts, **data}, columns=list(COLUMNS), copy=False)
    _check(frame, codes, origin)
    if columns.get("sample") is None:
        _refuse_doubled(frame, codes, origin)
    remarks = tuple(_remarks(frame))
    return Recorded(
        frame, origin.tool, origin.source, origin.model, (*notes, *remarks),
        origin.task, origin.metric, origin.metrics, origin.settings, remarks=remarks, numbered=origin.numbered,
    )  # fmt: skip


def _tell_apart(data: Mapping[str, pd.Series], notes: list[str]) -> pd.Series:
    """Return item ids under which one item only lies: an id of several clusters, questions, documents or
    targets gets its cluster's name, or a hash of what is asked, which no order of rows changes."""
    items: pd.Series = data["item"]
    codes, ids = items.factorize()
    apart = np.zeros(len(ids), bool)
    for name in ("cluster", "question", "document", "target"):
        there = (data[name] != "").to_numpy(dtype=bool)
        if not there.any():
            continue
        values, held = data[name].factorize()[0][there], codes[there]
        first = np.full(len(ids), -1)
        first[held[::-1]] = values[::-1]
        apart[held[values != first[held]]] = True
    if not apart.any():
        return items
    rows = np.flatnonzero(apart[codes])
    parts = [data[name].take(rows).tolist() for name in ("item", "cluster", "question", "document", "target")]
    keys: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for item, cluster, *contents in zip(*parts, strict=True):
        keys.setdefault((item, cluster), set()).add(tuple(contents))
    clustered = len({cluster for _, cluster in keys}) > 1
    renamed = items.to_numpy(dtype=object).copy()
    for row, (item, cluster, *contents) in zip(rows, zip(*parts, strict=True), strict=True):
        name = f"{cluster}/{item}" if clustered and cluster else item
        renamed[row] = name if len(keys[item, cluster]) == 1 else f"{name} [{hashed(contents)[:10]}]"
    identities = pd.Series(renamed, dtype="str")
    every = len({*zip(*parts, strict=True)})
    example = parts[0][0]
    notes.append(
        f"{int(apart.sum())} ids name {every} different items (as {short(example)}: ids that start "
        "again in each part?): "
        "told apart by cluster and question"
    )
    return identities


def _refuse_doubled(frame: pd.DataFrame, codes: np.ndarray, origin: Origin) -> None:
    """Refuse a log put together of the same answers several times; n copies of one answer to an item are another thing
    (`without_copies`)."""
    if len(frame) < 2 * FEWEST_DOUBLED or len(np.unique(codes)) == len(frame):
        return
    texts = frame["completion"]
    if min(Counter(texts.iloc[np.flatnonzero(codes == codes[0])]).values()) == 1:
        return  # one answer of one item tells; to compare all of them holds all texts once more
    if (texts.str.len() < LONG_ANSWER).mean() > 0.5:
        return
    keys = pd.DataFrame({"item": codes, "text": texts.factorize()[0], "score": frame["score"].to_numpy()})
    times = keys.groupby(["item", "text", "score"], dropna=False).size()
    answers = times.groupby(level="item").size()
    if (times.to_numpy() == times.iloc[0]).all() and times.iloc[0] > 1 and (answers > 1).any():
        raise UserMistake(
            f"{origin.source}: every answer is there {times.iloc[0]} times: was one log put together with itself? "
            "give each answer once"
        )


def without_copies(log: Recorded) -> Recorded:
    """Return the log with one answer an item where its samples are copies of one (temperature 0 with n > 1),
    with a note.

    Copies are equal in text and score, in every item that has several answers, or in nearly all where the texts are
    long; a sampled model repeats short answers too, and those are samples.
    """
    frame = log.frame
    codes, ids = frame["item"].factorize()
    counts = np.bincount(codes)
    silent = bool((frame["completion"] == "").all())
    if counts.max(initial=0) < 2 or (silent and any(note.startswith("counts only") for note in log.notes)):
        return log
    first = np.full(len(ids), -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    texts = frame["completion"].factorize()[0]
    scores = frame["score"].factorize(use_na_sentinel=False)[0]
    differing = np.zeros(len(ids), bool)
    other = (texts != texts[first][codes]) | (scores != scores[first][codes])
    differing[codes[other]] = True
    several = counts > 1
    equal = several & ~differing
    share = equal.sum() / several.sum()
    long = frame["completion"].str.len().median() >= 2 * LONG_ANSWER
    if several.sum() < (FEWEST_DOUBLED if silent else FEWEST_COPIED) or share < (
        COPIES_SHARE if long else 1.0
    ):
        return log
    if silent and frame["score"].nunique() < 2:
        return log  # all right or all wrong: equal scores show nothing
    kept = frame.take(np.sort(first)).reset_index(drop=True)
    most = int(counts.max())
    note = (
        f"{log.source}: the {most} answers to an item are copies of one in {int(equal.sum())} of "
        f"{int(several.sum())} items "
        "(temperature 0?): one answer an item counts, n = 1"
    )
    return replace(log, frame=kept.assign(sample=0), notes=(*log.notes, note))


def _texts(values: Column | None, name: str, length: int, notes: list[str]) -> pd.Series:
    if values is None:
        return pd.Series("ok" if name == "status" else "", index=range(length), dtype="str")
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True).astype("str")
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < length:
        raise TypeError(f"{name}: a value is no text")
    return pd.Series(encodable(texts, name, notes), dtype="str")


def encodable(values: list[str], name: str, notes: list[str]) -> list[str]:
    """Return texts that UTF-8 can hold: lone surrogates (legal in JSON) become "?", with a note."""
    try:
        for value in values:
            value.encode("utf-8")
    except UnicodeEncodeError:
        notes.append(f"{name}: characters that are not Unicode text (lone surrogates) are shown as '?'")
        return [value.encode("utf-8", "replace").decode("utf-8") for value in values]
    return values


def _objects(values: Column | None, length: int) -> np.ndarray:
    column = np.full(length, None, dtype=object)
    if values is not None:
        for index, value in enumerate(values):
            column[index] = value
    return column


def _samples(values: Column | None, codes: np.ndarray, length: int) -> np.ndarray:
    if values is not None:
        return np.asarray(values, dtype=np.int64)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    samples = np.empty(length, np.int64)
    samples[order] = np.arange(length) - np.repeat(starts, np.diff(np.r_[starts, length]))
    return samples


def _check(frame: pd.DataFrame, codes: np.ndarray, origin: Origin) -> None:
    item, sample = frame["item"].to_numpy(), frame["sample"].to_numpy()
    empty = np.flatnonzero(item == "")
    if len(empty):
        raise UserMistake(f"{origin.source}: row {empty[0] + 1} has an empty item id")
    infinite = np.flatnonzero(np.isinf(frame["score"].to_numpy()))
    if len(infinite):
        raise UserMistake(f"{origin.source}: item {short(item[infinite[0]])} has an infinite score")
    uncounted = np.flatnonzero((sample < 0) | (sample >= 2**31))
    if len(uncounted):
        raise UserMistake(
            f"{origin.source}: sample number {sample[uncounted[0]]}; samples count 0, 1, 2, ..."
        )
    unknown = sorted(set(frame["status"].unique()) - {"ok", "cut off", "failed"})
    if unknown:
        raise UserMistake(f"{origin.source}: status {short(unknown[0])}; allowed are ok, cut off, failed")
    keys = codes.astype(np.int64) * (int(sample.max()) + 1) + sample
    twice = np.flatnonzero(pd.Index(keys).duplicated())
    if len(twice):
        raise UserMistake(
            f"{origin.source}: item {short(item[twice[0]])} sample {sample[twice[0]]} is there twice; "
            "a log holds one model's answers, each once"
        )


def _remarks(frame: pd.DataFrame) -> list[str]:
    """Return what there is to say of the scores and ends of all rows."""
    remarks = []
    score, status = frame["score"].to_numpy(), frame["status"].to_numpy()
    missing = int(np.isnan(score).sum())
    if missing:
        remarks.append(f"{missing} of {len(frame)} answers have no score (kept, score missing)")
    finite = score[~np.isnan(score)]
    if finite.size and (finite.min() < 0 or finite.max() > 1):
        remarks.append(f"scores lie between {finite.min():g} and {finite.max():g}, not between 0 and 1")
    for name, worded in (("cut off", "are truncated"), ("failed", "failed")):
        count = int((status == name).sum())
        if count:
            remarks.append(f"{count} of {len(frame)} answers {worded}")
    return remarks
