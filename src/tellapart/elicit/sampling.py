"""Decoding settings: temperature, top-p and min-p, chosen among a few on the fit split.

The null control is a setting drawn at random among those tried.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.choosing import Requested, choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells, null_name
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import Json, number, number_lists
from tellapart.models.model import Request, Sampling
from tellapart.runs.asking import Ask, Pair, plain_requests

SETTINGS: tuple[tuple[float, float, float], ...] = (
    (0.0, 1.0, 0.0),
    (0.3, 1.0, 0.0),
    (0.7, 1.0, 0.0),
    (1.0, 0.9, 0.0),
    (1.0, 1.0, 0.1),
    (1.5, 1.0, 0.1),
)
"""(temperature, top_p, min_p)."""


@final
@dataclass(frozen=True)
class Resampled(Requested):
    """Answers drawn with another temperature, top-p and min-p. Setting: `temperature`, `top_p`, `min_p`."""

    def requests(self, pair: Pair, ask: Ask) -> Iterator[tuple[int, int, Request]]:
        """Yield the plain requests, drawn otherwise. Raises UserMistake where the setting is the plain one."""
        sampling = replace(
            ask.sampling,
            temperature=number(self.setting, "temperature"),
            top_p=number(self.setting, "top_p"),
            min_p=number(self.setting, "min_p"),
        )
        if sampling == ask.sampling:
            raise NotApplicable(
                f"{self.name} changes nothing: the plain answers are drawn with the same setting"
            )
        for index, sample, request in plain_requests(ask):
            yield index, sample, replace(request, sampling=sampling)


@final
class DecodingSetting(Elicitor):
    """The best of a few decoding settings."""

    name: ClassVar[str] = "sampling"
    source: ClassVar[str] = (
        "Holtzman et al. 2020, arXiv 1904.09751; min-p: Nguyen et al. 2024, arXiv 2407.01082"
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Resampled
    mechanism: ClassVar[Mechanism] = "decoding"
    tells: ClassVar[Tells] = "nothing"

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best setting other than the plain one."""
        return choose(pair, ask, [Resampled(self.name, setting) for setting in settings_beside(ask.sampling)])

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return a setting drawn at random among those tried."""
        temperature, top_p, min_p = random.Random(seed).choice(number_lists(elicited.setting, "among"))
        setting = {**elicited.setting, **described(temperature, top_p, min_p)}
        return replace(elicited, name=null_name(elicited.name), setting=setting)


def settings_beside(plain: Sampling) -> list[dict[str, Json]]:
    """Return the settings to try: all but the one that the plain answers are drawn with."""
    others = [setting for setting in SETTINGS if setting != (plain.temperature, plain.top_p, plain.min_p)]
    return [{**described(*setting), "among": [list(other) for other in others]} for setting in others]


def described(temperature: float, top_p: float, min_p: float) -> dict[str, Json]:
    """Return a setting as it stands in a value."""
    label = f"temperature {temperature:g}, top-p {top_p:g}, min-p {min_p:g}"
    return {"temperature": temperature, "top_p": top_p, "min_p": min_p, "label": label}
