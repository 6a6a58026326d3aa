"""The adaptive plan: ask what could still change the word, cheapest first, and say why each was asked.

After each method the verdict is made anew from all rows so far (judge.py). Nothing more is asked once no method that
is left could change it: a word that only positive evidence could overturn stands, and where no share can be given no
method helps. Stopping at a good-looking moment does not cheat: an early "elicited" needs INTERIM, not 90 %.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tellapart.elicit.elicitor import Elicitor
from tellapart.errors import UserMistake
from tellapart.findings.gain import Look
from tellapart.planting.result import ArmControl
from tellapart.runs.row import Row
from tellapart.stats.estimate import Estimate
from tellapart.stats.share_band import HIGH
from tellapart.stats.wording import whole
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.held import ARMS
from tellapart.studies.gain.judge import Judged, judge, light_frame
from tellapart.studies.gain.recorded import ElicitorRecord, PricedRecord
from tellapart.studies.gain.recovered import unanswered
from tellapart.studies.gain.verdict import HALF

INTERIM = 0.99
"""Level of the interval on which asking ends early."""
OPTIONAL = frozenset(
    {
        "power_sampling",
        "steering",
        "sae_feature",
        "steering_sft",
        "steering_rl",
        "svf",
        "lora",
        "masked_adapter",
        "tiny_lora",
    }
    | {"rlvr", "critique", "few_labels_tuned"}
)
"""Dear methods that could raise the lower bound but are asked in an exhaustive plan only."""


LABELLED = "few_labels"
Plant = Callable[[], Mapping[str, ArmControl]]
"""Hides a known skill in the base and looks for it by each arm: by arm, whether it was found (facts.planting)."""


class Next(NamedTuple):
    """What is asked next (a method, or "" for nothing more), and why."""

    name: str
    reason: str


@dataclass
class Watch:
    """Holds the rows so far and makes the verdict of them after each method. `named`: the user named the methods, so
    each is asked while the word is open."""

    rows: list[Row]
    facts: Facts
    looks: list[Look] = field(default_factory=list)
    plant: Plant | None = None
    named: bool = False
    judged: Judged = field(init=False)

    def __post_init__(self) -> None:
        self._judge()

    @property
    def seen(self) -> frozenset[str]:
        """The mechanisms of which a method was looked at."""
        return frozenset(look.mechanism for look in self.looks)

    def see(self, name: str, about: ElicitorRecord, by: tuple[str, str], rows: Sequence[Row]) -> str:
        """Look at the method `name`, whose rows (and its control's) have just come; `by` is its mechanism and why it
        was asked. Return why it has no share, "" where it has one."""
        self.rows += rows
        self.facts = replace(self.facts, elicitors={**self.facts.elicitors, name: about})
        self._judge()
        way = next((way for way in self.judged.recovered.ways if way.name == name), None)
        if way is None:
            return unanswered(light_frame(rows), f"base/{name}", self.judged.scores)
        held, share = self.judged.held, way.share
        self.looks.append(
            Look(
                name, by[0], share.value, share.low, share.high, way.tells, by[1], held.low.value, held.high.value
            )
        )  # fmt: skip
        return ""

    def hear(
        self,
        rows: Sequence[Row],
        elicitors: Mapping[str, ElicitorRecord],
        referred: tuple[Mapping[str, ElicitorRecord], PricedRecord],
    ) -> None:
        """Take in what teaching costs base and reference (`referred`: facts.reference and facts.priced), and plant
        where that alone is missing now."""
        self.rows += rows
        self.facts = replace(self.facts, elicitors=elicitors, reference=referred[0], priced=referred[1])
        self._judge()
        if self.judged.verdict.label == "cannot tell":
            self.plant_where_it_decides(())

    def choose(self, waiting: Sequence[str], elicitors: Mapping[str, Elicitor]) -> Next:
        """Return the first of the waiting methods that could still change the word, and why; or why there is none."""
        verdict, held = self.judged.verdict, self.judged.held
        if verdict.label == "no gain" or verdict.reason == "change of form":
            return Next("", f"no method could change the word: {verdict.label} {verdict.reason}".strip())
        if not held.decidable and not self.named:
            why = held.refused or next((obstacle.what for obstacle in verdict.obstacles), "")
            return Next("", f"no method could change the word: {why}")
        if self._surely_elicited():
            return Next(
                "", f"what was found cannot be taken back: {self.judged.held.low_by} {_percent(held.low)}"
            )
        self.plant_where_it_decides(waiting)
        if self.judged.verdict.label in ("acquired", "mixed"):
            return Next(
                "", f"{self.judged.verdict.label}: every method that could raise the lower bound was asked"
            )
        for name in waiting:
            reason = self._use_of(name, elicitors[name]) or ("it was named" if self.named else "")
            if reason:
                return Next(name, reason)
        return Next("", "nothing that is left could change the word")

    def _surely_elicited(self) -> bool:
        if self.judged.verdict.label != "elicited":
            return False
        low = judge(light_frame(self.rows), self.facts, INTERIM).held.low
        return low.low > HALF and low.value > HIGH

    def _use_of(self, name: str, elicitor: Elicitor) -> str:
        """Return what asking the method could do to the word; "" where it could do nothing."""
        if name in OPTIONAL:
            return ""
        if elicitor.tells == "nothing":
            return "it tells no right answer and could raise what was certainly held"
        if name in ARMS and self.plant is not None and self._could_lower(name):
            return "finding nothing, it would lower what could have been held"
        return ""

    def _could_lower(self, name: str) -> bool:
        """Return whether the other arms leave room for a word: one that already found most of the gain does not, nor
        one that did not find the planted skill."""
        if not all(control.passed for control in self.facts.planting.values()):
            return False
        others = [arm for arm in self.judged.held.arms if arm.name != name and not math.isnan(arm.share.high)]
        return all(arm.share.high < HIGH for arm in others)

    def plant_where_it_decides(self, waiting: Sequence[str]) -> None:
        """Look for a planted skill in the base where that alone is missing: the arms that train nothing were asked and
        found little. How many labels the third arm is given follows from it."""
        arms = [arm for arm in self.judged.held.arms if arm.name != LABELLED or LABELLED not in waiting]
        if self.plant is None or self.facts.planting or set(ARMS) & set(waiting) - {LABELLED}:
            return
        if any(math.isnan(arm.share.high) or arm.share.high >= HIGH for arm in arms):
            return
        self.facts = replace(self.facts, planting=self.plant())
        self._judge()

    @property
    def samples_decide(self) -> bool:
        """Whether more plain answers may decide the word: the gain's interval holds 0 and is too wide to say none."""
        verdict, gain = self.judged.verdict, self.judged.scores.gain
        return verdict.label == "cannot tell" and gain.low <= 0 <= gain.high

    @property
    def dose(self) -> int | None:
        """The smallest number of labels that found the planted skill; None where that is not known."""
        control = self.facts.planting.get(LABELLED)
        return None if control is None else control.dose

    def _judge(self) -> None:
        self.judged = judge(light_frame(self.rows), self.facts)


def has_all_arms(elicitors: Mapping[str, ElicitorRecord]) -> bool:
    """Return whether each of the three arms has an answer under some name."""
    arms = {name.partition("@")[0] for name, record in elicitors.items() if "missing" not in record}
    return set(ARMS) <= arms


def watching(rows: Sequence[Row], facts: Facts, plant: Plant | None, named: bool = False) -> Watch | None:
    """Return a watch that begins with the plain answers; None where no verdict can be made of them."""
    try:
        return Watch(list(rows), facts, plant=plant, named=named)
    except UserMistake:
        return None


def _percent(share: Estimate) -> str:
    return f"brought back {whole(share.value)} % [{whole(share.low)}, {whole(share.high)}] of the gain"
