"""Shapes that a score may take over the logarithm of scale, sorted into smooth and broken ones.

`place` is the place of a model in the measured range of log scale: 0 the smallest, 1 the largest. A shape is
`broken` where 80 % of its change within the range lies in at most SHARP of the range, and `smooth` where it takes
at least GRADUAL of it. One that changes from the start on, ever more slowly (a power law of the scale), is smooth
however fast: diminishing returns are no break. Shapes between the two are in neither list. `stairs` are two steps with
a level of at least two models between them: what a gradual curve never shows, though its change is as wide.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from tellapart.stats.arrays import Floats

Family = Literal["flat", "smooth", "broken", "stairs"]
Curve = Callable[[Floats], Floats]

SHARP, GRADUAL = 0.36, 0.5
"""Shares of the measured range within which a broken curve makes, and a smooth one at least takes for, 80 % of
its change."""
AT_ONCE = 0.1
"""A curve that has made a tenth of its change by this place starts at once."""
WITH_LINE = ("power -8", "power -5", "power -3")
"""Powers that also stand with a straight line beside them, as all broken logistic curves do."""
RATIOS = (0.5, 1.0, 2.0)
"""Heights of a second step over the first."""
_FINE = np.linspace(0.0, 1.0, 1001)
_TENTH_TO_NINE = 2 * np.log(9.0)
"""A logistic curve passes from 10 to 90 % of its change over this many units of its slope."""


@dataclass(frozen=True)
class Shape:
    """A curve over `place`; `trend` adds a straight line of free slope to it."""

    name: str
    family: Family
    curve: Curve
    trend: bool = False


def logistic(centre: float, width: float) -> Curve:
    """Return the logistic curve that passes from 10 to 90 % within `width` around `centre`."""
    return lambda place: 1 / (1 + np.exp(-np.clip((place - centre) * _TENTH_TO_NINE / width, -500, 500)))


def exponential(rate: float) -> Curve:
    """Return exp(rate (place - 1)): a power of the scale, accelerating for rate > 0, decelerating below."""
    return lambda place: np.exp(rate * (place - 1)) if rate > 0 else -np.exp(rate * place)


def gompertz(centre: float, rate: float) -> Curve:
    """Return exp(-exp(-rate (place - centre))): p^L where the loss a token is a power law of the scale."""
    return lambda place: np.exp(-np.exp(np.clip(-rate * (place - centre), -500, 500)))


def hinge(knee: float) -> Curve:
    """Return the curve that is flat up to `knee` and straight from there on."""
    return lambda place: np.maximum(0.0, place - knee)


def step(at: float) -> Curve:
    """Return the step at `at`."""
    return lambda place: (place > at).astype(np.float64)


def stairs(first: float, second: float, ratio: float) -> Curve:
    """Return two steps, the second `ratio` times as high as the first; a place at a step is half-way up."""
    return lambda place: np.sign(place - first) / 2 + 0.5 + ratio * (np.sign(place - second) / 2 + 0.5)


def width_of_change(curve: Curve) -> tuple[float, float]:
    """Return where in [0, 1] a monotone curve has made a tenth of its change, and how far it then is to nine tenths.

    >>> start, width = width_of_change(lambda place: place)
    >>> round(start, 2), round(width, 2)
    (0.1, 0.8)
    """
    made = curve(_FINE)
    made = (made - made[0]) / (made[-1] - made[0])
    start = float(_FINE[np.argmax(made >= 0.1)])
    return start, float(_FINE[np.argmax(made >= 0.9)]) - start


def family_of(curve: Curve) -> Family | None:
    """Return whether a monotone curve is smooth or broken, None between the two."""
    start, width = width_of_change(curve)
    if start < AT_ONCE or width >= GRADUAL:
        return "smooth"
    return "broken" if width <= SHARP else None


def shapes(places: Floats) -> tuple[Shape, ...]:
    """Return all shapes for curves measured at `places` (sorted, distinct, from 0 to 1): a step needs two places
    before it and one after it."""
    steps = [
        Shape(f"step {at:.2f}{' + line' * with_line}", "broken", step(float(at)), bool(with_line))
        for at in (places[1:-1] + places[2:]) / 2
        for with_line in (0, 1)
    ]
    return (*_free_shapes(), *steps, *_stairs(places))


def _stairs(places: Floats) -> list[Shape]:
    """Return all stairs: two places or more lie before the first step and between the two, one or more after."""
    at = np.sort(np.concatenate([(places[1:] + places[:-1]) / 2, places[1:-1]]))
    return [
        Shape(f"stairs {first:.2f} {second:.2f} {ratio:g}", "stairs", stairs(first, second, ratio))
        for first, second in combinations(at.tolist(), 2)
        if (places < first).sum() >= 2
        and ((places > first) & (places < second)).sum() >= 2
        and (places > second).any()
        for ratio in RATIOS
    ]


@functools.cache
def _free_shapes() -> tuple[Shape, ...]:
    """Return the shapes that do not hang on where the models lie."""
    free: list[tuple[str, Curve]] = [
        (f"power {rate:g}", exponential(rate)) for rate in (-8, -5, -3, -2, -1, 1, 2, 3, 8, 12, 20)
    ]
    for width, apart in (
        (0.1, 0.05),
        (0.2, 0.1),
        (0.3, 0.1),
        (0.55, 0.1),
        (0.65, 0.1),
        (0.8, 0.1),
        (1.1, 0.2),
    ):
        centres = np.arange(0.0, 1.25, apart)
        free += [(f"logistic {centre:.2f} {width:g}", logistic(float(centre), width)) for centre in centres]
    free += [
        (f"Gompertz {centre:g} {rate:g}", gompertz(centre, rate))
        for rate in (1.5, 2.5, 3.5, 5.0)
        for centre in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3)
    ]
    free += [(f"hinge {knee:g}", hinge(knee)) for knee in (0.3, 0.62, 0.7, 0.78, 0.86)]
    made = [Shape("flat", "flat", np.zeros_like), Shape("line", "smooth", lambda place: place)]
    for name, curve in free:
        family = family_of(curve)
        if family is not None:
            made.append(Shape(name, family, curve))
            if name in WITH_LINE or (family == "broken" and name.startswith("logistic")):
                made.append(Shape(f"{name} + line", family, curve, trend=True))
    return tuple(made)


def matrix(of: tuple[Shape, ...], places: Floats, measured: Floats | None = None) -> Floats:
    """Return the shapes at `places`: (shapes, places), in units of their change over the places `measured`
    (default: the same), so that a slope tells a curve's visible change."""
    change = np.array([np.ptp(shape.curve(places if measured is None else measured)) for shape in of])
    return np.array([shape.curve(places) for shape in of]) / np.where(change > 1e-9, change, 1.0)[:, None]
