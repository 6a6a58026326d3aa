"""Weights for a sum of experts, from few examples: what each way reaches of an expert trained on the joint task.

    python benchmarks/skills_mixes.py [--out runs/specimens] [--names skills-0] [--joint letters+capitals] [--shots 10]

Reads the run folders of benchmarks/skills_seeds.py (no training). The examples are training items of the joint task;
scored are the items of the run, at its temperature and seeds, so that the plain sum's answers are the run's own. Ways:
the plain sum; the sum times a factor; the cross-entropy method over all three experts' weights, and by layer
(`skills mix --how cem`). About 40 seconds of one core a base with 10 examples.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skills_seeds import Scores, line, scores, told
from tellapart.specimens.skills import names
from tellapart.specimens.skills.check import JOINT
from tellapart.stats.paired import paired_difference
from tellapart.studies.skills.analyse import score_ratio
from tellapart.studies.skills.cem import Range, search
from tellapart.studies.skills.commands import MixSpec
from tellapart.studies.skills.expert import expert_name
from tellapart.studies.skills.few_shots import log_likelihoods
from tellapart.studies.skills.mix import Mix, mix_of
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.mixing import ask
from tellapart.studies.skills.opened import open_experts
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.studies.skills.train import Skill, skill_of
from tellapart.tasks.sources import open_task

FACTORS = (1.0, 1.1, 1.2, 1.3)
SUM, LIKELIEST = "sum", "sum x likeliest factor"
SEARCHED = {
    "CEM": Range(),
    "CEM by layer": Range(by_layer=True),
    "CEM to 1.5": Range(most=1.5),
    "CEM to 1.5 by layer": Range(by_layer=True, most=1.5),
}
SPEC = SkillsSpec(limit=160)
"""How the runs part their tasks (seed 0, half of the items trained on, 160 scored)."""


class Tried(NamedTuple):
    """The scores of a mix, item by item [item], and how it is written."""

    scores: np.ndarray
    mix: str


def ways_of(lanes: Lanes, joint: str, skill: Skill, shots: int) -> Mapping[str, Mix]:
    """Return the mix that each way finds on `shots` training items of a joint task."""
    given = skill.train[:shots]
    sums = [mix_of(dict.fromkeys(joint.split("+"), factor)) for factor in FACTORS]
    likely = log_likelihoods(lanes, sums, skill.task, given)
    fixed = {f"sum x {factor}": mix for factor, mix in zip(FACTORS[1:], sums[1:], strict=True)}
    found = {name: search(lanes, skill.task, given, within).mix for name, within in SEARCHED.items()}
    lanes.forget()
    return {SUM: sums[0], **fixed, LIKELIEST: sums[int(likely.argmax())], **found}


def tried(folder: Path, name: str, joint: str, shots: int) -> dict[str, Tried]:
    """Return what each way reaches on the scored items of a base's joint task."""
    experts = open_experts(str(folder))
    skill = skill_of(SPEC, open_task(f"specimen:{name}/{joint}"))
    asked = MixSpec(temperature=SPEC.temperature, seed=SPEC.seed)
    with Lanes(experts.model, experts.weights) as lanes:
        ways = ways_of(lanes, joint, skill, shots)
        items = sorted(skill.report, key=lambda item: item.id)
        return {
            way: Tried(np.array(ask(asked, lanes, skill.task, items, [mix] * len(items))), mix.name)
            for way, mix in ways.items()
        }


def share(runs: Sequence[Scores], all_tried: Sequence[Mapping[str, Tried]], joint: str, way: str) -> str:
    """Return a way's score on a joint task and its share of the trained expert's, over these runs."""
    task = expert_name(joint)
    trained = np.concatenate([run[f"trained_{task}", task] for run in runs])
    ours = np.concatenate([one[way].scores for one in all_tried])
    return f"{100 * ours.mean():.1f}; {told(score_ratio(trained, ours), digits=2)}"


def show(
    chosen: Sequence[str], runs: Sequence[Scores], found: Mapping[str, Sequence[Mapping[str, Tried]]]
) -> None:
    """Print a table for each joint task: ways by bases and all; then the difference to the sum, and the mixes."""
    for joint, by_base in found.items():
        line(joint, *chosen, "all: %; share", "less the sum, points")
        line(*["---"] * (len(chosen) + 3))
        plain = np.concatenate([one[SUM].scores for one in by_base])
        for way in by_base[0]:
            cells = [share([run], [one], joint, way) for run, one in zip(runs, by_base, strict=True)]
            ours = np.concatenate([one[way].scores for one in by_base])
            line(way, *cells, share(runs, by_base, joint, way), told(paired_difference(plain, ours), 100, 1))
        for way in (LIKELIEST, *SEARCHED):
            print(f"{way}: " + "; ".join(one[way].mix for one in by_base))
        print(flush=True)


def main() -> int:
    """Try every way on every base; return 1 where the sum's answers are not those of the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/specimens"))
    parser.add_argument("--names", nargs="*", default=names())
    parser.add_argument("--joint", nargs="*", default=JOINT, choices=JOINT)
    parser.add_argument("--shots", type=int, default=10)
    options = parser.parse_args()
    folders = {name: options.out / f"{name}-main" for name in options.names}
    runs = [scores(folder) for folder in folders.values()]
    found = {
        joint: [tried(folder, name, joint, options.shots) for name, folder in folders.items()]
        for joint in options.joint
    }
    show(options.names, runs, found)
    same = [
        bool((one[SUM].scores == run[who, task]).all())
        for joint, by_base in found.items()
        for one, run in zip(by_base, runs, strict=True)
        for who, task in run
        if task == expert_name(joint) and sorted(who.split("+")) == sorted(joint.split("+"))
    ]
    print(f"the sum answered as in its run: {sum(same)} of {len(same)} bases and tasks")
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
