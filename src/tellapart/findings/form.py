"""The tables of a finding of `form` (docs/run-folder.md)."""

from dataclasses import dataclass, field

from tellapart.findings.shown import Triple
from tellapart.findings.table import Rows, Single
from tellapart.findings.typed import key


@dataclass(frozen=True)
class ArmRow:
    """An arm beside full: its score, the difference, the share of the effect that is left to form, the smallest drop
    that the items could have shown (each None where it does not apply), and what it keeps and takes away."""

    arm: str
    role: str
    score: Triple | None
    difference: Triple | None
    share: Triple | None
    drop: Triple | None
    same: bool | None
    decides: bool
    keeps: str
    removes: str
    source: str


@dataclass(frozen=True)
class Matrix:
    """Scores of items by arms; NaN where the arm lacks the item. Items that go the same way lie together."""

    arms: tuple[str, ...]
    items: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ArmAnswer:
    """The first answer of an arm to an item."""

    arm: str
    text: str
    score: float


@dataclass(frozen=True)
class AnswerPair:
    """An item as full and the form-only arm answer it."""

    item: str
    prompt: str
    target: str
    full: ArmAnswer
    form: ArmAnswer


@dataclass(frozen=True)
class ArmExample:
    """What stands before each question in an arm."""

    arm: str
    text: str


@dataclass(frozen=True)
class ExamplePair:
    """What full and the form-only arm were shown."""

    full: ArmExample
    form: ArmExample


@dataclass(frozen=True)
class AuditRow:
    """An audited property in the full arm and in the control."""

    arm: str
    what: str
    full: float
    in_arm: float = field(metadata=key("in arm"))
    largest_difference: float = field(metadata=key("largest difference"))
    tolerance: float
    held: bool


@dataclass(frozen=True)
class FamilyRow:
    """Base and full on one family of items."""

    family: str
    n: int
    base: float
    full: float
    difference: float


@dataclass(frozen=True)
class StepsRow:
    """Answers of an arm with checked steps, and right answers on wrong steps among them."""

    arm: str
    cluster: str
    checked: int
    right: int
    steps_wrong: int = field(metadata=key("steps wrong"))
    right_on_wrong: int = field(metadata=key("right on wrong steps"))


@dataclass(frozen=True)
class TrainingRow:
    """What became of one training of an arm."""

    arm: str
    training: int
    labels: int
    steps: float
    loss: float
    labels_given: float = field(metadata=key("labels given"))
    labels_fittable: float = field(metadata=key("labels fittable"))
    score: float
    commonest_answer: str = field(metadata=key("commonest answer"))
    collapsed: bool


@dataclass(frozen=True)
class ConfidenceBin:
    """The share of right answers at one confidence."""

    confidence: float
    right: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class RiskCoverage:
    """The share of wrong answers among the most confident ones that are kept, at each share kept."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    excess: float


@dataclass(frozen=True)
class LevelRow:
    """Right answers of those not truncated at one complexity, and what p^steps expects."""

    complexity: float
    steps: float
    answers: int
    cut_off: int = field(metadata=key("cut off"))
    right: float
    low: float
    high: float
    expected: float = field(metadata=key("p^steps"))


@dataclass(frozen=True)
class JudgeControl:
    """What a control of a judge saw."""

    control: str
    seen: str
    flagged: str


ARMS = Rows("arms", ArmRow)


@dataclass(frozen=True)
class Rating:
    """A model as a judge of pairs sees it: wins against all others, plainly and at equal length, ratings (log10 odds),
    plainly and at equal style, how right its answers are, and their mean length; None where not measured."""

    model: str
    win_rate: float | None = None
    length_controlled_win_rate: float | None = None
    rating: float | None = None
    style_controlled_rating: float | None = None
    score: float | None = None
    mean_length: float | None = field(default=None, metadata=key("mean length"))


@dataclass(frozen=True)
class StyleRow:
    """The mean style of an arm's first answers (controls/style.py), and how like they are to full's (None: full)."""

    arm: str
    likeness: float | None = field(metadata=key("likeness to full"))
    characters: float
    words: float
    lists: float
    headers: float
    bold: float
    hedges: float
    authority: float
    confidence: float


STYLE = Rows("style", StyleRow)
RATINGS = Rows("ratings", Rating)
MATRIX = Single("matrix", Matrix)
PAIRS = Rows("pairs", AnswerPair)
SHOWN = Single("shown", ExamplePair)
AUDIT = Rows("audit", AuditRow)
FAMILIES = Rows("families", FamilyRow)
STEPS = Rows("steps", StepsRow)
TRAININGS = Rows("trainings", TrainingRow)
RELIABILITY = Rows("reliability", ConfidenceBin)
RISK_COVERAGE = Single("risk_coverage", RiskCoverage)
LEVELS = Rows("levels", LevelRow)
JUDGE_CONTROLS = Rows("judge controls", JudgeControl)
