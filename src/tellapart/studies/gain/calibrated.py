"""How far a word may be trusted: how often it was right on kinds of model that were left out, and on what models.

The verdict's thresholds are not fitted. What specimens of known truth add is a cap on each word's probability,
(k + 1) / (k + 2) after k independent kinds on which it was right whenever it was said (kinds, not seeds: one
construction tried three times is one experiment), and the domain: sizes and architectures that were tried. Outside it
the word stands without a probability. `calibration.json` beside this file holds both; `tellapart specimens check
--calibrate` writes it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tellapart.findings.typed import from_json

STORED = Path(__file__).with_name("calibration.json")
SIZES_BEYOND = 2.0
"""A model up to this much smaller or larger than those tried is within the domain."""


class Domain(NamedTuple):
    """What a model is, as far as the calibration asks: its architecture and its number of parameters."""

    architecture: str
    parameters: int


@dataclass(frozen=True)
class WordCap:
    """The most that a word's probability may be, over how many kinds it was said, and in how many always right."""

    cap: float
    kinds: float
    always_right: float


@dataclass(frozen=True)
class TriedModels:
    """The architectures that were tried, and the smallest and largest number of parameters."""

    architectures: tuple[str, ...]
    parameters: tuple[int, int]


@dataclass(frozen=True)
class Origin:
    """How often the words were right on how many specimens, each judged by caps that did not see its kind."""

    specimens: int
    kinds: int
    accuracy_decided: float
    cannot_tell_share: float
    worst: str


@dataclass(frozen=True)
class Calibration:
    """What `calibration.json` holds."""

    words: Mapping[str, WordCap]
    domain: TriedModels
    provenance: Origin


class Backing(NamedTuple):
    """What backs a word. `caps` by word; `reason` says why no probability is given ("" where one is)."""

    caps: Mapping[str, float]
    reason: str

    def probability(self, label: str, chance: float) -> float:
        """Return the word's probability: the chance that its bound lies where it must, under the word's cap; NaN
        outside the domain."""
        if self.reason or label not in self.caps:
            return math.nan
        return chance * self.caps[label]


NOTHING = Backing({}, "the verdict was not calibrated")


@cache
def stored() -> Calibration | None:
    """Return the calibration that this version was given; None where it has none."""
    if not STORED.exists():
        return None
    tables = json.loads(STORED.read_text())
    return from_json(Calibration, tables) if tables.get("version") == 2 else None


def backing(models: tuple[Domain | None, ...]) -> Backing:
    """Return what backs a word about these models; None for a model of which nothing is known (a log, a server)."""
    calibration = stored()
    if calibration is None:
        return NOTHING
    domain = calibration.domain
    for model in models:
        if model is None:
            return Backing(
                {}, f"calibrated on local models of {domain_in_words(domain)}; nothing is known of this one"
            )
        low, high = domain.parameters
        inside = low / SIZES_BEYOND <= model.parameters <= high * SIZES_BEYOND
        if not inside or model.architecture not in domain.architectures:
            size = f"{model.architecture}, {model.parameters:,} parameters"
            return Backing({}, f"calibrated on {domain_in_words(domain)}; this is {size}")
    return Backing({label: word.cap for label, word in calibration.words.items()}, "")


def domain_in_words(domain: TriedModels) -> str:
    """Return the domain in words."""
    low, high = domain.parameters
    return f"{', '.join(domain.architectures)} of {low:,} to {high:,} parameters"


def cap_of(right_kinds: int, kinds: int) -> float:
    """Return the most that a word's probability may be after it was right on `right_kinds` of `kinds` kinds.

    >>> cap_of(8, 8)
    0.9
    """
    return (right_kinds + 1) / (kinds + 2)


def origin() -> str:
    """Return in words where the calibration comes from, and the worst kind."""
    calibration = stored()
    if calibration is None:
        return "not calibrated: words stand without a probability"
    of = calibration.provenance
    return (
        f"{of.specimens} specimens of {of.kinds} kinds: {100 * of.accuracy_decided:.1f} % of the "
        f"decided verdicts right, {100 * of.cannot_tell_share:.1f} % cannot tell; worst kind: {of.worst}"
    )
