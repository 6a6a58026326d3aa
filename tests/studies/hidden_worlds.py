"""Runs of `hidden` made up answer by answer: models that hold back, and honest ones that look as if they did.

A model is a function (rng, item) -> answer; "" is an answer that cannot be read (gain_worlds.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from tests.studies.gain_worlds import Answer, World

from tellapart.studies.hidden.facts import HiddenFacts

UNSTATED = HiddenFacts(guess_floor=None)


@dataclass(frozen=True)
class Model:
    """What it answers plainly, and under each method."""

    plain: Answer
    methods: Mapping[str, Answer] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hidden:
    """Items with targets, the model in question, a benign one, a reference that never met the skill."""

    targets: tuple[str, ...]
    model: Model
    benign: Model | None = None
    reference: Model | None = None
    slices: tuple[str, ...] = ()
    candidates: int | None = None
    samples: int = 8
    lenient: Mapping[str, Any] = field(default_factory=dict)
    facts: HiddenFacts = UNSTATED

    def run(self, seed: int) -> tuple[pd.DataFrame, HiddenFacts]:
        """Return rows and facts."""
        rng = np.random.default_rng(seed)
        world = World(
            self.targets, self.model.plain, self.model.plain, candidates=self.candidates, lenient=self.lenient
        )
        parts = []
        for role, model in (("model", self.model), ("benign", self.benign), ("reference", self.reference)):
            if model is not None:
                parts.append(world._asked(rng, f"{role}/plain", model.plain, self.samples))
                parts += [world._asked(rng, f"{role}/{name}", one, 4) for name, one in model.methods.items()]
        known = world.known()
        items = {
            name: dict(one) | ({"slice": self.slices[at]} if self.slices else {})
            for at, (name, one) in enumerate(known.items.items())
        }
        facts = replace(
            self.facts,
            items=items,
            elicitors=_told(self.model),
            benign={} if self.benign is None else _told(self.benign),
            has_benign=self.benign is not None,
            reference={} if self.reference is None else _told(self.reference),
            slice="topic" if self.slices else "",
        )
        rows = pd.concat(parts, ignore_index=True)
        return rows.assign(completion=rows["answer"], tokens=3), facts


def _told(model: Model) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "elicitor": name.split("@")[0],
            "tells": "labels" if "@" in name else "nothing",
            "null_tells": "nothing",
            "bits_once": 1.0,
        }
        | dict(model.told.get(name, {}))
        for name in model.methods
    }
