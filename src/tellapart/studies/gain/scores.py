"""Both models' scores, their difference, pass@k, cover@tau and the items that only one of them solves."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tellapart.findings.gain import Coverage, ItemLine
from tellapart.findings.shown import Triple
from tellapart.stats.cover import cover, crossing_tau
from tellapart.stats.coverage import Counts, compare_coverage, know_nothing_pass_at_k
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.one_sided import solved_by
from tellapart.stats.paired import paired_difference
from tellapart.studies.gain.items import PerItem

TAUS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Of cover@tau as estimates; the curve is drawn at CURVE_TAUS."""
CURVE_TAUS = tuple(round(0.05 * step, 2) for step in range(1, 21))


FEWEST_CLUSTERS = 10


class Scores(NamedTuple):
    """`base` and `tuned` over their shared items; `clusters` None where items stand for themselves."""

    base: PerItem
    tuned: PerItem
    clusters: NDArray[np.int64] | None
    gain: Estimate
    estimates: dict[str, Estimate]
    coverage: Coverage
    items: tuple[ItemLine, ...]


def compare(
    base_all: PerItem,
    tuned_all: PerItem,
    base: PerItem,
    tuned: PerItem,
    questions: tuple[NDArray[np.int64], float | None],
) -> Scores:
    """Return the comparison: own scores over all own items, differences over the shared ones. `known` are the
    clusters of the shared items and the chance level (None where it is not known)."""
    clusters, floor = questions
    if len(np.unique(clusters)) == len(clusters):
        clusters = None
    gain = paired_difference(base.mean, tuned.mean, clusters)
    estimates = {
        "base_score": mean_score(base_all.mean, own_clusters(base_all, base, clusters)),
        "tuned_score": mean_score(tuned_all.mean, own_clusters(tuned_all, tuned, clusters)),
        "gain": gain,
    }
    passes, coverage = _coverage(base, tuned, clusters, floor)
    estimates |= passes
    estimates |= _one_sided(base, tuned)
    return Scores(base, tuned, clusters, gain, estimates, coverage, item_lines(base, tuned))


def own_clusters(
    everything: PerItem, shared: PerItem, clusters: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """Return clusters for all items of a side: those of the shared ones, the others each (or each label) its own."""
    if clusters is None:
        return None
    at = pd.Index(shared.items).get_indexer(pd.Index(everything.items))
    labels = pd.factorize(everything.cluster)[0].astype(np.int64)
    return np.where(at >= 0, clusters[at], clusters.max() + 1 + labels)


def clusters_of(side: PerItem) -> tuple[NDArray[np.object_] | None, tuple[str, ...]]:
    """Return the cluster labels where they say something and are enough to reckon with, and a caveat if not."""
    groups = len(set(side.cluster.tolist()))
    if groups == len(side.items):
        return None, ()
    if groups < FEWEST_CLUSTERS:
        said = f"items come from {groups} subtasks, too few to treat as drawn: intervals are over items within them"
        return None, (said,)
    return side.cluster, ()


def reported_ks(most: int) -> list[int]:
    """Return the k of pass@k up to `most`: powers of two, `most` itself, and the customary 5, 10 and 100.

    >>> reported_ks(12)
    [1, 2, 4, 5, 8, 10, 12]
    """
    powers = {1 << i for i in range(int(math.log2(most)) + 1)}
    return sorted(k for k in powers | {5, 10, 100, most} if k <= most)


def _coverage(
    base: PerItem, tuned: PerItem, clusters: NDArray[np.int64] | None, floor: float | None
) -> tuple[dict[str, Estimate], Coverage]:
    ks = reported_ks(int(min(base.n.min(), tuned.n.min())))
    compared = compare_coverage(base.counts, tuned.counts, ks, clusters)
    estimates: dict[str, Estimate] = {}
    for k in ks:
        estimates[f"base_pass@{k}"] = compared.base[k]
        estimates[f"tuned_pass@{k}"] = compared.tuned[k]
        estimates[f"pass@{k}_difference"] = compared.difference[k]
    covers = {
        role: cover(side.counts, CURVE_TAUS, clusters) for role, side in (("base", base), ("tuned", tuned))
    }
    for role, by_tau in covers.items():
        estimates |= {f"{role}_cover@{tau}": by_tau[tau] for tau in TAUS}
    crossing = crossing_tau(base.counts, tuned.counts, clusters)
    estimates["crossing_tau"] = crossing
    return estimates, Coverage(
        k=tuple(ks),
        base=tuple(_triple(compared.base[k]) for k in ks),
        tuned=tuple(_triple(compared.tuned[k]) for k in ks),
        know_nothing=None if floor is None else tuple(know_nothing_pass_at_k(floor, ks).tolist()),
        tau=CURVE_TAUS,
        base_cover=tuple(_triple(covers["base"][tau]) for tau in CURVE_TAUS),
        tuned_cover=tuple(_triple(covers["tuned"][tau]) for tau in CURVE_TAUS),
        crossing_tau=crossing.value,
    )


UNEQUAL_MOST = 0.1
"""Share of items with unlike numbers of samples up to which the others are counted."""


def _one_sided(base: PerItem, tuned: PerItem) -> dict[str, Estimate]:
    """Return how many items changed sides: by majority (gained, lost), and by any right answer (only).

    Any of 4 answers against one is no comparison: an item with more samples on one side is in no count of "only", and
    where many are, there is no count.
    """
    half_b, half_t = base.c * 2 >= base.n, tuned.c * 2 >= tuned.n
    counts = {
        "gained_items": int((~half_b & half_t).sum()),
        "lost_items": int((half_b & ~half_t).sum()),
    }
    n = len(base.items)
    estimates = {
        name: Estimate(float(count), math.nan, math.nan, n, "items", "count")
        for name, count in counts.items()
    }
    equal = base.n == tuned.n
    solved = solved_by(_where(base, equal), _where(tuned, equal))
    by_side = {
        "base_only_items": len(solved.base_only),
        "base_only_fragile_items": len(solved.base_only_fragile),
        "tuned_only_items": len(solved.tuned_only),
        "tuned_only_fragile_items": len(solved.tuned_only_fragile),
        "solved_by_both": len(solved.both),
        "solved_by_neither": len(solved.neither),
    }
    if (~equal).mean() > UNEQUAL_MOST:
        n_b, n_t = np.median(base.n), np.median(tuned.n)
        reason = f"unlike numbers of samples an item: {n_b:g} of the base, {n_t:g} of the tuned"
        return estimates | dict.fromkeys(by_side, missing("items", reason, n))
    return estimates | {
        name: Estimate(float(count), math.nan, math.nan, int(equal.sum()), "items", "count")
        for name, count in by_side.items()
    }


def _where(side: PerItem, mask: NDArray[np.bool_]) -> Counts:
    return Counts(side.n[mask], side.c[mask])


def item_lines(base: PerItem, tuned: PerItem) -> tuple[ItemLine, ...]:
    """Return one line an item, those solved by one side only first (fragile: by few right answers)."""
    equal = np.flatnonzero(base.n == tuned.n)
    solved = solved_by(_where(base, base.n == tuned.n), _where(tuned, base.n == tuned.n))
    only = np.full(len(base.items), "", dtype=object)
    only[equal[solved.base_only]], only[equal[solved.tuned_only]] = "base", "tuned"
    fragile = {*equal[solved.base_only_fragile].tolist(), *equal[solved.tuned_only_fragile].tolist()}
    names, clusters = list(map(str, base.items)), list(map(str, base.cluster))
    columns = zip(
        names,
        ["" if cluster == name else cluster for name, cluster in zip(names, clusters, strict=True)],
        *(counts.tolist() for counts in (base.n, base.c, tuned.n, tuned.c)),
        [i in fragile for i in range(len(names))],
        map(str, only),
        strict=True,
    )
    rows = [ItemLine(*line) for line in columns]
    return tuple(sorted(rows, key=lambda row: (row.only == "", row.only, row.item)))


def _triple(estimate: Estimate) -> Triple:
    return estimate.value, estimate.low, estimate.high


def finite(value: float) -> float | None:
    """Return the value, or None for NaN and infinities (as JSON has none)."""
    return float(value) if math.isfinite(value) else None
