"""What a log's completions answer: read by the first reader whose verdicts are the log's own.

A log says whether an answer was right, hardly ever what the answer was. A reader (exact text, text without case and
punctuation, last number, box, letter) is believed where it calls right what the log calls right, and wrong what it
calls wrong, in nearly all answers; else answers count as not recorded.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.tasks.boxed import Boxed
from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched
from tellapart.tasks.numeric import LastNumber
from tellapart.tasks.text_match import AfterMarker, AnswerIs, Exact, Normalised

READERS: tuple[Matched, ...] = (Exact(), Normalised(), LastNumber(), Boxed(), AfterMarker("####"), AnswerIs())
TRIED = 2000
"""Answers, right and wrong ones, on which a reader is tried."""
AGREEING = 0.95
"""Share of the right and of the wrong answers that a reader must call so."""
FEWEST_RIGHT = 5
MOST_READ = 200_000
"""Answers that are read at most: the first samples of each item, where there are more."""
ANYWHERE = Item("", {}, ())


class Answers(NamedTuple):
    """The reader that was believed (None: none was), and each row's answer: "" where none was found, None where it was
    not read."""

    reader: Matched | None
    found: list[str | None]


def read_answers(frame: pd.DataFrame) -> Answers:
    """Return the answers of rows with `completion`, `target`, `score`, `status` and `sample`."""
    nothing = Answers(None, [None] * len(frame))
    usable = (frame["target"] != "") & (frame["completion"] != "") & (frame["status"] != "failed")
    usable &= frame["score"].isin((0.0, 1.0))
    if not usable.any():
        return nothing
    reader = believed(frame[usable])
    if reader is None:
        return nothing
    read = (frame["status"] != "failed").to_numpy()
    if read.sum() > MOST_READ:
        per_item = max(1, MOST_READ // max(1, frame["item"].nunique()))
        read &= (frame["sample"] < per_item).to_numpy()
    texts = frame["completion"].where(read, "")
    known = {text: reader.answer(ANYWHERE, text) or "" for text in pd.unique(texts)}
    return Answers(reader, [known[text] if there else None for text, there in zip(texts, read, strict=True)])


def believed(rows: pd.DataFrame) -> Matched | None:
    """Return the first reader that agrees with the log's own scores; None where none does, or too few are right."""
    right = rows["score"] == 1.0
    if right.sum() < FEWEST_RIGHT:
        return None
    parts = [
        part.iloc[np.linspace(0, len(part) - 1, min(len(part), TRIED)).astype(int)]
        for part in (rows[right], rows[~right])
        if len(part)
    ]
    for reader in READERS:
        if all(_agrees(reader, part, part["score"].iloc[0] == 1.0) for part in parts):
            return reader
    return None


def _agrees(reader: Matched, part: pd.DataFrame, right: bool) -> bool:
    same = [
        (reader.answer(ANYWHERE, text) in accepted(reader, target)) == right
        for text, target in zip(part["completion"], part["target"], strict=True)
    ]
    return float(np.mean(same)) >= AGREEING


def accepted(reader: Matched, target: str) -> set[str]:
    """Return the canonical forms of a target that a log gives as text (several are parted by " | ")."""
    return {one for text in (target, *target.split(" | ")) if (one := reader.canonical(ANYWHERE, text))}
