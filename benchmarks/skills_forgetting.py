"""What experts and LoRA forget where both score alike on their skill.

    python benchmarks/skills_forgetting.py [--out runs/specimens] [--names skills-0 skills-1] [--common 0.8]

Reads the run folders of benchmarks/skills_seeds.py (no training). A change is weakened until it scores as is asked, by
bisection on CALIBRATED items of the skill that are neither trained on nor scored: LoRA as a B A, an expert as
1 + a (z - 1), since some z are below 0, which z^a has no value for. Three ways: as trained; the better of both weakened
to the other's score; both weakened to --common. Points against the base on other tasks, paired by item.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skills_seeds import line, told
from tellapart.interventions.weights import Weights, weights_from
from tellapart.models.hooks import Proof
from tellapart.models.local import LocalModel
from tellapart.runs.asking import Ask, generate, plain_requests
from tellapart.specimens.skills import names
from tellapart.specimens.skills.check import SKILLS
from tellapart.stats.paired import paired_difference
from tellapart.studies.skills.measure import ask_of
from tellapart.studies.skills.opened import open_experts
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.studies.skills.train import Skill, skill_of
from tellapart.tasks.item import Item
from tellapart.tasks.sources import open_task
from tellapart.training.change import changed
from tellapart.training.lora import Lora
from tellapart.training.svf import Svf

SCORED, CALIBRATED, HALVINGS = 160, 480, 6
SPEC = SkillsSpec()
ELSEWHERE = {"other skills": SKILLS, "signs": ("signs",), "marked": ("marked",), "kinds": ("kinds",)}
WAYS = ("as trained", "the better one at the other's score", "both at the common score")


@dataclass(frozen=True)
class Trained:
    """An expert or LoRA as its run left it."""

    lora: bool
    weights: Weights

    def at(self, model: LocalModel, strength: float) -> AbstractContextManager[Proof]:
        """Put it on the model at a strength."""
        return changed(model, Lora(rank=16) if self.lora else Svf(), self.weights, strength)


class Place(NamedTuple):
    """A base with its tasks, by name."""

    model: LocalModel
    tasks: Mapping[str, Skill]


class Told(NamedTuple):
    """Strengths of the expert and of LoRA, and the scores of base, expert and LoRA by task [item]."""

    strengths: tuple[float, float]
    scores: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]


def answered(model: LocalModel, skill: Skill, items: Sequence[Item]) -> np.ndarray:
    """Return the scores of the model's answers to `items` [item], drawn as a run draws them."""
    ask: Ask = ask_of(SPEC, skill)._replace(items=tuple(items))
    scores = np.zeros(len(items))
    for one in generate(model, list(plain_requests(ask))):
        scores[one.item] = skill.task.score(items[one.item], one.completion.text)
    return scores


def calibrated(place: Place, skill: Skill, one: Trained, strength: float) -> float:
    """Return the score on the items for calibration."""
    with one.at(place.model, strength):
        return float(answered(place.model, skill, skill.report[SCORED : SCORED + CALIBRATED]).mean())


def weakened(place: Place, skill: Skill, one: Trained, aim: float) -> float:
    """Return the strength, at most 1, at which a change scores `aim` on the items for calibration."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if calibrated(place, skill, one, middle) < aim else (low, middle)
    return high


def strengths_of(
    place: Place, skill: Skill, pair: tuple[Trained, Trained], common: float
) -> list[tuple[float, float]]:
    """Return the strengths of expert and LoRA in each of WAYS."""
    full = [calibrated(place, skill, one, 1.0) for one in pair]
    aim = min(full)
    matched = [
        weakened(place, skill, one, aim) if score > aim else 1.0
        for one, score in zip(pair, full, strict=True)
    ]
    both = [weakened(place, skill, one, common) for one in pair]
    return [(1.0, 1.0), (matched[0], matched[1]), (both[0], both[1])]


def told_of(folder: Path, name: str, common: float) -> list[list[Told]]:
    """Return what is told of a run, by skill and way."""
    experts = open_experts(str(folder))
    tasks = (*SKILLS, "signs", "marked", "kinds")
    place = Place(
        experts.model, {task: skill_of(SPEC, open_task(f"specimen:{name}/{task}")) for task in tasks}
    )
    base = {task: answered(place.model, one, one.report[:SCORED]) for task, one in place.tasks.items()}
    found = []
    for skill in SKILLS:
        pair = (Trained(False, experts.weights[skill]), lora_of(folder, skill))
        found.append([])
        for strengths in strengths_of(place, place.tasks[skill], pair, common):
            own, lora = (everywhere(place, one, at) for one, at in zip(pair, strengths, strict=True))
            found[-1].append(Told(strengths, {task: (base[task], own[task], lora[task]) for task in tasks}))
    return found


def everywhere(place: Place, one: Trained, strength: float) -> dict[str, np.ndarray]:
    """Return the scores of a change on every task [item]."""
    with one.at(place.model, strength):
        return {
            task: answered(place.model, skill, skill.report[:SCORED]) for task, skill in place.tasks.items()
        }


def lora_of(folder: Path, skill: str) -> Trained:
    """Return the LoRA that a run trained on a skill."""
    facts = json.loads((folder / "artifacts" / f"lora-{skill}.json").read_text(encoding="utf-8"))
    return Trained(True, weights_from((folder / "artifacts" / facts["file"]).read_bytes(), facts["digest"]))


def show(title: str, found: Sequence[Sequence[Sequence[Told]]]) -> None:
    """Print what is forgotten, way by way: scores on the skills, then points against the base elsewhere."""
    for way, words in enumerate(WAYS):
        rows = [(skill, ways[way]) for run in found for skill, ways in zip(SKILLS, run, strict=True)]
        own, lora = (np.mean([one.strengths[at] for _, one in rows]) for at in (0, 1))
        line(f"{title}, {words} (a: {own:.2f}, {lora:.2f})", "expert", "LoRA", "expert less LoRA")
        line(*["---"] * 4)
        base, ours, theirs = joined([one.scores[skill] for skill, one in rows])
        line("the skill, %", *(f"{100 * one.mean():.1f}" for one in (ours, theirs)), points(theirs, ours))
        for group, tasks in ELSEWHERE.items():
            base, ours, theirs = joined(
                [one.scores[task] for skill, one in rows for task in tasks if task != skill]
            )
            line(group, points(base, ours), points(base, theirs), points(theirs, ours))
        print(flush=True)


def joined(parts: Sequence[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """Return the scores of base, expert and LoRA over several tasks."""
    return [np.concatenate(some) for some in zip(*parts, strict=True)]


def points(before: np.ndarray, after: np.ndarray) -> str:
    """Return a difference in points with its interval."""
    return told(paired_difference(before, after), 100, 1)


def main() -> int:
    """Match, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/specimens"))
    parser.add_argument("--names", nargs="*", default=names())
    parser.add_argument("--common", type=float, default=0.8)
    options = parser.parse_args()
    for title, kind in (("held", "main"), ("as in the paper", "plain")):
        show(title, [told_of(options.out / f"{name}-{kind}", name, options.common) for name in options.names])
    return 0


if __name__ == "__main__":
    sys.exit(main())
