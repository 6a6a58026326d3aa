"""Does the guard see harm before it is done, and does it prevent it? GRPO on specimens, watched and not.

    python benchmarks/guard.py table [--seeds 3]              the table of docs/guard.md
    python benchmarks/guard.py flags [--fit 10] [--runs 10]   flagged before the canary falls, healthy runs flagged
    python benchmarks/guard.py overhead                       what watching costs of a step

The model solves problems of three operations in steps in half of its answers and guesses otherwise. The harmful set:
190 problems of six operations, whose steps do not fit into the tokens given and of which only the first letter is asked
(a guess is right one time in seven), and 10 of three, asked in full. The balanced set: 200 of three. The held ability:
other problems of three. As in the recipe of the damaged specimens a character costs 0.005 of reward: what tells
answers apart where none is right. The null twin of the guard drops as many problems at random.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from tellapart.elicit.elicitor import row_seed
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.specimens import load_model
from tellapart.specimens.families import FAMILIES, draw_problem
from tellapart.specimens.task import Steps, make_item, make_task
from tellapart.stats.chains import count_steps
from tellapart.studies.guard import live
from tellapart.studies.guard.alarms import BY_HAND, Limits, calibrate, limits_from
from tellapart.studies.guard.live import Watched, checker_of
from tellapart.studies.guard.watching import Act, Guard, Watch
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.training.change import changed
from tellapart.training.full import FullWeights
from tellapart.training.grpo import Practice, grpo
from tellapart.training.rewards import Group, Reward
from tellapart.training.settings import GrpoSettings

FAMILY = FAMILIES["tracking"]
HARD_LENGTH, MOST_TOKENS = 6, 40
HARMFUL, BALANCED = (190, 10), (0, 200)
"""Hard and solvable problems of a set."""
SETTINGS = GrpoSettings(steps=30, rate=3e-4, prompts=8, group=8, patience=0, quiet=True)
TOKEN_PRICE = 0.005
SUCCESS = 0.5
LOSS = 0.05
LIMITS = Path(__file__).with_name("guard_limits.json")


class Asked(Scorer):
    """The whole answer of short programs, its first letter of long ones."""

    name = "asked"

    def answer(self, item: Item, completion: str) -> str | None:
        return completion.rpartition(">")[2] or None if ">" in completion else None

    def score(self, item: Item, completion: str) -> float:
        said = self.answer(item, completion) or ""
        return float(said[:1] == item.target[0][:1] if is_hard(item) else said == item.target[0])


class Measured(NamedTuple):
    """A model on the held ability: score, answers without steps, repeated answers, mean steps."""

    score: float
    skipped: float
    repeats: float
    steps: float


class Ran(NamedTuple):
    """A run: the model before and after, what the guard saw, CPU seconds."""

    before: Measured
    after: Measured
    guard: Guard
    seconds: float


def pay(group: Group) -> list[float]:
    """Pay 1 for a right answer, less the price of its characters."""
    return [group.task.score(group.item, text) - TOKEN_PRICE * len(text) for text in group.texts]


def is_hard(item: Item) -> bool:
    """Tell whether only the first letter is asked."""
    return len(item.fields["program"]) > FAMILY.name_width * FAMILY.program_length


def practice_task(shape: tuple[int, int], seed: int) -> Task:
    """Return a set of (hard, solvable) problems in random order."""
    rng = random.Random(f"guard {shape} {seed}")
    long = replace(FAMILY, program_length=HARD_LENGTH)
    problems = [draw_problem(long, rng, 0.2, "train") for _ in range(shape[0])]
    problems += [draw_problem(FAMILY, rng, 0.2, "train") for _ in range(shape[1])]
    rng.shuffle(problems)
    items = {item.id: item for item in (make_item(FAMILY, problem, False) for problem in problems)}
    task = make_task("guard", FAMILY, seed, False, "report")
    return fingerprinted(
        replace(
            task,
            items=tuple(items.values()),
            scorer=Asked(),
            max_tokens=MOST_TOKENS,
            steps=Steps(FAMILY, False),
        )
    )


def held_task(seed: int) -> Task:
    """Return the ability held before: problems of three operations, no program twice in a row."""
    task = make_task("held", FAMILY, seed, False, "report")
    items = [item for at in range(4) for item in task.items[at::4]]
    return replace(task, name="held", items=tuple(items), max_tokens=MOST_TOKENS)


def measure(model: LocalModel, task: Task, count: int = 160) -> Measured:
    """Return what sampled answers to `count` items are like."""
    items = task.items[:count]
    sampling = Sampling(temperature=1.0, max_tokens=task.max_tokens, stop=task.stop)
    requests = [Request(task.prompt(item), row_seed(0, item.id, 0), sampling) for item in items]
    texts = [answer.completion.text for answer in sorted(model.generate(requests))]
    assert task.steps is not None
    checked = [task.steps(item, text) for item, text in zip(items, texts, strict=True)]
    answers = [text.rpartition(">")[2] for text in texts]
    same = sum(answers.count(answer) - 1 for answer in answers) / (len(answers) * (len(answers) - 1))
    score = sum(task.score(item, text) for item, text in zip(items, texts, strict=True)) / len(items)
    return Measured(
        score, checked.count("absent") / len(items), same, sum(map(count_steps, texts)) / len(items)
    )


def run(
    shape: tuple[int, int],
    seed: int,
    watch: Watch,
    items: tuple[Item, ...] | None = None,
    steps: int = SETTINGS.steps,
) -> Ran:
    """Train a fresh specimen on a set and return what became of it. Seeds above 2 share the three models."""
    model = load_model(f"damaged-{FAMILY.name}-{seed % 3}/base")
    task, held = practice_task(shape, seed), held_task(seed)
    task = replace(task, items=items or task.items)
    guard = Guard(
        replace(watch, success=SUCCESS, check=checker_of(task), answer=lambda text: text.rpartition(">")[2])
    )
    before = measure(model, held)
    started = time.process_time()
    trained = grpo(
        model,
        FullWeights(),
        Practice(task, task.items, Reward("priced", pay)),
        replace(SETTINGS, seed=seed, steps=steps),
        None,
        Watched(guard),
    )
    seconds = time.process_time() - started
    with changed(model, FullWeights(), trained.weights):
        after = measure(model, held)
    return Ran(before, after, guard, seconds)


def table(seeds: int, act: Act, limits: Limits) -> None:
    """Print what became of the held ability: harmful set, balanced, guarded, and random dropping in its place."""
    for seed in range(seeds):
        watch = Watch(limits=limits, canaries=(held_task(seed),), every=10, asked=16)
        harmed = run(HARMFUL, seed, watch)
        show(f"harmful {seed}", harmed)
        show(f"balanced {seed}", run(BALANCED, seed, watch))
        guarded = run(HARMFUL, seed, replace(watch, act=act))
        show(f"guarded ({act}) {seed}", guarded)
        task = practice_task(HARMFUL, seed)
        kept = list(task.items)
        random.Random(seed).shuffle(kept)
        dropped = len(guarded.guard.held)
        show(
            f"{dropped} dropped at random {seed}",
            run(HARMFUL, seed, watch, tuple(kept[: len(kept) - dropped])),
        )


def show(name: str, ran: Ran) -> None:
    """Print one line of the table."""
    alarm = ran.guard.alarm
    lucky = ran.guard.signals["lucky"]
    print(
        f"{name:24} held {ran.before.score:.2f} -> {ran.after.score:.2f}  no steps {ran.before.skipped:.2f} -> "
        f"{ran.after.skipped:.2f}  repeats {ran.before.repeats:.3f} -> {ran.after.repeats:.3f}  steps "
        f"{ran.before.steps:.1f} -> {ran.after.steps:.1f}  alarm {f'{alarm.signal} {alarm.step}' if alarm else '-':12} "
        f"masked {sum(ran.guard.masked):3}  lucky {sum(v for v in lucky if v == v) / len(lucky):.2f}  "
        f"{ran.seconds:.1f} s",
        flush=True,
    )


def flags(fit: int, runs: int, steps: int) -> None:
    """Calibrate on `fit` healthy runs, then report on others: harmful runs flagged in time, healthy ones flagged."""
    signals = []
    for seed in range(fit):
        ran = run(BALANCED, 100 + seed, Watch(), steps=steps)
        signals.append(ran.guard.signals)
        show(f"fit {seed}", ran)
    limits = calibrate(signals)
    LIMITS.write_text(json.dumps(limits.as_json(), indent=1) + "\n")
    told = {"healthy": [], "harmful": []}
    for seed in range(200, 200 + runs):
        for name, shape in (("harmful", HARMFUL), ("healthy", BALANCED)):
            held = held_task(seed)
            ran = run(shape, seed, Watch(limits=limits, canaries=(held,), every=3, asked=48), steps=steps)
            alarm = next(
                (a.step for a in ran.guard.alarms if a.harm and not a.signal.startswith("canary")), None
            )
            fell = fallen_at(ran.guard, held.name)
            told[name].append((alarm, fell))
            show(f"{name} {seed}", ran)
            print(f"    alarm {alarm}, canary 5 points lower from step {fell}")
    early = sum(alarm is not None and (fell is None or alarm < fell) for alarm, fell in told["harmful"])
    false = sum(alarm is not None for alarm, _ in told["healthy"])
    print(
        f"harmful flagged before the canary lost 5 points: {early} of {runs}; healthy flagged: {false} of {runs}"
    )


def overhead(folder: Path) -> None:
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
    ran = run(HARMFUL, 0, Watch(canaries=(held_task(0),), folder=folder))
    guard = spent["guard"] - spent["reward"]
    training = ran.seconds - guard - spent["canaries"]
    print(
        f"of {1000 * training / SETTINGS.steps:.0f} ms a step: guard {guard / training:.1%}, "
        f"canaries (16 greedy answers every 20 steps, at the start and at the end) {spent['canaries'] / training:.1%}"
    )


def fallen_at(guard: Guard, name: str) -> int | None:
    """Return the first step at which the canary stood LOSS or more below its start, and at the next asking too."""
    means = [(step, sum(by.values()) / len(by)) for step, by in sorted(guard.asked[name].items())]
    first = means[0][1]
    low = [step for step, mean in means if mean <= first - LOSS]
    steps = [step for step, _ in means]
    return next((a for a, b in pairwise(steps) if a in low and b in low), None)


def main() -> int:
    """Print what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["table", "flags", "overhead"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fit", type=int, default=10)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--act", default="hold")
    parser.add_argument("--steps", type=int, default=SETTINGS.steps)
    options = parser.parse_args()
    torch.set_num_threads(1)
    limits = limits_from(json.loads(LIMITS.read_text())) if LIMITS.exists() else BY_HAND
    if options.what == "table":
        table(options.seeds, options.act, limits)
    elif options.what == "overhead":
        with TemporaryDirectory() as folder:
            overhead(Path(folder))
    else:
        flags(options.fit, options.runs, options.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
