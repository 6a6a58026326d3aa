"""The tables of a finding of `gain` (docs/run-folder.md)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tellapart.findings.shown import ShownAnswer, Triple
from tellapart.findings.table import Named, Rows, Single
from tellapart.findings.typed import key


@dataclass(frozen=True)
class Bound:
    """A piece of evidence on a bound ("held at least", "held at most"): its share of the gain, and why it does not
    count ("" where it does)."""

    bound: str = ""
    by: str = ""
    share: float = math.nan
    low: float = math.nan
    high: float = math.nan
    obstacle: str = ""
    decides: bool = False


@dataclass(frozen=True)
class Decision:
    """What the verdict was decided on; `chance_of_bound` is the share of resamples that are on the verdict's side."""

    reason: str = ""
    chance: float = math.nan
    chance_upper: float = math.nan
    chance_by: str = ""
    no_probability: str = ""
    chance_of_bound: float = math.nan


@dataclass(frozen=True)
class OtherChance:
    """The bounds at another chance level."""

    chance: str = ""
    level: float = math.nan
    held_at_least: float = math.nan
    held_at_least_low: float = math.nan
    held_at_most: float = math.nan
    refused: str = ""


@dataclass(frozen=True)
class ElicitorLine:
    """What a method brought back from the base, its null control beside it."""

    name: str
    title: str
    source: str
    share: float
    low: float
    high: float
    null_share: float
    null_low: float
    null_high: float
    bits: float
    bits_unit: str
    note: str


@dataclass(frozen=True)
class EnvelopeStep:
    """The best share for at most so many bits, chosen on other items."""

    way: str
    bits: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class RoutedPoint:
    """A point of the curve of recovered share over the share of tokens that the tuned model wrote."""

    decider: str
    routed_share: float
    share: float
    low: float
    high: float
    bits: float


@dataclass(frozen=True)
class Coverage:
    """pass@k at each `k` and cover@tau at each `tau` of both models; `know_nothing` is a random guesser's pass@k."""

    k: tuple[int, ...] = ()
    base: tuple[Triple, ...] = ()
    tuned: tuple[Triple, ...] = ()
    know_nothing: tuple[float, ...] | None = ()
    tau: tuple[float, ...] = ()
    base_cover: tuple[Triple, ...] = ()
    tuned_cover: tuple[Triple, ...] = ()
    crossing_tau: float = math.nan


@dataclass(frozen=True)
class ItemLine:
    """An item's right answers (c) of those asked (n); `only` names the side that alone solved it, `fragile` by few
    right answers. `base_p` is the base's success rate by importance sampling, where that was measured."""

    item: str
    cluster: str
    base_n: int
    base_c: int
    tuned_n: int
    tuned_c: int
    fragile: bool
    only: str
    base_p: float | None = None
    base_p_low: float | None = None
    base_p_high: float | None = None


@dataclass(frozen=True)
class ItemSamples:
    """The prompt of an item, its target, and the first answers of both models."""

    prompt: str
    target: str | tuple[str, ...]
    base: tuple[ShownAnswer, ...]
    tuned: tuple[ShownAnswer, ...]


@dataclass(frozen=True)
class DivergentAnswer:
    """An answer of the tuned model with log2 of its probability under tuned over that under base, token by token."""

    item: str
    sample: int
    prompt: str
    score: float
    tokens: tuple[str, ...]
    bits: tuple[float, ...]


@dataclass(frozen=True)
class Concentration:
    """The share of all bits in the top share of tokens, and mean bits by position (`profile`)."""

    top_share: tuple[float, ...]
    bits_share: tuple[float, ...]
    profile: tuple[float, ...]


@dataclass(frozen=True)
class SeriesStep:
    """The score of a checkpoint, and its gain over the base on the items that both answered."""

    step: int
    n: int
    score: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class SliceLine:
    """The bounds within one slice of the items; `p` is that of the test over all slices."""

    field: str
    slice: str
    items: int
    questions: int
    gain: float
    carries: float
    held_at_least: float
    held_at_least_low: float
    held_at_least_high: float
    by: str
    held_at_most: float
    held_at_most_high: float
    word: str
    p: float


@dataclass(frozen=True)
class Dose:
    """Scores after so many labels, one a draw of them."""

    labels: int
    base: tuple[float, ...] | None = None
    reference: tuple[float, ...] | None = None


@dataclass(frozen=True)
class RulePrice:
    """At most how many labels half of a made-up rule cost base and reference."""

    rule: str
    base: float
    reference: float


@dataclass(frozen=True)
class TeachingTable:
    """The dose curves, the made-up rules, and the doses at which teaching raised the lower bound."""

    doses: tuple[Dose, ...]
    rules: tuple[RulePrice, ...]
    claim_at: tuple[int, ...]
    obstacle: str
    half: float


@dataclass(frozen=True)
class DescriptionLine:
    """What the description length of tuned's right answers says, or of the same after others' prompts."""

    answers: str
    signature: str
    learned: str = field(metadata=key("learned at the largest size"))
    held_before: float = field(metadata=key("held before, bits"))


@dataclass(frozen=True)
class DirectionLine:
    """What a steering vector does on each model, in words."""

    vector: str
    on_base: str = field(metadata=key("on base"))
    on_tuned: str = field(metadata=key("on tuned"))


@dataclass(frozen=True)
class Look:
    """What a method brought, when it was asked in an adaptive plan, and why it was asked."""

    way: str = ""
    mechanism: str = ""
    share: float = math.nan
    low: float = math.nan
    high: float = math.nan
    tells: str = ""
    reason: str = ""
    held_at_least: float = math.nan
    held_at_most: float = math.nan


@dataclass(frozen=True)
class Plan:
    """How methods were chosen: "quick", "adaptive" or "exhaustive"; `dropped` says of mechanisms why they gave nothing,
    `asked` names the methods of a quick plan."""

    plan: str = ""
    stopped: str | None = None
    dropped: Mapping[str, str] | None = None
    looks: tuple[Look, ...] | None = None
    asked: tuple[str, ...] | None = None


BOUNDS = Rows("bounds", Bound)
DECISION = Single("decision", Decision)
SENSITIVITY = Rows("sensitivity", OtherChance)
ELICITORS = Rows("elicitors", ElicitorLine)
SURFACING = Rows("surfacing", EnvelopeStep)
ROUTING = Rows("routing", RoutedPoint)
COVERAGE = Single("coverage", Coverage)
ITEMS = Rows("items", ItemLine)
SAMPLES = Named("samples", ItemSamples)
DIVERGENCE = Rows("divergence", DivergentAnswer)
CONCENTRATION = Single("concentration", Concentration)
SERIES = Rows("series", SeriesStep)
SLICES = Rows("slices", SliceLine)
TEACHING = Single("teaching", TeachingTable)
DESCRIPTION_LENGTH = Rows("description_length", DescriptionLine)
DIRECTIONS = Rows("directions", DirectionLine)
PLAN = Single("plan", Plan)
