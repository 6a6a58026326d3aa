"""How much of the gain each elicitor brings back from the base, its null twin beside it, and at what price.

The best of many noisy ways looks better than it is; so the elicited share is cross-fitted: each half of the
items is given to the way that did best on the other half.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tellapart.elicit.elicitor import null_name
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.shares import recovered_share
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.items import PerItem, per_item
from tellapart.studies.gain.scores import Scores, finite

DECIDERS = {
    "teacher": "teacher's disagreement",
    "entropy": "base's entropy",
    "first": "first tokens",
    "all": "every token",
}
MOST_LEAKED = 0.1
"""What a way tells of each answer may lift a know-nothing by at most this share of the gain."""
MOST_ROUTED = 0.5
"""A way that hands over more of the tokens is the tuned model more than the base."""
MOST_BITS = 1.0
"""Bits a way may tell of each answer where the guess floor is not known."""


class Way(NamedTuple):
    """One elicitor's value on the base: per-item means aligned with the scores' items; `bits` once and over one
    answer to each item, `bits_an_answer` (answers,) told of each; `routed_share` NaN where nothing is routed."""

    name: str
    means: NDArray[np.float64]
    null_means: NDArray[np.float64] | None
    share: Estimate
    null_share: Estimate
    bits: float
    bits_an_answer: NDArray[np.float64]
    routed_share: float
    oracle: bool


class Recovered(NamedTuple):
    """What all ways brought back; `honest` are those that may bear witness, `chosen` the ways the two halves of the
    items were given to."""

    ways: tuple[Way, ...]
    honest: tuple[Way, ...]
    elicited_share: Estimate
    chosen: tuple[str, ...]
    null_of_chosen: Estimate
    estimates: dict[str, Estimate]
    tables: dict[str, Any]


def recover(rows: pd.DataFrame, scores: Scores, facts: Facts) -> Recovered:
    """Return the recovered shares of every way whose rows are there; missing ones are named with their reason."""
    ways = tuple(
        way
        for name, about in facts.elicitors.items()
        if "missing" not in about and (way := way_of(rows, scores, facts, name, about)) is not None
    )
    honest = tuple(way for way in ways if allowed(way, scores, facts.guess_floor))
    elicited, chosen, null = _cross_fitted(honest, scores)
    estimates: dict[str, Estimate] = {}
    for way in ways:
        estimates[f"score/{way.name}"] = mean_score(way.means)
        estimates[f"recovered_share/{way.name}"] = way.share
        estimates[f"null_share/{way.name}"] = way.null_share
        estimates[f"bits_supplied/{way.name}"] = Estimate(
            way.bits, math.nan, math.nan, len(way.means), "bits", "once, and over one answer to each item"
        )
    estimates["elicited_share"] = elicited
    return Recovered(ways, honest, elicited, chosen, null, estimates, _tables(ways, facts))


def allowed(way: Way, scores: Scores, floor: float | None) -> bool:
    """Return whether a way may bear witness: no oracle, not the tuned model itself (every token routed), and what
    it was told cannot explain what it recovers: told b bits of an answer, a know-nothing is right at most
    floor * 2^b of the time.
    """
    if way.oracle or way.routed_share > MOST_ROUTED:
        return False
    if floor is None:
        return float(way.bits_an_answer.mean()) <= MOST_BITS
    lifted = np.minimum(1.0, floor * np.exp2(np.minimum(way.bits_an_answer, 1000.0))) - floor
    return float(lifted.mean()) <= MOST_LEAKED * scores.gain.value


def way_of(
    rows: pd.DataFrame, scores: Scores, facts: Facts, name: str, about: Mapping[str, Any]
) -> Way | None:
    """Return what the way `name` recovered; None where an item has no answer under it."""
    means = aligned(rows, f"base/{name}", scores.base, facts)
    if means is None:
        return None
    null_means = aligned(rows, f"base/{null_name(name)}", scores.base, facts)
    own = rows[rows["condition"] == f"base/{name}"]
    told = np.nan_to_num(own["bits"].to_numpy(dtype=np.float64))
    share = recovered_share(scores.base.mean, means, scores.tuned.mean, scores.clusters)
    null = (
        missing("share", "no null twin")
        if null_means is None
        else recovered_share(scores.base.mean, null_means, scores.tuned.mean, scores.clusters)
    )
    bits = float(about.get("bits_once", 0.0)) + float(told.mean()) * len(means)
    routed = _mean_measure(own, "routed_share")
    return Way(name, means, null_means, share, null, bits, told, routed, bool(about.get("oracle")))


def aligned(rows: pd.DataFrame, condition: str, base: PerItem, facts: Facts) -> NDArray[np.float64] | None:
    """Return the condition's mean score of each item of `base`, (n,); None where any item has no answer."""
    side = per_item(rows, condition, facts.correct_at)
    if side is None or not side.has(base.items).all():
        return None
    return side.at(base.items).mean


def _mean_measure(rows: pd.DataFrame, name: str) -> float:
    """Return the mean of a measure over the rows that tell it, NaN where none does."""
    values = [dict(told)[name] for told in rows["measures"] if told is not None and name in dict(told)]
    return float(np.mean(values)) if values else math.nan


def _cross_fitted(ways: tuple[Way, ...], scores: Scores) -> tuple[Estimate, tuple[str, ...], Estimate]:
    """Return the share of the best honest way, chosen for each half of the items on the other half."""
    if not ways:
        reason = "no elicitor ran"
        return missing("share", reason), (), missing("share", reason)
    half = np.arange(len(scores.base.items)) % 2 == 0
    best = {side: max(ways, key=lambda way: way.means[mask].mean()) for side, mask in ((0, half), (1, ~half))}
    means = np.where(half, best[1].means, best[0].means)
    share = recovered_share(scores.base.mean, means, scores.tuned.mean, scores.clusters)
    nulls = [way.null_means if way.null_means is not None else scores.base.mean for way in (best[1], best[0])]
    null = recovered_share(scores.base.mean, np.where(half, *nulls), scores.tuned.mean, scores.clusters)
    return share, tuple(dict.fromkeys((best[1].name, best[0].name))), null


def _tables(ways: tuple[Way, ...], facts: Facts) -> dict[str, Any]:
    elicitors = [_told(way.name, facts.elicitors[way.name], way) for way in ways]
    elicitors += [_told(name, about, None) for name, about in facts.elicitors.items() if "missing" in about]
    routing = [point for way in ways if not math.isnan(way.routed_share) for point in _routed(way, facts)]
    return {"elicitors": elicitors, **({"routing": routing} if routing else {})}


def _told(name: str, about: Mapping[str, Any], way: Way | None) -> dict[str, Any]:
    """Return the report's line about a way, or about one that was not tried (`way` None)."""
    share = missing("share", "not tried") if way is None else way.share
    null = missing("share", "not tried") if way is None else way.null_share
    note = str(about.get("setting", {}).get("label", ""))
    if way is None:
        note = f"not tried: {about['missing']}"
    elif way.oracle:
        note = f"{note}; sees the scorer's verdict: a ceiling"
    return {
        "name": name,
        "title": name.replace("_", " "),
        "source": about.get("source", ""),
        "share": finite(share.value),
        "low": finite(share.low),
        "high": finite(share.high),
        "null_share": finite(null.value),
        "null_low": finite(null.low),
        "null_high": finite(null.high),
        "bits": None if way is None else finite(way.bits),
        "bits_unit": "bits",
        "note": note,
    }


def _routed(way: Way, facts: Facts) -> list[dict[str, Any]]:
    """Return a way's point of the routed-share curve and its null twin's, routed at random positions."""
    decider = str(facts.elicitors[way.name].get("setting", {}).get("decider", ""))
    deciders = (
        (DECIDERS.get(decider, decider), way.share),
        (f"random positions ({decider})", way.null_share),
    )
    return [
        {
            "decider": name,
            "routed_share": way.routed_share,
            "share": finite(share.value),
            "low": finite(share.low),
            "high": finite(share.high),
            "bits": finite(way.bits),
        }
        for name, share in deciders
        if not (decider == "all" and name.startswith("random"))
    ]
