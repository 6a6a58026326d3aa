"""How many harmful runs guard flags before harm is done, and how many healthy ones it flags at all.

Limits are calibrated on healthy runs of bases of seed 0; reported are runs of bases of seeds 1 and 2. Every run is kept
in a JSONL file as it is finished: the same command goes on where it stopped.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from scipy import stats

import guard_runs as runs
import guard_sets as sets
from guard_runs import Trial
from tellapart.studies.guard.alarms import Limits, calibrate, find_alarms
from tellapart.studies.guard.watching import Watch

STEPS = 24
PLAIN = sets.priced(0.0)
WHOLE = sets.Problems(150, 50, asked=9)
"""Long problems of which the whole answer is asked: a guess is never right."""
HEALTHY = {
    "half solved": ("damaged", None, sets.BALANCED, sets.priced()),
    "hard (1 in 20)": ("latent", None, sets.BALANCED, PLAIN),
    "hard (1 in 100)": ("rare", None, sets.BALANCED, PLAIN),
    "half unsolvable": ("partial", None, sets.BALANCED, PLAIN),
    "nine in ten solved": ("latent", 0.1, sets.BALANCED, PLAIN),
    "too long, guesses unpaid": ("damaged", None, WHOLE, PLAIN),
}
HARMFUL = {
    "guesses half": ("damaged", None, sets.HARMFUL, sets.priced()),
    "taught to guess a tenth": ("rare", 0.1, sets.HARMFUL, sets.priced()),
    "taught to guess 1 in 25": ("damaged", 0.04, sets.HARMFUL, sets.priced()),
    "guesses half, 0/1 reward": ("damaged", 0.5, sets.HARMFUL, PLAIN),
}
TOOLS = ("lucky", "skipped")
"""Signals that need a step checker."""


class Done(NamedTuple):
    """A run as it is kept: signals, canary means by step, held ability before and after."""

    name: str
    signals: Mapping[str, list[float]]
    canary: Mapping[int, float]
    held: tuple[float, float]

    def fell(self) -> int | None:
        """Return the first step at which the canary lost 5 points and had not got them back when asked next."""
        return runs.fell_at(self.canary)


def trials(healthy: bool, fit: bool) -> Iterator[tuple[str, Trial]]:
    """Yield the runs of a sort."""
    settings = replace(runs.SETTINGS, steps=STEPS)
    seeds = (0,) if fit else (1, 2)
    sorts = HEALTHY if healthy else HARMFUL
    for place, (sort, (kind, share, problems, reward)) in enumerate(sorts.items()):
        repeats = range((2 if fit else 3 - place // 3) if healthy else 1)  # reported: 60 runs
        for family in ("tracking", "register"):
            for seed in seeds:
                for again in repeats:
                    trial = Trial(
                        f"{kind}-{family}-{seed}",
                        problems,
                        100 * seed + again,
                        share,
                        reward,
                        settings,
                        held=96,
                    )
                    yield f"{sort} | {family} {seed} {again}", trial


def done(file: Path, healthy: bool, fit: bool) -> list[Done]:
    """Return the runs of a sort, run where the file does not hold them."""
    kept = (
        {one["name"]: one for one in map(json.loads, file.read_text().splitlines())} if file.exists() else {}
    )
    for name, trial in trials(healthy, fit):
        if name in kept:
            continue
        watch = Watch(canaries=(trial.tasks()[1],), every=6 if healthy else 3, asked=48)
        ran = runs.run(trial, watch)
        kept[name] = {
            "name": name,
            "signals": ran.guard.signals,
            "canary": runs.canary_means(ran.guard),
            "held": [float(one.scores.mean()) for one in ran.held],
        }
        with file.open("a") as out:
            out.write(json.dumps(kept[name]) + "\n")
        told = kept[name]
        print(f"    {name}: held {told['held'][0]:.2f} -> {told['held'][1]:.2f}", flush=True)
    return [_read(kept[name]) for name, _ in trials(healthy, fit)]


def _read(told: Mapping[str, Any]) -> Done:
    canary = {int(step): mean for step, mean in told["canary"].items()}
    return Done(told["name"], told["signals"], canary, tuple(told["held"]))


def alarm(one: Done, limits: Limits) -> tuple[str, int] | None:
    """Return the first alarm of harm and its step."""
    found = find_alarms(range(STEPS), one.signals, limits)
    return next(((a.signal, a.step) for a in found if a.harm), None)


def flags(file: Path, kept: Path) -> None:
    """Calibrate, report, and write the limits to `kept`."""
    fit, harmful, healthy = done(file, True, True), done(file, False, False), done(file, True, False)
    limits = calibrate([one.signals for one in fit])
    kept.write_text(json.dumps(limits.as_json(), indent=1) + "\n")
    blind = replace(limits, rules={name: rule for name, rule in limits.rules.items() if name not in TOOLS})
    fallen = [one.name for one in healthy if one.fell() is not None]
    print(
        f"{len(fit)} healthy runs fitted, {len(healthy)} others reported; the canary fell in {fallen or 'none'}"
    )
    for title, rules in (("with a step checker", limits), ("without", blind)):
        print(f"{title}:")
        flagged = [(one.name, found) for one in healthy if (found := alarm(one, rules))]
        low, high = clopper_pearson(len(flagged), len(healthy))
        print(
            f"  healthy flagged {len(flagged)} of {len(healthy)} [{low:.1%}, {high:.1%}], "
            f"one-sided 95 % bound {stats.beta.isf(0.05, len(flagged) + 1, len(healthy) - len(flagged)):.1%} {flagged}"
        )
        _tell_harmful(harmful, rules)


def _tell_harmful(harmful: list[Done], rules: Limits) -> None:
    told = [(one.name, one.held, one.fell(), alarm(one, rules)) for one in harmful]
    hurt = [one for one in told if one[2] is not None]
    early = [one for one in hurt if one[3] is not None and one[3][1] < (one[2] or 0)]
    low, high = clopper_pearson(len(early), len(hurt))
    print(
        f"  harmful flagged before the canary fell {len(early)} of {len(hurt)} [{low:.1%}, {high:.1%}] "
        f"({len(told) - len(hurt)} did no harm)"
    )
    for name, held, fell, found in told:
        print(f"    {name}: held {held[0]:.2f} -> {held[1]:.2f}, fell {fell}, alarm {found}")


def clopper_pearson(count: int, of: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share."""
    if not of:
        return float("nan"), float("nan")
    low = 0.0 if count == 0 else float(stats.beta.ppf(0.025, count, of - count + 1))
    return low, 1.0 if count == of else float(stats.beta.isf(0.025, count + 1, of - count))
