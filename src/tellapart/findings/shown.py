"""Tables that several studies have: rungs of a ladder, counted answers, samples, obstacles."""

from dataclasses import dataclass, field

from tellapart.findings.table import Rows, Single
from tellapart.findings.typed import key

Triple = tuple[float, float, float]
"""A value and the ends of its interval, each NaN where it is not known."""


@dataclass(frozen=True)
class Rung:
    """A score on the ladder of one skill: "expressible", "benign", "tuned", "latent", "demonstrated", "guess floor"."""

    rung: str
    value: float
    low: float
    high: float
    how: str


@dataclass(frozen=True)
class Counted:
    """The answers of a condition: asked = correct + wrong + cut off + failed + unscored. `empty` are those without
    text, whatever else they are; None where nothing has text (a log of scores)."""

    condition: str
    asked: int
    correct: int
    wrong: int
    cut_off: int = field(metadata=key("cut off"))
    failed: int
    unscored: int | None
    empty: int | None = None


@dataclass(frozen=True)
class ShownAnswer:
    """An answer as it is shown beside its item."""

    text: str
    score: float
    status: str


@dataclass(frozen=True)
class Obstacle:
    """What keeps a word from being said, and what would remove it."""

    what: str = ""
    remove: str = ""


@dataclass(frozen=True)
class Tokens:
    """Tokens that a run spent, by kind."""

    generated: int | None
    scored: int | None
    trained: int | None


LADDER = Rows("ladder", Rung)
COUNTS = Rows("counts", Counted)
OBSTACLES = Rows("obstacles", Obstacle)
TOKENS = Single("tokens", Tokens)
