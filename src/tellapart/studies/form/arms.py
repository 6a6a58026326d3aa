"""Rows of a family's arms as aligned arrays: what every statistic of `form` starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats
from tellapart.studies.form.facts import ArmFacts, condition
from tellapart.studies.gain.items import PerItem, per_item, shared_items
from tellapart.studies.gain.scores import clusters_of


class Compared(NamedTuple):
    """Scores of some arms over the items that all of those have, and those items' clusters (None: each its own)."""

    scores: list[Floats]
    clusters: NDArray[np.object_] | None


@dataclass(frozen=True)
class Arms:
    """Scores by arm over the items that base and full share: `scores[arm]` (items,), NaN where an arm lacks an item.
    `own` holds each arm's whole PerItem; `labels` are the items' clusters, `clusters` the same where they are enough
    to reckon with, else None."""

    items: NDArray[np.object_]
    scores: Mapping[str, Floats]
    own: Mapping[str, PerItem]
    labels: NDArray[np.object_]
    clusters: NDArray[np.object_] | None
    caveats: tuple[str, ...]

    def compared(self, *names: str) -> Compared:
        """Return the scores of these arms over the items that all of them have."""
        there = np.all([np.isfinite(self.scores[name]) for name in names], axis=0)
        clusters = None if self.clusters is None else self.clusters[there]
        return Compared([self.scores[name][there] for name in names], clusters)


def read_arms(rows: pd.DataFrame, family: str, arm_facts: Mapping[str, ArmFacts], correct_at: float) -> Arms:
    """Return the arms of a family; those without a scored answer are left out with a caveat.

    Raises UserMistake where no arm has a scored answer, or where base and full share no item.
    """
    sides = {arm: per_item(rows, condition(family, arm), correct_at) for arm in arm_facts}
    own = {arm: side for arm, side in sides.items() if side is not None}
    empty = [arm for arm, side in sides.items() if side is None]
    if not own:
        reason = "every request failed, or the logs hold no scores"
        raise UserMistake(f"{family}: no arm has a scored answer: {reason}")
    ends = [arm for arm in own if arm_facts[arm].role in ("base", "full")] or list(own)
    first = shared_items(*(own[arm] for arm in ends))[0]
    if len(first.items) == 0:
        raise UserMistake(f"{family}: the arms {', '.join(ends)} share no item with scored answers")
    clusters, caveats = clusters_of(first)
    said = [*caveats, *(f"{arm}: no scored answer, the arm is left out" for arm in empty)]
    most = max(len(own[arm].items) for arm in ends)
    if most > len(first.items):
        said.append(
            f"base and full share {len(first.items)} of up to {most} items: comparisons are over those"
        )
    scores = {arm: _scores_at(side, first.items) for arm, side in own.items()}
    return Arms(first.items, scores, own, first.cluster, clusters, tuple(said))


def _scores_at(side: PerItem, items: NDArray[np.object_]) -> Floats:
    """Return the scores of `items`, NaN where the arm lacks one."""
    places = pd.Index(side.items).get_indexer(pd.Index(items))
    return np.where(places < 0, np.nan, side.mean[places])
