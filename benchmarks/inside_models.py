"""How often is the verdict of `inside` right on language models of known kind that score the same?

    python benchmarks/inside_models.py --folder DIR [--worlds sums,names,order] [--seeds 2] [--out FILE.json]

Twins: src/tellapart/specimens/inside. Each is trained where it is missing in DIR (about 25 s of one core), measured
once, and compared. Models of odd seeds have their residual stream in a random basis. Thresholds are fitted on all kinds
but one, and tried on that one; the confusion table is of these.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from tellapart.internals.concept_figures import Asked, ConceptFigures, measure_concepts
from tellapart.internals.concepts import read_concepts
from tellapart.models.local import LocalModel
from tellapart.runs.progress import ticking
from tellapart.specimens.inside.build import build_twin
from tellapart.specimens.inside.recipe import Kind, Recipe, Sparse
from tellapart.specimens.inside.training import turn
from tellapart.specimens.store import load_base, model_of
from tellapart.specimens.tokenizer import tokenizer
from tellapart.stats.equivalence import equivalence
from tellapart.stats.intervals import wilson
from tellapart.studies.inside.language import as_json, from_json
from tellapart.studies.inside.verdict import DECIDES, MEASURES, Measure, Same, Side, decide, same_scores

TWINS: tuple[tuple[Kind, Sparse], ...] = (
    ("shared", ""), ("split", ""), ("tangled", ""), ("units", ""), ("readers", ""), ("redundant", ""),
    ("shared", "pruned"), ("shared", "l1"), ("split", "pruned"), ("half", ""),
)  # fmt: skip
ORGANISED = (("shared", "split"), ("shared", "half"), ("shared", "readers"), ("shared", "units"),
             ("shared", "tangled"), ("shared", "redundant"), ("shared_pruned", "split_pruned"),
             ("shared_l1", "split"))  # fmt: skip
ALIKE = (("shared", "shared_l1"), ("shared", "shared_pruned"), ("split", "split_pruned"))
SEEDS_ALIKE = ("shared", "split", "half", "readers", "units", "tangled", "redundant")
"""Pairs whose first is organised beside the second; pairs of one kind; kinds whose seeds are compared."""
MIRRORED = {"organised": "fractured", "fractured": "organised"}
UNSEEN = "redundant"
"""A kind of which all measures say nothing; it is told apart, and no threshold is fitted on it."""
APART, KIN, CROSS = (0.15, 0.2, 0.25, 0.3, 0.4), (0.2, 0.3, 0.4, 0.5), (0.05, 0.08, 0.1, 0.15, 0.2)
"""What is tried as the least difference of reuse that counts, the margin within which reuse is the same, and both for
`cross_effect`."""
Thresholds = tuple[float, float, float]
MARGIN = 0.05


class Pair(NamedTuple):
    """Two models' figures, their kind, and what a right verdict says of the first."""

    kind: str
    one: ConceptFigures
    other: ConceptFigures
    truth: str
    same: Same


def measured(recipe: Recipe, folder: Path) -> ConceptFigures:
    """Return a twin's figures, from the folder where they are there."""
    stored = folder / "figures" / f"{recipe.name}.json"
    if stored.exists():
        return from_json(json.loads(stored.read_text()))
    module = model_of(load_base(build_twin(recipe, folder)))
    if recipe.seed % 2:
        turn(module, recipe.seed)
    model = LocalModel(module, tokenizer(), recipe.name)
    found = measure_concepts(model, read_concepts(f"specimen:{recipe.world}"), Asked(recipe.seed, None, 0))
    stored.parent.mkdir(exist_ok=True)
    stored.write_text(json.dumps(as_json(found)))
    return from_json(json.loads(stored.read_text()))


def pairs_of(sides: dict[tuple[str, str, int], ConceptFigures]) -> Iterator[Pair]:
    """Yield all pairs of which both are there, every second one the other way round."""
    wanted = []
    for world, seed in dict.fromkeys((world, seed) for _, world, seed in sides):
        for (one, other), truth in [
            *((pair, "organised") for pair in ORGANISED),
            *((pair, "no difference") for pair in ALIKE),
        ]:
            wanted.append((f"{one} / {other}", (one, world, seed), (other, world, seed), truth))
        if seed:
            for kind in SEEDS_ALIKE:
                wanted.append(
                    (f"{kind} / {kind}", (kind, world, seed - 1), (kind, world, seed), "no difference")
                )
    for index, (kind, first, second, truth) in enumerate(wanted):
        if first not in sides or second not in sides:
            continue
        one, other = sides[first], sides[second]
        if index % 2:
            one, other, truth = other, one, MIRRORED.get(truth, truth)
        yield Pair(kind, one, other, truth, same_scores((one.name, other.name), one.scores, other.scores))


def with_thresholds(told: Thresholds, only: tuple[str, ...] = DECIDES) -> dict[str, Measure]:
    """Return the deciding measures with these thresholds."""
    apart, alike, cross = told
    return {
        name: MEASURES[name]._replace(apart=cross, alike=cross)
        if name == "cross_effect"
        else MEASURES[name]._replace(apart=apart, alike=alike)
        for name in only
    }


def verdict(pair: Pair, measures: dict[str, Measure]) -> str:
    """Return the rule's verdict on a pair's first model."""
    sides = Side(pair.one.name, pair.one.estimates), Side(pair.other.name, pair.other.estimates)
    return decide(*sides, pair.same, measures).label


def fitted(pairs: list[Pair]) -> Thresholds:
    """Return the thresholds that are right most often, every kind of pair having the same weight; of equally good ones
    those nearest to an `apart` of .2, and then the narrowest margin."""
    counts = Counter(pair.kind for pair in pairs)

    def share(thresholds: Thresholds) -> float:
        measures = with_thresholds(thresholds)
        return sum((verdict(pair, measures) == pair.truth) / counts[pair.kind] for pair in pairs)

    return max(
        product(APART, KIN, CROSS), key=lambda both: (round(share(both), 9), -abs(both[0] - 0.2), -both[1])
    )


def left_out(pairs: list[Pair]) -> list[tuple[Pair, str, Thresholds]]:
    """Return every pair with the verdict of thresholds that were fitted without its kind."""
    found = []
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        told = fitted([pair for pair in pairs if kind != pair.kind and UNSEEN not in pair.kind])
        found += [(pair, verdict(pair, with_thresholds(told)), told) for pair in pairs if pair.kind == kind]
    return found


def main() -> None:
    """Train, measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--worlds", default="sums,names,order")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--twins", type=int, default=len(TWINS), help="only so many of TWINS")
    parser.add_argument("--ready", action="store_true", help="only twins whose weights are there")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sides: dict[tuple[str, str, int], ConceptFigures] = {}
    recipes = [
        Recipe(kind, world, seed, sparse)
        for seed in range(asked.seeds)
        for world in asked.worlds.split(",")
        for kind, sparse in TWINS[: asked.twins]
    ]
    with ticking("twins", len(recipes)) as ticker:
        for recipe in recipes:
            ticker.tick()
            if asked.ready and not (asked.folder / f"{recipe.name}.json").exists():
                continue
            try:
                found = measured(recipe, asked.folder)
            except RuntimeError as error:
                print(error)
                continue
            sides[recipe.name.partition("-")[0], recipe.world, recipe.seed] = found
    show(list(pairs_of(sides)), asked.out)


def show(pairs: list[Pair], out: Path | None) -> None:
    """Print the figures, and write them where asked."""
    told = left_out(pairs)
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        mine = [(pair.truth, label) for pair, label, _ in told if pair.kind == kind]
        counts = Counter(label for _, label in mine)
        right = sum(truth == label for truth, label in mine)
        print(f"{kind:30s} right {right:2d} of {len(mine):2d}  {dict(counts)}")
    figures: dict[str, object] = {"thresholds": {}, "confusion": {}, "alone": {}, "equal": {}}
    for name, some in (
        ("all", told),
        ("all but redundant", [one for one in told if UNSEEN not in one[0].kind]),
    ):
        right = wilson(sum(pair.truth == label for pair, label, _ in some), len(some))
        unsure = sum(label == "cannot tell" for _, label, _ in some)
        print(f"{name}: right {right.value:.3f} [{right.low:.3f}, {right.high:.3f}] of {right.n}, "
              f"cannot tell {unsure}, wrong {right.n - unsure - round(right.value * right.n)}")  # fmt: skip
        figures[name] = {**right.as_json(), "cannot_tell": unsure}
    confusion = defaultdict(Counter)
    for pair, label, _ in told:
        confusion[pair.truth][label] += 1
    for truth, counts in confusion.items():
        print(f"  truth {truth:14s} {dict(counts)}")
    print("  thresholds (apart, alike, cross) without each kind:", dict(Counter(both for *_, both in told)))
    seen = [pair for pair in pairs if UNSEEN not in pair.kind]
    best = fitted(seen)
    print("  thresholds fitted on all:", best)
    for name in DECIDES:
        alone = np.mean([verdict(pair, with_thresholds(best, (name,))) == pair.truth for pair in seen])
        print(f"  {name} alone: right {alone:.3f}")
        figures["alone"] = {**figures["alone"], name: float(alone)}  # type: ignore[dict-item]
    figures["confusion"] = {truth: dict(counts) for truth, counts in confusion.items()}
    figures["equal"] = equal(pairs)
    if out is not None:
        out.write_text(json.dumps(figures, indent=1))


def equal(pairs: list[Pair]) -> dict[str, list[float]]:
    """Print and return how nearly the pairs' scores and decodabilities are equal."""
    unequal = [f"{pair.one.name} / {pair.other.name}" for pair in pairs if not pair.same.same]
    print(
        f"  scores equal within {MARGIN:g}, pair by pair: {len(pairs) - len(unequal)} of {len(pairs)}",
        unequal,
    )
    apart = defaultdict(list)
    for pair in pairs:
        if pair.truth in MIRRORED:
            sides = (pair.one, pair.other) if pair.truth == "organised" else (pair.other, pair.one)
            for name in pair.one.estimates:
                if name.startswith("linear_decodability"):
                    apart[pair.kind].append([side.estimates[name].value for side in sides])
    found = {}
    for kind, values in apart.items():
        tested = equivalence(*np.array(values).T, MARGIN)
        found[kind] = [tested.value, tested.low90, tested.high90, float(tested.equivalent)]
        print(f"  linear decodability, {kind}: {tested.value:+.4f}, 90 % interval {tested.low90:+.4f} to "
              f"{tested.high90:+.4f}, within {MARGIN:g}: {tested.equivalent} ({tested.n})")  # fmt: skip
    return found


if __name__ == "__main__":
    main()
