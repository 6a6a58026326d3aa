"""Can each arm's answers be read at all? A score of answers that nobody could read measures the scorer, not the model.

Of every arm: the share of answers in which the task's scorer finds an answer, and the share that ran into the token
limit. Of the full arm also whether it lies above chance: the given guess floor, or the best constant answer.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import wilson
from tellapart.studies.form.facts import ArmFacts, Facts, condition

READABLE = "answer_found"
"""The measure in a row: 1 where the task's scorer found an answer in the completion, right or wrong."""
READABLE_LEAST = 0.8
"""An arm whose readable share is surely below this scores low for its form alone."""
NEARLY_ALL = 0.9


class Reading(NamedTuple):
    """`estimates` are readable/ARM and truncated/ARM; `unread` names the arms whose low score may be their form alone;
    `refusals` say why no verdict can stand; `caveats` what else is seen."""

    estimates: dict[str, Estimate]
    unread: frozenset[str] = frozenset()
    refusals: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def read_answers(
    rows: pd.DataFrame, family: str, arm_facts: Mapping[str, ArmFacts], facts: Facts, full: Estimate | None
) -> Reading:
    """Return what can be read of each arm of a family; `full` is the full arm's score."""
    estimates: dict[str, Estimate] = {}
    unread, refusals, caveats = set(), [], []
    for arm, about in arm_facts.items():
        own = rows[(rows["condition"] == condition(family, arm)) & (rows["status"] != "failed")]
        read_shares, name = _read_readable(own), arm.replace("_", " ")
        if read_shares:
            readable = estimates[f"readable/{arm}"] = wilson(sum(read_shares), len(read_shares))
            if readable.high < READABLE_LEAST:
                unread.add(arm)
                caveats.append(
                    f"Under {name} the scorer finds an answer in {_share(readable)} of {len(read_shares)} only."
                )
        cut = own["status"] == "cut off"
        if cut.any():
            truncated = estimates[f"truncated/{arm}"] = wilson(int(cut.sum()), len(own))
            if truncated.value >= NEARLY_ALL:
                caveats.append(
                    f"Under {name} {_share(truncated)} of the answers are truncated at the token limit."
                )
            wrong = int((cut & ~(own["score"] >= facts.correct_at)).sum())
            if wrong >= NEARLY_ALL * len(own) and (about.role in ("full", "base") or about.decides):
                refusals.append(f"Nearly all answers under {name} are truncated: give more --max-tokens")
    refusals += _below_chance(facts, full)
    return Reading(estimates, frozenset(unread), tuple(refusals), tuple(caveats))


def _read_readable(rows: pd.DataFrame) -> list[float]:
    if "measures" not in rows:
        return []
    measures = (dict(row) for row in rows["measures"] if row is not None)
    return [measure[READABLE] for measure in measures if READABLE in measure]


def _below_chance(facts: Facts, full: Estimate | None) -> list[str]:
    """Return a refusal where full is not surely above chance."""
    chance, where_from = chance_of(facts)
    if full is None or chance is None or full.low > chance:
        return []
    said = f"{100 * full.value:.1f} % [{100 * full.low:.1f}, {100 * full.high:.1f}]"
    where = "no higher than" if full.high <= chance else "not shown to lie above"
    return [
        f"Full scores {said}, {where} {where_from} ({100 * chance:.1f} %): there is no ability whose form could count"
    ]


def chance_of(facts: Facts) -> tuple[float | None, str]:
    """Return the score of who knows nothing, the larger of what the task gives and the best constant answer, and what
    it is; None where neither is known."""
    targets = [target for target in facts.targets.values() if target]
    constant = max(Counter(targets).values()) / len(targets) if targets else 0.0
    if facts.guess_floor is None and not constant:
        return None, ""
    if facts.guess_floor is not None and facts.guess_floor >= constant:
        return facts.guess_floor, "guessing"
    return constant, "the best constant answer"


def _share(rate: Estimate) -> str:
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"
