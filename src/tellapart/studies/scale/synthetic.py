"""Curves of known truth: what a task would show if its jump were in the ruler, in the model, or nowhere.

A model of size N gives the right token with probability p = exp(-loss(N)); exact match of an answer of L tokens is
p^L (Schaeffer, Miranda & Koyejo 2023, section 2). Sizes, item counts and the scatter of models around their law
are drawn anew for each task, in the range that published families show.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tellapart.stats.arrays import Floats

Truth = Literal["smooth", "sharp in the ruler only", "sharp in the model too", "too noisy", "too few points"]
TRUTHS: tuple[Truth, ...] = (
    "smooth", "sharp in the ruler only", "sharp in the model too", "too noisy", "too few points",
)  # fmt: skip


@dataclass(frozen=True)
class SyntheticTask:
    """A task of known truth: sizes (models,), exact match and the gold answer's log-probability per token (with its
    standard error), each (models,), and the item count `n` and answer length `length`."""

    truth: Truth
    sizes: Floats
    exact: Floats
    logprob: Floats
    logprob_error: Floats
    n: int
    length: int


def draw_task(truth: Truth, rng: np.random.Generator) -> SyntheticTask:
    """Draw one task of the given truth."""
    while True:
        sizes, place = _sizes(rng, few=truth == "too few points")
        loss, length = _law(truth, place, rng)
        if _as_named(truth, place, loss, length):
            break
    n = int(
        np.exp(
            rng.uniform(np.log(20), np.log(60))
            if truth == "too noisy"
            else rng.uniform(np.log(250), np.log(5000))
        )
    )
    scatter = rng.uniform(0.2, 0.4) if truth == "too noisy" else rng.uniform(0.005, 0.02)
    seen = loss * np.exp(rng.normal(0, scatter, len(sizes)))
    exact = rng.binomial(n, np.exp(-length * seen)) / n
    error = seen / np.sqrt(n)
    logprob = -seen + rng.normal(0, 1, len(sizes)) * error
    return SyntheticTask(truth, sizes, exact, logprob, error, n, length)


def _sizes(rng: np.random.Generator, few: bool) -> tuple[Floats, Floats]:
    count = int(rng.integers(2, 5) if few else rng.integers(8, 15))
    place = np.linspace(0, 1, count)
    place[1:-1] += rng.uniform(-0.3, 0.3, count - 2) / (count - 1)
    smallest, decades = rng.uniform(6.5, 8.5), rng.uniform(1.8, 3.5)
    return 10 ** (smallest + decades * place), place


def _law(truth: Truth, place: Floats, rng: np.random.Generator) -> tuple[Floats, int]:
    """Return the loss a token (nats) at each place, and the answer's length in tokens."""
    first, rate = rng.uniform(0.5, 1.6), rng.uniform(0.8, 2.2)
    law = first * np.exp(-rate * place)
    match truth:
        case "smooth":
            return law, int(rng.integers(1, 3))
        case "sharp in the ruler only":
            steep = first * np.exp(-rng.uniform(1.5, 4.5) * place)
            return steep, int(rng.integers(8, 60))
        case "sharp in the model too":
            at, width = rng.uniform(0.3, 0.85), rng.uniform(0.01, 0.05)
            jump = 1 / (1 + np.exp(-(place - at) / width))
            return first * np.exp(-0.3 * rate * place) * (1 - rng.uniform(0.5, 0.9) * jump), int(
                rng.integers(2, 12)
            )
        case "too noisy":
            return np.full(len(place), rng.uniform(0.3, 1.2)) * np.exp(-rng.uniform(0, 0.1) * place), int(
                rng.integers(1, 4)
            )
        case _:
            return law, int(rng.integers(1, 40))


def _as_named(truth: Truth, place: Floats, loss: Floats, length: int) -> bool:
    """Return whether the noise-free exact match is what its name says: late is late, and a jump is to be seen."""
    exact = np.exp(-length * loss)
    rise = float(exact[-1] - exact[0])
    before = float(np.interp(0.65, place, exact) - exact[0])
    match truth:
        case "smooth":
            return rise > 0.1
        case "sharp in the ruler only":
            return rise > 0.15 and before < 0.12 * rise
        case "sharp in the model too":
            steps = np.diff(exact)
            return rise > 0.2 and float(steps.max()) > 0.45 * rise
        case _:
            return True
