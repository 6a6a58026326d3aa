"""How often is the verdict of `inside` right on language models of known kind that score the same?

    python benchmarks/inside_models.py --folder DIR [--worlds sums,names,order] [--fit 0,1] [--fresh 2,3] [--out FILE]

Twins: src/tellapart/specimens/inside. Each is trained where it is missing in DIR (about 25 s of one core), measured
once (3 s), and compared with others of its group of seeds. Models of odd seeds have their residual stream in a random
basis. The rule for levels is fitted on the pairs of the seeds --fit and tried on those of --fresh, as it is fitted and
as it is built in. Pairs share models, so that intervals over pairs are too narrow.
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

from tellapart.internals.concept_figures import ConceptFigures, ConceptSettings, measure_concepts
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
from tellapart.studies.inside.levels import RULE, Rule, decide_levels, level_of
from tellapart.studies.inside.verdict import Same, Side, decide, same_scores

TWINS: tuple[tuple[Kind, Sparse], ...] = (
    ("shared", ""), ("split", ""), ("tangled", ""), ("units", ""), ("readers", ""), ("shared", "pruned"),
    ("redundant", ""), ("shared", "l1"), ("split", "pruned"), ("half", ""),
)  # fmt: skip
ORGANISED = (("shared", "split"), ("shared", "half"), ("shared", "readers"), ("shared", "units"),
             ("shared", "tangled"), ("shared", "redundant"), ("shared_pruned", "split_pruned"),
             ("shared_l1", "split"))  # fmt: skip
ALIKE = (("shared", "shared_l1"), ("shared", "shared_pruned"), ("split", "split_pruned"))
SEEDS_ALIKE = ("shared", "split", "half", "readers", "units", "tangled", "redundant")
"""Pairs whose first is organised beside the second; pairs of one kind; kinds whose seeds are compared."""
MIRRORED = {"organised": "fractured", "fractured": "organised", "no difference": "no difference"}
UNSEEN = "redundant"
"""A kind of which all measures say nothing; it is told apart, and no threshold is fitted on it."""
REUSE, MOST = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7), (0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2)
"""What is tried as Rule.reuse and Rule.cross."""
MARGIN = 0.05
Sides = dict[tuple[str, str, int], ConceptFigures]


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
    found = measure_concepts(
        model, read_concepts(f"specimen:{recipe.world}"), ConceptSettings(recipe.seed, None, 0)
    )
    stored.parent.mkdir(exist_ok=True)
    stored.write_text(json.dumps(as_json(found)))
    return from_json(json.loads(stored.read_text()))


def pairs_of(sides: Sides) -> Iterator[Pair]:
    """Yield all pairs of which both are there, every second one the other way round."""
    wanted: list[tuple[str, tuple[str, str, int], tuple[str, str, int], str]] = []
    for world, seed in dict.fromkeys((world, seed) for _, world, seed in sides):
        for (one, other), truth in [
            *((pair, "organised") for pair in ORGANISED),
            *((pair, "no difference") for pair in ALIKE),
        ]:
            wanted.append((f"{one} / {other}", (one, world, seed), (other, world, seed), truth))
        for kind in SEEDS_ALIKE:
            first, second = (kind, world, seed - 1), (kind, world, seed)
            wanted.append((f"{kind} / {kind}", first, second, "no difference"))
    there = [one for one in wanted if one[1] in sides and one[2] in sides]
    for index, (kind, first, second, truth) in enumerate(there):
        one, other = sides[first], sides[second]
        if index % 2:
            one, other, truth = other, one, MIRRORED[truth]
        yield Pair(kind, one, other, truth, same_scores((one.name, other.name), one.scores, other.scores))


def by_level(pair: Pair, rule: Rule) -> str:
    """Return the rule's verdict on a pair's first model."""
    sides = Side(pair.one.name, pair.one.estimates), Side(pair.other.name, pair.other.estimates)
    return decide_levels(*sides, pair.same, rule).label


def by_votes(pair: Pair) -> str:
    """Return the verdict of differences between the two, measure by measure: the rule before that for levels."""
    sides = Side(pair.one.name, pair.one.estimates), Side(pair.other.name, pair.other.estimates)
    return decide(*sides, pair.same).label


def fitted(pairs: list[Pair]) -> tuple[Rule, list[Rule]]:
    """Return the rule that is right most often, every kind of pair having the same weight, and all that are as good: of
    these the one that is nearest to their middle."""
    counts = Counter(pair.kind for pair in pairs)

    def share(rule: Rule) -> float:
        return round(sum((by_level(pair, rule) == pair.truth) / counts[pair.kind] for pair in pairs), 9)

    shares = {rule: share(rule) for rule in (Rule(*one) for one in product(REUSE, MOST))}
    best = [rule for rule in shares if shares[rule] == max(shares.values())]
    reuse, cross = np.mean([one.reuse for one in best]), np.mean(np.log([one.cross for one in best]))
    return min(best, key=lambda one: abs(one.reuse - reuse) + abs(np.log(one.cross) - cross)), best


def main() -> None:
    """Train, measure, fit, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--worlds", default="sums,names,order")
    parser.add_argument("--fit", default="0,1", help="seeds that the rule is fitted on")
    parser.add_argument("--fresh", default="2,3", help="seeds that it is tried on")
    parser.add_argument("--twins", type=int, default=len(TWINS), help="only so many of TWINS")
    parser.add_argument("--ready", action="store_true", help="only twins whose weights are there")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    old, fresh = (list(pairs_of(sides_of(asked, seeds))) for seeds in (asked.fit, asked.fresh))
    seen = [pair for pair in old if UNSEEN not in pair.kind]
    rule, as_good = fitted(seen)
    print(f"fitted on seeds {asked.fit}: {rule}, as good {[tuple(one) for one in as_good]}; built in: {RULE}")
    figures: dict[str, object] = {"fitted": list(rule), "built in": list(RULE)}
    for title, pairs in ((f"fit, seeds {asked.fit}", old), (f"fresh, seeds {asked.fresh}", fresh)):
        figures[title] = {str(tuple(one)): show(title, pairs, one) for one in dict.fromkeys((rule, RULE))}
        equal(pairs)
    if asked.out is not None:
        asked.out.write_text(json.dumps(figures, indent=1))


def sides_of(asked: argparse.Namespace, seeds: str) -> Sides:
    """Return the figures of all twins of these seeds; those that miss their aim are named and left out."""
    recipes = [
        Recipe(kind, world, int(seed), sparse)
        for seed in seeds.split(",")
        for world in asked.worlds.split(",")
        for kind, sparse in TWINS[: asked.twins]
    ]
    sides: Sides = {}
    with ticking(f"twins of seeds {seeds}", len(recipes)) as ticker:
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
    return sides


def show(title: str, pairs: list[Pair], rule: Rule) -> dict[str, object]:
    """Print and return how often a rule is right on pairs, by kind, and what it takes each kind of model for."""
    print(f"\n{title}, {tuple(rule)}")
    told = [(pair, by_level(pair, rule)) for pair in pairs]
    by_kind = {}
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        mine = [(pair.truth, label) for pair, label in told if pair.kind == kind]
        right = sum(truth == label for truth, label in mine)
        by_kind[kind] = [right, len(mine), dict(Counter(label for truth, label in mine if truth != label))]
        print(f"  {kind:26s} right {right:2d} of {len(mine):2d}  else {by_kind[kind][2]}")
    found: dict[str, object] = {"kinds": by_kind, "classes": classes(pairs, rule)}
    some = [one for one in told if UNSEEN not in one[0].kind]
    for name, labels in (("levels", some), ("votes", [(pair, by_votes(pair)) for pair, _ in some])):
        right = wilson(sum(pair.truth == label for pair, label in labels), len(labels))
        unsure = sum(label == "cannot tell" for _, label in labels)
        wrong = right.n - unsure - round(right.value * right.n)
        print(f"  {name}, without {UNSEEN}: right {right.value:.3f} [{right.low:.3f}, {right.high:.3f}] of {right.n}, "
              f"cannot tell {unsure}, wrong {wrong}")  # fmt: skip
        confusion: dict[str, Counter[str]] = defaultdict(Counter)
        for pair, label in labels:
            confusion[pair.truth][label] += 1
        for truth, counts in confusion.items():
            print(f"    truth {truth:14s} {dict(counts)}")
        kept = {truth: dict(counts) for truth, counts in confusion.items()}
        found[name] = {**right.as_json(), "cannot_tell": unsure, "wrong": wrong, "confusion": kept}
    return found


def classes(pairs: list[Pair], rule: Rule) -> dict[str, dict[str, int]]:
    """Print and return how many models of each kind are taken for organised, fractured, undecided."""
    models = {one.name: one for pair in pairs for one in (pair.one, pair.other)}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, one in models.items():
        found[name.partition("-")[0]][level_of(one.estimates, rule).kind] += 1
    print("  classes:", {kind: dict(counts) for kind, counts in found.items()})
    return {kind: dict(counts) for kind, counts in found.items()}


def equal(pairs: list[Pair]) -> dict[str, list[float]]:
    """Print and return how nearly the pairs' scores and decodabilities are equal."""
    unequal = [f"{pair.one.name} / {pair.other.name}" for pair in pairs if not pair.same.same]
    print(
        f"  scores equal within {MARGIN:g}, pair by pair: {len(pairs) - len(unequal)} of {len(pairs)}",
        unequal,
    )
    apart = defaultdict(list)
    for pair in pairs:
        if pair.truth != "no difference":
            sides = (pair.one, pair.other) if pair.truth == "organised" else (pair.other, pair.one)
            for name in pair.one.estimates:
                if name.startswith("linear_decodability"):
                    apart[pair.kind].append([side.estimates[name].value for side in sides])
    found = {}
    for kind, values in apart.items():
        first, second = np.array(values).T
        tested = equivalence(first, second, MARGIN)
        found[kind] = [tested.value, tested.low90, tested.high90, float(tested.equivalent)]
        print(f"  linear decodability, {kind}: {tested.value:+.4f}, 90 % interval {tested.low90:+.4f} to "
              f"{tested.high90:+.4f}, within {MARGIN:g}: {tested.equivalent} ({tested.n})")  # fmt: skip
    return found


if __name__ == "__main__":
    main()
