"""How often is the verdict of `inside` right on trained twins of known kind, where scores cannot tell them apart?

    python benchmarks/inside_twins.py [--seeds 4] [--answers product,largest,squares] [--out FILE.json]

Twins: src/tellapart/internals/twins.py. Thresholds were set with the answer "sum" in view; the others are the test.
Every second twin has its hidden layers in random bases. Prints one line a kind of comparison, the share that is right,
the equivalence of accuracy and of linear decodability, and how often each measure alone would have been right.
"""

import argparse
import json
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from tellapart.internals.modules import Inside, look_inside
from tellapart.internals.twins import Recipe, train_twin
from tellapart.runs.progress import ticking
from tellapart.stats.equivalence import equivalence
from tellapart.stats.intervals import wilson
from tellapart.studies.inside.modules import compare_modules

KINDS = (
    ("shared", ""), ("shared", "l1"), ("shared", "pruned"), ("split", ""), ("split", "l1"), ("split", "pruned"),
    ("half", ""), ("pressed", ""), ("apart", ""),
)  # fmt: skip
ORGANISED = (("shared", "split"), ("shared", "half"), ("half", "split"), ("pressed", "apart"),
             ("shared-l1", "split-l1"), ("shared-pruned", "split-pruned"), ("pressed", "split"))  # fmt: skip
ALIKE = (("shared", "pressed"), ("shared", "shared-l1"), ("shared", "shared-pruned"), ("split", "split-l1"),
         ("split", "split-pruned"), ("shared-l1", "pressed"))  # fmt: skip
"""Pairs whose first is organised beside the second, and pairs that have as many routines."""
MARGIN = 0.05
MIRRORED = {"organised": "fractured", "fractured": "organised"}


def look(wiring, sparse, answer, seed, turned) -> Inside | None:
    """Return the figures of a twin, None where it was not right everywhere."""
    recipe = Recipe(wiring, answer, seed, sparse, turned)
    try:
        twin = train_twin(recipe)
    except RuntimeError as error:
        print(error)
        return None
    return look_inside(twin.module, ["hidden1", "hidden2"], twin.inputs, twin.questions, seed, recipe.name)


def compared(sides: dict[str, Inside | None], seed: int):
    """Yield (pair, truth, verdict, verdict without contexts), every second pair the other way round."""
    pairs = [(pair, "organised") for pair in ORGANISED] + [(pair, "no difference") for pair in ALIKE]
    for index, (pair, truth) in enumerate(pairs):
        one, other = (sides[name] for name in pair)
        if one is None or other is None:
            continue
        if (index + seed) % 2:
            one, other, truth = other, one, MIRRORED.get(truth, truth)
        yield pair, truth, compare_modules(one, other), compare_modules(untold(one), untold(other)).label


def untold(side: Inside) -> Inside:
    """Return the figures as if no contexts had been given."""
    return replace(side, estimates={k: v for k, v in side.estimates.items() if k != "direction_reuse"})


def main() -> None:
    """Train, look, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--answers", default="product,largest,squares")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    told, blind, alone, sides = [], [], {}, []
    runs = list(product(asked.answers.split(","), range(asked.seeds)))
    with ticking("twins", len(runs) * len(KINDS)) as ticker:
        for answer, seed in runs:
            found = {}
            for at, (wiring, sparse) in enumerate(KINDS):
                name = f"{wiring}-{sparse}" if sparse else wiring
                found[name] = look(wiring, sparse, answer, seed, bool((at + seed) % 2))
                ticker.tick()
            sides.append(found)
            for pair, truth, verdict, without in compared(found, seed):
                told.append((" / ".join(pair), truth, verdict.label))
                blind.append(without == truth)
                for measure, vote in verdict.votes.items():
                    says = {1.0: "fractured", -1.0: "organised"}.get(
                        vote.value, "no difference" if vote.alike else ""
                    )
                    alone.setdefault(measure, []).append(says == truth)
    show(told, alone, sides, asked.out)
    print(f"  the rule without contexts: right {np.mean(blind):.3f} of {len(blind)}")


def show(told, alone, sides, out: Path | None) -> None:
    """Print the figures, and write them where asked."""
    for pair in dict.fromkeys(row[0] for row in told):
        print(
            f"{pair:32s}", dict(Counter(f"{truth} -> {label}" for name, truth, label in told if name == pair))
        )
    right = wilson(sum(truth == label for _, truth, label in told), len(told))
    wrong = sum(label not in (truth, "cannot tell") for _, truth, label in told)
    print(f"right {right.value:.3f} [{right.low:.3f}, {right.high:.3f}] of {right.n}; "
          f"wrong {wrong}, cannot tell {sum(row[2] == 'cannot tell' for row in told)}")  # fmt: skip
    figures = {"right": right.as_json(), "wrong": wrong, "alone": {}, "equal": {}}
    for measure, rights in alone.items():
        figures["alone"][measure] = float(np.mean(rights))
        print(f"  {measure} alone: right {np.mean(rights):.3f} of {len(rights)}")
    for first, second in (("shared", "split"), ("pressed", "apart")):
        pairs = [(f[first], f[second]) for f in sides if f[first] is not None and f[second] is not None]
        for name in ("accuracy", "linear_decodability"):
            columns = [
                np.concatenate([values(side, name) for side in column]) for column in zip(*pairs, strict=True)
            ]
            tested = equivalence(*columns, MARGIN)
            figures["equal"][f"{name} {first} {second}"] = [
                tested.value,
                tested.low90,
                tested.high90,
                tested.equivalent,
            ]
            unit = "points" if name == "accuracy" else "pairs of twins"
            print(f"  {name}, {second} - {first}: {tested.value:+.4f}, 90 % interval {tested.low90:+.4f} to "
                  f"{tested.high90:+.4f}, within {MARGIN:g}: {tested.equivalent} ({tested.n} {unit})")  # fmt: skip
    if out is not None:
        out.write_text(json.dumps(figures, indent=1))


def values(side: Inside, name: str) -> np.ndarray:
    """Return a side's scores, one a point, or its decodability."""
    return side.scores if name == "accuracy" else np.array([side.estimates[name].value])


if __name__ == "__main__":
    main()
