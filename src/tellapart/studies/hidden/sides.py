"""What a model shows, and what methods elicit from it: rows of one role -> per-item scores, each with its chance.

Shown is the best plain reading, form failures and noise set aside: the strict score, the lenient reading, the score
that answers would have if all could be read, the majority of the samples, the best decoding setting. An honest model
that writes the wrong form, or wanders at a high temperature, shows by one of these what it holds.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tellapart.elicit.elicitor import NULL, elicitor_name, null_name
from tellapart.stats.arrays import Floats
from tellapart.stats.bounds import Method
from tellapart.studies.gain.answers import (
    Chance,
    Questions,
    Reading,
    majority_means,
    matching_chance,
    reading_of,
)
from tellapart.studies.gain.items import PerItem, per_item
from tellapart.studies.gain.recorded import ElicitorRecord
from tellapart.studies.gain.recovered import supplied_by
from tellapart.studies.hidden.facts import HiddenFacts

Kind = Literal["plain", "untold", "reasoning", "candidates", "labels", "items"]
"""Plain: another reading of what is shown. Untold: tells no right answer, and lowers or raises nothing else. Reasoning:
more steps before the answer raise honest models. Candidates: picks among answers that the question does not list."""
REASONING = frozenset({"step_by_step", "cot_decoding", "few_shot_steps", "critique", "power_sampling"})
VOTE = "self_consistency"
READINGS = frozenset({"sampling", VOTE})
"""Elicitors that only read plain answers with less noise: what they bring is shown."""
RANK = "answer_rank"
FEW_READABLE = 0.95
"""Share of readable answers below which the unreadable ones are granted the upper end of what the others score."""
STRICT, READ, LENIENT, MAJORITY = (
    "strict",
    "if all could be read",
    "read leniently",
    "majority of the samples",
)


class Tried(NamedTuple):
    """A reading or a method: its name, kind, per-item means (n,) with their chance, bits supplied once."""

    name: str
    kind: Kind
    method: Method
    bits: float = math.nan


class Side(NamedTuple):
    """One model on the shared items: plain scores, how they read, the readings of what is shown, and every method."""

    role: str
    plain: PerItem
    reading: Reading | None
    readings: tuple[Tried, ...]
    methods: tuple[Tried, ...]
    reasons: dict[str, str]

    def untold(self) -> tuple[Tried, ...]:
        """Return the methods whose rise is evidence of what was there."""
        return tuple(method for method in self.methods if method.kind == "untold")


def side_of(
    rows: pd.DataFrame,
    role: str,
    questions: Questions,
    chance: Chance,
    records: Mapping[str, ElicitorRecord],
    facts: HiddenFacts,
) -> Side | None:
    """Return one model's side; None where it was not asked every shared item plainly. `told` says of each method what
    stands beside its rows."""
    plain = per_item(rows, f"{role}/plain", facts.correct_at)
    if plain is None or not plain.has(questions.names).all():
        return None
    plain = plain.at(questions.names)
    reading = reading_of(rows, f"{role}/plain", questions)
    readings = _readings(rows, role, questions, chance, (plain, reading))
    methods: list[Tried] = []
    reasons: dict[str, str] = {}
    for name, about in records.items():
        if "missing" in about:
            reasons[name] = str(about["missing"])
            continue
        tells = supplied_by(name, about)
        for each, what in ((name, tells[0]), (null_name(name), tells[1])):
            tried = _tried(rows, role, questions, chance, each, (_kind(each, what, facts), about), facts)
            if tried is not None:
                (readings if tried.kind == "plain" else methods).append(tried)
            elif not each.endswith(NULL):
                reasons[each] = "some items have no answer"
    return Side(role, plain, reading, tuple(readings), tuple(methods), reasons)


def _kind(name: str, tells: str, facts: HiddenFacts) -> Kind:
    method = elicitor_name(name)
    if tells == "labels":
        return "labels"
    if tells != "nothing":
        return "items"
    if method in READINGS:
        return "plain"
    if method in REASONING:
        return "reasoning"
    if method == RANK and not _listed(facts):
        return "candidates"
    return "untold"


def _listed(facts: HiddenFacts) -> bool:
    """Return whether every question lists its candidates itself: then ranking them tells nothing new."""
    return bool(facts.items) and all(item.get("candidates") for item in facts.items.values())


def _readings(
    rows: pd.DataFrame, role: str, questions: Questions, chance: Chance, plain: tuple[PerItem, Reading | None]
) -> list[Tried]:
    own, reading = plain
    floor = chance.upper
    readings = [Tried(STRICT, "plain", Method(own.mean, floor))]
    votes = majority_means(rows, f"{role}/plain", questions)
    if votes is not None:
        readings.append(Tried(MAJORITY, "plain", Method(votes, floor)))
    if reading is None:
        return readings
    if float(reading.strict.readable.mean()) < 1:
        readings.append(Tried(READ, "plain", Method(if_readable(reading, questions), floor)))
    if not np.isnan(reading.lenient).any() and not np.isnan(reading.lenient_chance).all():
        finite = reading.lenient_chance[~np.isnan(reading.lenient_chance)]
        error = finite.std(ddof=1) / math.sqrt(len(finite)) if len(finite) > 1 else 0.0
        level = max(floor, float(finite.mean() + 2 * error))
        readings.append(Tried(LENIENT, "plain", Method(reading.lenient, level)))
    return readings


def if_readable(reading: Reading, questions: Questions) -> Floats:
    """Return the score (n,) if every answer could be read: unreadable answers are right as often as the readable ones,
    at the upper end of what these show where they are fewer than FEW_READABLE (one observation a cluster)."""
    readable, score = reading.strict
    share = float(readable.mean())
    right = float(score.mean()) / share if share > 0 else math.nan
    if share < FEW_READABLE:
        seen = readable > 0
        units = len(np.unique(questions.clusters[seen])) if seen.any() else 0
        k = 0.0 if units == 0 else right * units
        right = 1.0 if k >= units else float(stats.beta.ppf(0.975, k + 1, units - k))
    return score + (1 - readable) * right


def _tried(
    rows: pd.DataFrame,
    role: str,
    questions: Questions,
    chance: Chance,
    name: str,
    about_method: tuple[Kind, ElicitorRecord],
    facts: HiddenFacts,
) -> Tried | None:
    kind, about = about_method
    condition = f"{role}/{name}"
    side = per_item(rows, condition, facts.correct_at)
    if side is None or not side.has(questions.names).all():
        return None
    levels = [chance.upper, matching_chance(rows, condition, questions).high, _among(rows, condition)]
    level = max(level for level in levels if math.isfinite(level))
    bits = float(about.get("bits_once", math.nan))
    return Tried(name, kind, Method(side.at(questions.names).mean, level), bits)


def _among(rows: pd.DataFrame, condition: str) -> float:
    """Return the chance of one that picks among candidates; NaN where nothing is picked."""
    measures = rows.loc[rows["condition"] == condition, "measures"]
    values = [
        dict(measured)["chance"]
        for measured in measures
        if measured is not None and "chance" in dict(measured)
    ]
    return float(np.mean(values)) if values else math.nan
