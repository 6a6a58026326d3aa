"""Does the guard see harm before it is done, and does it prevent it? GRPO on specimens, watched and not.

    python benchmarks/guard.py table [--seeds 3]       abilities kept, by an equivalence test (docs/validation/guard.md)
    python benchmarks/guard.py repeats                 what makes answers repeat and steps go: settings tried
    python benchmarks/guard.py flags [--runs FILE]     harmful runs flagged in time, healthy runs flagged at all
    python benchmarks/guard.py overhead                what watching costs of a step

Bases and sets: guard_sets.py. Harmful: 190 problems too long for the tokens given, of which only the first
character is asked, and 10 solvable ones. Balanced: 200 solvable ones. The held ability: other solvable problems. The
null control of the guard holds as many problems, drawn at random, by the same mechanism.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import guard_sets as sets
from guard_flags import flags
from guard_runs import SETTINGS, Ran, Trial, equal_share, run
from tellapart.stats.equivalence import equivalence
from tellapart.stats.paired import paired_difference
from tellapart.studies.guard import holding, live
from tellapart.studies.guard.alarms import BY_HAND, Limits, limits_from
from tellapart.studies.guard.watching import Act, Guard, Watch

LIMITS = Path(__file__).with_name("guard_limits.json")
MARGIN = 0.05
KEPT = "damaged-tracking", 0.04
"""Kind and family of the table's bases, and how often they guess: the ability stands at nine in ten."""


def table(seeds: Sequence[int], act: Act, limits: Limits) -> None:
    """Print what became of the held ability, by an equivalence test, and of the solvable problems' reward."""
    for seed in seeds:
        trial = Trial(f"{KEPT[0]}-{seed % 3}", sets.HARMFUL, seed, KEPT[1], held=500, samples=16)
        watch = Watch(limits=limits)
        harmed = run(trial, watch)
        show(f"harmful {seed}", harmed)
        guarded = run(trial, replace(watch, act=act))
        show(f"guarded ({act}) {seed}", guarded)
        task = trial.tasks()[0]
        prompts = [task.prompt(item) for item in task.items]
        twin = frozenset(random.Random(f"twin {seed}").sample(prompts, trial.problems.long))
        at_random = run(trial, replace(watch, act=act, twin=twin))
        show(f"{len(twin)} held at random {seed}", at_random)
        show(f"balanced {seed}", run(replace(trial, problems=sets.BALANCED), watch))
        for what, one, other in (
            ("solvable problems trained on, guarded less unguarded", harmed.trained, guarded.trained),
            ("held ability, guarded less unguarded", harmed.held, guarded.held),
            ("solvable problems trained on, guarded less null control", at_random.trained, guarded.trained),
            ("held ability, guarded less null control", at_random.held, guarded.held),
        ):
            gain = paired_difference(one[1].by_item(), other[1].by_item())
            print(f"    {what}: {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]", flush=True)


def show(name: str, ran: Ran) -> None:
    """Print one line: the held ability before and after, whether it is shown to be kept, and the alarm."""
    before, after = ran.held
    same = equivalence(before.by_item(), after.by_item(), MARGIN)
    alarm = ran.guard.alarm
    lost = "not lost" if same.low90 > -MARGIN else "not shown to be kept"
    verdict = "KEPT" if same.equivalent else lost
    print(
        f"{name:28} held {before.mean:.3f} -> {after.mean:.3f} [{same.low90:+.3f}, {same.high90:+.3f}] "
        f"{verdict:20} p {same.p:.1e}  no steps {before.guessed:.2f} -> "
        f"{after.guessed:.2f}  solvable {ran.trained[0].mean:.2f} -> {ran.trained[1].mean:.2f}  alarm "
        f"{f'{alarm.signal} {alarm.step}' if alarm else '-'}  held back {len(ran.guard.held)}",
        flush=True,
    )


TRIED = {
    "as the table's: priced, answers as drawn": (sets.HARMFUL, sets.priced(), 1),
    "0/1 rewards": (sets.HARMFUL, sets.priced(0.0), 1),
    "0/1 rewards, twice as long": (sets.HARMFUL, sets.priced(0.0), 2),
    "half of the long answers begin alike, priced": (replace(sets.HARMFUL, skew=0.5), sets.priced(), 1),
    "half begin alike, 0/1 rewards": (replace(sets.HARMFUL, skew=0.5), sets.priced(0.0), 1),
    "half begin alike, 0/1 rewards, twice as long": (replace(sets.HARMFUL, skew=0.5), sets.priced(0.0), 2),
}


def repeats(seeds: int) -> None:
    """Print for every setting tried how repetition, steps and the held ability moved."""
    for name, (problems, reward, times) in TRIED.items():
        for seed in range(seeds):
            settings = replace(SETTINGS, steps=times * SETTINGS.steps)
            trial = Trial(f"damaged-tracking-{seed}", problems, seed, None, reward, settings)
            ran = run(trial, Watch(), asks=trial.tasks()[0].items[:100])
            first, last = (
                equal_share([text.rpartition(">")[2][:1] for text in one.texts]) for one in ran.trained
            )
            across = ran.guard.signals["repeats_across"]
            alarms = [(a.signal, a.step) for a in ran.guard.alarms if a.harm]
            print(
                f"{name}, seed {seed}: equal answers to two problems {first:.2f} -> {last:.2f} (signal "
                f"{across[0]:.2f} -> {across[-1]:.2f}), answers without steps {ran.trained[0].guessed:.2f} -> "
                f"{ran.trained[1].guessed:.2f}, held {ran.held[0].mean:.2f} -> {ran.held[1].mean:.2f}, alarms {alarms}",
                flush=True,
            )


def overhead(folder: Path, act: Act) -> None:
    """Print the CPU time of the guard itself, and of its canaries, by that of the training (means over the steps).

    Steps are checked by the task's own checker: what it costs is part of the guard's time.
    """
    spent = {"guard": 0.0, "canaries": 0.0, "reward": 0.0}

    def timed(kind, call):
        def run_timed(*args, **told):
            started = time.process_time()
            try:
                return call(*args, **told)
            finally:
                spent[kind] += time.process_time() - started

        run_timed.__name__ = getattr(call, "__name__", kind)
        return run_timed

    plain, ask = live.guarded_reward, live.ask_canary
    live.guarded_reward = lambda reward, guard: timed("guard", plain(timed("reward", reward), guard))
    live.ask_canary = timed("canaries", ask)
    Guard.flush = timed("guard", Guard.flush)
    holding.refilled = timed("guard", holding.refilled)
    trial = Trial("damaged-tracking-0", sets.HARMFUL, 0)
    ran = run(trial, Watch(act=act, canaries=(trial.tasks()[1],), folder=folder))
    guard = spent["guard"] - spent["reward"]
    training = ran.seconds - guard - spent["canaries"]
    print(
        f"of {1000 * training / SETTINGS.steps:.0f} ms a step: guard {guard / training:.1%}, "
        f"canaries (16 greedy answers every 20 steps, at the start and at the end) {spent['canaries'] / training:.1%}"
    )


def main() -> int:
    """Print what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["table", "repeats", "flags", "overhead"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--first", type=int, default=0, help="the first seed; bases are those of seeds 0, 1, 2"
    )
    parser.add_argument("--act", default="hold")
    parser.add_argument("--runs", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    limits = limits_from(json.loads(LIMITS.read_text())) if LIMITS.exists() else BY_HAND
    with TemporaryDirectory() as folder:
        if options.what == "table":
            table(range(options.first, options.first + options.seeds), options.act, limits)
        elif options.what == "repeats":
            repeats(options.seeds)
        elif options.what == "overhead":
            overhead(Path(folder), options.act)
        else:
            flags(options.runs or Path(folder) / "runs.jsonl", LIMITS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
