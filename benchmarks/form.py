"""What asking the arms of `form` together saves, as ratios, and how long six arms of 250 items take on a specimen.

    python benchmarks/form.py [--turns 3] [--exemplars 8] [--items 24]

Arms that share their beginning (eight exemplars; here six cuts of a chain after each question) are asked in one batch;
against that, arm by arm as plain batches of transformers' `generate`, which read the exemplars for every prompt, and
arm by arm through the same engine, which reads them once an arm. Sides take turns, so that whatever else runs slows
all; the median over the turns is taken. Exits with 1 if a floor is missed or answers differ.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from engine import VOCAB, Load, ask_transformers, medium
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.specimens import FAMILIES, load_model, load_task
from tellapart.specimens.task import draw_clusters, make_item
from tellapart.studies.form.ask import Arm, Asking, ask_together
from tellapart.studies.form.spec import FormSpec

EXEMPLAR, QUESTION, STEP, CUE, ANSWER, ARMS = 150, 60, 18, 4, 8, 6
"""Tokens of an exemplar (question and chain), a question, a step, what forces the answer, and an answer, about as
GSM8K's are; cuts of a chain."""
LEAST = 1.8
SECONDS = 60.0


def arms(exemplars: int, items: int) -> list[list[Request]]:
    """Return the requests of each arm: the exemplars, a question, 0 to 5 steps of an own chain, and the cue."""
    rng = Random(0)

    def words(count: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, VOCAB) for _ in range(count))

    shown = words(exemplars * EXEMPLAR)
    asked = [(words(QUESTION), words(STEP * ARMS)) for _ in range(items)]
    cue = words(CUE)
    sampling = Sampling(temperature=0.0, max_tokens=ANSWER)
    return [
        [
            Request((*shown, *question, *chain[: STEP * arm], *cue), sampling=sampling)
            for question, chain in asked
        ]
        for arm in range(ARMS)
    ]


def answer(model: LocalModel, batches: Sequence[Sequence[Request]]) -> tuple[float, list[tuple[int, ...]]]:
    """Return the seconds that `batches` take one after another, and the tokens of every answer."""
    start, tokens = time.perf_counter(), []
    for batch in batches:
        found = dict(model.generate(batch))
        tokens += [found[at].tokens for at in range(len(batch))]
    return time.perf_counter() - start, tokens


def answer_plainly(
    model: LocalModel, batches: Sequence[Sequence[Request]]
) -> tuple[float, list[tuple[int, ...]]]:
    """Return the same of transformers' generate, a batch an arm."""
    start, tokens = time.perf_counter(), []
    for batch in batches:
        prompts = [request.prompt for request in batch if isinstance(request.prompt, tuple)]
        tokens += ask_transformers(model.module, Load(prompts, 1, [ANSWER] * len(prompts), len(prompts)), 0.0)
    return time.perf_counter() - start, tokens


def compare(exemplars: int, items: int, turns: int) -> bool:
    """Print the ratios; return whether the floor is reached and all answers agree."""
    model, asked = medium(), arms(exemplars, items)
    every = [request for arm in asked for request in arm]
    sides = {
        "together": lambda: answer(model, [every]),
        "arm by arm, plain batches": lambda: answer_plainly(model, asked),
        "arm by arm, same engine": lambda: answer(model, asked),
    }
    answer(model, [every[:2]])
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    answers: dict[str, list[tuple[int, ...]]] = {}
    for _ in range(turns):
        for name, side in sides.items():
            taken, answers[name] = side()
            seconds[name].append(taken)
    good = True
    together = statistics.median(seconds["together"])
    print(
        f"{ARMS} arms x {items} items, {exemplars} exemplars ({exemplars * EXEMPLAR} tokens): {together:.2f} s together"
    )
    for name in list(sides)[1:]:
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds["together"], strict=True))
        same = sum(a == b for a, b in zip(answers[name], answers["together"], strict=True))
        print(f"  against {name:26} {ratio:5.2f} x   {same} of {len(every)} answers equal")
        good &= ratio >= LEAST and same == len(every)
    return good


def six_arms(items: int = 250) -> bool:
    """Print how long six arms of `items` items take on a specimen on one thread; return whether within a minute."""
    from tellapart.controls import Given, controls_of

    name = "latent-register-0"
    task, family = load_task(name), FAMILIES["register"]
    drawn = draw_clusters(family, Random(0), -(-items // 4), "report")[:items]
    task = replace(task, items=tuple(make_item(family, problem, False) for problem in drawn))
    given = Given(task, 0)
    made = [Arm(control, control.make(given)) for control in controls_of("rationale")[:6]]
    with TemporaryDirectory() as folder:
        from tellapart.runs.folder import open_run

        with open_run(Path(folder) / "run", {}, {}) as run:
            asking = Asking(run, load_model(f"{name}/tuned"), FormSpec(json=True))
            start = time.perf_counter()
            ask_together(asking, made)
            taken = time.perf_counter() - start
    rows = sum(len(rows) for rows in asking.rows.values())
    print(f"six arms of {items} items on specimen {name}: {rows} answers in {taken:.1f} s, one thread")
    return taken <= SECONDS


def main() -> int:
    """Print the figures; return 1 if one misses its floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--exemplars", type=int, default=8)
    parser.add_argument("--items", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    good = compare(options.exemplars, options.items, options.turns)
    return 0 if six_arms() and good else 1


if __name__ == "__main__":
    sys.exit(main())
