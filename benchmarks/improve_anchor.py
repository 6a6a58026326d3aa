"""What the truth on 10 % of the training prompts buys in self-improvement: paired, pooled over specimens.

    python benchmarks/improve_anchor.py [--settings NAME ...] [--seeds 3] [--out DIR]

Settings: majority where few answers are possible (the first digit alone is asked: guesses agree, and outvote the rare
worked answers), where right answers are rarer than agreeing guesses, and where it does well; a checker that also lets a
tenth of all wrong answers through; form alone.
"""

import argparse
import hashlib
import json
import math
import random
import sys
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats

import tellapart
from tellapart.specimens import read_name
from tellapart.specimens.families import FAMILIES, answer_of, draw_problem, prompt_of
from tellapart.tasks.item import Item

LET_THROUGH = 0.1


class Setting(NamedTuple):
    """The kind of specimen, the verifier, and whether the first character of the answer alone is asked."""

    kind: str
    verifier: str
    first: bool = False


SETTINGS = {
    "majority, first character, latent": Setting("latent", "majority", True),
    "majority, rare": Setting("rare", "majority"),
    "noisy checker, latent": Setting("latent", "python:improve_anchor:noisy"),
    "majority, latent": Setting("latent", "majority"),
    "form, latent": Setting("latent", "form"),
}


def noisy(item: Item, completion: str) -> float:
    """Accept a right answer, and a tenth of the wrong ones, by a hash of item and answer."""
    answer = completion.rpartition(">")[2] if ">" in completion else ""
    if answer == item.target[0]:
        return 1.0
    drawn = (
        int.from_bytes(hashlib.blake2b(f"{item.id}|{completion}".encode(), digest_size=4).digest()) / 2**32
    )
    return float(drawn < LET_THROUGH)


def task_file(specimen: str, first: bool, items: int, folder: Path) -> str:
    """Write `items` problems of the specimen's family (none that it was trained on), with
    the whole answer or its first character asked; return the path."""
    family = FAMILIES[read_name(specimen).family]
    rng = random.Random(f"anchor {specimen}")
    drawn = iter(lambda: draw_problem(family, rng, 0.2, "report"), None)
    problems = list(dict.fromkeys(islice(drawn, 2 * items)))[:items]
    lines = [
        {
            "id": f"i{at}",
            "prompt": prompt_of(problem),
            "target": answer_of(family, problem)[: 1 if first else None],
            "cluster": "".join(problem.program),
        }
        for at, problem in enumerate(problems)
    ]
    file = folder / f"{specimen}-{'first' if first else 'whole'}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = r"(\w)[^>]*" if first else "([^>]+)"
    floor = 1 / (len(family.letters) if first else family.states)
    file.with_suffix(".toml").write_text(
        f'name = "{file.stem}"\ntemplate = "{{prompt}}"\nscorer = "regex"\npattern = \'>{asked}$\'\n'
        f'guess_floor = {floor}\nmax_tokens = 64\nstop = ["\\n"]\n'
    )
    return str(file)


def main() -> int:
    """Print both ends of every run, and the pooled difference of each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--family", default="register")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        for name in options.settings:
            bought = []
            for seed in range(options.seeds):
                out = (options.out or Path(scratch)) / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
                specimen = f"{SETTINGS[name].kind}-{options.family}-{seed}"
                task = task_file(specimen, SETTINGS[name].first, options.items, Path(scratch))
                run = tellapart.improve(
                    model=f"specimen:{specimen}/base", task=task, verifier=(SETTINGS[name].verifier,), anchor=0.1,
                    rounds=options.rounds, steps=options.steps, seed=seed, out=str(out),
                )  # fmt: skip
                told = run.findings[0]
                arms = {arm["arm"]: arm for arm in told.tables["improve_rounds"]["arms"]}
                for arm in ("unanchored", "anchored", "by chance"):
                    scores = [f"{one['score'][0]:.3f}" for one in arms[arm]["rounds"]]
                    print(f"  {name} {seed} {arm}: {' -> '.join(scores)} ({arms[arm]['why']})")
                difference = told.estimates["anchor_difference"]
                print(
                    f"  {name} {seed}: {told.verdict}; anchored less unanchored {difference.value:+.3f} "
                    f"[{difference.low:+.3f}, {difference.high:+.3f}]",
                    flush=True,
                )
                bought.append((difference.value, (difference.high - difference.low) / 2 / 1.96))
            print(pooled(name, bought), flush=True)
    return 0


def pooled(name: str, bought: list[tuple[float, float]]) -> str:
    """Return the mean difference over seeds: within them (items alone vary), and over them (Student's t)."""
    values = np.array([value for value, _ in bought])
    within = 1.96 * math.sqrt(sum(error**2 for _, error in bought)) / len(bought)
    told = f"{name}: {values.mean():+.3f}, items of these specimens +-{within:.3f}"
    if len(values) > 1:
        over = stats.t.isf(0.025, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
        told += f", over specimens +-{over:.3f} (t, n = {len(values)})"
    return told


if __name__ == "__main__":
    sys.exit(main())
