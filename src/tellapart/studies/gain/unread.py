"""Questions to which no answer of the base could be read: may what it got right elsewhere be taken for them too?

A truncated answer, a refusal and a failed request look like another form and hold nothing; they come with some
questions (long ones, hard ones) and not with others. So what the base is right in where it can be read stands for the
rest only as far as chance leaves questions unread (several samples an item show that), or as the unread answers hold
the target.
"""

from typing import NamedTuple

import numpy as np

from tellapart.stats.arrays import Floats
from tellapart.studies.gain.evidence import Evidence
from tellapart.tasks.words import find, phrase, words

LOOKED_AT = 2000
"""Unread questions in whose answers it is looked for the target."""


class Unread(NamedTuple):
    """`questions` were never answered readably by the base; `beyond` is the share of all questions that are so beyond
    what chance leaves unread, `held` the share of all whose unread answers hold the target, net of luck."""

    questions: int
    of: int
    beyond: float
    held: float


NOTHING_UNREAD = Unread(0, 0, 0.0, 0.0)


def unread_of(evidence: Evidence) -> Unread:
    """Return which questions the base never answered readably, and what of them is not explained by chance."""
    reading = evidence.readings[0]
    if reading is None:
        return NOTHING_UNREAD
    readable, n = reading.strict.readable, evidence.base.n
    never = readable == 0
    of = len(never)
    if not never.any():
        return Unread(0, of, 0.0, 0.0)
    # One answer an item cannot show whether the item or chance left it unread.
    by_chance = np.where(n > 1, (1 - readable.mean()) ** n, 0.0)
    beyond = max(0.0, float(never.mean() - by_chance.mean()))
    return Unread(int(never.sum()), of, beyond, _held(evidence, never) if beyond else 0.0)


def _held(evidence: Evidence, never: np.ndarray) -> float:
    """Return the share of all questions that are unread and whose answers hold the target, net of luck."""
    reading = evidence.readings[0]
    assert reading is not None
    over = (reading.lenient - reading.lenient_chance)[never]
    if np.isnan(over).any():
        over = _contained(evidence, np.flatnonzero(never))
    return max(0.0, float(over.mean() * never.mean())) if len(over) else 0.0


def _contained(evidence: Evidence, places: np.ndarray) -> Floats:
    """Return for each unread question how many of its answers hold its target, less how many hold another's; nothing
    where texts or targets were not recorded."""
    rows, items = evidence.rows, evidence.facts.items
    if "completion" not in rows or evidence.questions.key is None:
        return np.zeros(0)
    places = places[np.linspace(0, len(places) - 1, min(len(places), LOOKED_AT)).astype(int)]
    names = evidence.questions.names[places]
    chosen = rows[
        (rows["condition"] == "base/plain") & (rows["status"] != "failed") & rows["item"].isin(names)
    ]
    texts = chosen.groupby("item")["completion"].agg(list)
    targets = [frozenset(map(phrase, items[str(name)]["accepted"])) for name in names]
    shares = []
    for at, name in enumerate(names):
        said = [words(text or "") for text in texts.get(name, [])]
        own, other = targets[at], targets[(at + 1) % len(targets)] - targets[at]
        shares.append(np.mean([bool(find(own, text)) - bool(find(other, text)) for text in said] or [0.0]))
    return np.array(shares, dtype=float)
