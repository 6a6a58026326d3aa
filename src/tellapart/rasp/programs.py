"""Twelve programs, each with what it answers in plain Python, which the compiled network is checked against.

Inputs are tokens of one character; the text is BOS, the input, SEP, the answer. Answers that are lists end with EOS;
an answer of one token ends there, and nothing is claimed of what follows.
`predicted` is what RASP-L (Zhou et al. 2023, arXiv 2310.16028) expects of training on short inputs alone.
"""

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tellapart.errors import InvalidInput
from tellapart.rasp.language import (
    BOS,
    EOS,
    SEP,
    Attended,
    Feature,
    Form,
    Head,
    Scores,
    Stairs,
    Variable,
    after,
    best,
    fetch,
    fetch_latest,
    mapped,
    mean,
    nearest,
    position,
    shift,
    since,
    total,
    width,
)

Tokens = tuple[str, ...]
NUMERALS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Counts are written as one token each: 10 is A."""
LETTERS, NONE = "abcd", "?"
MODULUS = 5
SURELY = 1000.0
"""What a score is multiplied by where it rests on small differences of means."""


@dataclass(frozen=True)
class Program:
    """`inputs` are the input's tokens and `outputs` those that an answer may hold. `answer` is what the program gives;
    `build` returns its scores, for inputs of up to so many tokens. `places` says which tokens an input of a length may
    have at each place, None where it has no input of that length (default: any of `inputs` anywhere)."""

    name: str
    asks: str
    inputs: str
    outputs: Callable[[int], str]
    answer: Callable[[Tokens], Tokens]
    answer_length: Callable[[int], int]
    build: Callable[[int], Scores]
    predicted: Literal["generalises", "does not"]
    because: str
    lists: bool = True
    places: Callable[[int], Sequence[str] | None] | None = None

    def symbols(self, length: int) -> Tokens:
        """Return all tokens, in the order of their ids."""
        return tuple(dict.fromkeys((BOS, EOS, SEP, *self.inputs, *self.outputs(length))))

    def context(self, length: int) -> int:
        """Return how many tokens the network must read for inputs of up to `length` tokens: all but the last."""
        return length + 2 + max(self.answer_length(n) for n in self.lengths(length)) - (not self.lists)

    def lengths(self, length: int) -> list[int]:
        """Return the lengths of inputs, up to `length`. Raises InvalidInput where there is none."""
        lengths = [n for n in range(1, length + 1) if self.choices(n) is not None]
        if not lengths:
            raise InvalidInput(f"{self.name} has no input of up to {length} tokens: give a larger --length")
        return lengths

    def target(self, tokens: Tokens) -> Tokens:
        """Return the answer, with EOS where it is a list."""
        return (*self.answer(tokens), *((EOS,) if self.lists else ()))

    def choices(self, length: int) -> Sequence[str] | None:
        """Return the tokens that may stand at each place of an input of a length; None where there is no such input."""
        return [self.inputs] * length if self.places is None else self.places(length)

    def defined_on(self, tokens: Tokens) -> bool:
        """Return whether the program has an answer to an input."""
        choices = self.choices(len(tokens)) if tokens else None
        return choices is not None and all(
            token in allowed for token, allowed in zip(tokens, choices, strict=True)
        )

    def how_many(self, length: int) -> int:
        """Return how many inputs of exactly so many tokens there are."""
        choices = self.choices(length)
        return 0 if choices is None else math.prod(map(len, choices))

    def every(self, length: int) -> Iterator[Tokens]:
        """Yield every input of exactly so many tokens."""
        choices = self.choices(length)
        return itertools.product(*choices) if choices is not None else iter(())

    def draw(self, rng: random.Random, length: int) -> Tokens:
        """Return an input of a length that there are inputs of."""
        choices = self.choices(length)
        assert choices is not None
        return tuple(rng.choice(allowed) for allowed in choices)


def _tokens(program_inputs: str, outputs: str = "") -> Tokens:
    return tuple(dict.fromkeys((BOS, EOS, SEP, *program_inputs, *outputs)))


def _numbered(letters: str, **others: float) -> dict[str, float]:
    return {letter: float(place) for place, letter in enumerate(letters)} | others


_LETTER = _numbered(LETTERS) | {SEP: 4.0, BOS: -1.0}
_ENDING = _numbered(LETTERS) | {EOS: 4.0}
_NAMED = _numbered(LETTERS) | {NONE: -1.0}


def _copy(length: int) -> Scores:
    step = since(SEP, _tokens(LETTERS), length)
    here = fetch(position(2 * length + 1), step.number + 1.0)
    return nearest(here.of(Feature("letter", _LETTER)), _ENDING)


def _reverse(length: int) -> Scores:
    step, place = since(SEP, _tokens(LETTERS), length), position(2 * length + 1)
    here = fetch(place, place.number - step.number * 2.0 - 1.0)
    return nearest(here.of(Feature("letter", _numbered(LETTERS) | {BOS: 4.0})), _ENDING)


def _histogram(length: int) -> Scores:
    step = since(SEP, _tokens(LETTERS, NUMERALS[: length + 1]), len(LETTERS))
    letter = Feature("letter", _numbered(LETTERS))
    counted = width(letter, step, Feature("is letter", dict.fromkeys(LETTERS, 1.0)), length).number
    ended = step.map(lambda at: float(at == len(LETTERS)))
    counts = nearest(counted, {NUMERALS[count]: float(count) for count in range(length + 1)})
    return {**counts, EOS: (ended - 0.5) * (4.0 * length**2 + 4.0)}


def _sort(length: int) -> Scores:
    here = [Feature(f"is {letter}", {letter: 1.0}) for letter in LETTERS]
    answered = after(SEP, here, _tokens(LETTERS), length)
    everything, scores = Head(), {EOS: Form({}, 0.5)}
    for place, letter in enumerate(LETTERS):
        left = mean(here[place] - answered[place] * 2.0, everything)
        scores[letter] = _above_none(left, 2 * length + 2) * float(len(LETTERS) - place)
    return scores


def _above_none(share: Attended, most: int) -> Variable:
    """Return whether a mean of numbers -1, 0, 1 over up to `most` positions, 0 or more in all, is above 0."""
    return Stairs(share, [(0.0, 0.0), (1 / most, 1.0)])


def _most_frequent(length: int) -> Scores:
    everything = Head()
    closest = 1.0 / (length + 2) / len(LETTERS)
    return {
        letter: (mean(Feature(f"is {letter}", {letter: 1.0}), everything) - place * closest) * SURELY
        for place, letter in enumerate(LETTERS)
    }


def _parity(length: int) -> Scores:
    ones = total({"1": 1, "0": 0, SEP: 0}, length)
    return nearest(ones.map(lambda count: float(count % 2)), _numbered("01"))


def _addition(length: int) -> Scores:
    most, digits = length // 2 + 1, "0123456789"
    tokens = _tokens(digits + "+")
    place, past_plus = position(3 * most + 2), since("+", tokens, 2 * most + 1)
    step, digit = since(SEP, tokens, most), Feature("digit", _numbered(digits))
    here = [fetch(key, step.number + 1.0).of(digit) for key in (place, past_plus)]
    before = [fetch(key, step.number).of(digit) for key in (place, past_plus)]
    # The sum before was y + 10 carry - (its own carry), y being the digit just written: a tenth of what is left of it
    # is this step's carry, or a tenth less.
    summed = here[0] + here[1] + (before[0] + before[1] - digit) * 0.1
    written = mapped(summed + 0.05, 0, 19, lambda value: float(value % 10), slack=0.06)
    ended = mapped(past_plus.number - step.number * 2.0, -2 * most, 2 * most, lambda left: float(left <= 0))
    return {**nearest(written, _numbered(digits)), EOS: (ended - 0.5) * 400.0}


def _bracket_depth(length: int) -> Scores:
    numerals = NUMERALS[: length + 1]
    step, place = since(SEP, _tokens("()", numerals), length), position(2 * length + 1)
    opened, closed = (
        total({bracket: int(bracket == counted) for bracket in _tokens("()", numerals) if bracket != BOS}, length)
        for counted in "()"
    )  # fmt: skip
    here = fetch(place, step.number + 1.0)
    depth = here.of(opened.number - closed.number)
    ended = here.of(Feature("is end", {SEP: 1.0}))
    counts = nearest(depth, {numeral: float(count) for count, numeral in enumerate(numerals)})
    return {**counts, EOS: (ended - 0.5) * (4.0 * length**2 + 4.0)}


def _induction(length: int) -> Scores:
    letter = Feature("letter", _numbered(LETTERS) | {BOS: -1.0, SEP: -2.0})
    before, most = shift(letter, length + 1), length + 1
    only = Feature("is letter", dict.fromkeys(LETTERS, 1.0))
    return nearest(fetch_latest(before, before, only, position(most), most).of(letter), _NAMED)


def _lookup(length: int) -> Scores:
    names = Feature("letter", _numbered(LETTERS) | {BOS: -1.0, SEP: -2.0} | dict.fromkeys("0123", 5.0))
    values = Feature("value", _numbered("0123") | {BOS: -1.0})
    before, most = shift(names, length + 1), length + 1
    only = Feature("is value", dict.fromkeys("0123", 1.0))
    there = fetch_latest(before, before, only, position(most), most)
    return nearest(there.of(values), _numbered("0123") | {NONE: -1.0})


def _modular_sum(length: int) -> Scores:
    digits = NUMERALS[:MODULUS]
    summed = total({digit: int(digit) for digit in digits} | {SEP: 0}, (MODULUS - 1) * length)
    return nearest(summed.map(lambda value: float(value % MODULUS)), _numbered(digits))


def _running_maximum(length: int) -> Scores:
    letter = Feature("letter", _LETTER)
    step = since(SEP, _tokens(LETTERS), length)
    here = fetch(position(2 * length + 1), step.number + 1.0)
    return nearest(here.of(best(letter, letter)), _ENDING)


def _most_frequent_answer(tokens: Tokens) -> Tokens:
    counts = Counter(tokens)
    return (min(counts, key=lambda token: (-counts[token], token)),)


def _added(tokens: Tokens) -> Tokens:
    first, second = "".join(tokens).split("+")
    summed = int(first[::-1]) + int(second[::-1])
    return tuple(str(summed).zfill(len(first) + 1)[::-1])


def _sum_places(length: int) -> Sequence[str] | None:
    half = ["0123456789"] * (length // 2)
    return [*half, "+", *half] if length % 2 == 1 and length > 1 else None


def _depths(tokens: Tokens) -> Tokens:
    depth = itertools.accumulate(1 if token == "(" else -1 for token in tokens)
    return tuple(NUMERALS[max(0, at)] for at in depth)


def _induced(tokens: Tokens) -> Tokens:
    for place in range(len(tokens) - 1, 0, -1):
        if tokens[place - 1] == tokens[-1]:
            return (tokens[place],)
    return (NONE,)


def _looked_up(tokens: Tokens) -> Tokens:
    for place in range(len(tokens) - 3, -1, -2):
        if tokens[place] == tokens[-1]:
            return (tokens[place + 1],)
    return (NONE,)


def _lookup_places(length: int) -> Sequence[str] | None:
    return [LETTERS if place % 2 == 0 else "0123" for place in range(length)] if length % 2 == 1 else None


_ONE: Callable[[int], int] = lambda n: 1  # noqa: E731
_EACH: Callable[[int], int] = lambda n: n  # noqa: E731

_ALL = (
    Program(
        "copy", "the input again", LETTERS, lambda n: "", lambda x: x, _EACH, _copy,
        "does not", "repeated tokens need indices, which RASP-L cannot compute with",
    ),
    Program(
        "reverse", "the input backwards", LETTERS, lambda n: "", lambda x: x[::-1], _EACH, _reverse,
        "does not", "needs arithmetic on indices",
    ),
    Program(
        "histogram", "how often each letter a, b, c, d stands in the input", LETTERS, lambda n: NUMERALS[: n + 1],
        lambda x: tuple(NUMERALS[x.count(letter)] for letter in LETTERS), lambda n: len(LETTERS), _histogram,
        "does not", "longer inputs need counts that were never answered",
    ),
    Program(
        "sort", "the letters in order", LETTERS, lambda n: "", lambda x: tuple(sorted(x)), _EACH, _sort,
        "generalises", "the least letter that is left is found by what tokens are, without indices",
    ),
    Program(
        "most_frequent", "the most frequent letter, the first of the alphabet among equals", LETTERS, lambda n: "",
        _most_frequent_answer, _ONE, _most_frequent,
        "generalises", "a mean and an argmax", lists=False,
    ),
    Program(
        "parity", "1 where the input has an odd number of ones, else 0", "01", lambda n: "",
        lambda x: (str(x.count("1") % 2),), _ONE, _parity,
        "does not", "no short RASP-L program: parity is not a bounded number of comparisons", lists=False,
    ),
    Program(
        "addition", "the sum of two numbers of as many digits, all written from the ones up", "0123456789+",
        lambda n: "", _added, lambda n: max(2, n // 2 + 1), _addition,
        "does not", "from the ones up the carry is local, but without index hints digits cannot be paired",
        places=_sum_places,
    ),
    Program(
        "bracket_depth", "how many more have opened than closed after each bracket (0 where fewer)", "()",
        lambda n: NUMERALS[: n + 1], _depths, _EACH, _bracket_depth,
        "does not", "depths are copied by index, and deeper ones were never answered",
    ),
    Program(
        "induction", "the letter after the last earlier one like the input's last; ? where there is none", LETTERS,
        lambda n: NONE, _induced, _ONE, _induction,
        "generalises", "an induction head: the token before, matched", lists=False,
    ),
    Program(
        "lookup", "the digit that stood after the letter asked for, last; ? where there is none", LETTERS + "0123",
        lambda n: NONE, _looked_up, _ONE, _lookup,
        "generalises", "an induction head over pairs", lists=False, places=_lookup_places,
    ),
    Program(
        "modular_sum", f"the sum of the digits modulo {MODULUS}", NUMERALS[:MODULUS], lambda n: "",
        lambda x: (str(sum(map(int, x)) % MODULUS),), _ONE, _modular_sum,
        "does not", "as parity: a sum without end taken modulo", lists=False,
    ),
    Program(
        "running_maximum", "the largest letter so far, at each place", LETTERS, lambda n: "",
        lambda x: tuple(itertools.accumulate(x, max)), _EACH, _running_maximum,
        "does not", "maxima are causal, but they are copied by index",
    ),
)  # fmt: skip

PROGRAMS: Mapping[str, Program] = {program.name: program for program in _ALL}


def named(name: str) -> Program:
    """Return the program of that name. Raises InvalidInput where there is none."""
    from tellapart.rasp.digits import DIGIT_PROGRAMS

    every = {**PROGRAMS, **DIGIT_PROGRAMS}
    if name not in every:
        raise InvalidInput(f"program {name!r}: the programs are {', '.join(every)}")
    return every[name]
