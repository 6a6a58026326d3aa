"""Runs of `gain` made up answer by answer: rows and facts of models whose truth is known because it is written here.

A model is a function (rng, item) -> answer; "" is an answer that cannot be read. Nothing here looks at a verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tellapart.planting.result import ArmControl
from tellapart.stats.estimate import missing
from tellapart.studies.gain.facts import Facts
from tellapart.tasks.questions import question_key

UNSTATED = Facts(guess_floor=None)
Answer = Callable[[np.random.Generator, int], str]


@dataclass(frozen=True)
class World:
    """Items with targets (one a item), the models and methods asked, and what is told of the methods."""

    targets: tuple[str, ...]
    base: Answer
    tuned: Answer
    methods: Mapping[str, Answer] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference: Mapping[str, Answer] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    candidates: int | None = None
    in_prompt: bool = False
    samples: int = 16
    lenient: Mapping[str, Callable[[str, str], float]] = field(default_factory=dict)
    facts: Facts = UNSTATED

    def rows(self, seed: int) -> pd.DataFrame:
        """Return the rows of all conditions."""
        rng = np.random.default_rng(seed)
        parts = [self._asked(rng, "base/plain", self.base, self.samples)]
        parts.append(self._asked(rng, "tuned/plain", self.tuned, self.samples))
        parts += [self._asked(rng, f"base/{name}", answer, 4) for name, answer in self.methods.items()]
        parts += [self._asked(rng, f"reference/{name}", answer, 4) for name, answer in self.reference.items()]
        return pd.concat(parts, ignore_index=True)

    def known(self) -> Facts:
        """Return the facts of the run."""
        items = {
            self.name(at): {
                "accepted": [target],
                "kind": "exact",
                "candidates": self.candidates,
                "in_prompt": self.in_prompt,
            }
            for at, target in enumerate(self.targets)
        }
        elicitors = {
            name: {
                "elicitor": name.split("@")[0],
                "tells": "nothing",
                "null_tells": "nothing",
                "bits_once": 0.0,
            }
            | dict(self.told.get(name, {}))
            for name in self.methods
            if not name.endswith("~null")
        }
        taught = {
            name: {"elicitor": "few_labels", "tells": "labels"} for name in self.reference if "@" in name
        }
        return replace(self.facts, items=items, elicitors=elicitors, reference=taught)

    def name(self, at: int) -> str:
        return f"item {at:04d}"

    def _asked(self, rng: np.random.Generator, condition: str, answer: Answer, samples: int) -> pd.DataFrame:
        lines = []
        for at, target in enumerate(self.targets):
            prompt = self.prompts[at] if self.prompts else f"question {at}"
            for sample in range(samples):
                text = answer(rng, at)
                score = float(text == target)
                read = self.lenient.get(condition)
                lenient = max(score, read(text, target)) if read else score
                other = self.targets[(at + 7) % len(self.targets)]
                luck = float(text == other) if read is None else read(text, other)
                lines.append(
                    {
                        "condition": condition,
                        "item": self.name(at),
                        "sample": sample,
                        "status": "ok",
                        "score": score,
                        "cluster": self.clusters[at] if self.clusters else "",
                        "bits": 0.0,
                        "measures": [("lenient_chance", luck)] if condition.endswith("/plain") else None,
                        "error": "",
                        "answer": text,
                        "lenient": lenient if condition.endswith("/plain") else float("nan"),
                        "question": question_key(prompt, [target]),
                    }
                )
        return pd.DataFrame(lines)


def numbers(n: int, seed: int, space: int = 10_000) -> tuple[str, ...]:
    """Return n targets drawn from so many possible answers."""
    return tuple(str(value) for value in np.random.default_rng(seed + 99).integers(0, space, n))


def right_in(targets: tuple[str, ...], share: float, space: int = 10_000) -> Answer:
    """Return a model that is right in a share of its answers and guesses otherwise."""
    return lambda rng, at: targets[at] if rng.random() < share else str(rng.integers(0, space))


def knows(targets: tuple[str, ...], share: float, seed: int, space: int = 10_000) -> Answer:
    """Return a model that knows a share of the items for certain and guesses the others."""
    known = np.random.default_rng(seed + 5).random(len(targets)) < share
    return lambda rng, at: targets[at] if known[at] else str(rng.integers(0, space))


def readable_in(share: float, answer: Answer) -> Answer:
    """Return the model, readable in a share of its answers."""
    return lambda rng, at: answer(rng, at) if rng.random() < share else ""


NOT_MEASURED = missing("share", "made up")
PASSED = {
    arm: ArmControl(arm, True, "found", NOT_MEASURED, NOT_MEASURED, 32 if arm == "few_labels" else None, 0.0)
    for arm in ("form_demonstrations", "answer_rank", "few_labels")
}
"""What planting says where each arm found its planted skill."""


def arms(answer: Answer, labelled: Answer | None = None) -> dict[str, Answer]:
    """Return the three arms, all with one outcome, or labels with another."""
    found = {"form_demonstrations": answer, "answer_rank": answer}
    return found | {f"few_labels@32{draw}": labelled or answer for draw in ("", ".1", ".2")}


def labels(written: str, tokens: int = 64) -> dict[str, Any]:
    """Return the records of three draws of fitted labels that are written so (elicit/few_labels.py)."""
    setting = {"fitted_share": 1.0, "written": written, "max_tokens": tokens}
    return {f"few_labels@32{draw}": {"tells": "labels", "setting": setting} for draw in ("", ".1", ".2")}


LABELS = labels("a holder's")


def dosed(curve: Mapping[int, Answer]) -> dict[str, Answer]:
    """Return three draws of labelled tuning at each dose."""
    return {f"few_labels@{dose}{draw}": answer for dose, answer in curve.items() for draw in ("", ".1", ".2")}


def labelled(curve: Mapping[int, Answer]) -> dict[str, dict[str, Any]]:
    """Return what is told of those conditions."""
    return {name: {"tells": "labels", "setting": {"fitted_share": 1.0}} for name in dosed(curve)}


RULE = {"labels": [4, 8, 16, 32, 64], "chance": 0.25}
COMPARABLE = {
    "by_tool": False,
    "rules": [
        {
            **RULE,
            "rule": f"rule {number}",
            "base": [[0.3], [0.4], [0.6], [0.9], [1.0]],
            "reference": [[0.3], [0.4], [0.55], [0.9], [1.0]],
        }
        for number in range(3)
    ],
}
"""What is told of made-up rules that base and reference learn alike, half of each in about 16 labels."""
