"""Surfacing cost: the least bits supplied from outside that bring a given share of the gain back.

A gain that comes back for few bits was there; one that needs many was taught. The curve is the best share
recovered by any elicitor that was supplied with at most so many bits.

The best of many noisy elicitors looks better than it is. So choose it on one half of the items and read its share off
the other (`crossfit_curve`, `crossfit_bits`); `surfacing_curve` and `surfacing_bits` do not.

    cost = surfacing_cost(Ladder(base, tuned, elicited, bits), reference, share=0.5)
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, aligned, cluster_codes, cluster_sums, numbers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.resampling import RESAMPLES, bootstrap_means, percentile_bounds, resample_weights
from tellapart.stats.shares import divide, refusal


class Ladder(NamedTuple):
    """Per-item mean scores (n,) of base and tuned, of each elicitor (m, n), and the bits each had (m,)."""

    base: ArrayLike
    tuned: ArrayLike
    elicited: ArrayLike
    bits: ArrayLike
    clusters: ArrayLike | None = None


SPLITS = 6
"""How many splits in halves a cross-fitted figure is the mean of."""


class SurfacingCost(NamedTuple):
    """The fewest bits for a share of the gain here and on the reference model; `ratio` is reference over here."""

    bits: Estimate
    reference: Estimate
    ratio: Estimate


class SurfacingCurve(NamedTuple):
    """Best recovered share with at most `bits`, ascending, with the central 95 % of a paired bootstrap.

    `elicitor` is the index of the elicitor that gives each point. Not clamped; base itself (0 bits, share 0)
    is no point of the curve.
    """

    bits: Floats
    share: Floats
    low: Floats
    high: Floats
    elicitor: np.ndarray


def surfacing_curve(ladder: Ladder, resamples: int = RESAMPLES, seed: int = 0) -> SurfacingCurve | None:
    """Return the envelope of recovered share against bits; None where the gain's interval includes 0.

    The best of many noisy elicitors looks better than it is: choose elicitors' settings on other items.
    """
    columns, bits = _checked(ladder)
    if refusal(columns[:, 0], columns[:, 1], ladder.clusters):
        return None
    order = np.argsort(bits, kind="stable")
    shares = _shares(columns.mean(axis=0)[None])[:, order]
    low, high = percentile_bounds(
        np.maximum.accumulate(_resampled(ladder, resamples, seed)[:, order], axis=1)
    )
    best = np.maximum.accumulate(shares[0])
    leader = np.maximum.accumulate(np.where(shares[0] >= best, np.arange(bits.size), 0))
    return SurfacingCurve(bits[order], best, low, high, order[leader])


def surfacing_bits(ladder: Ladder, share: float = 0.5, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the fewest bits with which some elicitor recovers `share` of the gain.

    The interval is the central 95 % of a paired bootstrap over items or clusters; its upper end is infinite
    where over 2.5 % of the resamples never get there. Missing where no elicitor does, or the gain is refused.
    """
    columns, bits = _checked(ladder)
    n = columns.shape[0]
    reason = refusal(columns[:, 0], columns[:, 1], ladder.clusters)
    if reason:
        return missing("bits", reason, n)
    shares = _shares(columns.mean(axis=0)[None])
    value = _fewest(shares, bits, share)[0]
    if np.isinf(value):
        return missing(
            "bits", f"never reached: {share:.0%} wanted, the best elicitor recovers {shares.max():.0%}", n
        )
    drawn = np.sort(_fewest(_resampled(ladder, resamples, seed), bits, share))
    low, high = drawn[int(0.025 * (resamples - 1))], drawn[int(np.ceil(0.975 * (resamples - 1)))]
    method = f"fewest bits for {share:.0%} of the gain, paired bootstrap, {resamples} resamples"
    return Estimate(float(value), float(low), float(high), n, "bits", method)


def crossfit_curve(ladder: Ladder, resamples: int = RESAMPLES, seed: int = 0) -> SurfacingCurve | None:
    """Return the envelope with the best elicitor chosen on one half of the items and its share read off the other.

    A point is the best with at most so many bits; the mean over SPLITS splits of whole clusters. It need not rise with
    bits: a dip says that the choice does not carry over. `elicitor` is the one chosen on all items. The intervals are
    the central 95 % of a bootstrap that chooses anew in every resample. None where the gain's interval includes 0.
    """
    columns, bits = _checked(ladder)
    if refusal(columns[:, 0], columns[:, 1], ladder.clusters):
        return None
    order = np.argsort(bits, kind="stable")
    shares = _crossfitted(columns[:, [0, 1, *(2 + order)]], ladder.clusters, resamples, seed)
    low, high = percentile_bounds(shares[1:])
    plain = _shares(columns.mean(axis=0)[None])[0, order]
    return SurfacingCurve(bits[order], shares[0], low, high, order[_leaders(plain[None])[0]])


def crossfit_bits(ladder: Ladder, share: float = 0.5, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the fewest bits with which the elicitor chosen on other items recovers `share` of the gain.

    Interval and missing figures as in `surfacing_bits`, with the cross-fitted curve.
    """
    columns, _ = _checked(ladder)
    reason = refusal(columns[:, 0], columns[:, 1], ladder.clusters)
    if reason:
        return missing("bits", reason, columns.shape[0])
    return _estimate(_crossfit_draws(ladder, share, resamples, seed), ladder, share)


def surfacing_cost(
    ladder: Ladder, reference: Ladder | None, share: float = 0.5, resamples: int = RESAMPLES, seed: int = 0
) -> SurfacingCost:
    """Return the cross-fitted bits for `share` of the gain here, on a model that never met the skill, and the ratio.

    `reference` holds the same items with the same base and tuned scores; its elicited scores are base + what each
    elicitor raised the reference by. Bits of the reference are missing where there is none (None); the ratio where one
    side never gets there (its `low` then still holds where only the reference does not), or 0 bits do here.
    """
    here = crossfit_bits(ladder, share, resamples, seed)
    if reference is None:
        nothing = missing("bits", "no reference model was given", here.n)
        return SurfacingCost(here, nothing, missing("ratio", "no reference model was given", here.n))
    for name, left, right in zip(("base", "tuned"), ladder[:2], reference[:2], strict=True):
        if not np.array_equal(np.asarray(left), np.asarray(right)):
            raise UserMistake(
                f"{name} scores of the reference's ladder differ: give the same gain on the same items"
            )
    there = crossfit_bits(reference, share, resamples, seed)
    if math.isnan(here.value):
        return SurfacingCost(here, there, missing("ratio", here.method.removeprefix("missing: "), here.n))
    if here.value == 0:
        return SurfacingCost(
            here, there, missing("ratio", "0 bits are enough here, so there is no ratio", here.n)
        )
    draws = [_crossfit_draws(curves, share, resamples, seed) for curves in (ladder, reference)]
    return SurfacingCost(here, there, _ratio(draws[0], draws[1], float(np.max(reference.bits)), here.n))


def _ratio(here: Floats, there: Floats, most: float, n: int) -> Estimate:
    """Return there / here from the figures (1 + r,), the plain one first; infinite bits are "never"."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = there / here
    low, high = (np.sort(np.nan_to_num(ratios[1:], nan=end, posinf=np.inf)) for end in (0.0, np.inf))
    ends = float(low[int(0.025 * (low.size - 1))]), float(high[math.ceil(0.975 * (high.size - 1))])
    if math.isinf(there[0]):
        said = f"missing: the reference never gets there with up to {most:g} bits"
        return Estimate(math.nan, most / float(here[0]), math.inf, n, "ratio", said)
    return Estimate(
        float(ratios[0]), *ends, n, "ratio", f"reference over here, paired bootstrap, {low.size} resamples"
    )


def _crossfit_draws(ladder: Ladder, share: float, resamples: int, seed: int) -> Floats:
    """Return the fewest bits (1 + r,), as measured and in every resample."""
    columns, bits = _checked(ladder)
    order = np.argsort(bits, kind="stable")
    shares = _crossfitted(columns[:, [0, 1, *(2 + order)]], ladder.clusters, resamples, seed)
    return _fewest(shares, bits[order], share)


def _estimate(draws: Floats, ladder: Ladder, share: float) -> Estimate:
    """Return the estimate of the bits (1 + r,), the plain figure first."""
    n, resamples = np.asarray(ladder.base).size, draws.size - 1
    if np.isinf(draws[0]):
        return missing(
            "bits", f"never reached: {share:.0%} wanted, on items that the elicitor was not chosen on", n
        )
    drawn = np.sort(draws[1:])
    low, high = drawn[int(0.025 * (resamples - 1))], drawn[math.ceil(0.975 * (resamples - 1))]
    method = f"fewest bits for {share:.0%} of the gain, cross-fitted, paired bootstrap, {resamples} resamples"
    return Estimate(float(draws[0]), float(low), float(high), n, "bits", method)


def _crossfitted(columns: Floats, clusters: ArrayLike | None, resamples: int, seed: int) -> Floats:
    """Return the cross-fitted shares (1 + r, m) of columns base, tuned, elicitors by bits (n, 2 + m); the first row is
    as measured."""
    codes = cluster_codes(clusters, columns.shape[0])
    sums = cluster_sums(np.column_stack([columns, np.ones(columns.shape[0])]), codes)
    units = sums.shape[0]
    drawn = np.concatenate([np.ones((1, units)), *resample_weights(units, resamples, seed)])
    rng = np.random.default_rng(seed)
    splits = [rng.permutation(units) % 2 == 0 for _ in range(SPLITS)]
    return np.mean([_on_the_other_half(drawn, sums, half) for half in splits], axis=0)


def _on_the_other_half(drawn: Floats, sums: Floats, half: np.ndarray) -> Floats:
    """Return shares (r, m): in each half, the raise by the elicitor that is best so far in the other half."""
    parts = [drawn[:, side] @ sums[side] for side in (half, ~half)]
    raised = [part[:, 2:-1] - part[:, :1] for part in parts]  # summed over items
    gained = sum(part[:, 1] - part[:, 0] for part in parts)
    chosen = [np.take_along_axis(mine, _leaders(other), axis=1) for mine, other in (raised, raised[::-1])]
    return divide(chosen[0] + chosen[1], np.asarray(gained))


def _leaders(raised: Floats) -> np.ndarray:
    """Return for each budget (r, m) the index of the best elicitor so far; of equals the one with fewer bits."""
    best = np.maximum.accumulate(raised, axis=1)
    fresh = np.concatenate([np.ones((len(raised), 1), bool), best[:, 1:] > best[:, :-1]], axis=1)
    return np.maximum.accumulate(np.where(fresh, np.arange(raised.shape[1]), 0), axis=1)


def _checked(ladder: Ladder) -> tuple[Floats, Floats]:
    """Return the columns base, tuned, elicitors (n, 2 + m) and the bits (m,)."""
    bits = numbers(ladder.bits, "bits")
    elicited = np.atleast_2d(np.asarray(ladder.elicited, dtype=np.float64))
    if bits.size == 0 or elicited.shape[0] != bits.size or (bits < 0).any():
        raise UserMistake(
            f"{elicited.shape[0]} elicitors with bits {bits.tolist()}: give at least one, and bits >= 0 for each"
        )
    return np.column_stack(aligned("scores", ladder.base, ladder.tuned, *elicited)), bits


def _resampled(ladder: Ladder, resamples: int, seed: int) -> Floats:
    return _shares(bootstrap_means(_checked(ladder)[0], ladder.clusters, resamples, seed))


def _shares(means: Floats) -> Floats:
    """Return shares (r, m) from means of base, tuned, elicitors (r, 2 + m)."""
    return divide(means[:, 2:] - means[:, :1], means[:, 1] - means[:, 0])


def _fewest(shares: Floats, bits: Floats, wanted: float) -> Floats:
    return np.where(shares >= wanted, bits, np.inf).min(axis=1)
