"""The tables of a finding of `guard` (docs/run-folder.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tellapart.findings.lost_items import What
from tellapart.findings.table import Single


@dataclass(frozen=True)
class AlarmLine:
    """The first step at which a signal was beyond its limit for the second time in a row."""

    signal: str
    step: int
    value: float
    baseline: float
    limit: float
    harm: bool


@dataclass(frozen=True)
class AnswerBehind:
    """An answer that shows what an alarm is about, and why it was chosen."""

    signal: str
    step: int
    item: str
    why: str
    completion: str


@dataclass(frozen=True)
class SignalsTable:
    """The signals of a run over its `steps`, the first `baseline` of which are what the others are held against."""

    steps: tuple[int, ...]
    baseline: int
    signals: Mapping[str, tuple[float, ...]]
    alarms: tuple[AlarmLine, ...]
    behind: tuple[AnswerBehind, ...]


@dataclass(frozen=True)
class ProblemLine:
    """A problem: c successes of n rollouts, the exact 95 % interval of their rate, its place by spread of rewards
    (None where not known), what was decided, and how many more rollouts would settle it."""

    item: str
    question: str
    n: int
    c: float
    rate: float
    low: float
    high: float
    spread: float
    rank: int | None
    decision: str
    reason: str
    open: bool
    more: float


@dataclass(frozen=True)
class GroupAdvantage:
    """The advantages of successes and failures where c of a group succeed."""

    c: int
    success: float
    failure: float


@dataclass(frozen=True)
class ProblemsTable:
    """The first problems of `total`, sorted out for training in groups of `group`; `prior` the Beta of all."""

    group: int
    total: int
    problems: tuple[ProblemLine, ...]
    prior: tuple[float, ...]
    advantages: tuple[GroupAdvantage, ...]


@dataclass(frozen=True)
class LostItem:
    """An item that was had before and is not after, with an answer of each, and its score once made to begin as the
    answer before did."""

    item: str
    question: str
    what: What
    before: str
    after: str
    brought_back: float


@dataclass(frozen=True)
class AbilityLine:
    """What became of an ability's items; `what` counts the lost ones by what they lack."""

    ability: str
    verdict: str
    items: int
    p_equivalent: float
    kept: int
    lost: int
    gained: int
    never: int
    what: Mapping[What, int]
    lost_is: str
    lost_items: tuple[LostItem, ...]
    gained_items: tuple[str, ...]


@dataclass(frozen=True)
class AbilitiesTable:
    """All abilities, held against an equivalence margin in units of the score."""

    margin: float
    abilities: tuple[AbilityLine, ...]


SIGNALS = Single("guard_signals", SignalsTable)
PROBLEMS = Single("guard_problems", ProblemsTable)
ABILITIES = Single("guard_abilities", AbilitiesTable)
