"""Abilities before and after: kept, lost or gained, which items, and whether what was lost is form or substance.

Pure functions of answers. "Kept" is claimed by an equivalence test alone (TOST), never by a difference that is not
seen. An item is had where half of its answers are right.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.findings.guard import ABILITIES, AbilitiesTable, AbilityLine, LostItem
from tellapart.findings.lost_items import What
from tellapart.logs.asked import question_keys
from tellapart.stats.chains import HALF, count_steps
from tellapart.stats.equivalence import equivalence
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.paired import flips, paired_difference
from tellapart.tasks.questions import joined

AFTER = "Is what the model could do before still there?"
Kept = Literal["kept", "lost", "gained", "cannot tell"]
HAD = 0.5
SHOWN = 200


@dataclass(frozen=True)
class Ability:
    """The answers of one ability's items: `before` and `after` have the columns item, question, score, completion,
    steps, target, cluster. `again` and `twin` (item -> mean score after) are of lost items whose answer was made to
    begin as the answer before did, and as that of another item."""

    name: str
    before: pd.DataFrame
    after: pd.DataFrame
    again: Mapping[str, float] = field(default_factory=dict)
    twin: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def lost_items(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return the items that were had before and are not after."""
    first, second = _means(before), _means(after)
    both = first.index.intersection(second.index)
    return [str(item) for item in both if first[item] >= HAD > second[item]]


def after(abilities: Sequence[Ability], margin: float) -> Finding:
    """Return the finding on all abilities, held against an equivalence margin (units of the score)."""
    lines, estimates = [], {}
    for ability in abilities:
        line, own = _compared(ability, margin)
        lines.append(line)
        estimates |= {f"{name}/{ability.name}": value for name, value in own.items()}
    counts = Counter(line.verdict for line in lines)
    label = next((name for name in ("lost", "cannot tell", "gained") if counts[name]), "kept")
    notes = dict.fromkeys(note for ability in abilities for note in ability.notes)
    return Finding(
        question=AFTER,
        verdict=label,
        probability=math.nan,
        sentence=" ".join(_sentence(line) for line in lines),
        estimates=estimates,
        caveats=tuple(notes),
        tables=ABILITIES.write(AbilitiesTable(margin, tuple(lines))),
    )


def _compared(ability: Ability, margin: float) -> tuple[AbilityLine, dict[str, Estimate]]:
    """Return what became of an ability, and its estimates by name."""
    first, second = _means(ability.before), _means(ability.after)
    items = first.index.intersection(second.index)
    x, y = first[items].to_numpy(), second[items].to_numpy()
    grouped = _clusters(ability.before, items)
    difference, same = paired_difference(x, y, grouped), equivalence(x, y, margin, grouped)
    lost = lost_items(ability.before, ability.after)
    had = flips((x >= HAD).astype(float), (y >= HAD).astype(float))
    rows = _lost_rows(ability, lost)
    what: Counter[What] = Counter(row.what for row in rows)
    back = _mean_of(ability.again, lost)
    gained = [str(item) for item, a, b in zip(items, x, y, strict=True) if a < HAD <= b]
    line = AbilityLine(
        ability=ability.name,
        verdict=_verdict(difference, same.equivalent),
        items=len(items),
        p_equivalent=same.p,
        kept=had.kept,
        lost=had.lost,
        gained=had.gained,
        never=had.neither,
        what=dict(what),
        lost_is=lost_is(what, back) if lost else "",
        lost_items=tuple(rows[:SHOWN]),
        gained_items=tuple(gained[:SHOWN]),
    )
    return line, {
        "before": mean_score(x, unit="score"),
        "after": mean_score(y, unit="score"),
        "difference": difference,
        "brought_back": back,
        "brought_back_null": _mean_of(ability.twin, lost),
    }


def _clusters(frame: pd.DataFrame, items: "pd.Index[Any]") -> np.ndarray | None:
    """Return the items' clusters, of which equal questions share one; None where each item stands for itself."""
    rows = frame.drop_duplicates("item").set_index("item").loc[items]
    named = bool((rows["cluster"] != "").all()) and rows["cluster"].nunique() > 1
    own = (
        [f"cluster {cluster}" for cluster in rows["cluster"]] if named else [f"item {item}" for item in items]
    )
    questions = [key or f"item {item}" for item, key in zip(items, question_keys(rows), strict=True)]
    labels = joined(own, questions)
    return np.array(labels, dtype=object) if 1 < len(set(labels)) < len(items) else None


def _verdict(difference: Estimate, same: bool) -> Kept:
    if same:
        return "kept"
    if difference.high < 0:
        return "lost"
    return "gained" if difference.low > 0 else "cannot tell"


def lost_is(what: Mapping[What, int], back: Estimate) -> str:
    """Return whether what was lost is form (it is there, and not shown or not read), substance, or not to be told.

    Form: most lost items still hold the right answer, or come right once the answer begins as before. Substance: less
    than half come right so (95 % bounds), or, where none was asked again, most are worked through and wrong.
    """
    total = sum(what.values())
    if what.get("form", 0) > HAD * total or back.low > HAD:
        return "form"
    if back.high < HAD or (math.isnan(back.value) and what.get("substance", 0) > HAD * total):
        return "substance"
    return "cannot tell"


def _lost_rows(ability: Ability, lost: Sequence[str]) -> list[LostItem]:
    rows = []
    for item in lost:
        had = ability.before[ability.before["item"] == item].sort_values("score", ascending=False)
        has = ability.after[ability.after["item"] == item].sort_values("score")
        good, bad = had.iloc[0], has.iloc[0]
        rows.append(
            LostItem(
                item=item[:200],
                question=str(good["question"])[:500],
                what=what_is_lost(str(good["completion"]), bad),
                before=str(good["completion"])[:1000],
                after=str(bad["completion"])[:1000],
                brought_back=ability.again.get(item, math.nan),
            )
        )
    return rows


def what_is_lost(before: str, row: "pd.Series[Any]") -> What:
    """Return what a wrong answer lacks against the right one before it, as far as its text tells."""
    completion, question = str(row["completion"]), str(row["question"])
    targets = [part for part in str(row["target"]).split(" | ") if len(part) > 1]
    there = any(target in completion and target not in question for target in targets)
    if there or row["steps"] == "valid":
        return "form"
    if not completion.strip():
        return "skipped"  # a failed request is often logged so: nothing was worked through
    return "skipped" if count_steps(completion) < HALF * count_steps(before) else "substance"


def _means(frame: pd.DataFrame) -> "pd.Series[float]":
    return frame[frame["score"].notna()].groupby("item", sort=False)["score"].mean()


def _mean_of(scores: Mapping[str, float], lost: Sequence[str]) -> Estimate:
    finite = [scores[item] for item in lost if item in scores]
    if not finite:
        return missing("score", "no lost item was asked again")
    return mean_score(np.asarray(finite), unit="score")


def _sentence(line: AbilityLine) -> str:
    counts = f"{line.kept} items kept, {line.lost} lost, {line.gained} gained"
    what = f", what was lost is {line.lost_is}" if line.lost_is in ("form", "substance") else ""
    return f"{line.ability}: {line.verdict} ({counts}{what})."
