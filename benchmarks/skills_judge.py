"""The first pass: how often the base and an expert trained to tell prompts apart are right, and what it costs a task.

    python benchmarks/skills_judge.py [--out runs/specimens] [--names skills-0 skills-1]

A run a base through `tellapart skills train --judge kinds`, unless its folder holds it. The experts for the skills are
copied from the run of benchmarks/skills_seeds.py; only the judge is trained.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skills_seeds import line, told
from tellapart.specimens.skills import names
from tellapart.specimens.skills.check import ASKED, COMMON, SKILLS, run_one
from tellapart.stats.intervals import wilson
from tellapart.studies.skills.mixing import PUBLISHED

JUDGE = "kinds"
COPIED = ("experts", "artifacts", "rows")


def judged_run(name: str) -> list[str]:
    """Return the arguments of the run with a judge."""
    task = f"specimen:{name}"
    return [
        "skills", "train", task,
        *(part for skill in (*SKILLS, JUDGE) for part in ("--task", f"{task}/{skill}")),
        "--judge", JUDGE, "--also", f"{task}/signs", "--lora-rank", "0",
        *(part for skill in SKILLS for part in ("--dispatch", f"{task}/only-{skill}={skill}")),
        "--dispatch", f"{task}/signs=base", *ASKED, *COMMON, "--steps", "300", "--seed", "0",
    ]  # fmt: skip


def prepare(source: Path, out: Path) -> None:
    """Copy what is trained and answered already; the first pass is measured anew."""
    if (out / "spec.json").exists():
        return
    for part in COPIED:
        shutil.copytree(source / part, out / part, dirs_exist_ok=True)
    (out / "artifacts" / "first-pass.json").unlink(missing_ok=True)


def passes(folder: Path) -> list[dict[str, Any]]:
    """Return the first passes of a run, by judge."""
    return json.loads((folder / "artifacts" / "first-pass.json").read_text(encoding="utf-8"))["passes"]


def show(found: Sequence[Sequence[Mapping[str, Any]]]) -> None:
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
        by_task = list(zip(*(one["rows"] for one in judged), strict=True))
        for rows in by_task:
            line(judged[0]["judge"], rows[0]["task"], *cells(rows))
        line(judged[0]["judge"], "all", *cells([row for rows in by_task for row in rows]))
    print(f"\n{PUBLISHED}")


def cells(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return the cells of some rows taken together."""
    right, asked = sum(row["right"] for row in rows), sum(row["asked"] for row in rows)
    shares = [100 * row["first_share"] for row in rows]
    tokens = [sum(row[f"tokens_{what}"] for row in rows) for what in ("read", "written")]
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
    folders = []
    for name in options.names:
        folders.append(options.out / f"{name}-judge")
        prepare(options.out / f"{name}-main", folders[-1])
        said = run_one(judged_run(name), folders[-1])
        if said:
            print(f"{folders[-1]}: {said}", file=sys.stderr)
            return 1
    show([passes(folder) for folder in folders])
    return 0


if __name__ == "__main__":
    sys.exit(main())
