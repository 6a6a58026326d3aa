"""Experts, mixes, dispatch and forgetting on every base of `skills`, pooled over seeds: docs/validation/skills.md.

    python benchmarks/skills_seeds.py [--out runs/specimens] [--names skills-0 skills-1]

Two runs a base, each through `tellapart skills train` unless its folder holds it: the one that `tellapart specimens
check --study skills` makes (experts beside each other, held to the base elsewhere), and one as in the paper, each by
itself and held to nothing. About 200 seconds of one core a base. Exits with 1 where an aim is missed; intervals are
over the items of all bases.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.specimens.checking import run_study
from tellapart.specimens.skills import names
from tellapart.specimens.skills.check import ASKED, COMMON, JOINT, SKILLS, main_run
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import wilson
from tellapart.stats.paired import paired_difference
from tellapart.studies.skills.analyse import gain_ratio, score_ratio, scores_of
from tellapart.studies.skills.expert import expert_name

OF_LORA, OF_TRAINED, DISPATCHED = 0.95, 0.9, 0.95
ELSEWHERE = {"other skills": (), "signs": ("signs",), "marked": ("marked",), "kinds": ("kinds",)}
"""Groups of tasks on which forgetting is told; the other skills are those but the expert's own."""

Scores = Mapping[tuple[str, str], np.ndarray]


def plain_run(name: str) -> list[str]:
    """Return the arguments of the run as in the paper: experts apart, held to nothing."""
    task = f"specimen:{name}"
    return [
        "skills", "train", task,
        *(part for skill in SKILLS for part in ("--task", f"{task}/{skill}")),
        "--also", f"{task}/signs", "--watch", f"{task}/marked", "--watch", f"{task}/kinds",
        "--dispatch", f"{task}/signs=base", "--apart", "--keep", "0", *ASKED, *COMMON,
        "--steps", "150", "--lora-rate", "0.003",
    ]  # fmt: skip


def scores(path: Path) -> Scores:
    """Return each item's score by (who, task), from a run's rows."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for shard in sorted((path / "rows").glob("*.jsonl")):
        first, *_ = shard.read_text(encoding="utf-8").splitlines()
        name = str(json.loads(first)["condition"])
        who, _, task = name.partition("@")
        rows[who, task] = RunFolder(path).read_rows(name)
    return scores_of(rows)


def pooled(runs: Sequence[Scores], who: str, task: str) -> np.ndarray:
    """Return the scores of a condition in all runs, run after run."""
    return np.concatenate([run[who, task] for run in runs])


def told(estimate: Estimate, scale: float = 1.0, digits: int = 3) -> str:
    """Return an estimate with its interval."""
    value, low, high = (scale * one for one in (estimate.value, estimate.low, estimate.high))
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def line(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def show_skills(chosen: Sequence[str], runs: Sequence[Scores]) -> bool:
    """Print what experts and LoRA reach; return whether the pooled share is as aimed for."""
    line("base", *(f"{skill}: base, expert, LoRA; share of its gain" for skill in SKILLS))
    line(*["---"] * (1 + len(SKILLS)))
    for name, run in zip(chosen, runs, strict=True):
        line(name, *(skill_cell([run], skill) for skill in SKILLS))
    line("all", *(skill_cell(runs, skill) for skill in SKILLS))
    base, own, lora = (
        np.concatenate([pooled(runs, who.format(skill), skill) for skill in SKILLS])
        for who in ("base", "{}", "{}~lora")
    )
    share = gain_ratio(base, own, lora)
    print(f"\nall skills: share of LoRA's gain {told(share)}, n = {share.n}\n")
    return share.value >= OF_LORA


def skill_cell(runs: Sequence[Scores], skill: str) -> str:
    """Return the scores of a skill, and the share of LoRA's gain."""
    base, own, lora = (pooled(runs, who, skill) for who in ("base", skill, f"{skill}~lora"))
    shown = ", ".join(f"{100 * one.mean():.1f}" for one in (base, own, lora))
    return f"{shown}; {told(gain_ratio(base, own, lora), digits=2)}"


def show_joint(chosen: Sequence[str], runs: Sequence[Scores]) -> bool:
    """Print what sums reach of an expert trained on the joint task; return whether all are as aimed for."""
    line("base", *(f"{joint}: best single, sum, trained; share" for joint in JOINT))
    line(*["---"] * (1 + len(JOINT)))
    for name, run in zip(chosen, runs, strict=True):
        line(name, *(joint_cell([run], joint)[0] for joint in JOINT))
    cells = [joint_cell(runs, joint) for joint in JOINT]
    line("all", *(cell for cell, _ in cells))
    print()
    return all(share.value >= OF_TRAINED for _, share in cells)


def joint_cell(runs: Sequence[Scores], joint: str) -> tuple[str, Estimate]:
    """Return the scores of a joint task in words, and the sum's share of the trained expert's."""
    task = expert_name(joint)
    single = max(float(pooled(runs, who, task).mean()) for who in SKILLS)
    names_of = joint.split("+")
    mix = next(who for who, _ in runs[0] if sorted(who.split("+")) == sorted(names_of))
    summed, trained = pooled(runs, mix, task), pooled(runs, f"trained_{task}", task)
    share = score_ratio(trained, summed)
    return (
        f"{100 * single:.1f}, {100 * summed.mean():.1f}, {100 * trained.mean():.1f}; {told(share, digits=2)}",
        share,
    )


def show_forgetting(title: str, runs: Sequence[Scores]) -> bool:
    """Print what experts and LoRA change elsewhere, in points; return whether experts were shown to forget less."""
    line(f"{title}: points against the base", "expert", "LoRA", "expert less LoRA")
    line(*["---"] * 4)
    differences = []
    for group, tasks in ELSEWHERE.items():
        pairs = [
            (skill, task) for skill in SKILLS for task in tasks or [one for one in SKILLS if one != skill]
        ]
        base, own, lora = (
            np.concatenate([pooled(runs, who.format(skill), task) for skill, task in pairs])
            for who in ("base", "{}", "{}~lora")
        )
        compared = paired_difference(lora, own)
        differences.append(compared)
        line(
            group,
            *(
                told(one, 100, 1)
                for one in (paired_difference(base, own), paired_difference(base, lora), compared)
            ),
        )
    print()
    return differences[0].low > 0


def show_dispatch(folders: Sequence[Path]) -> bool:
    """Print how often the first pass was right; return whether that is as aimed for."""
    right = asked = 0
    for folder in folders:
        one = json.loads((folder / "artifacts" / "first-pass.json").read_text())["passes"][0]
        right, asked = (
            right + sum(row["right"] for row in one["rows"]),
            asked + sum(row["asked"] for row in one["rows"]),
        )
    share = wilson(right, asked)
    print(f"dispatch by the base: right for {right} of {asked} prompts, {told(share)}\n")
    return share.value >= DISPATCHED


def main() -> int:
    """Run what is missing, print the tables; return 1 where an aim is missed or a run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/specimens"))
    parser.add_argument("--names", nargs="*", default=names())
    options = parser.parse_args()
    folders = {kind: [options.out / f"{name}-{kind}" for name in options.names] for kind in ("main", "plain")}
    for kind, command in (("main", main_run), ("plain", plain_run)):
        for name, folder in zip(options.names, folders[kind], strict=True):
            said = run_study([*command(name), "--seed", "0"], folder)
            if said:
                print(f"{folder}: {said}", file=sys.stderr)
                return 1
    runs = {kind: [scores(folder) for folder in some] for kind, some in folders.items()}
    kept = [
        show_skills(options.names, runs["main"]),
        show_joint(options.names, runs["main"]),
        show_dispatch(folders["main"]),
        show_forgetting("held to the base, beside each other", runs["main"]),
        show_forgetting("as in the paper", runs["plain"]),
    ]
    aims = (
        "share of LoRA's gain",
        "share of a trained expert",
        "dispatch",
        "forgets less, held",
        "forgets less, as in the paper",
    )
    for aim, good in zip(aims, kept, strict=True):
        print(f"{aim}: {'as aimed for' if good else 'MISSED'}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
