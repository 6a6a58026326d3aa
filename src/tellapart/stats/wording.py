"""Figures in plain words: shares as percent, differences as points, bits, counts; a dash where there is no value."""

import math
from collections.abc import Callable
from typing import NamedTuple

from tellapart.stats.estimate import Estimate

NOTHING = "–"


class Shown(NamedTuple):
    """One figure in words. `interval` is empty where none is known; `missing` tells why there is no value."""

    name: str
    label: str
    value: str
    interval: str
    n: int
    method: str
    missing: str


def shown(name: str, estimate: Estimate) -> Shown:
    """Return how the estimate called `name` is written: percent, points, bits or a count."""
    write = _writer(name, estimate.unit)
    interval = ""
    if math.isfinite(estimate.low) and math.isfinite(estimate.high) and estimate.low != estimate.high:
        interval = (
            f"[{_bare(write(estimate.low), estimate.unit)}, {_bare(write(estimate.high), estimate.unit)}]"
        )
    elif "unbounded" in estimate.method:
        interval = "[unbounded]"
    reason = ""
    if not math.isfinite(estimate.value):
        reason = estimate.method.removeprefix("missing: ") or "not known"
    return Shown(name, label(name), write(estimate.value), interval, estimate.n, estimate.method, reason)


def _bare(text: str, unit: str = "") -> str:
    for ending in (" %", " points", " bits", " log10 odds", f" {unit}", f" {unit.removesuffix('s')}"):
        text = text.removesuffix(ending)
    return text


def _writer(name: str, unit: str) -> Callable[[float], str]:
    head = name.partition("/")[0]
    if unit == "log10 odds":
        return lambda value: f"{signed(value)} {unit}" if math.isfinite(value) else NOTHING
    if head in ("gain", "hidden_gap", "reference_gap") or head.endswith("_difference"):
        return points
    if unit == "items":
        return count
    if head.startswith(("bits_supplied", "bits_per", "surfacing_bits")) or unit == "bits":
        return lambda value: f"{bits(value)} bits" if math.isfinite(value) else NOTHING
    if unit in ("share", "score", "probability") or "@" in head:
        return percent
    one = unit.removesuffix("s")
    return lambda value: (
        f"{value:.4g} {one if value == 1 else unit}".strip() if math.isfinite(value) else NOTHING
    )


_LABELS = {
    "base_score": "Base",
    "shown_score": "Shown",
    "latent_score": "Latent",
    "hidden_gap": "Held back",
    "reference_gap": "Rise of the benign model",
    "gap_difference": "Held back beyond that rise",
    "benign_shown_score": "Benign model, shown",
    "benign_latent_score": "Benign model, latent",
    "labels_for_half": "Labels for half",
    "full_score": "Full",
    "form_share": "Left to form",
    "right_share": "Goes with how right the answers are",
    "tuned_score": "Tuned",
    "gain": "Gain",
    "guess_floor": "Chance level",
    "distinct_items": "Distinct questions",
    "readable_base": "Readable answers of the base",
    "readable_tuned": "Readable answers of tuned",
    "form_part": "Gain by form",
    "content_part": "Gain by content",
    "lenient_content_part": "Gain by content, read leniently",
    "format_share": "Share of the gain that is form",
    "held_at_least": "Held at least",
    "held_at_most": "Held at most",
    "elicited_share": "Elicited from the base",
    "bits_per_response": "Divergence per response",
    "bits_concentration_1%": "Divergence in the top 1 % of tokens",
    "bits_concentration_5%": "Divergence in the top 5 % of tokens",
    "content_share": "Known of tuned's right answers",
    "bits_concentration_10%": "Divergence in the top 10 % of tokens",
    "bits_in_first_token": "Divergence in the first token",
    "crossing_tau": "Crossing τ of cover@τ",
    "base_success": "Base's success by importance sampling",
    "base_only_fragile_items": "… fragile (base only)",
    "tuned_only_fragile_items": "… fragile (tuned only)",
    "surfacing_bits_50%": "Least bits that bring back half of the gain",
    "surfacing_bits_90%": "Least bits that bring back 90 % of the gain",
    "gained_items": "Items gained",
    "lost_items": "Items lost",
    "base_only_items": "Items solved only by the base",
    "tuned_only_items": "Items solved only by the tuned",
}


def label(name: str) -> str:
    """Return a readable label of an estimate's public name."""
    if name in _LABELS:
        return _LABELS[name]
    head, _, tail = name.partition("/")
    words = head.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}" + (f": {tail.replace('_', ' ')}" if tail else "")


def percent(value: float | None) -> str:
    """Return a share as percent with one decimal, a dash where it is missing."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{_signless_zero(100 * value, 1)} %".replace("-", "−")


def points(value: float | None) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{float(_signless_zero(100 * value, 1)):+.1f} points".replace("-", "−")


def count(value: float | None) -> str:
    """Return a count with thousands separated."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.0f}"


def bits(value: float | None) -> str:
    """Return a number of bits in three or four digits: 0, 3.0, 2,140, 180 k, 5.3 M."""
    if value is None or not math.isfinite(value):
        return NOTHING
    for limit, divisor, suffix in ((1e4, 1.0, ""), (1e6, 1e3, " k"), (1e9, 1e6, " M"), (math.inf, 1e9, " G")):
        if abs(value) < limit:
            scaled = value / divisor
            short = abs(scaled) < 100 and scaled != 0 and (suffix == "" or abs(scaled) < 10)
            return (f"{scaled:.1f}" if short else f"{scaled:,.0f}").replace("-", "−") + suffix
    return f"{value:.3g}"


def signed(value: float | None) -> str:
    """Return a number with its sign and two decimals."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:+.2f}".replace("-", "−")


def plain(value: float | None) -> str:
    """Return any number in at most four digits."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.4g}".replace("-", "−")


def between(low: float | None, high: float | None, write: Callable[[float], str] = percent) -> str:
    """Return an interval `[low, high]` written by `write`, empty where it is not known."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    return f"[{_bare(write(low))}, {_bare(write(high))}]"


def _signless_zero(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def whole(share: float) -> str:
    """Return a share in whole percent, without a sign before 0.

    >>> whole(-0.001), whole(0.555)
    ('0', '56')
    """
    return "0" if abs(share) < 0.005 else f"{100 * share:.0f}"
