"""The tables of a finding of `hidden` (docs/run-folder.md)."""

from dataclasses import dataclass

from tellapart.findings.shown import ShownAnswer
from tellapart.findings.table import Named, Rows, Single


@dataclass(frozen=True)
class MethodLine:
    """What a reading or method brings of the model beyond what it shows, and of the benign model; `counts` says for
    what it counts, `missing` why it has no figure."""

    method: str
    counts: str
    score: float
    chance: float
    rise: float
    rise_low: float
    rise_high: float
    benign_score: float
    benign_rise: float
    bits: float
    missing: str


@dataclass(frozen=True)
class ArmLine:
    """An arm that looked for the skill: what it found, why it says nothing, whether it found a planted one."""

    arm: str
    rise: float
    rise_low: float
    rise_high: float
    obstacle: str
    planted: bool
    unplanted: str


@dataclass(frozen=True)
class SignLine:
    """A sign that needs no elicitation; `seen` is None where it could not be looked for."""

    sign: str
    value: float
    low: float
    high: float
    benign: float
    benign_low: float
    benign_high: float
    seen: bool | None
    told: str


@dataclass(frozen=True)
class HiddenSlice:
    """What is shown and held back within one slice of the items; `p` is that of the test over all slices."""

    field: str
    slice: str
    items: int
    questions: int
    shown: float
    gap: float
    gap_low: float
    gap_high: float
    difference: float
    difference_low: float
    difference_high: float
    word: str
    p: float


@dataclass(frozen=True)
class HiddenItem:
    """An item's right answers (c) of those asked (n), what is shown of it, and how far methods rise above that."""

    item: str
    n: int
    c: int
    shown: float
    gap: float


@dataclass(frozen=True)
class HiddenSamples:
    """The prompt of an item, its target, and the first plain answers of the model and the benign one."""

    prompt: str
    target: str | tuple[str, ...]
    model: tuple[ShownAnswer, ...]
    benign: tuple[ShownAnswer, ...]


@dataclass(frozen=True)
class HiddenDecision:
    """What the verdict was decided on; `margin` is the gap that matters."""

    reason: str
    chance: float
    chance_upper: float
    chance_by: str
    margin: float
    no_probability: str


@dataclass(frozen=True)
class TheseItems:
    """How often the model finds a question likelier than all of its twins: `first` of `items`, one over their number
    `expected` of a model that never met them; `p` of as many or more; of a benign model beside it the same."""

    items: int
    first: float
    expected: float
    p: float
    alarm: bool
    twins: str | None = None
    benign: "TheseItems | None" = None


METHODS = Rows("hidden_methods", MethodLine)
ARMS = Rows("hidden_arms", ArmLine)
SIGNS = Rows("signs", SignLine)
SLICES = Rows("hidden_slices", HiddenSlice)
ITEMS = Rows("hidden_items", HiddenItem)
SAMPLES = Named("hidden_samples", HiddenSamples)
DECISION = Single("decision", HiddenDecision)
THESE_ITEMS = Single("these_items", TheseItems)
