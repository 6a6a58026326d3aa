"""How much must be supplied: recovered share of a gain against log p, fitted with a generalised logistic.

p is what was supplied: parameters trained (Donoway et al. 2025, openreview Dkgx2pS4Ww), bits, or labels. With
x = ln p the recovered share is y(x) = K (1 + (2^v - 1) e^(-B (x - M)))^(-1/v) (Richards 1959), written so that M is
where half of the upper asymptote K is reached; v = 1 is the plain logistic. The lower asymptote is 0: with nothing
supplied the model is the base.

    curve = fit_generalised_logistic([1, 4, 16, 64, 256], scores, Ends(base=0.1, tuned=0.9), "parameters")
    curve.half.value      # p for 50 % of the gain
"""

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.stats.arrays import Floats, numbers
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.resampling import bootstrap_means
from tellapart.stats.richards import fit_richards, richards, richards_inverse
from tellapart.stats.shares import refusal

LEAST_SIZES = 4
"""Fewest different p that a curve is fitted to."""
FIT_RESAMPLES = 400


class Ends(NamedTuple):
    """Base and tuned score, between which the gain lies: numbers, or per-item mean scores (n,) with clusters."""

    base: ArrayLike
    tuned: ArrayLike
    clusters: ArrayLike | None = None


@dataclass(frozen=True)
class LogisticCurve:
    """The fitted curve, and p for 50 % (`half`) and 90 % (`most`) of the gain.

    `upper`, `slope`, `midpoint` (of ln p) and `shape` are K, B, M and v; NaN where nothing was fitted. `rms` is the
    root mean square residual in share of the gain. p for a share is missing where the curve does not reach it
    between the smallest and the largest p given: `low` is then the largest p, where it was not reached yet, or
    `high` the smallest p, where it was reached already.
    """

    upper: float
    slope: float
    midpoint: float
    shape: float
    rms: float
    points: int
    half: Estimate
    most: Estimate

    def share_at(self, p: ArrayLike) -> Floats:
        """Return the fitted share of the gain at each p (m,)."""
        return richards(np.log(np.asarray(p, dtype=np.float64)), self._parameters())[0]

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object; NaN becomes null."""
        plain = {key: value for key, value in asdict(self).items() if key not in ("half", "most")}
        numbers_only = {key: value if math.isfinite(value) else None for key, value in plain.items()}
        return {**numbers_only, "half": self.half.as_json(), "most": self.most.as_json()}

    def _parameters(self) -> Floats:
        return np.array([[math.log(self.upper), math.log(self.slope), self.midpoint, math.log(self.shape)]])


def fit_generalised_logistic(
    p: ArrayLike,
    score: ArrayLike,
    ends: Ends,
    unit: str = "parameters",
    resamples: int = FIT_RESAMPLES,
    seed: int = 0,
) -> LogisticCurve:
    """Fit the recovered share against ln p; p (m,) > 0, several points may stand at one p.

    `score` is (m,), mean scores, or (m, n), per-item scores with per-item `ends`. The intervals are the central 95 % of
    a bootstrap: over items or clusters where there are per-item scores, else of the residuals (scaled up for the
    parameters spent). An end is 0 or infinite where over 2.5 % of the resamples had p below or above all p given.
    Points off the curve weigh less (Huber 1964). Fewer than four different p, or no gain, give missing estimates.
    """
    sizes, columns, clusters = _checked(p, score, ends)
    reason = _reason(sizes, columns, ends)
    if reason:
        nothing = missing(unit, reason, sizes.size)
        nan = math.nan
        return LogisticCurve(nan, nan, nan, nan, nan, sizes.size, nothing, nothing)
    means = columns.mean(axis=0, keepdims=True)
    x, shares = np.log(sizes), _shares(means)
    fitted = fit_richards(x, shares)
    curve = richards(x, fitted)
    residuals = shares - curve
    if columns.shape[0] > 1:
        drawn = _shares(bootstrap_means(columns, clusters, resamples, seed))
        how = f"bootstrap over {'items' if clusters is None else 'clusters'}"
    else:
        drawn = curve + _resampled_residuals(residuals[0], resamples, seed)
        how = "residual bootstrap"
    fitted_curves = np.concatenate([fitted, fit_richards(x, drawn, fitted)])
    method = f"generalised logistic in ln p, {how}, {resamples} resamples"
    half, most = (_p_for(share, x, fitted_curves, unit, method) for share in (0.5, 0.9))
    upper, slope, _, shape = np.exp(fitted[0]).tolist()
    rms = float(np.sqrt((residuals**2).mean()))
    return LogisticCurve(upper, slope, float(fitted[0, 2]), shape, rms, sizes.size, half, most)


def _checked(p: ArrayLike, score: ArrayLike, ends: Ends) -> tuple[Floats, Floats, ArrayLike | None]:
    """Return p (m,) and the columns base, tuned, scores (n, 2 + m); n is 1 where only means are given."""
    sizes = numbers(p, "p")
    if (sizes <= 0).any():
        raise UserMistake(f"p holds {sizes.min():g}: give p > 0 (the base itself, p = 0, is `ends.base`)")
    rows = np.asarray(score, dtype=np.float64)
    if rows.ndim not in (1, 2) or rows.shape[0] != sizes.size:
        raise UserMistake(
            f"score has shape {rows.shape}, p {sizes.shape}: give a score (or a row of item scores) per p"
        )
    if rows.ndim == 1 and (np.ndim(ends.base) or np.ndim(ends.tuned)):
        raise UserMistake(
            "score has one number per p but the ends are per item: give both as means, or per item"
        )
    rows = rows[:, None] if rows.ndim == 1 else rows
    base, tuned = (np.atleast_1d(np.asarray(end, dtype=np.float64)) for end in (ends.base, ends.tuned))
    if not base.shape == tuned.shape == rows[0].shape:
        raise UserMistake(
            f"ends have {base.shape} and {tuned.shape} items, the scores {rows[0].shape}: give the same"
        )
    columns = np.column_stack([base, tuned, rows.T])
    numbers(columns.ravel(), "scores")
    return sizes, columns, ends.clusters


def _reason(sizes: Floats, columns: Floats, ends: Ends) -> str | None:
    """Return why no curve can be fitted, or None."""
    different = np.unique(sizes).size
    if different < LEAST_SIZES:
        return f"too few points: {different} different p, at least {LEAST_SIZES} are needed"
    if columns.shape[0] > 1:
        return refusal(columns[:, 0], columns[:, 1], ends.clusters)
    base, tuned = columns[0, :2]
    return None if tuned > base else f"no gain to share out: base {base:.4f}, tuned {tuned:.4f}"


def _shares(means: Floats) -> Floats:
    """Return the shares (r, m) from means of base, tuned, scores (r, 2 + m)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (means[:, 2:] - means[:, :1]) / (means[:, 1:2] - means[:, :1])
    return shares[np.isfinite(shares).all(axis=1)]


def _resampled_residuals(residuals: Floats, resamples: int, seed: int) -> Floats:
    """Return residuals (r, m) drawn anew, centred and scaled up for the four parameters that were fitted."""
    rng = np.random.default_rng(seed)
    m = residuals.size
    scale = math.sqrt(m / max(m - 4, 1))
    return np.multiply(scale, rng.choice(residuals - residuals.mean(), size=(resamples, m)), dtype=np.float64)


def _p_for(share: float, x: Floats, fitted_curves: Floats, unit: str, method: str) -> Estimate:
    """Return p for `share` from the fit and its resamples, `found` (1 + r, 4), with p only within the x given."""
    reached = richards_inverse(share, fitted_curves)
    reached = np.where(reached > x.max(), np.inf, np.where(reached < x.min(), -np.inf, reached))
    value, least, most = float(np.exp(reached[0])), float(np.exp(x.min())), float(np.exp(x.max()))
    if math.isinf(value):
        at = richards(x.max()[None], fitted_curves[:1])[0, 0]
        said = f"missing: {share:.0%} of the gain not reached, the curve gives {at:.0%} at p = {most:g}"
        return Estimate(math.nan, most, math.nan, x.size, unit, said)
    if value == 0:
        said = f"missing: {share:.0%} of the gain is reached already at the smallest p given, {least:g}"
        return Estimate(math.nan, math.nan, least, x.size, unit, said)
    drawn = np.sort(reached[1:])
    low, high = drawn[int(0.025 * (drawn.size - 1))], drawn[math.ceil(0.975 * (drawn.size - 1))]
    return Estimate(
        value,
        float(np.exp(low)),
        float(np.exp(high)),
        x.size,
        unit,
        f"p for {share:.0%} of the gain, {method}",
    )
