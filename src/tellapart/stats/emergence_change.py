"""Does a score change over scale by more than its noise, and does it go both up and down?

    tested = change(places, scores, binomial_variance(scores, items))
    tested.p                                    # small: the scores are not all the same
    turn(places, scores, variances).probability # that true scores both rise and fall

The first question is a test of heterogeneity, the chi-squared of the scores about their weighted mean (Cochran 1954),
beside its part that a straight line over the places explains (Armitage 1955), which sees a slow trend sooner. The
second takes the largest rise and the largest fall between two scales, each against its noise: the measurement's, and
that of models that scatter about any curve, estimated from what each point lies off the line between its neighbours
(Gasser, Sroka & Jennen-Steinmetz 1986), leaving out the run of models that adds most to it: else a dip would count as
scatter.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2 as chi_squared

from tellapart.stats.arrays import Floats

MATERIAL = 0.15
"""A rise or fall counts from this share of the curve's range on."""
TURNED = 5.0
"""Standard errors, scatter counted in, from which on a rise or fall is shown. The scatter is estimated from few points
and at its least, which asks for more than the 4 that one in 900 of 36 pairs of 9 scales exceed by chance."""
HINTED = 3.0
"""Standard errors of measurement noise alone from which on a curve that goes both ways is not called smooth."""
LEFT_OUT, LEAST_KEPT = 3, 5
"""One in LEFT_OUT neighbouring models may be left out of the scatter, where LEAST_KEPT stay."""


class Change(NamedTuple):
    """`chi2` on `df` degrees of freedom about the weighted mean, `trend` its part on one (a straight line), and `p`,
    twice the smaller of the two tests' p. NaN where the noise of the scores is not known."""

    chi2: float
    df: int
    trend: float
    p: float


class Turn(NamedTuple):
    """The largest `rise` and `fall` between a smaller and a larger scale, each with its standard errors
    (`rise_z`, `fall_z`) against measurement noise and scatter, and `measured_z`, the smaller of the two against
    measurement noise alone (NaN where that is not known). `probability` is that the true scores both rise and fall by
    MATERIAL of the range, `shown` whether both are TURNED standard errors and MATERIAL."""

    rise: float
    fall: float
    rise_z: float
    fall_z: float
    measured_z: float
    probability: float
    shown: bool

    @property
    def hinted(self) -> bool:
        """Whether measurement noise alone does not explain both a rise and a fall, scatter between models may."""
        return self.measured_z >= HINTED and not self.shown


def change(places: Floats, values: Floats, variances: Floats) -> Change:
    """Return whether scores (in order of `places`) differ by more than their measurement noise, `variances`.

    >>> round(change(np.arange(8.0), np.full(8, 0.3), np.full(8, 0.01)).p, 2)
    1.0
    """
    df = len(values) - 1
    if df < 1 or not (variances > 0).all():
        return Change(math.nan, df, math.nan, math.nan)
    weight = 1 / variances
    about = values - np.average(values, weights=weight)
    along = places - np.average(places, weights=weight)
    whole = float((weight * about**2).sum())
    trend = float((weight * along * about).sum() ** 2 / (weight * along**2).sum())
    p = 2 * min(float(chi_squared.sf(whole, df)), float(chi_squared.sf(trend, 1)))
    return Change(whole, df, trend, min(p, 1.0))


def scatter_variance(places: Floats, values: Floats, variances: Floats) -> float:
    """Return the variance of models about their curve beyond that of measurement, never below 0: the least over all
    runs of up to a third of the models that are left out."""
    count = len(values)
    kept = [
        np.r_[0:start, start + length : count]
        for length in range(count // LEFT_OUT + 1)
        for start in range(count - length + 1)
        if count - length >= LEAST_KEPT or not length
    ]
    off = min(_off_the_line(places[members], values[members]) for members in kept)
    return max(off - float(np.median(variances)), 0.0)


def _off_the_line(places: Floats, values: Floats) -> float:
    """Return the mean square of what points lie off the line between their neighbours, in units of one point's."""
    share = (places[1:-1] - places[:-2]) / (places[2:] - places[:-2])
    between = values[:-2] * (1 - share) + values[2:] * share
    return float(np.mean((values[1:-1] - between) ** 2 / (1 + share**2 + (1 - share) ** 2)))


def turn(places: Floats, values: Floats, variances: Floats) -> Turn:
    """Return the largest rise and fall of at least three scores in order of `places`; `variances` 0 where the
    measurement's noise is not known."""
    scattered = variances + scatter_variance(places, values, variances)
    least = MATERIAL * float(np.ptp(values))
    rise, rise_error = _largest(values, scattered)
    fall, fall_error = _largest(-values, scattered)
    rise_z, fall_z = _z(rise, rise_error), _z(fall, fall_error)
    measurable = bool((variances > 0).all())
    alone = min(_z(*_largest(sign * values, variances)) for sign in (1, -1)) if measurable else math.nan
    material = min(rise, fall) >= least > 0
    sure = min(float(ndtr(_z(rise - least, rise_error))), float(ndtr(_z(fall - least, fall_error))))
    shown = material and min(rise_z, fall_z) >= TURNED
    return Turn(rise, fall, rise_z, fall_z, alone if material else 0.0, sure, shown)


def _largest(values: Floats, variances: Floats) -> tuple[float, float]:
    """Return the rise between two places that is the most standard errors, and its standard error."""
    early, late = np.triu_indices(len(values), 1)
    risen, error = values[late] - values[early], np.sqrt(variances[late] + variances[early])
    best = int(np.argmax(risen / np.maximum(error, 1e-300)))
    return float(risen[best]), float(error[best])


def _z(size: float, error: float) -> float:
    return size / error if error > 0 else math.copysign(math.inf, size) if size else 0.0
