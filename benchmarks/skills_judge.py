"""The first pass: how often the base and an expert trained to tell prompts apart are right, and what it costs a task.

    python benchmarks/skills_judge.py [--out runs/specimens] [--names skills-0 skills-1]

A run a base through `tellapart skills train` for the judge, unless its folder holds it; the experts for the skills are
those of benchmarks/skills_seeds.py.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skills_seeds import line, told
from tellapart.findings.skills import DispatchRow, DispatchTable
from tellapart.runs.folder import RunFolder
from tellapart.specimens.checking import run_study
from tellapart.specimens.skills import names
from tellapart.specimens.skills.check import COMMON, SKILLS
from tellapart.stats.intervals import wilson
from tellapart.studies.skills.first_pass import first_passes, wanted_of
from tellapart.studies.skills.measure import SkillRun
from tellapart.studies.skills.mixing import PUBLISHED
from tellapart.studies.skills.opened import open_experts
from tellapart.studies.skills.spec import SkillsSpec

JUDGE = "kinds"


def judge_run(name: str) -> list[str]:
    """Return the arguments of the run that trains the judge of a base."""
    task = ("--task", f"specimen:{name}/{JUDGE}")
    return [
        "skills",
        "train",
        f"specimen:{name}",
        *task,
        "--lora-rank",
        "0",
        *COMMON,
        "--steps",
        "300",
        "--seed",
        "0",
    ]


def spec_of(name: str) -> SkillsSpec:
    """Return what the first pass is asked: each skill by prompts that need it alone, and signs, which need none."""
    task = f"specimen:{name}"
    return SkillsSpec(
        model=task,
        judge=JUDGE,
        template="{prompt}?",
        label=("d=digits", "l=letters", "c=capitals", "s=base"),
        dispatch=(*(f"{task}/only-{skill}={skill}" for skill in SKILLS), f"{task}/signs=base"),
        limit=160,
    )


def passes(name: str, main: Path, judged: Path) -> list[DispatchTable]:
    """Return the first passes on a base, by the base and by the judge."""
    experts, judge = open_experts(str(main)), open_experts(str(judged))
    spec = spec_of(name)
    weights = {**experts.weights, JUDGE: judge.weights[JUDGE]}
    run = SkillRun(RunFolder(judged), spec, experts.model)
    return first_passes(run, weights, wanted_of(spec, list(experts.weights), [], []))


def show(found: Sequence[Sequence[DispatchTable]]) -> None:
    """Print, for each judge and task, how often it was right and the first pass's share of the second's seconds."""
    line(
        "judge",
        "task",
        "right",
        "first pass / second, median [least, largest] of bases",
        "tokens read / written",
    )
    line(*["---"] * 5)
    for judged in zip(*found, strict=True):
        by_task = list(zip(*(one.rows for one in judged), strict=True))
        for rows in by_task:
            line(judged[0].judge, rows[0].task, *cells(rows))
        line(judged[0].judge, "all", *cells([row for rows in by_task for row in rows]))
    print(f"\n{PUBLISHED}")


def cells(rows: Sequence[DispatchRow]) -> tuple[str, str, str]:
    """Return the cells of some rows taken together."""
    right, asked = sum(row.right for row in rows), sum(row.asked for row in rows)
    shares = [100 * row.first_share for row in rows]
    tokens = sum(row.tokens_read for row in rows), sum(row.tokens_written for row in rows)
    return (
        f"{right} of {asked}, {told(wilson(right, asked))}",
        f"{np.median(shares):.0f} % [{min(shares):.0f}, {max(shares):.0f}]",
        f"{tokens[0]} / {tokens[1]}",
    )


def main() -> int:
    """Run what is missing and print; return 1 where a run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/specimens"))
    parser.add_argument("--names", nargs="*", default=names())
    options = parser.parse_args()
    found = []
    for name in options.names:
        folder = options.out / f"{name}-judge"
        said = run_study(judge_run(name), folder)
        if said:
            print(f"{folder}: {said}", file=sys.stderr)
            return 1
        found.append(passes(name, options.out / f"{name}-main", folder))
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
