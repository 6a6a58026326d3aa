"""The table of a finding of `scale` (docs/run-folder.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tellapart.findings.table import Single
from tellapart.stats.estimate import Estimate


@dataclass(frozen=True)
class Forecast:
    """The largest scale's score forecast from the smaller ones (90 % interval) beside the `truth`; `says` whether the
    smaller ones can tell."""

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    truth: float
    scale: float
    says: bool


@dataclass(frozen=True)
class MetricCurve:
    """One metric of a task over scale: its points with 95 % intervals, its form and what that rests on."""

    metric: str
    kind: str
    logarithm: bool
    better: str
    form: str
    verdict: str
    probability: float
    beside: str
    reason: str
    sharp: float
    no_change: float
    change: Mapping[str, float] | None
    turn: Mapping[str, float] | None
    held_out_difference: float
    best: str
    scale: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: tuple[float, ...]
    models: tuple[str, ...]
    breakthroughness: Estimate
    linearity: Estimate
    forecast: Forecast


@dataclass(frozen=True)
class ExactMatchAccount:
    """Per-token probability to the power of the answer's length beside exact match, at the scales that both have."""

    metric: str
    token_metric: str
    length: float
    fitted: bool
    scale: tuple[float, ...]
    predicted: tuple[float, ...]
    seen: tuple[float, ...]
    away: float
    spread: float


@dataclass(frozen=True)
class ScaleTask:
    """A task in one setting and family of models."""

    task: str
    label: str
    family: str
    setting: str
    verdict: str
    probability: float
    sentence: str
    account: ExactMatchAccount | None
    metrics: tuple[MetricCurve, ...]


@dataclass(frozen=True)
class ScaleTable:
    """All tasks; `axis` is what scale is counted in, `hold_out` how many of the largest are forecast."""

    axis: str
    hold_out: int
    tasks: tuple[ScaleTask, ...]


SCALE = Single("scale", ScaleTable)
