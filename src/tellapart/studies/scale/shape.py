"""What each curve is: smooth, sharp, not monotone, too noisy or too few points; with its ratios and its forecast."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from tellapart.stats.arrays import Floats
from tellapart.stats.emergence import breakthroughness, linearity
from tellapart.stats.emergence_change import Change, Turn, change, turn
from tellapart.stats.emergence_compare import compare, grouped
from tellapart.stats.emergence_fit import Curves
from tellapart.stats.emergence_forecast import LEAST as LEAST_TO_FORECAST
from tellapart.stats.emergence_forecast import forecast
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.scale.curves import LEAST, ScoreCurve

Form = Literal["smooth", "sharp", "not monotone", "too noisy", "too few points"]

SAME = 0.01
"""Scores that differ by no more than their noise at this p (emergence_change.py) have no form."""
CHANGED = 0.05
"""A curve whose weight of "no change but scatter" is above this is too noisy to have a form."""
SHARP_FROM, SMOOTH_FROM = 0.7, 0.6
"""Probabilities from which on a curve is called sharp, or smooth; a jump is the stronger claim."""


class Shaped(NamedTuple):
    """A curve's form, the probability that it is sharp rather than smooth, the weight of no change, the held-out
    log-likelihood of broken less that of smooth (nats), the best shape's name, why it has no form ("" where it has),
    the test of change and the largest rise and fall (None with too few points), and the estimates. `stairs` says
    that a sharp curve's change is in two steps."""

    form: Form
    sharp: float
    flat: float
    difference: float
    best: str
    reason: str
    change: Change | None
    turn: Turn | None
    stairs: bool
    breakthroughness: Estimate
    linearity: Estimate
    forecast: "Forecast"

    @property
    def sure(self) -> float:
        """The probability of the form, NaN where it has none."""
        turned = math.nan if self.turn is None else self.turn.probability
        sureness = {"smooth": 1 - self.sharp, "sharp": self.sharp, "not monotone": turned}
        return sureness.get(self.form, math.nan)


class Forecast(NamedTuple):
    """The largest scale forecast from the smaller ones (central 90 %), beside the score that is there. `says` is
    whether the interval is narrower than the range of the scores it was made from."""

    estimate: Estimate
    truth: float
    scale: float
    says: bool


def shaped(curves: Sequence[ScoreCurve], hold_out: int, seed: int) -> list[Shaped]:
    """Return what each curve is, in their order."""
    compared = _compared(curves)
    forecasts = _forecasts(curves, hold_out)
    made = []
    for index, curve in enumerate(curves):
        compared_here = compared[index]
        jump, even = (
            measure(curve.values, curve.variances, seed) for measure in (breakthroughness, linearity)
        )
        made.append(Shaped(*compared_here, jump, even, forecasts[index]))
    return made


def places(x: Floats, last: int = -1) -> Floats:
    """Return the places of `x`: 0 the smallest, 1 the one at `last`."""
    return (x - x[0]) / (x[last] - x[0])


class _Found(NamedTuple):
    """The first fields of Shaped."""

    form: Form
    sharp: float = math.nan
    flat: float = math.nan
    difference: float = math.nan
    best: str = ""
    reason: str = ""
    change: Change | None = None
    turn: Turn | None = None
    stairs: bool = False


def _compared(curves: Sequence[ScoreCurve]) -> list[_Found]:
    fits = [_unfit(curve) for curve in curves]
    fit = [i for i, fitted in enumerate(fits) if not fitted.reason]
    for at, members in grouped([tuple(curves[i].x) for i in fit]).items():
        own = [fit[k] for k in members]
        values = np.array([curves[i].values for i in own])
        seen = compare(Curves(places(np.array(at)), values, np.array([curves[i].variances for i in own])))
        for row, i in enumerate(own):
            flat, smooth, broken, stairs = (float(weight) for weight in seen.weights[row])
            sharp = (broken * float(seen.material[row]) + stairs) / max(smooth + broken + stairs, 1e-300)
            difference = float(max(seen.held_out[row, 2:]) - seen.held_out[row, 1])
            changed = change(places(curves[i].x), curves[i].values, curves[i].variances)
            turned = turn(places(curves[i].x), curves[i].values, curves[i].variances)
            form, reason = _form(flat, sharp, changed, turned)
            fits[i] = _Found(
                form, sharp, flat, difference, seen.best[row], reason, changed, turned, stairs > broken
            )
    return fits


def _unfit(curve: ScoreCurve) -> _Found:
    """Return why a curve cannot be compared; the reason is empty where it can."""
    if len(curve.x) < LEAST:
        return _Found("too few points", reason=f"{len(curve.x)} scales, {LEAST} are needed")
    if np.ptp(curve.values) == 0:
        return _Found("too noisy", reason="the score never changes")
    return _Found("too noisy")


def _form(flat: float, sharp: float, changed: Change, turned: Turn) -> tuple[Form, str]:
    """Return the form and, where there is none, why: first whether anything changes, then whether it goes one way."""
    tested = f"chi-squared {changed.chi2:.4g} on {changed.df} degrees of freedom, p = {changed.p:.2g}"
    if changed.p > SAME:
        return "too noisy", f"no change beyond the noise ({tested})"
    if turned.shown:
        return "not monotone", ""
    if turned.hinted:
        return (
            "too noisy",
            f"the scores go up and down by more than their noise ({tested}), in no order over scale",
        )
    if flat > CHANGED:
        facts = (
            f"the scores differ by more than their noise ({tested}), but"
            if changed.p <= SAME
            else "the scores"
        )
        return "too noisy", f"{facts} follow no curve over scale better than none"
    if sharp >= SHARP_FROM:
        return "sharp", ""
    if sharp <= 1 - SMOOTH_FROM:
        return "smooth", ""
    return "too noisy", "smooth and broken curves foretell held-out points equally well"


def _forecasts(curves: Sequence[ScoreCurve], hold_out: int) -> list[Forecast]:
    made: list[Forecast] = []
    for curve in curves:
        left = len(curve.x) - hold_out
        reason = f"{max(left, 0)} smaller scales, {LEAST_TO_FORECAST} are needed"
        if left >= LEAST_TO_FORECAST and np.ptp(curve.values[:left]) == 0:
            reason = "the smaller scores never change"
        has_points = len(curve.x) > 0
        truth, scale = (float(part[-1]) if has_points else math.nan for part in (curve.values, curve.scale))
        made.append(Forecast(missing("score", reason, max(left, 0)), truth, scale, False))
    able = [
        i
        for i, curve in enumerate(curves)
        if len(curve.x) - hold_out >= LEAST_TO_FORECAST and np.ptp(curve.values[:-hold_out]) > 0
    ]
    for at, members in grouped([tuple(curves[i].x) for i in able]).items():
        own = [able[k] for k in members]
        where = places(np.array(at), -hold_out - 1)
        small = Curves(
            where[:-hold_out],
            np.array([curves[i].values[:-hold_out] for i in own]),
            np.array([curves[i].variances[:-hold_out] for i in own]),
        )
        extrapolated = forecast(small, float(where[-1]), np.array([curves[i].variances[-1] for i in own]))
        for row, i in enumerate(own):
            made[i] = _make_forecast(
                curves[i], tuple(float(part[row]) for part in extrapolated), len(small.places)
            )
    return made


def _make_forecast(curve: ScoreCurve, of: tuple[float, ...], n: int) -> Forecast:
    value, low, high = of
    method = "90 % interval, all shapes weighted by their evidence on the smaller scales"
    estimate = Estimate(value, low, high, n, "score", method)
    says = high - low < float(np.ptp(curve.values[:n]))
    return Forecast(estimate, float(curve.values[-1]), float(curve.scale[-1]), says)
