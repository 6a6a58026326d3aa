"""What eliciting the gain costs in bits, and what the same methods cost on a model that never met the skill."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.elicit.masked_adapter import MaskedAdapter, sizes_for
from tellapart.findings.gain import EnvelopeStep
from tellapart.stats.arrays import Floats
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.logistic_curve import Ends
from tellapart.stats.shares import recovered_share
from tellapart.stats.surfacing import Ladder, crossfit_curve, surfacing_cost
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.recorded import ElicitorRecord
from tellapart.studies.gain.recovered import Recovered, Way, aligned
from tellapart.studies.gain.scores import Scores

SHARES = {"50%": 0.5, "90%": 0.9}


class Surfaced(NamedTuple):
    """The bits for half and for 90 % of the gain, here and from the reference, and the envelope as a table."""

    estimates: dict[str, Estimate]
    envelope: tuple[EnvelopeStep, ...]


class _Reference(NamedTuple):
    """By way: the base's per-item means plus what the way raises the reference model by, and the bits it was told."""

    raised: dict[str, Floats]
    bits: dict[str, float]
    estimates: dict[str, Estimate]


def surface(rows: pd.DataFrame, recovered: Recovered, scores: Scores, facts: Facts) -> Surfaced:
    """Return the price of the gain over the ways that may bear witness, and the size of a masked adapter for it."""
    reference = _of_reference(rows, scores, facts)
    estimates = dict(reference.estimates) if reference else {}
    sizes = _masked_sizes(recovered, scores)
    if not recovered.priced:
        unknown = missing(
            "bits", "no elicitor ran" if not recovered.ways else "no elicitor whose bits are charged"
        )
        return Surfaced(estimates | sizes | {f"surfacing_bits_{name}": unknown for name in SHARES}, ())
    ways = recovered.priced
    ladder = _ladder(scores, [way.means for way in ways], [way.bits for way in ways])
    other = None
    if reference is not None and reference.raised:
        other = _ladder(scores, list(reference.raised.values()), list(reference.bits.values()))
    for name, share in SHARES.items():
        cost = surfacing_cost(ladder, other, share)
        estimates[f"surfacing_bits_{name}"] = cost.bits
        if reference is not None:
            estimates[f"reference_surfacing_bits_{name}"] = cost.reference
            estimates[f"surfacing_ratio_{name}"] = cost.ratio
    return Surfaced(estimates | sizes, _envelope(ladder, ways))


def _envelope(ladder: Ladder, ways: tuple[Way, ...]) -> tuple[EnvelopeStep, ...]:
    """Return the best share with at most so many bits, chosen on other items, a line wherever the best way changes."""
    curve = crossfit_curve(ladder)
    if curve is None:
        return ()
    lines: list[EnvelopeStep] = []
    for bits, share, low, high, at in zip(*curve, strict=True):
        if not lines or lines[-1].way != ways[at].name:
            lines.append(EnvelopeStep(ways[at].name, float(bits), float(share), float(low), float(high)))
    return tuple(lines)


def _masked_sizes(recovered: Recovered, scores: Scores) -> dict[str, Estimate]:
    """Return how many trained numbers give half and 90 % of the gain, where masked adapters were tried."""
    means = {way.name: way.means for way in recovered.ways if way.name.startswith(f"{MaskedAdapter.name}@")}
    if not means:
        return {}
    curve = sizes_for(means, Ends(scores.base.mean, scores.tuned.mean, scores.clusters))
    return {"masked_adapter_p_50%": curve.half, "masked_adapter_p_90%": curve.most}


def _ladder(scores: Scores, means: list[Floats], bits: list[float]) -> Ladder:
    return Ladder(scores.base.mean, scores.tuned.mean, np.stack(means), np.array(bits), scores.clusters)


def _of_reference(rows: pd.DataFrame, scores: Scores, facts: Facts) -> _Reference | None:
    """Return what the same ways raise a model by that never met the skill; None where there is no such model."""
    plain = _whole(rows, "reference/plain", scores, facts)
    if plain is None:
        return None
    by_method = {name: _whole(rows, f"reference/{name}", scores, facts) for name in facts.reference}
    raised = {
        name: scores.base.mean + means - plain for name, means in by_method.items() if means is not None
    }
    estimates = {"reference_score": mean_score(plain)}
    for name, means in raised.items():
        share = recovered_share(scores.base.mean, means, scores.tuned.mean, scores.clusters)
        estimates[f"reference_share/{name}"] = share
    bits = {name: _sum_bits_given(rows, f"reference/{name}", facts.reference[name]) for name in raised}
    return _Reference(raised, bits, estimates)


def _whole(rows: pd.DataFrame, condition: str, scores: Scores, facts: Facts) -> Floats | None:
    """Return the condition's per-item means; None where any item has no answer."""
    means = aligned(rows, condition, scores.base, facts)
    return None if means is None or np.isnan(means).any() else means


def _sum_bits_given(rows: pd.DataFrame, condition: str, record: ElicitorRecord) -> float:
    """Return the bits told once and over one answer to each item."""
    own = rows[rows["condition"] == condition]
    bits = np.nan_to_num(own["bits"].to_numpy(dtype=np.float64))
    return float(record.get("bits_once", 0.0)) + float(bits.mean()) * own["item"].nunique()
