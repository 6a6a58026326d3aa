"""How often the intervals that decide hold the truth, by simulation: chance, form and content, shares, both bounds, the
price ratio, and the size of the test over slices.

    python benchmarks/coverage.py [--runs 400] [--only share,lower]

Items are drawn anew in every run, 20, 60 and 300 of them, each its own cluster or four to a cluster. Within a cluster
every item has the cluster's own chance of being right (a beta distribution whose intraclass correlation is one half),
and gives four answers. Floor: 85 % for an interval of 90 %, 10 % for a test at 5 %. Exits with 1 where one is missed.
"""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.bounds import Gain, Method, baseline, cross_fitted, share_above
from tellapart.stats.chance import AnswerKey, Given, permutation_chance
from tellapart.stats.estimate import Estimate
from tellapart.stats.form_parts import Read, form_parts
from tellapart.stats.prices import Doses, price_ratio
from tellapart.stats.slices import heterogeneity

SIZES, CLUSTERS, SAMPLES = (20, 60, 300), (1, 4), 4
CORRELATION = 0.5
FLOOR, SIZE = 0.85, 0.10
CHANCE = 0.05
LABELS = np.array([1, 2, 4, 8, 16, 32, 64])


class World(NamedTuple):
    """One draw of items: the random generator and each item's cluster."""

    rng: np.random.Generator
    clusters: Integers

    def chances(self, mean: float) -> Floats:
        """Return each item's chance of being right (n,), the same within a cluster."""
        if mean in (0.0, 1.0):
            return np.full(len(self.clusters), mean)
        spread = 1 / CORRELATION - 1
        own = self.rng.beta(mean * spread, (1 - mean) * spread, int(self.clusters.max()) + 1)
        return own[self.clusters]

    def scores(self, chances: Floats) -> Floats:
        """Return the mean of SAMPLES answers to each item (n,)."""
        return self.rng.binomial(SAMPLES, chances) / SAMPLES

    def gain(self, base: float, tuned: float) -> Gain:
        return Gain(self.scores(self.chances(base)), self.scores(self.chances(tuned)), CHANCE, self.clusters)


Try = Callable[[World], bool | None]
"""One run: whether the truth was held (of a test: whether it rejected); None where no figure was given."""


def holds(found: Estimate, truth: float) -> bool | None:
    return None if np.isnan(found.low) else bool(found.low <= truth <= found.high)


def chance(space: int) -> Try:
    """A guesser over so many equally likely answers; targets are equal within a cluster. The upper end decides."""

    def run(world: World) -> bool | None:
        n = len(world.clusters)
        targets = world.rng.integers(0, space, int(world.clusters.max()) + 1)[world.clusters]
        key = AnswerKey(np.arange(n), targets.astype(object), world.clusters, np.zeros(n, dtype=np.int64))
        given = Given(
            np.repeat(np.arange(n), SAMPLES), world.rng.integers(0, space, n * SAMPLES).astype(object)
        )
        return bool(permutation_chance(given, key).high >= 1 / space)

    return run


def part(name: str, readable: tuple[float, float], right: tuple[float, float]) -> Try:
    """The form or the content part of a gain between readable shares and shares of right ones among them."""
    (r_b, r_t), (a_b, a_t) = readable, right
    truth = {"form": (r_t - r_b) * a_b, "content": r_t * (a_t - a_b)}[name]

    def run(world: World) -> bool | None:
        sides = []
        for r, a in zip(readable, right, strict=True):
            read = world.rng.binomial(SAMPLES, world.chances(r))
            sides.append(Read(read / SAMPLES, world.rng.binomial(read, world.chances(a)) / SAMPLES))
        parts = form_parts(sides[0], sides[1], world.clusters)
        return holds(parts.form if name == "form" else parts.content, truth)

    return run


def share(base: float, tuned: float, method: float) -> Try:
    """The share of one method."""
    level = max(base, CHANCE)
    truth = (method - level) / (tuned - level)

    def run(world: World) -> bool | None:
        gain = world.gain(base, tuned)
        means = world.scores(world.chances(method))
        return holds(share_above(gain, Method(means, CHANCE), baseline(gain)), truth)

    return run


def lower(methods: tuple[float, ...]) -> Try:
    """L over several methods, against the best one's share: its lower end decides."""
    truth = (max(methods) - CHANCE) / (0.95 - CHANCE)

    def run(world: World) -> bool | None:
        gain = world.gain(0.0, 0.95)
        found, _ = cross_fitted(gain, [Method(world.scores(world.chances(one)), CHANCE) for one in methods])
        return None if np.isnan(found.low) else bool(found.low <= truth)

    return run


def upper(arms: tuple[float, ...]) -> Try:
    """U over three arms, against the best one's share: its upper end decides."""
    truth = (max(arms) - CHANCE) / (0.95 - CHANCE)

    def run(world: World) -> bool | None:
        gain = world.gain(0.0, 0.95)
        level = baseline(gain)
        found = [share_above(gain, Method(world.scores(world.chances(one)), CHANCE), level) for one in arms]
        return None if np.isnan(found[0].high) else bool(max(one.high for one in found) >= truth)

    return run


def price(base: float, reference: float) -> Try:
    """The ratio of two prices; each of three draws of labels comes a little sooner or later."""

    def curve(world: World, at: float) -> Doses:
        own = at * np.exp(0.25 * world.rng.standard_normal(3))
        learned = 1 / (1 + (own[None, :] / LABELS[:, None]) ** 3)
        tilt = world.chances(0.5) - 0.5
        p = np.clip(learned[:, :, None] + 4 * learned[:, :, None] * (1 - learned[:, :, None]) * tilt, 0, 1)
        return Doses(LABELS, world.rng.binomial(SAMPLES, p) / SAMPLES)

    def run(world: World) -> bool | None:
        n = len(world.clusters)
        gain = Gain(np.zeros(n), np.ones(n), 0.0, world.clusters)
        curves = curve(world, base), curve(world, reference)
        return holds(price_ratio(gain, np.zeros(n), *curves, resamples=300).ratio, reference / base)

    return run


def differ(shares: tuple[float, ...]) -> Try:
    """The test over slices of the items, by whole clusters: how often it rejects."""

    def run(world: World) -> bool | None:
        slices = world.clusters % len(shares)
        means = np.array(shares)[slices]
        over = np.zeros(len(slices))
        for one in set(shares):
            over = np.where(means == one, world.scores(world.chances(one)), over)
        found = heterogeneity(over, world.scores(world.chances(0.95)), world.clusters, slices)
        return None if np.isnan(found.p) else found.differs

    return run


CASES: dict[str, Try] = {
    "chance, 1 of 10 (upper end)": chance(10),
    "chance, 1 of 10,000 (upper end)": chance(10_000),
    "form part, none": part("form", (0.9, 0.9), (0.5, 0.5)),
    "form part, .36": part("form", (0.3, 0.9), (0.6, 0.6)),
    "form part, base readable in 5 %": part("form", (0.05, 0.9), (0.6, 0.6)),
    "content part, none": part("content", (0.3, 0.9), (0.6, 0.6)),
    "content part, .36": part("content", (0.9, 0.9), (0.5, 0.9)),
    "share, 0": share(0.0, 0.95, CHANCE),
    "share, .5": share(0.0, 0.95, 0.5),
    "share, 1": share(0.0, 0.95, 0.95),
    "share, .5, base knows 20 %": share(0.2, 0.95, 0.575),
    "L of five methods, all .5 (lower end)": lower((0.5,) * 5),
    "L of five methods, one .8 (lower end)": lower((0.05, 0.05, 0.2, 0.5, 0.8)),
    "L of five methods, all 0 (lower end)": lower((CHANCE,) * 5),
    "U of three arms, all 0 (upper end)": upper((CHANCE,) * 3),
    "U of three arms, one .3 (upper end)": upper((CHANCE, CHANCE, 0.3)),
    "price ratio, 1": price(8, 8),
    "price ratio, 6": price(4, 24),
    "price ratio, 32 (reference censored)": price(4, 128),
    "slices, equal: test rejects": differ((0.5, 0.5, 0.5)),
    "slices, all or nothing: test rejects": differ((0.9, 0.05)),
}
ONE_SIDED = 0.95
"""What an end of a 90 % interval is to hold."""


def drawn(case: Try, items: int, size: int, runs: int) -> tuple[float, int]:
    """Return how often a case came out, and in how many of the runs it gave a figure."""
    found = []
    for seed in range(runs):
        rng = np.random.default_rng([seed, items, size])
        clusters = (np.arange(items) // size).astype(np.int64)
        outcome = case(World(rng, clusters))
        if outcome is not None:
            found.append(outcome)
    return float(np.mean(found)) if found else float("nan"), len(found)


def missed(name: str, rate: float) -> bool:
    """Return whether a case misses its floor."""
    if name.endswith("rejects"):
        return "equal" in name and rate > SIZE
    return rate < FLOOR + (0.05 if name.endswith("end)") else 0)


def main() -> int:
    """Print the table; return 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--only", default="")
    spec = parser.parse_args()
    wanted = [name for name in CASES if any(name.startswith(one) for one in spec.only.split(","))]
    columns = [(items, size) for size in CLUSTERS for items in SIZES]
    heads = [f"{items} items" + (f" in {items // size}" if size > 1 else "") for items, size in columns]
    print("| | " + " | ".join(heads) + " |\n|---|" + "---|" * len(columns))
    failed = False
    for name in wanted:
        cells = []
        for items, size in columns:
            runs = max(50, spec.runs // 3) if name.startswith("price") else spec.runs
            rate, given = drawn(CASES[name], items, size, runs)
            low = given >= 0.2 * runs and missed(name, rate)
            failed |= low
            few = f" ({given / runs:.0%})" if given < runs else ""
            cells.append("none given" if not given else f"{rate:.1%}{few}{' !' if low else ''}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
