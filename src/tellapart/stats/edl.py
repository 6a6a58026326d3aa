"""Excess description length (Donoway et al. 2026, arXiv 2601.04728): what a model took up from its examples.

EDL = L - n * test loss of the final model: the code length of the first pass less what the labels would still cost
the model that has seen them all. Labels that cannot be learned give 0. Over growing n, EDL per token falls where the
examples only elicit (few tell it all) and first rises where they teach (each tells something new). It depends on the
learning rate, the batch and the order: compare only passes with the same.

    edl_signature([8, 32, 128], values)      # values (seeds, sizes), bits per token
"""

import math
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.stats.arrays import Floats
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.prequential import checked_bits

Shape = Literal["elicitation", "teaching", "cannot tell"]
ABSOLUTE = 0.02
"""Smallest change of EDL that counts, bits per token."""
RELATIVE = 0.1
"""Smallest change of EDL that counts, as a share of the range of the mean over sizes."""


class Before(NamedTuple):
    """What the same examples (n,) and test examples (m,) cost the model before it was trained, in bits."""

    bits: ArrayLike
    test_bits: ArrayLike


def excess_description_length(
    bits: ArrayLike, test_bits: ArrayLike, before: Before | None = None
) -> Estimate:
    """Return EDL in bits, from the first-pass bits (n,) and the final model's bits of test examples (m,).

    With `before`, each cost is taken as its difference to that of the untrained model: the same expectation, less
    noise from hard and easy examples. The interval is normal, with the spread of the pass from successive differences
    (von Neumann 1941), so that learning itself does not count as noise. Missing for fewer than two of either.
    """
    training, tested = checked_bits(bits, "bits"), checked_bits(test_bits, "test bits")
    n, m = training.size, tested.size
    if min(n, m) < 2:
        return missing("bits", f"{n} examples and {m} test examples, two of each are needed", n)
    if before is not None:
        training = training - _alike(before.bits, training, "bits before")
        tested = tested - _alike(before.test_bits, tested, "test bits before")
    value = float(training.sum() - n * tested.mean())
    spread = float((np.diff(training) ** 2).mean() / 2)
    half = float(stats.norm.isf(0.025)) * math.sqrt(n * spread + n * n * float(tested.var(ddof=1)) / m)
    against = "" if before is None else ", against the untrained model"
    return Estimate(
        value, value - half, value + half, n, "bits", f"first pass less n test losses, normal{against}"
    )


def coupon_collector_edl(u: ArrayLike, bits: float = 1.0) -> Floats:
    """Return EDL / n at u = n / K where K facts of `bits` each are drawn at random and kept once seen.

    (D / u) (1 - (1 + u) e^-u): from 0 as D u / 2, at most .298 D at u = 1.79, then D / u.

    >>> coupon_collector_edl([1.79]).round(3).tolist()
    [0.298]
    """
    given = np.asarray(u, dtype=np.float64)
    if (given <= 0).any():
        raise UserMistake(f"u = {given.min():g} given: examples per fact must be above 0")
    return bits / given * (-np.expm1(-given) - given * np.exp(-given))


@dataclass(frozen=True)
class Signature:
    """The shape of EDL per token over sizes: `per_token` has one estimate a size (mean over seeds, Student's t).

    A change between two sizes counts where it exceeds `tolerance` in the mean and in every seed, and in the mean also
    `noise`: the 95 % bound for the difference of two means, from the spread between seeds pooled over sizes.
    """

    shape: Shape
    reason: str
    sizes: tuple[int, ...]
    per_token: tuple[Estimate, ...]
    tolerance: float
    noise: float
    seeds: int

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object; NaN becomes null."""
        noise = None if math.isnan(self.noise) else self.noise
        return asdict(self) | {
            "noise": noise,
            "per_token": [estimate.as_json() for estimate in self.per_token],
        }


def edl_signature(
    sizes: ArrayLike, values: ArrayLike, absolute: float = ABSOLUTE, relative: float = RELATIVE
) -> Signature:
    """Return the signature of EDL per token `values` (seeds, sizes), sizes ascending.

    "elicitation": it falls from the first to the last size, and between no two sizes does its mean rise by more than
    the tolerance, max(absolute, relative * range of the mean). "teaching": a rise counts, and it ends before any fall
    that counts. Anything else, a single seed included, is "cannot tell".
    """
    counts, rows = _checked(sizes, values)
    mean = rows.mean(axis=0)
    tolerance = float(max(absolute, relative * np.ptp(mean)))
    noise = _noise(rows)
    estimates = tuple(_over_seeds(column) for column in rows.T)
    shape, reason = _shape(counts, rows, tolerance, noise)
    return Signature(shape, reason, tuple(counts), estimates, tolerance, noise, rows.shape[0])


def _noise(rows: Floats) -> float:
    """Return the 95 % bound for the difference of two sizes' means; seeds may differ in level. NaN for one seed."""
    seeds, sizes = rows.shape
    freedom = (seeds - 1) * (sizes - 1)
    if freedom == 0:
        return math.nan
    rest = rows - rows.mean(axis=0) - rows.mean(axis=1, keepdims=True) + rows.mean()
    return float(stats.t.isf(0.025, freedom)) * math.sqrt(2 * float((rest**2).sum()) / freedom / seeds)


def _shape(sizes: list[int], rows: Floats, tolerance: float, noise: float) -> tuple[Shape, str]:
    if rows.shape[0] < 2:
        return "cannot tell", "one seed: at least two are needed"
    mean = rows.mean(axis=0)
    change, of_mean = rows[:, None, :] - rows[:, :, None], mean[None, :] - mean[:, None]  # (seed,) from, to
    later = np.triu(np.full((len(sizes), len(sizes)), True), 1)
    rises = later & (change > tolerance).all(axis=0) & (of_mean > noise)
    falls = later & (change < -tolerance).all(axis=0) & (of_mean < -noise)
    first_rise, first_fall = _first(rises), _first(falls)
    if first_rise and (not first_fall or first_rise[1] < first_fall[1]):
        low, high = first_rise
        return (
            "teaching",
            f"rises from {mean[low]:.3f} at {sizes[low]} to {mean[high]:.3f} at {sizes[high]} examples",
        )
    risen = _first((mean[None, :] - mean[:, None] > tolerance) & later)
    if risen:
        return (
            "cannot tell",
            f"rises from {sizes[risen[0]]} to {sizes[risen[1]]} examples, after a fall or not in every seed",
        )
    if falls[0, -1]:
        return (
            "elicitation",
            f"falls from {mean[0]:.3f} at {sizes[0]} to {mean[-1]:.3f} at {sizes[-1]} examples",
        )
    return (
        "cannot tell",
        f"no sure change from {sizes[0]} to {sizes[-1]} examples (tolerance {tolerance:.3f}, noise {noise:.3f})",
    )


def _first(pairs: np.ndarray) -> tuple[int, int] | None:
    """Return the (from, to) of `pairs` (sizes, sizes) that ends first, and of those the one that begins last."""
    starts, ends = np.nonzero(pairs)
    if ends.size == 0:
        return None
    end = int(ends.min())
    return int(starts[ends == end].max()), end


def _over_seeds(values: Floats) -> Estimate:
    n, value = values.size, float(values.mean())
    if n < 2:
        return Estimate(value, math.nan, math.nan, n, "bits per token", "one seed")
    half = float(stats.t.isf(0.025, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Estimate(value, value - half, value + half, n, "bits per token", f"mean over {n} seeds, t")


def _checked(sizes: ArrayLike, values: ArrayLike) -> tuple[list[int], Floats]:
    counts = [int(size) for size in np.atleast_1d(np.asarray(sizes))]
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(counts) or len(counts) < 2 or rows.shape[0] < 1:
        raise UserMistake(
            f"values have shape {rows.shape} for {len(counts)} sizes: give (seeds, sizes), two sizes or more"
        )
    if sorted(set(counts)) != counts or counts[0] < 1:
        raise UserMistake(f"sizes {counts}: give different numbers of examples, ascending, from 1")
    if not np.isfinite(rows).all():
        raise UserMistake("values hold missing ones: leave the size out in every seed, and say so")
    return counts, rows


def _alike(values: ArrayLike, wanted: Floats, name: str) -> Floats:
    checked = checked_bits(values, name)
    if checked.shape != wanted.shape:
        raise UserMistake(f"{name} have {checked.size} examples, not {wanted.size}: give the same examples")
    return checked
