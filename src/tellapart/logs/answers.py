"""What a log's completions answer: read by the first reader whose verdicts are the log's own.

A log says whether an answer was right, hardly ever what the answer was. A reader (exact text, text without case and
punctuation, after "Answer:", last number, box, letter) is believed where it calls wrong what the log calls wrong and
recognises most of what the log calls right; else answers count as not recorded.
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.tasks.boxed import Boxed
from tellapart.tasks.choice import Choice
from tellapart.tasks.item import Item
from tellapart.tasks.match import Matched
from tellapart.tasks.numeric import LastNumber
from tellapart.tasks.pattern import Regex
from tellapart.tasks.text_match import AfterMarker, AnswerIs, Exact, Normalised, squad_normalised

_ANSWER_LINE = re.compile(r"\banswer\**\s{0,9}:\**[ \t]*\n?([^\n]{1,999})", re.IGNORECASE)


class AnswerLine(Matched):
    """The text behind the last "Answer:" (on its line, or on the next), blind to case, punctuation and articles."""

    name = "answer_line"

    def extract(self, item: Item, completion: str) -> str | None:
        lines = _ANSWER_LINE.findall(completion)
        return lines[-1] if lines else None

    def canonical(self, item: Item, text: str) -> str | None:
        return squad_normalised(text) or None


READERS: tuple[Matched, ...] = (
    Exact(),
    Normalised(),
    Regex(r"(?s)<answer>\s*(.*?)\s*</answer>"),
    LastNumber(),
    Boxed(),
    AfterMarker("####"),
    AnswerIs(),
    AnswerLine(),
    Choice(),
)
TRIED = 2000
"""Answers, right and wrong ones, on which a reader is tried."""
AGREEING = 0.95
"""Share of the wrong answers that a reader must call so."""
RECOGNISED = 0.6
"""Share of the right answers that it must recognise; a scorer may take more than equal text, and what was measured of
equal text is then divided by this share."""
FEWEST_RIGHT = 5
MOST_READ = 200_000
"""Answers that are read at most: the first samples of each item, where there are more."""
ANYWHERE = Item("", {}, ())


class Believed(NamedTuple):
    """A reader, and the share of the log's right answers that it recognises as such."""

    reader: Matched
    recognised: float


class Answers(NamedTuple):
    """The reader that was believed (None: none was), and each row's answer: "" where none was found, None where it was
    not read."""

    by: Believed | None
    texts: list[str | None]


def read_answers(frame: pd.DataFrame) -> Answers:
    """Return the answers of rows with `completion`, `target`, `score`, `status` and `sample`."""
    usable = (frame["target"] != "") & (frame["completion"] != "") & (frame["status"] != "failed")
    usable &= frame["score"].isin((0.0, 1.0))
    by = believed(frame.loc[usable, ["completion", "target", "score"]]) if usable.any() else None
    return Answers(by, answers_by(by, frame))


def answers_by(by: Believed | None, frame: pd.DataFrame) -> list[str | None]:
    """Return the answers of rows as a reader that was believed finds them; None for each where none was."""
    if by is None:
        return [None] * len(frame)
    read = (frame["status"] != "failed").to_numpy()
    if read.sum() > MOST_READ:
        per_item = max(1, MOST_READ // max(1, frame["item"].nunique()))
        read = read & (frame["sample"] < per_item).to_numpy()
    texts = frame["completion"].where(read, "")
    codes, different = pd.factorize(texts)
    answers = np.array([by.reader.answer(ANYWHERE, text) or "" for text in different.tolist()], dtype=object)
    taken = answers[codes]
    taken[~read] = None
    return taken.tolist()


def believed(rows: pd.DataFrame) -> Believed | None:
    """Return the reader that agrees best with the log's own scores; None where none does, or too few are right."""
    right = rows["score"] == 1.0
    if right.sum() < FEWEST_RIGHT:
        return None
    good, bad = (_sampled(part) for part in (rows[right], rows[~right]))
    best: Believed | None = None
    for reader in READERS:
        seen = accepting(reader, good)
        if seen < RECOGNISED or (best is not None and seen <= best.recognised):
            continue
        if len(bad) == 0 or 1 - accepting(reader, bad) >= AGREEING:
            best = Believed(reader, seen)
    return best


def _sampled(part: pd.DataFrame) -> pd.DataFrame:
    return part.iloc[np.linspace(0, len(part) - 1, min(len(part), TRIED)).astype(int)] if len(part) else part


def accepting(reader: Matched, part: pd.DataFrame) -> float:
    """Return the share of the answers that the reader would call right."""
    right = [
        reader.answer(ANYWHERE, text) in accepted(reader, target)
        for text, target in zip(part["completion"], part["target"], strict=True)
    ]
    return float(np.mean(right))


def accepted(reader: Matched, target: str) -> set[str]:
    """Return the canonical forms of a target that a log gives as text (several are parted by " | ")."""
    texts = (target, *target.split(" | ")) if " | " in target else (target,)
    return {answer for text in texts if (answer := reader.canonical(ANYWHERE, text))}
