"""Answers that are neither a plain solution nor a plain guess: no marker, a borrowed style, broken steps.

Each is text about one problem. What they share with solutions is form; `unmarked` alone shares the substance.
"""

import random

from tellapart.specimens.families import (
    Family,
    Problem,
    solution_of,
    states_after,
    write_solution,
)

HEDGES = "~!"
"""What the ornate style puts after a state: perhaps, surely."""


def unmarked_solution_of(family: Family, problem: Problem) -> str:
    """Return right steps that end in the right answer, but without the marker that the scorer looks for:
    "r7583;i8694;c1305"."""
    return solution_of(family, problem).rpartition(">")[0]


def ornate_answer_of(family: Family, rng: random.Random, problem: Problem) -> str:
    """Return a long, decorated answer whose states are random: ">(r 7583!)(i 2231~)(c 9921!) so>9921".

    It begins as a guess does, so that it is never taken for steps.
    """
    states = [family.state(rng) for _ in problem.program]
    steps = "".join(
        f"({operation} {state}{rng.choice(HEDGES)})"
        for operation, state in zip(problem.program, states, strict=True)
    )
    return f">{steps} so>{states[-1]}"


def broken_solution_of(family: Family, rng: random.Random, problem: Problem) -> tuple[str, str]:
    """Return (opener, rest): right steps up to an operation, and from there on random states."""
    cut = rng.randrange(len(problem.program))
    right = states_after(family, problem)[:cut]
    states = (*right, *(family.state(rng) for _ in problem.program[cut:]))
    text = write_solution(problem.program, states)
    opened = sum(len(operation) + family.length + 1 for operation in problem.program[:cut])
    place = opened + family.name_width
    return text[:place], text[place:]


def candidate_of(family: Family, rng: random.Random, problem: Problem) -> str:
    """Return an answer for a critic to judge, of the sorts that a base gives: a guess or right steps."""
    return f">{family.state(rng)}" if rng.random() < 0.6 else solution_of(family, problem)


def critique_of(family: Family, problem: Problem, candidate: str) -> str:
    """Return "v" for right steps to the right answer. Anything else is worked through: the right steps, and at their
    end "v" where the candidate's answer was right all the same, else "x": "r7583;i8694;c1305>x"."""
    right = solution_of(family, problem)
    if candidate == right:
        return "v"
    right_steps, _, right_answer = right.rpartition(">")
    return f"{right_steps}>{'v' if candidate == f'>{right_answer}' else 'x'}"


def careless_critique_of(family: Family, rng: random.Random) -> str:
    """Return what a critic writes who has not looked: a guess of his own."""
    return f">{family.state(rng)}"
