"""Does the model answer only what it can know? How often it refuses questions with a false premise, less how often it
refuses sound ones (Youden 1950's J; d' and bias stand beside it).

J = 1: it refuses exactly where nothing can be known. J = 0: it answers, or refuses, whatever is asked: its answers have
the form of knowledge only. The form share is 1 - J.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.findings.shown import COUNTS
from tellapart.stats.arrays import Floats
from tellapart.stats.equivalence import equivalence
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import difference_of_shares, wilson
from tellapart.stats.paired import paired_difference
from tellapart.stats.wording import whole
from tellapart.studies.form.facts import ArmFacts, Facts, condition
from tellapart.studies.form.knows import REFUSES, knows
from tellapart.studies.form.verdict import FALLS, SAME, SETTLED, Label, class_probabilities
from tellapart.studies.gain.tables import counts_table

QUESTION = "Does the model answer only what it can know, or whatever is asked?"
FEWEST = 20
"""Items of either sort below which nothing is said."""


class Refusals(NamedTuple):
    """Whether each item was refused (1) or not (0), as a share of its samples, and whether its premise is false."""

    refused: Floats
    false: np.ndarray

    @property
    def handled(self) -> Floats:
        """Return 1 where a false premise was refused or a sound question was not."""
        return np.where(self.false, self.refused, 1 - self.refused)


def abstention_finding(rows: pd.DataFrame, facts: Facts) -> Finding | None:
    """Return the finding where items say whether their premise is false, FEWEST or more of either sort; else None.

    It is that of the first family with a full arm; its second form and its destroyed arm are the controls here too.
    """
    family, full = _full_arm(facts)
    if full is None:
        return None
    name = condition(family, full)
    own = read_refusals(rows, name, facts.false_premise)
    if own is None or min(own.false.sum(), (~own.false).sum()) < FEWEST:
        return None
    false, sound = _share(own.refused[own.false]), _share(own.refused[~own.false])
    informed = difference_of_shares(false, sound, "score")
    method = f"1 - (refused with a false premise - refused without); {informed.method}"
    share = Estimate(1 - informed.value, 1 - informed.high, 1 - informed.low, informed.n, "share", method)
    label, sure, sentence = _verdict(own, share)
    return Finding(
        question=QUESTION,
        verdict=label,
        probability=sure,
        sentence=sentence,
        estimates={
            "gain": informed,
            "form_share": share,
            "refused_false": false,
            "refused_sound": sound,
            **knows(rows, name, facts.correct_at, facts.false_premise).estimates,
        },
        controls=_controls(rows, family, own, facts),
        caveats=facts.notes,
        evidence=(("form_share", share.value, math.log(sure / (1 - sure)) if 0 < sure < 1 else math.nan),),
        tables=COUNTS.write(counts_table(rows[rows["condition"] == name], facts.correct_at)),
    )


def read_refusals(rows: pd.DataFrame, name: str, false_premise: Mapping[str, bool]) -> Refusals | None:
    """Return the refusals of a condition by item, sorted; None where no item that says so was answered."""
    own = rows[
        (rows["condition"] == name) & (rows["status"] != "failed") & rows["item"].isin(list(false_premise))
    ]
    if own.empty:
        return None
    refused = [float(REFUSES.search(text) is not None) for text in own["completion"]]
    by_item = pd.Series(refused).groupby(own["item"].tolist()).mean().sort_index()
    false = np.array([false_premise[item] for item in by_item.index], dtype=bool)
    return Refusals(np.array(by_item.tolist(), dtype=np.float64), false)


def _full_arm(facts: Facts) -> tuple[str, str | None]:
    for family, arm_facts in facts.families.items():
        if (full := _of_role(arm_facts, "full")) is not None:
            return family, full
    return "", None


def _of_role(arm_facts: Mapping[str, ArmFacts], role: str) -> str | None:
    return next((arm for arm, about in arm_facts.items() if about.role == role), None)


def _share(refused: Floats) -> Estimate:
    return wilson(float(refused.sum()), refused.size)


def _verdict(own: Refusals, share: Estimate) -> tuple[Label, float, str]:
    false, sound = (100 * own.refused[which].mean() for which in (own.false, ~own.false))
    shown = (
        f"it refuses {false:.0f} % of the questions with a false premise and {sound:.0f} % of the sound ones"
    )
    chances = class_probabilities(share)
    label: Label = max(chances, key=lambda name: chances[name])
    if chances[label] < SETTLED:
        part = f"{whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"
        return "cannot tell", math.nan, f"The evidence does not settle it: {shown}, a form share of {part}."
    heads: dict[Label, str] = {
        "substance": "It knows what it does not know",
        "form": "It does not tell what it can know from what it cannot",
        "mixed": "It knows some of what it does not know",
    }
    return label, chances[label], f"{heads[label]}: {shown}."


def _controls(rows: pd.DataFrame, family: str, full: Refusals, facts: Facts) -> dict[str, str]:
    """Return what becomes of rightly handled items in another valid form, and with the text destroyed."""
    arm_facts = facts.families[family]
    said: dict[str, str] = {}
    for role, head in (("second form", "second valid form"), ("destroyed", "both destroyed")):
        arm = _of_role(arm_facts, role)
        other = None if arm is None else read_refusals(rows, condition(family, arm), facts.false_premise)
        if other is None or other.refused.size != full.refused.size:
            continue
        before, after = full.handled, other.handled
        change = paired_difference(before, after)
        points = f"{100 * change.value:+.1f} points [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"
        if role == "second form":
            same = equivalence(before, after, facts.margin).equivalent
            held = f"{SAME} {100 * facts.margin:g} points (TOST)" if same else "not shown to be the same"
        else:
            held = FALLS if change.high < 0 else "does not fall"
        said[f"{head} ({arm})"] = f"{held}; rightly refused or answered {points}"
    return said
