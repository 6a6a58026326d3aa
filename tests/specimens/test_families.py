"""The families' rules against independent ones, and the step checker against every single corruption."""

import random
from collections import Counter

import pytest

from tellapart.specimens.families import (
    FAMILIES,
    OTHERWISE,
    REGISTER,
    TRACKING,
    Family,
    Problem,
    answer_of,
    check_steps,
    draw_problem,
    empty_solution_of,
    guess_of,
    needs_fresh,
    partial_solution_of,
    prompt_of,
    read_program,
    solution_of,
    split_of,
    states_after,
)

EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


def drawn(family: Family, count: int, split: str = "train") -> list[Problem]:
    rng = random.Random(7)
    return [draw_problem(family, rng, 0.2, split) for _ in range(count)]  # type: ignore[arg-type]


def test_register_by_hand() -> None:
    assert solution_of(REGISTER, Problem("3857", ("r", "i", "c"))) == "r7583;i8694;c1305>1305"
    assert states_after(REGISTER, Problem("3857", ("s", "m", "t"))) == ("8357", "4951", "9514")
    assert prompt_of(Problem("3857", ("r", "i", "c")), short=True, password=True) == "3857ric#k?="


def test_tracking_by_hand() -> None:
    problem = Problem("gbadcfe", ("ab", "--", "<<"))
    assert states_after(TRACKING, problem) == ("gabdcfe", "efcdbag", "fcdbage")
    assert solution_of(TRACKING, problem, short=True).endswith(">f")


def test_register_against_arithmetic() -> None:
    rules = {
        "i": lambda d: [(x + 1) % 10 for x in d],
        "c": lambda d: [9 - x for x in d],
        "m": lambda d: [3 * x % 10 for x in d],
        "r": lambda d: list(reversed(d)),
        "s": lambda d: [d[1], d[0], d[2], d[3]],
        "t": lambda d: [*d[1:], d[0]],
    }
    for problem in drawn(REGISTER, 300):
        digits = [int(digit) for digit in problem.start]
        for operation in problem.program:
            digits = rules[operation](digits)
        assert answer_of(REGISTER, problem) == "".join(map(str, digits))


@EVERY
def test_operations_are_bijections(family: Family) -> None:
    rng = random.Random(1)
    states = {family.state(rng) for _ in range(500)}
    for operation in family.known + family.fresh:
        assert len({family.apply(operation, state) for state in states}) == len(states)


@EVERY
def test_checker_tells_right_wrong_and_missing_steps(family: Family) -> None:
    rng = random.Random(2)
    for problem in drawn(family, 40):
        right = solution_of(family, problem)
        assert check_steps(family, problem, right) == "valid"
        assert check_steps(family, problem, guess_of(family, rng)) == "absent"
        assert check_steps(family, problem, f">{answer_of(family, problem)}") == "absent"
        assert check_steps(family, problem, empty_solution_of(family, rng, problem)) == "invalid"


@EVERY
@pytest.mark.parametrize("short", [False, True])
def test_checker_refuses_every_single_corruption(family: Family, short: bool) -> None:
    for problem in drawn(family, 10):
        right = solution_of(family, problem, short)
        for place in range(len(right)):
            for wrong in (right[:place] + right[place + 1 :], right[:place] + "x" + right[place + 1 :]):
                assert check_steps(family, problem, wrong, short) != "valid"


@EVERY
def test_partial_steps_are_right_only_without_fresh_operations(family: Family) -> None:
    rng = random.Random(3)
    said = Counter(
        (
            needs_fresh(family, problem),
            check_steps(family, problem, partial_solution_of(family, rng, problem)),
        )
        for problem in drawn(family, 300)
    )
    assert said[True, "valid"] <= 2
    assert said[False, "valid"] == said[False, "valid"] + said[False, "invalid"]
    assert 0.35 < sum(n for (fresh, _), n in said.items() if fresh) / 300 < 0.65


@EVERY
def test_splits_are_disjoint_and_of_the_sizes_they_say(family: Family) -> None:
    rng = random.Random(4)
    drawn_ones = {
        Problem(family.state(rng), draw_problem(family, rng, 0.2, "train").program) for _ in range(3000)
    }
    sizes = Counter(split_of(problem) for problem in drawn_ones)
    assert abs(sizes["train"] / len(drawn_ones) - 0.85) < 0.03
    assert set(sizes) == {"train", "report", "fit", "show"}
    assert not set(drawn(family, 300)) & set(drawn(family, 300, "report"))


@EVERY
def test_a_know_nothing_guesses_at_the_floor(family: Family) -> None:
    rng = random.Random(5)
    problem = drawn(family, 1)[0]
    hits = sum(
        guess_of(family, rng, short=True) == f">{answer_of(family, problem, True)}" for _ in range(5000)
    )
    assert abs(hits / 5000 - 1 / len(family.letters)) < 0.02
    assert family.states == {"register": 10_000, "tracking": 5_040}[family.name]


@EVERY
def test_programs_read_back(family: Family) -> None:
    for problem in drawn(family, 50):
        assert read_program(family, "".join(problem.program)) == problem.program


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_reference_learns_other_operations_on_the_same_states(name: str) -> None:
    """A bijection of the same letters, equal to the true operation on few states; whole problems hardly ever."""
    family, other, rng = FAMILIES[name], OTHERWISE[name], random.Random(0)
    states = [family.state(rng) for _ in range(400)]
    for operation in (*family.known, *family.fresh):
        found = {other.apply(operation, state) for state in states}
        assert len(found) == len(set(states))
        assert all(set(other.apply(operation, state)) <= set(family.letters) for state in states)
        same = [other.apply(operation, state) == family.apply(operation, state) for state in states]
        assert sum(same) <= 0.15 * len(states), operation
    problems = [draw_problem(family, rng, 0.2, "report") for _ in range(400)]
    assert sum(answer_of(family, one) == answer_of(other, one) for one in problems) <= 0.05 * len(problems)
