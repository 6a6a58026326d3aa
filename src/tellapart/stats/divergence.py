"""Where tuning changed the model: bits by which tuned prefers its own tokens over base.

Per token log2 p_tuned - log2 p_base on tuned's own responses; its sum over a response estimates the relative
entropy from tuned to base. Few decision tokens = the tuning changed WHEN; spread out = it changed HOW.
A response is covered at k where base would be expected to write it within k samples: log p_base >= -ln k.

    bits = token_bits(tuned_logprobs, base_logprobs)       # one array per response
    bits_per_response(bits, items).value
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats, numbers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean
from tellapart.stats.resampling import RESAMPLES, bootstrap_means, percentile_bounds

QUIET_BITS = 1e-3
"""Mean absolute bits per token below which there is no divergence to share out (rounding makes about 1e-6)."""


def token_bits(tuned: Sequence[ArrayLike], base: Sequence[ArrayLike]) -> list[Floats]:
    """Return log2 p_tuned - log2 p_base of every token, one array per response; logs given in nats."""
    if len(tuned) != len(base):
        raise UserMistake(f"{len(tuned)} responses under tuned, {len(base)} under base: score the same ones")
    bits = []
    for at, (ours, theirs) in enumerate(zip(tuned, base, strict=True)):
        first, second = numbers(ours, "log-probabilities"), numbers(theirs, "log-probabilities")
        if first.size != second.size:
            raise UserMistake(
                f"response {at} has {first.size} tokens under tuned, {second.size} under base: "
                "both must score the same tokens"
            )
        bits.append((first - second) / math.log(2))
    return bits


def bits_per_response(
    bits: Sequence[Floats], items: ArrayLike, clusters: ArrayLike | None = None
) -> Estimate:
    """Return the bits of a response: mean over items of the item's mean, Student's interval over items.

    `items` (responses,) names each response's item; `clusters`, if given, each response's cluster.
    """
    if len(bits) == 0:
        return missing("bits", "no responses")
    per_item, groups = _by_item(np.array([row.sum() for row in bits]), items, clusters)
    return mean(per_item, groups, unit="bits")


def bits_per_token(bits: Sequence[Floats], items: ArrayLike, seed: int = 0) -> Estimate:
    """Return all bits over all tokens, with a bootstrap over items (responses of an item stay together)."""
    lengths = np.array([row.size for row in bits], dtype=np.float64)
    if lengths.sum() == 0:
        return missing("bits per token", "no tokens", len(bits))
    totals = np.column_stack([[row.sum() for row in bits], lengths])
    return _ratio(totals, items, "bits per token", seed)


def concentration(bits: Sequence[Floats], items: ArrayLike, top: float = 0.05, seed: int = 0) -> Estimate:
    """Return the share of the absolute bits that lies in the `top` share of all tokens, pooled over responses.

    Absolute, so that gains and losses do not cancel and the share lies in [0, 1]; an even spread gives `top`.
    The cut is the pooled one in every resample. Missing where the divergence is below `QUIET_BITS` a token.
    """
    reason = _quiet(bits)
    if reason:
        return missing("share", reason, len(bits))
    pooled = np.sort(np.abs(np.concatenate(bits)))[::-1]
    count = _top_count(top, pooled.size)
    cut = pooled[count - 1]
    ties = (count - np.count_nonzero(pooled > cut)) / np.count_nonzero(pooled == cut)
    inside = [
        np.where(sizes > cut, sizes, np.where(sizes == cut, ties * cut, 0.0)) for sizes in map(np.abs, bits)
    ]
    totals = [(part.sum(), np.abs(row).sum()) for part, row in zip(inside, bits, strict=True)]
    return _ratio(np.array(totals), items, "share", seed)


def first_tokens_share(bits: Sequence[Floats], items: ArrayLike, count: int = 1, seed: int = 0) -> Estimate:
    """Return the share of the absolute bits in the first `count` tokens of the responses, pooled."""
    reason = _quiet(bits)
    if reason:
        return missing("share", reason, len(bits))
    totals = [(np.abs(row[:count]).sum(), np.abs(row).sum()) for row in bits]
    return _ratio(np.array(totals), items, "share", seed)


def position_profile(bits: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return mean bits at each position and how many responses reach it: two arrays (longest response,)."""
    longest = max((row.size for row in bits), default=0)
    sums, counts = np.zeros(longest), np.zeros(longest)
    for row in bits:
        sums[: row.size] += row
        counts[: row.size] += 1
    return sums / np.maximum(counts, 1), counts


def _quiet(bits: Sequence[Floats]) -> str | None:
    tokens = sum(row.size for row in bits)
    if tokens == 0:
        return "no tokens"
    each = sum(float(np.abs(row).sum()) for row in bits) / tokens
    if each < QUIET_BITS:
        return f"no divergence to share out: {each:.1e} bits a token, below {QUIET_BITS:g}"
    return None


def _top_count(top: float, size: int) -> int:
    if not 0 < top <= 1:
        raise UserMistake(f"top share {top} given: it must lie above 0 and at most at 1")
    return max(1, math.ceil(top * size - 1e-9))


def _by_item(
    values: Floats, items: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, np.ndarray | None]:
    """Return the mean per item, and the cluster of each item."""
    labels = np.asarray(items)
    if labels.shape != values.shape:
        raise UserMistake(f"{labels.size} item labels for {values.size} responses: give one per response")
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    per_item = np.bincount(codes, values) / np.bincount(codes)
    return per_item, None if clusters is None else np.asarray(clusters)[first]


def _ratio(totals: Floats, items: ArrayLike, unit: str, seed: int) -> Estimate:
    """Return sum over sum of two columns (responses, 2), bootstrapped over items."""

    means = bootstrap_means(totals, np.asarray(items), RESAMPLES, seed)
    low, high = percentile_bounds(means[:, 0] / means[:, 1])
    value = totals[:, 0].sum() / totals[:, 1].sum()
    method = f"pooled ratio, bootstrap over items, {RESAMPLES} resamples"
    return Estimate(float(value), float(low), float(high), len(np.unique(np.asarray(items))), unit, method)
