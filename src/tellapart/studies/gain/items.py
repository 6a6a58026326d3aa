"""Rows of one condition, summed up per item: the arrays that every statistic of `gain` starts from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tellapart.stats.coverage import Counts


@dataclass(frozen=True)
class PerItem:
    """Per item (all arrays of one length): `n` answers that did not fail, `c` of them right, `mean` score
    (NaN where n is 0), `cluster` labels (the item itself where it has none)."""

    items: NDArray[np.object_]
    n: NDArray[np.int64]
    c: NDArray[np.int64]
    mean: NDArray[np.float64]
    cluster: NDArray[np.object_]

    @property
    def counts(self) -> Counts:
        return Counts(self.n, self.c)

    def has(self, items: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Return which of `items` are there (hashed: np.isin compares objects pair by pair)."""
        return pd.Index(items, dtype=object).isin(pd.Index(self.items, dtype=object))

    def at(self, items: NDArray[np.object_]) -> "PerItem":
        """Return the entries of `items`, in that order; every one must be there."""
        places = pd.Index(self.items, dtype=object).get_indexer(pd.Index(items, dtype=object))
        return PerItem(items, self.n[places], self.c[places], self.mean[places], self.cluster[places])


def per_item(rows: pd.DataFrame, condition: str, correct_at: float = 1.0) -> PerItem | None:
    """Return the items of `condition` in the report split; None where it has no answer that did not fail."""
    counted = (rows["condition"] == condition) & (rows["status"] != "failed") & rows["score"].notna()
    chosen = rows.loc[counted, ["item", "score", "cluster"]]
    if chosen.empty:
        return None
    codes, items = pd.factorize(chosen["item"], sort=True)
    scores = chosen["score"].to_numpy(dtype=np.float64)
    n = np.bincount(codes, minlength=len(items))
    c = np.bincount(codes, weights=scores >= correct_at, minlength=len(items)).astype(np.int64)
    mean = np.bincount(codes, weights=scores, minlength=len(items)) / n
    first = np.full(len(items), -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    cluster = chosen["cluster"].to_numpy(dtype=object)[first]
    names = np.asarray(items, dtype=object)
    return PerItem(names, n, c, mean, np.where(cluster == "", names, cluster))


def shared_items(*sides: PerItem) -> tuple[PerItem, ...]:
    """Return the sides restricted to the items that all of them have, in one order."""
    common = sides[0].items
    for side in sides[1:]:
        common = common[side.has(common)]
    return tuple(side.at(common) for side in sides)
