"""What a program needs of a network: the layer of each variable, its coordinate, heads, neurons, and the constants.

RMSNorm is made neutral bit by bit: constant coordinates bring the residual's mean square to 4096 exactly, and all
variables together stay below a quarter of the rounding unit of that sum. So the norm divides by 64 in float32 whatever
the variables are, and its weight multiplies by 64. A coordinate that nothing reads any more is cleared and used again.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from tellapart.rasp.language import Attended, Feature, Head, Scores, Stairs, Variable

ROOT = 64
"""The constant root mean square of the residual stream."""
LARGEST = 2.0**-8
"""No variable's coordinate is larger: 60 of them have squares of less than a quarter of 2^-8, the rounding unit."""
MOST_COORDINATES = 60


@dataclass(frozen=True)
class Step:
    """A step of a staircase: below `at` (in units of the form) values are lower by `jump`; `reach` is how near to it
    the form may come."""

    at: float
    reach: float
    jump: float


@dataclass(frozen=True, eq=False)
class Layer:
    """What one layer brings: heads with the variables they write, and staircases; `cleared` coordinates."""

    heads: tuple[tuple[Head, tuple[Attended, ...]], ...]
    stairs: tuple[Stairs, ...]
    cleared: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """A program without weights. `coordinates` are the places of variables among the `variables` first ones; `symbols`
    are its tokens in the order of their ids."""

    symbols: tuple[str, ...]
    scores: Scores
    layers: tuple[Layer, ...]
    coordinates: Mapping[Variable, int]
    variables: int
    features: tuple[Feature, ...]
    context: int

    @property
    def heads(self) -> int:
        """Return the most heads of a layer."""
        return max((len(layer.heads) for layer in self.layers), default=0)

    @property
    def width(self) -> int:
        """Return the least width: variables and the constants of that width; a multiple of the heads, as Llama asks."""
        heads = max(1, self.heads)
        return next(
            width for width in range(self.variables + 1, self.variables + 5 + heads)
            if self.variables + len(constants(width)) <= width and width % heads == 0
        )  # fmt: skip

    @property
    def nodes(self) -> int:
        """Return how many variables the program has."""
        return len(self.coordinates)


def lay_out(symbols: Sequence[str], scores: Scores, context: int) -> Layout:
    """Return the layout of a program's scores."""
    times = _times(scores)
    last = max(times.values(), default=0)
    depth = max(1, math.ceil(last / 2))
    reads = _last_reads(scores, times)
    coordinates, cleared, used = _places(times, reads)
    if used > MOST_COORDINATES:
        raise AssertionError(f"{used} coordinates: {MOST_COORDINATES} keep the norm constant")
    layers = []
    for number in range(1, depth + 1):
        heads: dict[Head, list[Attended]] = {}
        for variable in times:
            if isinstance(variable, Attended) and times[variable] == 2 * number - 1:
                heads.setdefault(variable.head, []).append(variable)
        stairs = tuple(
            variable for variable in times if isinstance(variable, Stairs) and times[variable] == 2 * number
        )
        gone = tuple(place for time, place in cleared if time == 2 * number)
        layers.append(Layer(tuple((head, tuple(ones)) for head, ones in heads.items()), stairs, gone))
    features = tuple(variable for variable in times if isinstance(variable, Feature))
    return Layout(tuple(symbols), scores, tuple(layers), coordinates, used, features, context)


def _inputs(variable: Variable) -> tuple[Variable, ...]:
    match variable:
        case Attended(head=head, value=value):
            return (*head.inputs, *value.terms)
        case Stairs(form_in=form):
            return tuple(form.terms)
        case _:
            return ()


def _times(scores: Scores) -> dict[Variable, int]:
    """Return when each variable is there: 0 the embedding, 2 n - 1 the attention of layer n, 2 n its MLP."""
    times: dict[Variable, int] = {}

    def visit(variable: Variable) -> int:
        if variable not in times:
            ready = max((visit(before) for before in _inputs(variable)), default=0)
            if isinstance(variable, Feature):
                times[variable] = 0
            else:
                times[variable] = (
                    ready + 1 if (ready % 2 == 0) == isinstance(variable, Attended) else ready + 2
                )
        return times[variable]

    for form in scores.values():
        for variable in form.terms:
            visit(variable)
    return dict(sorted(times.items(), key=lambda pair: pair[1]))


def _last_reads(scores: Scores, times: Mapping[Variable, int]) -> dict[Variable, float]:
    """Return when each variable is read last; infinite where a score reads it."""
    reads: dict[Variable, float] = dict(times)
    for variable, time in times.items():
        for before in _inputs(variable):
            reads[before] = max(reads[before], time)
    for form in scores.values():
        reads.update(dict.fromkeys(form.terms, math.inf))
    return reads


def _places(
    times: Mapping[Variable, int], reads: Mapping[Variable, float]
) -> tuple[dict[Variable, int], set[tuple[int, int]], int]:
    """Return each variable's coordinate, (time, coordinate) of what is cleared, and how many are used.

    What is read last at time t can be cleared by the MLP at or after t; what is written there then may take its place.
    """
    places: dict[Variable, int] = {}
    cleared: set[tuple[int, int]] = set()
    free: list[tuple[int, int]] = []
    used = 0
    for variable, time in times.items():
        ready = next((slot for slot in sorted(free) if slot[0] <= time), None)
        if ready is None:
            places[variable], used = used, used + 1
        else:
            free.remove(ready)
            cleared.add(ready)
            places[variable] = ready[1]
        if math.isfinite(reads[variable]):
            free.append((2 * math.ceil(reads[variable] / 2), places[variable]))
    return places, cleared, used


def scale_of(variable: Variable) -> float:
    """Return the power of two by which a variable is written, so that it stays within LARGEST."""
    return 2.0 ** math.floor(math.log2(LARGEST / max(variable.bound, 2.0**-8)))


@cache
def constants(width: int) -> tuple[int, ...]:
    """Return the fewest whole numbers whose squares sum to `width` (four at most: Lagrange), the largest first."""
    return next(squares for count in range(1, 5) for squares in _squares(width, count))


def _squares(left: int, count: int) -> Iterator[tuple[int, ...]]:
    if count == 1:
        root = math.isqrt(left)
        if root * root == left and root:
            yield (root,)
        return
    for first in range(math.isqrt(left), 0, -1):
        for others in _squares(left - first * first, count - 1):
            yield (first, *others)


def steps(levels: Sequence[tuple[float, float]], slack: float) -> tuple[float, tuple[Step, ...]]:
    """Return the value above all steps, and a step between any two neighbouring levels that are mapped apart.

    Below a step the value is lower by its jump. Raises ValueError where two levels cannot be told apart."""
    result = []
    ordered = sorted(levels)
    for (low, to_low), (high, to_high) in pairwise(ordered):
        if to_low == to_high:
            continue
        reach = (high - low) / 2 - slack
        if reach <= 0:
            raise ValueError(f"levels {low} and {high} lie too near for a slack of {slack}")
        result.append(Step((low + high) / 2, reach, to_high - to_low))
    return ordered[-1][1], tuple(result)
