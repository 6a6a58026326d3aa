"""The difference between two logs, item by item: `tellapart compare A B` on scored logs of any tool.

    print("\\n".join(lines_of(difference_of("base.eval", "tuned.eval"))))

Samples are averaged within their item, items are paired, and the interval is that of the mean of the items'
differences, clustered where the logs tell of clusters (Miller 2024, arXiv 2411.00640).
"""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import InvalidInput, UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.logs.asked import question_keys
from tellapart.logs.recorded import Recorded
from tellapart.logs.sides import Sides, read_sides
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import mean_score
from tellapart.stats.paired import Flips, flips, paired_difference, unpaired_difference
from tellapart.stats.wording import shown
from tellapart.tasks.questions import joined


class Difference(NamedTuple):
    """`first`, `second` and `difference` (second minus first) over the shared items that have a score on both sides;
    `unpaired` is the same difference with the pairing left out. `flips` are items by what became of them, None where
    an item has several samples or a score between 0 and 1. `by` is the key that paired them."""

    sides: Sides
    by: str
    first: Estimate
    second: Estimate
    difference: Estimate
    unpaired: Estimate
    flips: Flips | None
    clusters: int
    notes: tuple[str, ...]

    def as_json(self) -> JsonObject:
        """Return JSON values."""
        logs = (self.sides.a, self.sides.b)
        return {
            "logs": [
                {"source": log.source, "tool": log.tool, "model": log.model, "task": log.task} for log in logs
            ],
            "metric": [log.metric.label or "score" for log in logs],
            "paired_by": self.by,
            "clusters": self.clusters,
            "estimates": {name: getattr(self, name).as_json() for name in Difference._fields[2:6]},
            "items": None if self.flips is None else self.flips._asdict(),
            "notes": list(self.notes),
        }


def difference_of(first: str, second: str) -> Difference:
    """Return the difference of two logs. Raises UserMistake, one line, where they cannot be compared."""
    sides = read_sides(first, second)
    paired = sides.paired
    means = [frame.groupby("item")["score"].mean() for frame in (paired.a, paired.b)]
    both = means[0].notna() & means[1].reindex(means[0].index).notna()
    items = means[0].index[both]
    notes = list(sides.notes)
    if len(items) < len(both):
        notes.append(f"{len(both) - len(items)} shared items have no score on one side and are left out")
    if len(items) == 0:
        raise UserMistake(f"{first} and {second}: no shared item has a score on both sides")
    before, after = (mean.reindex(items).to_numpy(dtype=float) for mean in means)
    named = paired.a.groupby("item")["cluster"].first().reindex(items)
    clustered = bool((named != "").all()) and 1 < named.nunique() < len(items)
    first_rows = paired.a.drop_duplicates("item").set_index("item").reindex(items)
    questions = [key or f"item {item}" for item, key in zip(items, question_keys(first_rows), strict=True)]
    if (distinct := len(set(questions))) < len(items):
        notes.append(f"{len(items)} items ask {distinct} distinct questions; equal ones count as one cluster")
        own = [f"cluster {name}" for name in named] if clustered else [f"item {item}" for item in items]
        named, clustered = pd.Series(joined(own, questions), index=items), True
    clusters = named.factorize()[0] if clustered else None
    single = max(int(frame.groupby("item").size().max()) for frame in (paired.a, paired.b)) == 1
    binary = single and bool(np.isin(np.concatenate([before, after]), (0.0, 1.0)).all())
    return Difference(
        sides,
        paired.by,
        mean_score(before, clusters),
        mean_score(after, clusters),
        paired_difference(before, after, clusters),
        unpaired_difference(before, after),
        flips(before, after) if binary else None,
        int(named.nunique()) if clustered else 0,
        tuple(notes),
    )


def lines_of(difference: Difference) -> list[str]:
    """Return the difference in words, a line each."""
    a, b = difference.sides.a, difference.sides.b
    figures = [
        _figure(f"first: {_named(a)}", "base_score", difference.first),
        _figure(f"second: {_named(b)}", "tuned_score", difference.second),
        _figure("difference", "gain", difference.difference),
        _figure("the same, had the items not been paired", "gain", difference.unpaired),
    ]
    clustered = f", in {difference.clusters:,} clusters" if difference.clusters else ""
    lines = [
        f"{difference.difference.n:,} items, paired by {difference.by}{clustered}",
        *figures,
        _word(difference.difference),
    ]
    if difference.flips is not None:
        gained, lost, kept, neither, p = difference.flips
        lines.append(
            f"items: {gained:,} gained, {lost:,} lost, {kept:,} right in both, {neither:,} in neither "
            f"(McNemar, exact p = {p:.2g})"
        )
    return [*lines, *(f"note: {note}" for note in difference.notes)]


def print_difference(logs: Sequence[str], as_json: bool) -> None:
    """Print the difference of two logs."""
    if len(logs) != 2:
        raise InvalidInput(
            f"compare was given {len(logs)} logs: give two, the earlier first (or run folders)"
        )
    difference = difference_of(*logs)
    if as_json:
        print(json.dumps(difference.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    for line in lines_of(difference):
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def _named(log: Recorded) -> str:
    return " ".join(part for part in (log.model, f"({log.source})") if part)


def _figure(what: str, name: str, estimate: Estimate) -> str:
    said = shown(name, estimate)
    return f"{what}: {said.value} {said.interval}".strip()


def _word(difference: Estimate) -> str:
    """Return what the interval leaves open."""
    if not (math.isfinite(difference.low) and math.isfinite(difference.high)):
        return "the interval is not known: nothing can be said"
    if difference.low > 0 or difference.high < 0:
        return f"the second is {'better' if difference.low > 0 else 'worse'}: the 95 % interval leaves 0 out"
    return (
        "neither is shown to be better: the 95 % interval holds 0 (which does not show that they are equal)"
    )
