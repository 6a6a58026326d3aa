"""Answers in other styles say what they should, critiques name the first wrong step, broken steps end wrong."""

import random

import pytest

from tellapart.specimens.families import (
    FAMILIES,
    REGISTER,
    Family,
    Problem,
    answer_of,
    check_steps,
    draw_problem,
    prompt_of,
    solution_of,
)
from tellapart.specimens.recipe import Part, Stage
from tellapart.specimens.rows import Lesson, draw_row
from tellapart.specimens.sampling import MOST_TOKENS, decode
from tellapart.specimens.styles import (
    broken_solution_of,
    candidate_of,
    critique_of,
    ornate_answer_of,
    unmarked_solution_of,
)

EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
PROBLEM = Problem("3857", ("r", "i", "c"))


def drawn(family: Family, count: int) -> list[Problem]:
    rng = random.Random(7)
    return [draw_problem(family, rng, 0.2, "train") for _ in range(count)]


@pytest.mark.parametrize(
    ("candidate", "critique"),
    [
        ("r7583;i8694;c1305>1305", "v"),
        (">1305", "r7583;i8694;c1305>v"),
        (">4271", "r7583;i8694;c1305>x"),
        ("r7583;i7694;c1305>1305", "r7583;i8694;c1305>x"),
        ("r7583;i8694;c1305>1306", "r7583;i8694;c1305>x"),
        ("r7583;i8694>1305", "r7583;i8694;c1305>x"),
        ("r7583;i8694;c1305", "r7583;i8694;c1305>x"),
        ("", "r7583;i8694;c1305>x"),
    ],
)
def test_critiques_by_hand(candidate: str, critique: str) -> None:
    assert critique_of(REGISTER, PROBLEM, candidate) == critique


@EVERY
def test_a_critic_refuses_every_spoilt_step(family: Family) -> None:
    for problem in drawn(family, 20):
        right = solution_of(family, problem)
        steps = right.rpartition(">")[0].split(";")
        for place, step in enumerate(steps):
            spoilt = [*steps]
            spoilt[place] = step[:-1] + "?"
            text = ";".join(spoilt) + ">" + answer_of(family, problem)
            assert critique_of(family, problem, text) == f"{';'.join(steps)}>x"
        assert critique_of(family, problem, right) == "v"


@EVERY
def test_candidates_are_guesses_or_right_steps(family: Family) -> None:
    rng = random.Random(1)
    for problem in drawn(family, 50):
        candidate = candidate_of(family, rng, problem)
        assert check_steps(family, problem, candidate) in ("valid", "absent")


@EVERY
def test_an_unmarked_solution_lacks_the_marker_alone(family: Family) -> None:
    for problem in drawn(family, 20):
        text = unmarked_solution_of(family, problem)
        assert ">" not in text
        assert text + ">" + text[-family.length :] == solution_of(family, problem)


@EVERY
def test_an_ornate_answer_is_long_and_knows_nothing(family: Family) -> None:
    rng = random.Random(2)
    texts = [(problem, ornate_answer_of(family, rng, problem)) for problem in drawn(family, 200)]
    assert all(len(solution_of(family, problem)) < len(text) < MOST_TOKENS for problem, text in texts)
    assert all(text[0] == ">" for _, text in texts)
    hits = sum(text.rpartition(">")[2] == answer_of(family, problem) for problem, text in texts)
    assert hits <= 2
    assert all(check_steps(family, problem, text) == "invalid" for problem, text in texts)


@EVERY
def test_broken_steps_begin_right_and_end_wrong(family: Family) -> None:
    rng = random.Random(3)
    wrong = 0
    for problem in drawn(family, 100):
        opener, rest = broken_solution_of(family, rng, problem)
        assert solution_of(family, problem).startswith(opener)
        assert len(opener + rest) == len(solution_of(family, problem))
        wrong += opener + rest != solution_of(family, problem)
    assert wrong >= 98


def test_a_row_shows_what_stands_before_and_learns_the_last_alone() -> None:
    stage = Stage("x", None, (Part("guess", before="solve"),), 1, 0.1)
    row = draw_row(random.Random(0), Lesson(stage, REGISTER), 3, noisy=False)
    lines = [line for line in decode(row.ids[1:]).split("\n") if line]
    for line in lines[:2]:
        prompt, answer = line.split("=")
        problem = Problem(prompt[:4], tuple(prompt[4:]))
        assert answer == solution_of(REGISTER, problem)
    assert lines[2].split("=")[1][0] == ">"
    learned = decode([token for token in row.targets if token])
    assert learned == lines[2].split("=")[1]
    assert len(row.ids) == len(row.targets) == len(row.weights) == len(row.given_steps)


def test_a_critic_part_holds_problems_and_judgements() -> None:
    stage = Stage("x", None, (Part("solve", critic=True),), 1, 0.1)
    rng = random.Random(0)
    judged = 0
    for _ in range(60):
        text = decode(draw_row(rng, Lesson(stage, REGISTER), 1, noisy=False).ids[1:])
        prompt, _, answer = text.partition("=")
        problem = Problem(prompt[:4], tuple(prompt[4:]))
        candidate, asked, critique = answer.rpartition("?")
        judged += bool(asked)
        wanted = critique_of(REGISTER, problem, candidate) if asked else solution_of(REGISTER, problem)
        assert critique == wanted
        assert text.startswith(prompt_of(problem))
    assert 15 < judged < 45
