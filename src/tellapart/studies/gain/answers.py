"""What was answered, beside the scores: which answers could be read, what a random guesser scores, which questions
are distinct."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.chance import (
    MOST_LOOKED_AT,
    AnswerKey,
    Given,
    alike_matches,
    constant_chance,
    expected_matches,
    permutation_chance,
)
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.form_parts import Read
from tellapart.stats.intervals import mean
from tellapart.studies.gain.items import PerItem
from tellapart.studies.gain.recorded import ItemKey
from tellapart.tasks.questions import joined

FEWEST_TARGETS = 10
"""Fewer distinct targets of an open space do not show how likely a lucky guess is."""
USES_A_TARGET = 5
"""Items a target, from which on the targets that occur are taken for all that there are."""
GROUPED, LEAST_GROUPED = 2.0, 0.05
"""Luck on alike questions, over luck on all of them and in itself, from which on questions come in groups."""
FEWEST_GROUPS = 10
"""Fewer clusters (subtasks) than this are strata, not draws: intervals are over the questions within them."""


class Questions(NamedTuple):
    """The items that base and tuned share, in one order (n,): their `names`, `clusters` (as codes; nearly equal
    questions share one), the number of `distinct` questions, and their answer `key` (None where no targets were
    recorded), and the share of right answers that equal it as text. `caveats` are one line each."""

    names: np.ndarray
    clusters: Integers
    distinct: int
    key: AnswerKey | None
    recognised: float
    caveats: tuple[str, ...]


class Chance(NamedTuple):
    """The chance level with what set it; `reason` says why it is not known (NaN). Its upper end decides.

    `overall` is the level without luck on alike questions (None: the same). Who guesses within the right sort is lucky
    there, and so is who has learned to come near: that luck keeps a skill from being claimed, and must not deny one.
    """

    level: Estimate
    reason: str
    overall: Estimate | None = None

    @property
    def upper(self) -> float:
        return self.level.high if math.isfinite(self.level.high) else self.level.value


def shared_questions(
    rows: pd.DataFrame, side: PerItem, items: Mapping[str, ItemKey], recognised: float = 1.0
) -> Questions:
    """Return what is known of the shared items: `items` are the facts' answer keys by item."""
    first = rows.loc[rows["condition"].isin(("base/plain", "tuned/plain")), ["item", "question"]]
    keys = first[first["question"].fillna("") != ""].drop_duplicates("item").set_index("item")["question"]
    question_keys = keys.reindex(pd.Index(side.items))
    own = np.array([f"item {name}" for name in side.items], dtype=object)
    questions = question_keys.fillna(pd.Series(own, index=question_keys.index)).tolist()
    labels, caveats = side.cluster, ()
    groups = len(set(labels.tolist()))
    if groups < min(FEWEST_GROUPS, len(labels)):
        caveats = (
            f"items come from {groups} subtasks, too few to treat as drawn: intervals are over items within them",
        )
        labels = own
    clusters = pd.factorize(np.array(joined([str(label) for label in labels], questions), dtype=object))[0]
    distinct = len(set(questions))
    if distinct < len(questions):
        caveats += (
            f"{len(questions)} items ask {distinct} distinct questions; equal ones count as one cluster",
        )
    codes = clusters.astype(np.int64)
    return Questions(side.items, codes, distinct, _key(side.items, codes, items), recognised, caveats)


def _key(names: np.ndarray, clusters: Integers, items: Mapping[str, ItemKey]) -> AnswerKey | None:
    accepted = [tuple(items.get(str(name), {}).get("accepted", ())) for name in names]
    if not all(accepted):
        return None
    pairs = [(at, value) for at, values in enumerate(accepted) for value in values]
    kinds = pd.factorize(np.array([str(items[str(name)].get("kind", "")) for name in names], dtype=object))[0]
    return AnswerKey(
        np.array([at for at, _ in pairs], dtype=np.int64),
        np.array([value for _, value in pairs], dtype=object),
        clusters,
        kinds.astype(np.int64),
    )


def given_answers(rows: pd.DataFrame, condition: str, questions: Questions) -> Given | None:
    """Return the answers of a condition to the shared items; None where none were recorded."""
    counted = (rows["condition"] == condition) & (rows["status"] != "failed") & rows["answer"].notna()
    chosen = rows.loc[counted, ["item", "answer"]]
    at = pd.Index(questions.names).get_indexer(pd.Index(chosen["item"]))
    if not (at >= 0).any():
        return None
    return Given(at[at >= 0].astype(np.int64), chosen["answer"].to_numpy(dtype=object)[at >= 0])


def matching_chance(rows: pd.DataFrame, condition: str, questions: Questions) -> Estimate:
    """Return the score that the condition's own answers would get on other questions, or on alike ones where that is
    more."""
    return _matching(rows, condition, questions)[1]


def _matching(rows: pd.DataFrame, condition: str, questions: Questions) -> tuple[Estimate, Estimate]:
    """Return the score of the condition's own answers on other questions, and the same or, where that is more, on alike
    ones."""
    given = None if questions.key is None else given_answers(rows, condition, questions)
    if given is None or questions.key is None:
        unknown = missing("score", "answers or targets were not recorded")
        return unknown, unknown
    overall = _recognised(permutation_chance(given, questions.key), questions)
    over_alike = _luck(given, questions.key)[1]
    if over_alike is None:
        return overall, overall
    measured = ~np.isnan(over_alike)
    alike = _recognised(mean(over_alike[measured], questions.clusters[measured]), questions)
    if not alike.value > overall.value:
        return overall, overall
    high = max(overall.high, alike.high) if math.isfinite(alike.high) else overall.high
    return overall, replace(alike, high=high, method="answers held against the targets of alike questions")


def _recognised(matches: Estimate, questions: Questions) -> Estimate:
    """Return an estimate of equal answers as a score: what equal text shows is a part of what the scorer takes."""
    value, low, high = (
        min(1.0, bound / questions.recognised) for bound in (matches.value, matches.low, matches.high)
    )
    return replace(matches, value=value, low=max(0.0, low), high=high)


def matching_by_item(
    rows: pd.DataFrame, condition: str, questions: Questions, alike: bool = True
) -> Floats | None:
    """Return the same per item (n,), NaN where an item has no answer; None where nothing was recorded. With `alike`
    false it is that on all other questions, whatever it is on alike ones."""
    given = None if questions.key is None else given_answers(rows, condition, questions)
    if given is None or questions.key is None:
        return None
    if not alike:
        return expected_matches(given, questions.key) / questions.recognised
    over_all, over_alike = _luck(given, questions.key)
    return (over_all if over_alike is None else over_alike) / questions.recognised


def guesses_within_groups(rows: pd.DataFrame, condition: str, questions: Questions) -> bool:
    """Return whether the condition's answers are far luckier on alike questions than on others: it knows what sort of
    answer is asked for. Wrong candidates drawn from all questions are then too easy to tell from the right one."""
    given = None if questions.key is None else given_answers(rows, condition, questions)
    if given is None or questions.key is None:
        return False
    over_all, over_alike = _luck(given, questions.key)
    if over_alike is None:
        return False
    return bool(np.nanmean(over_alike) > max(GROUPED * float(np.nanmean(over_all)), LEAST_GROUPED))


def _luck(given: Given, key: AnswerKey) -> tuple[Floats, Floats | None]:
    """Return per item (n,) what the answers score on other questions, and on alike ones where that is more on average
    (None: it is not). An item that has no alike ones has the first figure in both."""
    over_all, over_alike = expected_matches(given, key), alike_matches(given, key)
    filled = np.where(np.isnan(over_alike), over_all, over_alike)
    looked = ~np.isnan(over_alike)
    if not looked.any() or np.nanmean(filled) <= np.nanmean(over_all):
        return over_all, None
    if len(over_all) > MOST_LOOKED_AT:  # the others are as lucky as those that were looked at
        filled = np.where(looked, over_alike, np.maximum(over_all, np.nanmean(over_alike)))
    return over_all, filled


def chance_of(
    rows: pd.DataFrame, questions: Questions, items: Mapping[str, ItemKey], stated: float | None
) -> Chance:
    """Return the chance level of the task: the largest of what both models' answers score on other questions, what
    popular answers score, one over the number of candidates, and what the user or the task stated. A stated value
    that is lower than the measured one does not win."""
    plain, matched = zip(
        *(_matching(rows, f"{role}/plain", questions) for role in ("base", "tuned")), strict=True
    )
    beside: list[Estimate] = []
    if questions.key is not None:
        beside = [
            constant_chance(questions.key),
            _of_candidates(questions, items),
            _of_copies(questions, items),
        ]
    n = len(questions.names)
    if stated is not None:
        beside.append(Estimate(stated, stated, stated, n, "score", "stated"))
    reason = _unknown(questions, items)
    if reason and stated is None:
        return Chance(missing("score", reason, n), reason)
    return Chance(_largest([*matched, *beside]), "", _largest([*plain, *beside]))


def _largest(estimates: list[Estimate]) -> Estimate:
    finite = [estimate for estimate in estimates if not math.isnan(estimate.value)]
    return max(
        finite,
        key=lambda estimate: (
            estimate.high if math.isfinite(estimate.high) else estimate.value,
            estimate.value,
        ),
    )


def _of_candidates(questions: Questions, items: Mapping[str, ItemKey]) -> Estimate:
    keys = [items[str(name)] for name in questions.names]
    counts = [key["candidates"] for key in keys if "candidates" in key]
    chances = [1 / count for count in counts if count]
    if not chances:
        return missing("score", "no candidates stand in the questions")
    value = math.fsum(chances) / len(counts)
    return Estimate(value, value, value, len(counts), "score", "one over the number of candidates")


def _of_copies(questions: Questions, items: Mapping[str, ItemKey]) -> Estimate:
    """Return the score of one who copies any known answer out of the question; missing where answers are open."""
    shares = [items[str(name)].get("copied") for name in questions.names]
    there = np.array([share for share in shares if share is not None])
    if not len(there):
        return missing("score", "answers are no closed set")
    clusters = questions.clusters[[share is not None for share in shares]]
    copied = mean(there, clusters)
    return replace(copied, method="copying any known answer out of the question")


def _unknown(questions: Questions, items: Mapping[str, ItemKey]) -> str:
    """Return why chance cannot be measured on these items; nothing where it can."""
    if questions.key is None:
        return (
            "the targets were not recorded, or no reading of the answers agrees with the scores, so chance cannot be "
            "measured: state it (--guess-floor)"
        )
    keys = [key for name in questions.names if "candidates" in (key := items[str(name)])]
    open_ones = [key for key in keys if not key["candidates"]]
    if sum(bool(open_one.get("in_prompt")) for open_one in open_ones) * 2 > len(keys):
        return (
            "targets stand in the questions and their candidates are not known: give `choices`, or state the chance "
            "level (--guess-floor)"
        )
    distinct = len(set(questions.key.value.tolist()))
    if (
        len(open_ones) * 2 > len(keys)
        and distinct < FEWEST_TARGETS
        and len(questions.names) < USES_A_TARGET * distinct
    ):
        return (
            f"{distinct} distinct targets do not show how likely a lucky guess is: {FEWEST_TARGETS} are needed, or "
            "state the chance level (--guess-floor)"
        )
    return ""


class Reading(NamedTuple):
    """Per shared item (n,): readable share and strict score, the lenient score, and what the lenient reading of the
    same answers scores on other questions (NaN where not recorded)."""

    strict: Read
    lenient: Floats
    lenient_chance: Floats


def reading_of(rows: pd.DataFrame, condition: str, questions: Questions) -> Reading | None:
    """Return how the condition's answers read; None where an item has none or answers were not recorded."""
    counted = (rows["condition"] == condition) & (rows["status"] != "failed") & rows["answer"].notna()
    chosen = rows.loc[counted, ["item", "answer", "score", "lenient", "measures"]]
    at = pd.Index(questions.names).get_indexer(pd.Index(chosen["item"]))
    chosen, at = chosen[at >= 0], at[at >= 0]
    n = len(questions.names)
    count = np.bincount(at, minlength=n)
    if (count == 0).any():
        return None
    readable = np.bincount(at, weights=(chosen["answer"] != "").to_numpy(float), minlength=n) / count
    score = np.bincount(at, weights=chosen["score"].fillna(0).to_numpy(float), minlength=n) / count
    # Where a scorer finds no answer there is none to be right with, whatever it gave.
    return Reading(
        Read(np.maximum(readable, score), score),
        _mean_of(chosen["lenient"], at, n),
        _mean_of(chosen["measures"].map(_lenient_chance), at, n),
    )


def _mean_of(values: pd.Series, at: np.ndarray, n: int) -> Floats:
    present = values.notna().to_numpy()
    total = np.bincount(at[present], minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.bincount(at[present], weights=values[present].to_numpy(float), minlength=n) / total


def _lenient_chance(measures: Any) -> float:
    return math.nan if measures is None else dict(measures).get("lenient_chance", math.nan)


def majority_means(rows: pd.DataFrame, condition: str, questions: Questions) -> Floats | None:
    """Return the mean score of each item's commonest readable answer (n,); None where it needs more samples, or
    answers that were not recorded. An item without a readable answer scores 0."""
    chosen = rows[(rows["condition"] == condition) & (rows["status"] != "failed")]
    at = pd.Index(questions.names).get_indexer(pd.Index(chosen["item"]))
    there = (at >= 0) & chosen["answer"].notna().to_numpy()
    chosen, at = chosen[there], at[there]
    if len(chosen) < 3 * len(questions.names):
        return None
    frame = pd.DataFrame(
        {"at": at, "answer": chosen["answer"].to_numpy(), "score": chosen["score"].to_numpy()}
    )
    counted = frame[frame["answer"] != ""].groupby(["at", "answer"], sort=True)["score"].agg(["size", "mean"])
    best = counted.reset_index().sort_values(["at", "size"], ascending=[True, False], kind="stable")
    best = best.drop_duplicates("at")
    means = np.zeros(len(questions.names))
    means[best["at"]] = best["mean"]
    return means
