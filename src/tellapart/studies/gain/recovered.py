"""How much of the gain each elicitor brings back from the base, its null control beside it, and at what price."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tellapart.elicit.elicitor import elicitor_name, null_name
from tellapart.findings.gain import ElicitorLine, RoutedPoint
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.shares import recovered_share
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.items import PerItem, per_item
from tellapart.studies.gain.recorded import ElicitorRecord
from tellapart.studies.gain.scores import Scores

DECIDERS = {
    "teacher": "teacher's disagreement",
    "entropy": "base's entropy",
    "first": "first tokens",
    "all": "every token",
}
FEWEST_SHARED = 0.9
"""Share of the items that a method must have answered; the others count as not raised."""


class Way(NamedTuple):
    """One elicitor's value on the base: per-item means aligned with the scores' items (the base's own where an item
    has no answer); `bits` once and over one answer to each item, `bits_an_answer` (answers,) told of each;
    `routed_share` NaN where nothing is routed; `tells` and `null_tells` as in elicit/elicitor.py."""

    name: str
    means: NDArray[np.float64]
    null_means: NDArray[np.float64] | None
    share: Estimate
    null_share: Estimate
    bits: float
    bits_an_answer: NDArray[np.float64]
    routed_share: float
    oracle: bool
    tells: str
    null_tells: str
    among: float


class Recovered(NamedTuple):
    """What all methods brought back. `priced` are those whose bits are charged (no oracle, nothing that tells of the
    asked items); `untold` the per-item means of every condition that told no right answers, by name, `among` the
    chance of one that picks among candidates, and `reasons` why others have no figure."""

    ways: tuple[Way, ...]
    priced: tuple[Way, ...]
    untold: dict[str, NDArray[np.float64]]
    among: dict[str, float]
    estimates: dict[str, Estimate]
    lines: tuple[ElicitorLine, ...]
    routing: tuple[RoutedPoint, ...]
    reasons: dict[str, str]


def recover(rows: pd.DataFrame, scores: Scores, facts: Facts) -> Recovered:
    """Return the recovered shares of every way whose rows are there; missing ones are named with their reason."""
    by_name = {
        name: way_of(rows, scores, facts, name, about)
        for name, about in facts.elicitors.items()
        if "missing" not in about
    }
    ways = tuple(way for way in by_name.values() if way is not None)
    reasons = {name: str(about["missing"]) for name, about in facts.elicitors.items() if "missing" in about}
    reasons |= {
        name: unanswered(rows, f"base/{name}", scores) for name, way in by_name.items() if way is None
    }
    estimates: dict[str, Estimate] = {}
    untold: dict[str, NDArray[np.float64]] = {}
    for way in ways:
        estimates[f"score/{way.name}"] = mean_score(way.means)
        estimates[f"recovered_share/{way.name}"] = way.share
        estimates[f"null_share/{way.name}"] = way.null_share
        estimates[f"bits_supplied/{way.name}"] = Estimate(
            way.bits, math.nan, math.nan, len(way.means), "bits", "once, and over one answer to each item"
        )
        if way.tells == "nothing" and not way.oracle:
            untold[way.name] = way.means
        if way.null_tells == "nothing" and way.null_means is not None:
            untold[null_name(way.name)] = way.null_means
    priced = tuple(way for way in ways if not way.oracle and way.tells not in ("items", "unknown"))
    among = {name: way.among for way in ways for name in (way.name, null_name(way.name))}
    lines = [_line(way.name, facts.elicitors[way.name], way) for way in ways]
    lines += [_line(name, facts.elicitors[name], None, reason) for name, reason in reasons.items()]
    routing = [point for way in ways if not math.isnan(way.routed_share) for point in _routed(way, facts)]
    return Recovered(ways, priced, untold, among, estimates, tuple(lines), tuple(routing), reasons)


def way_of(rows: pd.DataFrame, scores: Scores, facts: Facts, name: str, about: ElicitorRecord) -> Way | None:
    """Return what the way `name` recovered; None where too few items have an answer under it."""
    means = aligned(rows, f"base/{name}", scores.base, facts)
    if means is None:
        return None
    null_means = aligned(rows, f"base/{null_name(name)}", scores.base, facts)
    own = rows[rows["condition"] == f"base/{name}"]
    bits_told = own["bits"].to_numpy(dtype=np.float64)
    bits_told = bits_told[~np.isnan(bits_told)]
    share = _share(means, scores)
    null = (
        missing("share", str(about.get("null_missing", "no null control")))
        if null_means is None
        else _share(null_means, scores)
    )
    filled, null_filled = (_filled(values, scores.base.mean) for values in (means, null_means))
    assert filled is not None
    an_answer = float(bits_told.mean()) if len(bits_told) else math.nan
    bits = float(about.get("bits_once", math.nan)) + an_answer * len(means)
    tells = supplied_by(name, about)
    return Way(
        name,
        filled,
        null_filled,
        share,
        null,
        bits,
        bits_told,
        _mean_measure(own, "routed_share"),
        bool(about.get("oracle")),
        tells[0],
        tells[1],
        _mean_measure(own, "chance"),
    )


def supplied_by(name: str, about: ElicitorRecord) -> tuple[str, str]:
    """Return what a method and its control tell of right answers; of runs that did not record it, by its name."""
    if "tells" in about:
        return str(about["tells"]), str(about.get("null_tells", "labels"))
    from tellapart.elicit import ELICITORS

    elicitor = ELICITORS.get(str(about.get("elicitor", elicitor_name(name))))
    if elicitor is None:
        return "labels", "labels"
    setting = about.get("setting", {})
    return elicitor.tells_of(name, setting), elicitor.tells_of(null_name(name), setting)


def unanswered(rows: pd.DataFrame, condition: str, scores: Scores) -> str:
    """Return why a condition has no share: how many items have no answer under it, and the first error."""
    own = rows[rows["condition"] == condition]
    good = own[(own["status"] != "failed") & own["score"].notna()]
    lost = int((~np.isin(scores.base.items, good["item"].to_numpy(dtype=object))).sum())
    reason = f"{lost} of {len(scores.base.items)} items have no answer under it"
    errors = [error for error in own["error"] if error]
    return f"{reason}: {errors[0]}" if errors else reason


def aligned(rows: pd.DataFrame, condition: str, base: PerItem, facts: Facts) -> NDArray[np.float64] | None:
    """Return the condition's mean score of each item of `base`, (n,), NaN where an item has no answer; None where
    more than a tenth of them have none."""
    side = per_item(rows, condition, facts.correct_at)
    if side is None:
        return None
    at = pd.Index(side.items).get_indexer(pd.Index(base.items))
    if (at >= 0).mean() < FEWEST_SHARED:
        return None
    return np.where(at >= 0, side.mean[at], np.nan)


def _share(means: NDArray[np.float64], scores: Scores) -> Estimate:
    """Return the recovered share over the items that have an answer; its n says how many."""
    there = ~np.isnan(means)
    clusters = None if scores.clusters is None else scores.clusters[there]
    return recovered_share(scores.base.mean[there], means[there], scores.tuned.mean[there], clusters)


def _filled(means: NDArray[np.float64] | None, base: NDArray[np.float64]) -> NDArray[np.float64] | None:
    return None if means is None else np.where(np.isnan(means), base, means)


def _mean_measure(rows: pd.DataFrame, name: str) -> float:
    """Return the mean of a measure over the rows that tell it, NaN where none does."""
    values = [
        dict(measures)[name]
        for measures in rows["measures"]
        if measures is not None and name in dict(measures)
    ]
    return float(np.mean(values)) if values else math.nan


def _line(name: str, about: ElicitorRecord, way: Way | None, reason: str = "") -> ElicitorLine:
    """Return the report's line about a way, or about one that has no figure (`way` None) and why."""
    share = missing("share", "no figure") if way is None else way.share
    null = missing("share", "no figure") if way is None else way.null_share
    note = str(about.get("setting", {}).get("label", ""))
    if way is None:
        note = f"no figure: {reason}"
    elif way.oracle:
        note = f"{note}; sees the scorer's verdict: a ceiling"
    return ElicitorLine(
        name=name,
        title=name.replace("_", " "),
        source=about.get("source", ""),
        share=share.value,
        low=share.low,
        high=share.high,
        null_share=null.value,
        null_low=null.low,
        null_high=null.high,
        bits=math.nan if way is None else way.bits,
        bits_unit="bits",
        note=note,
    )


def _routed(way: Way, facts: Facts) -> list[RoutedPoint]:
    """Return a way's point of the routed-share curve and its null control's, routed at random positions."""
    decider = str(facts.elicitors[way.name].get("setting", {}).get("decider", ""))
    deciders = (
        (DECIDERS.get(decider, decider), way.share),
        (f"random positions ({decider})", way.null_share),
    )
    return [
        RoutedPoint(name, way.routed_share, share.value, share.low, share.high, way.bits)
        for name, share in deciders
        if not (decider == "all" and name.startswith("random"))
    ]
