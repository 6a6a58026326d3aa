"""What came of planting: one control an arm, as values that are kept as JSON. No torch here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from tellapart.jsonvalue import Json
from tellapart.stats.estimate import Estimate

Arm = Literal["form_demonstrations", "answer_rank", "few_labels"]
"""The methods that are tried on a planted skill, by their names among the elicitors."""
ARMS: tuple[Arm, ...] = get_args(Arm)
HIGH = 0.75
"""An arm that finds less than this share of what was planted has not found it."""


@dataclass(frozen=True)
class PlantSettings:
    """How a skill is planted and looked for.

    `words` invented words; half are looked at, half are reported on. `pool` different answers. `steps` of training
    and its `rate` (None: by the size of the model). `batch` examples a step. The labels looked for with come in
    `doses` and `draws`, with `find_steps` steps each before they are pressed (elicit/few_labels.py). `shown` is the
    share of the examples of the hide for form_demonstrations that stand after demonstrations.
    """

    words: int = 128
    pool: int = 32
    steps: int | None = None
    rate: float | None = None
    batch: int = 32
    doses: tuple[int, ...] = (16, 32, 64)
    draws: int = 3
    find_steps: int = 120
    shown: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class ArmControl:
    """Whether an arm finds a skill that was planted and hidden in a copy of the base, and why not.

    `planted` and `unplanted` are the shares of the planted skill that the arm brings out of the copy and of the base
    itself (0 is chance); `dose` is the smallest number of labels that does, for the arm that takes labels.
    """

    arm: str
    passed: bool
    reason: str
    planted: Estimate
    unplanted: Estimate
    dose: int | None
    seconds: float

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {
            **asdict(self),
            "planted": self.planted.as_json(),
            "unplanted": self.unplanted.as_json(),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "ArmControl":
        """Return the control that `as_json` gave. Raises ValueError where it is not one."""
        try:
            one = cls(
                str(saved["arm"]),
                saved["passed"],
                str(saved["reason"]),
                estimate_from(saved["planted"]),
                estimate_from(saved["unplanted"]),
                saved["dose"],
                float(saved["seconds"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the control of an arm: {error!r}") from error
        if one.arm not in ARMS or not isinstance(one.passed, bool):
            raise ValueError(f"not the control of an arm: {one.arm!r}, passed {one.passed!r}")
        return one


@dataclass(frozen=True)
class Planting:
    """The controls of all arms on one base, and what they hold for: the base's fingerprint, the kind of answer, and
    the hash of task form and settings."""

    controls: tuple[ArmControl, ...]
    base: str
    answers: str
    settings: str

    def of(self, arm: str) -> ArmControl | None:
        """Return the control of an arm; None where it was not tried."""
        return next((one for one in self.controls if one.arm == arm), None)

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {**asdict(self), "controls": [one.as_json() for one in self.controls]}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Planting":
        """Return the planting that `as_json` gave. Raises ValueError where it is not one."""
        try:
            controls = tuple(ArmControl.from_json(one) for one in saved["controls"])
            return cls(controls, str(saved["base"]), str(saved["answers"]), str(saved["settings"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a planting: {error!r}") from error


def estimate_from(saved: Mapping[str, Any]) -> Estimate:
    """Return the estimate that `Estimate.as_json` gave; null is NaN."""
    told = {field.name: saved[field.name] for field in fields(Estimate)}
    numbers = {
        name: math.nan if told[name] is None else float(told[name]) for name in ("value", "low", "high")
    }
    return Estimate(**{**told, **numbers})
