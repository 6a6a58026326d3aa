"""What a second worker process brings on a real model: answers by this process on one thread, and by two workers of
one thread each that are started already, taking turns.

    python benchmarks/two_processes.py MODEL [--words 200] [--questions 64] [--tokens 16] [--turns 3]

Cores must be idle. Prints each turn's seconds, their ratio and how many answers differ (ties that rounding decides).
Exits with 1 where the median of the ratios is below 1.7.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from tellapart.models.model import Answer, Request, Sampling
from tellapart.models.open import open_model
from tellapart.runs.executors import workers_for
from tellapart.runs.folder import open_run
from tellapart.runs.launchers import Processes

LEAST = 1.7
WORDS = ("cat", "sat", "mat", "told", "of", "rivers", "towns", "people", "days", "bread", "rain", "winter")


def prompt(number: int, words: int) -> str:
    """Return a question that no other one begins like."""
    rng = random.Random(number)
    return " ".join(rng.choice(WORDS) for _ in range(words)) + f" question {number}:"


def timed(answers: Iterable[Answer]) -> tuple[float, dict[int, str]]:
    """Return the seconds that the answers took, and their texts."""
    began = time.perf_counter()
    texts = {answer.index: answer.completion.text for answer in answers}
    return time.perf_counter() - began, texts


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    for name, default in (("words", 200), ("questions", 64), ("tokens", 16), ("turns", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = open_model(given.model)
    assert model.opening is not None
    sampling = Sampling(max_tokens=given.tokens)
    asked = [Request(prompt(number, given.words), number, sampling) for number in range(given.questions)]
    ratios = []
    for _ in range(given.turns):
        alone, expected = timed(model.generate(asked))
        with (
            TemporaryDirectory() as place,
            open_run(Path(place) / "run", {}, {}) as folder,
            workers_for(folder, Processes(), 2, threads=1) as workers,
        ):
            timed(workers.generate(model.opening, asked[:4], frozenset()))  # both are started
            two, got = timed(workers.generate(model.opening, asked, frozenset()))
        ratios.append(alone / two)
        differ = sum(got[index] != text for index, text in expected.items())
        print(
            f"{alone:.1f} s alone, {two:.1f} s by two: {ratios[-1]:.2f}; {differ} of {len(expected)} differ",
            flush=True,
        )
    print(f"median {statistics.median(ratios):.2f} (at least {LEAST})")
    return int(statistics.median(ratios) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
