"""A small RASP (Weiss et al. 2021, arXiv 2106.06981) for decoders: programs are expressions over numbers.

Every variable is one number a position: of the token itself (`Feature`), attended (`Attended`: what a head brings), or
mapped (`Stairs`: a table of the number that a form takes). A `Form` is a linear combination and costs nothing.

    tok = Feature("token", {"a": 0, "b": 1})
    fetch(position(most), since("=", most).number + 1, tok)     # the token at the place that the answer asks for

RASP's selectors are `fetch` (select with ==, then aggregate), `width` (selector width), `total` (selector width by
token, weighted), `best` (the largest), `mean` (all), `shift`, `since` and `latest` (by distance, through RoPE). All are
causal.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

BOS, SEP, EOS = "<bos>", "=", "<eos>"
"""Every text begins with BOS, which heads attend to where nothing is selected; the answer stands after SEP."""
SURE = 130.0
"""Least distance of a logit or gate from where it would matter: exp(-130) is 0 in float32."""
EXCLUDED = 2 * SURE
"""What is taken from the logit of a token that a head by tokens leaves out."""


class Variable:
    """A number at each position. Hashed by identity: the same object is the same coordinate."""

    bound: float
    """No value is larger in size."""

    def form(self) -> "Form":
        """Return the form that is this variable."""
        return Form({self: 1.0})

    def __add__(self, other: "Variable | Form | float") -> "Form":
        return self.form() + other

    def __sub__(self, other: "Variable | Form | float") -> "Form":
        return self.form() - other

    def __mul__(self, factor: float) -> "Form":
        return self.form() * factor

    __radd__, __rmul__ = __add__, __mul__


@dataclass(frozen=True, eq=False)
class Form:
    """A linear combination of variables, and a constant."""

    terms: Mapping[Variable, float] = field(default_factory=dict)
    constant: float = 0.0

    def __add__(self, other: "Variable | Form | float") -> "Form":
        other = as_form(other)
        terms = dict(self.terms)
        for variable, factor in other.terms.items():
            terms[variable] = terms.get(variable, 0.0) + factor
        return Form({term: by for term, by in terms.items() if by}, self.constant + other.constant)

    def __sub__(self, other: "Variable | Form | float") -> "Form":
        return self + as_form(other) * -1.0

    def __mul__(self, factor: float) -> "Form":
        return Form({term: by * factor for term, by in self.terms.items()}, self.constant * factor)

    __radd__, __rmul__ = __add__, __mul__

    @property
    def bound(self) -> float:
        """Return what no value is larger than in size."""
        return abs(self.constant) + sum(abs(by) * term.bound for term, by in self.terms.items())


def as_form(value: Variable | Form | float) -> Form:
    """Return a variable or a constant as a form."""
    if isinstance(value, Form):
        return value
    return value.form() if isinstance(value, Variable) else Form({}, float(value))


class Feature(Variable):
    """A number of the token at the position itself: a column of the embedding. Tokens not named have 0."""

    def __init__(self, name: str, table: Mapping[str, float]) -> None:
        self.name, self.table = name, {token: float(value) for token, value in table.items()}
        self.bound = max(map(abs, self.table.values()))

    @property
    def number(self) -> Variable:
        """Return the variable itself."""
        return self

    @cached_property
    def squared(self) -> Variable:
        """Return the feature's square."""
        return Feature(f"{self.name}^2", {token: value**2 for token, value in self.table.items()})

    @property
    def at_bos(self) -> float:
        """Return the value at the first position."""
        return self.table.get(BOS, 0.0)


Relation = Literal["before", "since", "latest"]


@dataclass(frozen=True, eq=False)
class Head:
    """One attention head: logits are the sum of products of a query form and a key form, and of a distance.

    `relative` "before": the position one before; "since": a key of which `marked` is 1 is worth a number of its
    distance (0 .. `furthest`), against 0 for BOS; "latest": the nearest of these keys takes all.
    """

    dots: tuple[tuple[Form, Form], ...] = ()
    relative: Relation | None = None
    marked: Form | None = None
    furthest: int = 0

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """Return the variables that queries and keys are made of."""
        forms = [form for dot in self.dots for form in dot] + ([self.marked] if self.marked else [])
        return tuple(dict.fromkeys(term for form in forms for term in form.terms))


class Attended(Variable):
    """The mean of `value` over what `head` attends to."""

    def __init__(self, head: Head, value: Variable | Form, bound: float | None = None) -> None:
        self.head, self.value = head, as_form(value)
        self.bound = self.value.bound if bound is None else bound


class Stairs(Variable):
    """A step function of a form: `levels` are its values (nothing else is reached) and what each is mapped to.

    `slack` is how far the form's value may be from its level. Where the form holds what a `since` head leaves BOS with,
    the levels hang on RoPE's frequencies: `levels_of` makes them of the shares at distances 0, 1, ..
    """

    def __init__(
        self, form: Variable | Form, levels: Sequence[tuple[float, float]], slack: float = 0.0
    ) -> None:
        self.form_in, self.levels, self.slack = as_form(form), tuple(levels), slack
        self.since: Head | None = None
        self.levels_of: Callable[[Sequence[float]], list[tuple[float, float]]] = lambda shares: []
        self.bound = max(abs(to) for _, to in self.levels) or 1.0


AT_BOS = Feature("first", {BOS: 1.0})
"""1 at the first position: heads that count find in it what share of the attention BOS is left with."""


class Counted:
    """A whole number read off the share that BOS is left with: `number`, `squared`, or any function of it."""

    def __init__(self, make: Callable[[Callable[[int], float]], Stairs], at_bos: float) -> None:
        self._make, self.at_bos = make, at_bos

    def map(self, function: Callable[[int], float]) -> Stairs:
        """Return a function of the number (a column of the same table)."""
        return self._make(function)

    @cached_property
    def number(self) -> Variable:
        """Return the number."""
        return self.map(float)

    @cached_property
    def squared(self) -> Variable:
        """Return its square."""
        return self.map(lambda count: float(count**2))


class Shifted:
    """A feature of the token before."""

    def __init__(self, feature: Feature, furthest: int) -> None:
        self._head, self._feature = Head(relative="before", furthest=furthest), feature
        self.at_bos = feature.at_bos

    @cached_property
    def number(self) -> Variable:
        """Return the number."""
        return Attended(self._head, self._feature)

    @cached_property
    def squared(self) -> Variable:
        """Return its square."""
        return Attended(self._head, self._feature.squared)


@dataclass(frozen=True, eq=False)
class Numbered:
    """A whole number and its square, made elsewhere."""

    number: Variable
    squared: Variable


Whole = Feature | Counted | Shifted
"""A whole number with its square: what keys and queries are made of."""


def total(weights: Mapping[str, int] | None, most: int) -> Counted:
    """Return the sum of the weights of all tokens so far, 0 .. `most`; None: each but BOS weighs 1 (the position).

    A key's logit is the logarithm of its weight, so that BOS (logit 0) is left with 1 / (1 + sum).
    """
    dots: tuple[tuple[Form, Form], ...] = ()
    if weights is not None:
        logits = {token: math.log(weight) if weight else -EXCLUDED for token, weight in weights.items()}
        if any(logits.values()):
            dots = ((Form({}, 1.0), Feature("log weight", logits).form()),)
    return _counted(Attended(Head(dots), AT_BOS), most)


def position(most: int) -> Counted:
    """Return the position, 0 (BOS) .. `most`."""
    return total(None, most)


def _counted(share: Attended, most: int) -> Counted:
    def make(function: Callable[[int], float]) -> Stairs:
        return Stairs(share, [(1 / (1 + count), function(count)) for count in range(most + 1)])

    return Counted(make, 0.0)


def since(marker: str, tokens: Sequence[str], most: int, before: int = -1) -> Counted:
    """Return the distance to the one `marker`, 0 .. `most`; `before` where it has not come yet."""
    share = _share_since(marker, tokens, most)

    def make(function: Callable[[int], float]) -> Stairs:
        made = Stairs(share, [(math.nan, function(distance)) for distance in (*range(most + 1), before)])
        made.since = share.head
        made.levels_of = lambda shares: [
            *((share, function(distance)) for distance, share in enumerate(shares)), (1.0, function(before)),
        ]  # fmt: skip
        return made

    return Counted(make, float(before))


def after(marker: str, here: Sequence[Feature], tokens: Sequence[str], most: int) -> tuple[Stairs, ...]:
    """Return for each feature of 0 and 1 whether it is 1 and the `marker` has come, within `most` positions."""
    share = _share_since(marker, tokens, most)
    made = tuple(Stairs(levels - share, [(math.nan, 1.0)]) for levels in here)
    for stair in made:
        stair.since = share.head
        stair.levels_of = lambda shares: [
            (-1.0, 0.0), (0.0, 0.0), *((-at, 0.0) for at in shares), *((1 - at, 1.0) for at in shares),
        ]  # fmt: skip
    return made


def _share_since(marker: str, tokens: Sequence[str], most: int) -> Attended:
    """Return what BOS is left with by a head that weighs the marker by its distance and no other token."""
    left_out = Feature(f"not {marker}", {token: 1.0 for token in tokens if token not in (marker, BOS)})
    marked = Feature(f"is {marker}", {marker: 1.0})
    return Attended(Head(((Form({}, -EXCLUDED), left_out.form()),), "since", marked.form(), most), AT_BOS)


def shift(feature: Feature, furthest: int) -> Shifted:
    """Return the feature of the token before (BOS: its own), within `furthest` positions."""
    return Shifted(feature, furthest)


def mean(value: Variable | Form, head: Head | None = None) -> Attended:
    """Return the mean over all positions so far, BOS with them. Means of one `head` share it."""
    return Attended(head or Head(), value)


def best(by: Variable | Form, value: Variable | Form) -> Attended:
    """Return `value` where `by` (whole numbers) is largest so far."""
    return Attended(Head(((Form({}, SURE), as_form(by)),)), value)


def latest(marked: Feature, value: Feature, furthest: int) -> Attended:
    """Return `value` (0 at tokens that are not marked) at the latest token of which `marked` is 1, within `furthest`
    positions; 0 where there is none: then all positions are worth the same."""
    return Attended(Head((), "latest", marked.form(), furthest), value)


@dataclass(frozen=True, eq=False)
class Fetched:
    """The positions whose key equals the query. `of` brings what stands there."""

    head: Head

    def of(self, value: Variable | Form) -> Attended:
        """Return `value` there."""
        return Attended(self.head, value)


def fetch(key: Whole | Numbered, query: Variable | Form) -> Fetched:
    """Select the position whose key equals the whole number `query`; exactly one does.

    The logit is 2 q k - k^2 = q^2 - (q - k)^2: largest where they are equal, by 1 or more.
    """
    scale = Form({}, SURE)
    return Fetched(
        Head(((as_form(query) * (2 * SURE), key.number.form()), (scale, key.squared.form() * -1.0)))
    )


def fetch_latest(key: Whole, query: Whole, only: Feature, place: Counted, most: int) -> Fetched:
    """Select the latest position with an equal key among tokens of which `only` is 1; BOS where there is none.

    `place` (up to `most`) breaks ties. Logits: 0.4 place / most - (q - k)^2 there, -1/2 at BOS.
    """
    tie = 0.4 / most
    scale = SURE / min(tie, 0.1)
    allowed = (only - 1.0) * 4.0 + place.number * tie
    return Fetched(Head(_compared(key, query, allowed, scale, at_bos=-0.5)))


def width(key: Whole, query: Whole, only: Feature, most: int) -> Counted:
    """Return how many positions have a key equal to the query, among tokens of which `only` is 1."""
    return _counted(Attended(Head(_compared(key, query, (only - 1.0) * 4.0, SURE, at_bos=0.0)), AT_BOS), most)


def _compared(
    key: Whole, query: Whole, allowed: Form, scale: float, at_bos: float
) -> tuple[tuple[Form, Form], ...]:
    """Return the dots of -(q - k)^2 + allowed, with `at_bos` in place of all that at BOS (which counts as not `only`,
    place 0)."""
    number, squared = key.number - AT_BOS * key.at_bos, key.squared - AT_BOS * key.at_bos**2
    return (
        (query.number * (2 * scale), number),
        (Form({}, scale), allowed + AT_BOS * (4.0 + at_bos) - squared),
        (query.squared * -scale, AT_BOS * -1.0 + 1.0),
    )


def mapped(
    form: Variable | Form, low: int, high: int, function: Callable[[int], float], slack: float = 0.05
) -> Stairs:
    """Return a function of a whole number low .. high, which the form equals within `slack`."""
    return Stairs(form, [(float(value), function(value)) for value in range(low, high + 1)], slack)


Scores = Mapping[str, Form]
"""What a program ends with: a score for each token it may answer, the largest by a margin of 1 or more."""


def nearest(form: Variable | Form, tokens: Mapping[str, float]) -> dict[str, Form]:
    """Return scores that are largest for the token whose number is nearest: 2 v x - v^2."""
    return {token: as_form(form) * (2 * value) - value**2 for token, value in tokens.items()}
