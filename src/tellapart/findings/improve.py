"""The tables of a finding of `improve` (docs/run-folder.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tellapart.findings.shown import Triple
from tellapart.findings.table import Single


@dataclass(frozen=True)
class VerifierLine:
    """What verification by one verifier would gain; `read` is the share of its marks that could be read."""

    verifier: str
    outside: bool
    control: bool
    read: float
    accepted: Triple
    verification: Triple
    gap: Triple
    relative: Triple
    null: Triple


@dataclass(frozen=True)
class HeadroomTable:
    """All verifiers on the same answers."""

    verifiers: tuple[VerifierLine, ...]


@dataclass(frozen=True)
class RoundLine:
    """A round of training: what it learned from, its figures, pass@k by k, and each canary (score, change)."""

    round: int
    examples: int
    hacked: bool
    lost: tuple[str, ...]
    step: Triple
    passes: Mapping[str, Triple]
    canaries: Mapping[str, tuple[Triple, Triple]]
    score: Triple
    verification: Triple
    gap: Triple
    relative: Triple
    accepted: Triple
    reward: Triple
    hacking: Triple
    answers: Triple
    chains: Triple


@dataclass(frozen=True)
class ArmRounds:
    """The rounds of one arm, why they ended, and how many training prompts have an anchor."""

    arm: str
    verifier: str
    why: str
    anchored: int
    rounds: tuple[RoundLine, ...]


@dataclass(frozen=True)
class PlateauForecast:
    """The plateau forecast after a round, and what came (NaN where rounds were broken off)."""

    after: int
    forecast: Triple
    came: float


@dataclass(frozen=True)
class HackedAnswer:
    """An answer that the verifier accepts and that is wrong."""

    item: str
    prompt: str
    completion: str
    target: str


@dataclass(frozen=True)
class HackedExamples:
    """In how many of a round's items the verifier accepts a wrong answer, and some of these."""

    round: int
    total: int
    items: int
    shown: tuple[HackedAnswer, ...]


@dataclass(frozen=True)
class RoundsTable:
    """All arms, at most so many rounds each."""

    arms: tuple[ArmRounds, ...]
    forecasts: tuple[PlateauForecast, ...]
    most: int
    examples: HackedExamples


HEADROOM = Single("improve_headroom", HeadroomTable)
ROUNDS = Single("improve_rounds", RoundsTable)
