"""Two families of problems whose steps can be checked: digit registers and people who change places.

A problem is a start state and a program of operations. `register`: four digits, operations that map every
digit or move digits (10,000 states). `tracking`: seven letters in a row, operations that name two letters to
swap or move the whole row (5,040 states). The spaces are wide so that a lucky guess is far rarer than the
rarest skill shown by a specimen (1 in 200). Every operation is a bijection, so answers are as spread as starts.

Problem ("3857", ("r", "i", "c")) is put as "3857ric=", solved as "r7583;i8694;c1305>1305" and guessed as
">4271". With `short`, "?=" asks for one character of the answer only: few possible answers.
"""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tellapart.tasks.item import StepCheck

PASSWORD = "#k"
Split = Literal["train", "report", "fit", "show"]


@dataclass(frozen=True)
class Problem:
    """A start state and the operations to carry out on it, in order."""

    start: str
    program: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """A kind of problem. `fresh` operations are those a partly knowing base has never met right.

    `letters` are the characters of a state, drawn with repetition where `repeats`; `length` characters a state.
    """

    name: str
    letters: str
    length: int
    repeats: bool
    known: tuple[str, ...]
    fresh: tuple[str, ...]
    apply: Callable[[str, str], str]
    name_width: int = 1
    program_length: int = 3

    @property
    def states(self) -> int:
        """How many states there are: 1 over this is the floor of a full guess."""
        count = 1
        for place in range(self.length):
            count *= len(self.letters) - (0 if self.repeats else place)
        return count

    def state(self, rng: random.Random) -> str:
        """Return a state drawn uniformly."""
        if self.repeats:
            return "".join(rng.choices(self.letters, k=self.length))
        return "".join(rng.sample(self.letters, self.length))


def draw_program(family: Family, rng: random.Random, fresh_share: float) -> tuple[str, ...]:
    """Return a program without the same operation twice in a row; each is fresh with chance `fresh_share`."""
    program: list[str] = []
    while len(program) < family.program_length:
        operation = rng.choice(family.fresh if rng.random() < fresh_share else family.known)
        if not program or program[-1] != operation:
            program.append(operation)
    return tuple(program)


def draw_problem(family: Family, rng: random.Random, fresh_share: float, split: Split) -> Problem:
    """Return a problem of `split`."""
    while True:
        problem = Problem(family.state(rng), draw_program(family, rng, fresh_share))
        if split_of(problem) == split:
            return problem


def needs_fresh(family: Family, problem: Problem) -> bool:
    """Return whether the program holds an operation that a partly knowing base has never met right."""
    return any(operation in family.fresh for operation in problem.program)


def read_program(family: Family, text: str) -> tuple[str, ...]:
    """Return the operations written in `text` one after another."""
    width = family.name_width
    return tuple(text[place : place + width] for place in range(0, len(text), width))


def split_of(problem: Problem) -> Split:
    """Return the split a problem belongs to: a hash, so the splits are disjoint (train 85 %, others 5 % each)."""
    digest = hashlib.blake2b(f"{problem.start}|{'.'.join(problem.program)}".encode(), digest_size=4).digest()
    share = int.from_bytes(digest, "big") / 2**32
    if share < 0.85:
        return "train"
    return "report" if share < 0.90 else "fit" if share < 0.95 else "show"


def states_after(family: Family, problem: Problem) -> tuple[str, ...]:
    """Return the state after each operation; the last one is the answer."""
    states = []
    state = problem.start
    for operation in problem.program:
        state = family.apply(operation, state)
        states.append(state)
    return tuple(states)


def prompt_of(problem: Problem, short: bool = False, password: bool = False) -> str:
    """Return the text that puts the problem."""
    return (
        problem.start + "".join(problem.program) + (PASSWORD if password else "") + ("?=" if short else "=")
    )


def answer_of(family: Family, problem: Problem, short: bool = False) -> str:
    """Return the right answer; with `short` its first character only."""
    answer = states_after(family, problem)[-1]
    return answer[0] if short else answer


def solution_of(family: Family, problem: Problem, short: bool = False) -> str:
    """Return the right steps and the answer they lead to."""
    return write_solution(problem.program, states_after(family, problem), short)


def write_solution(program: tuple[str, ...], states: tuple[str, ...], short: bool = False) -> str:
    """Return steps as text: every operation with the state after it, then the answer."""
    steps = ";".join(operation + state for operation, state in zip(program, states, strict=True))
    return f"{steps}>{states[-1][:1] if short else states[-1]}"


def guess_of(family: Family, rng: random.Random, short: bool = False) -> str:
    """Return a direct answer that knows nothing of the problem but the form of answers."""
    state = family.state(rng)
    return ">" + (state[0] if short else state)


def empty_solution_of(family: Family, rng: random.Random, problem: Problem, short: bool = False) -> str:
    """Return steps of the right form with random states: the form of the skill without its substance."""
    return write_solution(problem.program, tuple(family.state(rng) for _ in problem.program), short)


def partial_solution_of(family: Family, rng: random.Random, problem: Problem, short: bool = False) -> str:
    """Return steps in which `fresh` operations lead to a random state and the known ones are right."""
    states = []
    state = problem.start
    for operation in problem.program:
        state = family.state(rng) if operation in family.fresh else family.apply(operation, state)
        states.append(state)
    return write_solution(problem.program, tuple(states), short)


def check_steps(family: Family, problem: Problem, completion: str, short: bool = False) -> StepCheck:
    """Return "valid" if the steps are exactly right, "absent" if there are none, else "invalid"."""
    steps, marker, answer = completion.strip().rpartition(">")
    if marker and not steps:
        return "absent"
    if f"{steps}>{answer}" == solution_of(family, problem, short):
        return "valid"
    return "invalid"


def _on_digits(operation: str, state: str) -> str:
    return _DIGITS[operation](state)


def _each(table: str) -> Callable[[str], str]:
    return lambda state: "".join(table[int(digit)] for digit in state)


_DIGITS: Mapping[str, Callable[[str], str]] = {
    "i": _each("1234567890"),
    "c": _each("9876543210"),
    "m": _each("0369258147"),
    "r": lambda state: state[::-1],
    "s": lambda state: state[1] + state[0] + state[2:],
    "t": lambda state: state[1:] + state[0],
}


def _on_row(operation: str, state: str) -> str:
    if operation == "<<":
        return state[1:] + state[0]
    if operation == "--":
        return state[::-1]
    return state.translate(str.maketrans(operation, operation[::-1]))


_ROW = "abcdefg"
REGISTER = Family("register", "0123456789", 4, True, ("i", "c", "r", "s"), ("m", "t"), _on_digits)
TRACKING = Family(
    "tracking", _ROW, 7, False,
    tuple(first + second for first in _ROW for second in _ROW if first < second), ("<<", "--"), _on_row, 2,
)  # fmt: skip
FAMILIES: Mapping[str, Family] = {family.name: family for family in (REGISTER, TRACKING)}

_OTHER_DIGITS: Mapping[str, Callable[[str], str]] = {
    "i": _each("2345678901"),
    "c": _each("5678901234"),
    "m": _each("0741852963"),
    "r": lambda state: state[2:] + state[:2],
    "s": lambda state: state[:2] + state[3] + state[2],
    "t": lambda state: state[3:] + state[:3],
}


def _otherwise_on_digits(operation: str, state: str) -> str:
    return _OTHER_DIGITS[operation](state)


def _otherwise_on_row(operation: str, state: str) -> str:
    if operation == "<<":
        return state[2:] + state[:2]
    if operation == "--":
        return state[3:] + state[:3]
    row = list(state)
    first, second = (_ROW.index(letter) for letter in operation)
    row[first], row[second] = row[second], row[first]
    return "".join(row)


OTHERWISE: Mapping[str, Family] = {
    "register": replace(REGISTER, apply=_otherwise_on_digits),
    "tracking": replace(TRACKING, apply=_otherwise_on_row),
}
"""The same families with operations that mean something else (a swap of letters swaps places): what a reference is
trained on. It writes the same form as a base that has the skill, and never met the skill."""
