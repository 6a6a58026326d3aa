"""Forty items marked by hand: what kind of answer each wants, and which candidates stand before whoever is asked."""

import pytest

from tellapart.tasks.answer_space import candidates, options, stands_in_prompt, target_class
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

LISTED = "Which sea?\nA. Red\nB. Black\nC. White\nAnswer:"
BBH = "Which sea?\nOptions:\n(A) Red\n(B) Black\n(C) White"
DASHED = "Is it sound?\nOptions:\n- valid\n- invalid\n- neither"

# prompt, target, choices, scorer, class, candidates
MARKED = [
    ("2+3=", "5", (), "exact", "integer", None),
    ("2+3=", "-5", (), "last_number", "integer", None),
    ("price?", "$1,234", (), "last_number", "integer", None),
    ("half of 5?", "2.5", (), "numeric", "number", None),
    ("a quarter?", "1/4", (), "exact", "number", None),
    ("how many?", "5.0", (), "numeric", "integer", None),
    ("area?", r"\frac{1}{2}", (), "boxed", "number", None),
    ("area?", r"\dfrac{6}{2}", (), "boxed", "integer", None),
    ("solve", r"x^2+1", (), "boxed", "expression", None),
    ("solve", r"\sqrt{3}", (), "boxed", "expression", None),
    ("angle?", r"90^\circ", (), "boxed", "integer", None),
    ("who?", r"\text{Evelyn}", (), "boxed", "expression", None),
    ("Capital of France?", "Paris", (), "exact", "string", None),
    ("Capital of France?", "Paris", (), "contains", "string", None),
    ("When?", "12/14/1937", (), "exact", "string", None),
    ("Last letters of big dog?", "gg", (), "exact", "string", None),
    ("Last letter of big?", "G", (), "exact", "string", None),
    ("Which sea?", "B", ("Red", "Black", "White"), "choice", "option", {"A", "B", "C"}),
    ("Which sea?", "(b)".upper(), ("Red", "Black"), "choice", "option", {"(A)", "(B)"}),
    ("Which sea?", "Black", ("Red", "Black", "White"), "choice", "option", {"Red", "Black", "White"}),
    ("Which sea?", "Black", ("Red", "Black"), "choice_logprob", "option", {"Red", "Black"}),
    ("Which sea?", "Black", ("Red", "Black"), "exact", "option", {"Red", "Black"}),
    (LISTED, "B", (), "exact", "option", {"A", "B", "C"}),
    (LISTED, "Black", (), "contains", "option", {"Red", "Black", "White"}),
    (LISTED, "Yellow", (), "contains", "string", None),
    (BBH, "(C)", (), "answer_is", "option", {"(A)", "(B)", "(C)"}),
    (BBH, "White", (), "answer_is", "option", {"Red", "Black", "White"}),
    (DASHED, "neither", (), "answer_is", "option", {"valid", "invalid", "neither"}),
    ("Is it? A) red B) green C) blue", "B", (), "exact", "option", {"A", "B", "C"}),
    ("Is 7 prime?", "yes", (), "exact", "two words", {"yes", "no"}),
    ("Is 7 prime?", "No.", (), "normalised", "two words", {"yes", "no"}),
    ("not True and True", "False", (), "answer_is", "two words", {"true", "false"}),
    ("Is the argument sound?", "invalid", (), "exact", "two words", {"valid", "invalid"}),
    ("Is the ball red, green, or blue?", "green", (), "exact", "string", {"red", "green", "blue"}),
    ("Who won, Alice or Bob?", "Bob", (), "contains", "string", {"Alice", "Bob"}),
    ("Choose one of: red, green, blue.", "blue", (), "exact", "string", {"red", "green", "blue"}),
    ("Say the mood (happy/sad): I smile.", "sad", (), "exact", "string", {"happy", "sad"}),
    ("Which is larger, 17 or 23?", "23", (), "exact", "integer", {"17", "23"}),
    ("The cat sat on the mat. Where did it sit?", "on the mat", (), "contains", "string", None),
    ("Tom, Ann and Bob met. How many?", "3", (), "exact", "integer", None),
]


def task_of(prompt: str, target: str, choices: tuple[str, ...], scorer: str) -> Task:
    item = Item("1", {"prompt": prompt}, (target,), choices)
    return Task("t", (item,), "{prompt}", make_scorer(scorer))


@pytest.mark.parametrize(("prompt", "target", "choices", "scorer", "kind", "known"), MARKED)
def test_forty_marked_by_hand(
    prompt: str, target: str, choices: tuple, scorer: str, kind: str, known: set
) -> None:
    task = task_of(prompt, target, choices, scorer)
    assert target_class(task.items[0], task.scorer) == kind
    assert candidates(task, task.items[0]) == known


def test_there_are_forty() -> None:
    assert len(MARKED) == 40


def test_options_by_letter() -> None:
    task = task_of(LISTED, "Black", (), "exact")
    assert options(task, task.items[0]) == {"A": "Red", "B": "Black", "C": "White"}
    task = task_of(LISTED, "Yellow", (), "exact")
    assert options(task, task.items[0]) == {}
    given = task_of("Which?", "b", ("u", "b"), "choice")
    assert options(given, given.items[0]) == {"A": "u", "B": "b"}


@pytest.mark.parametrize(
    ("prompt", "target", "stands"),
    [
        ("The cat sat on the MAT.", "the mat", True),
        ("A catalogue", "cat", False),
        ("Is 12.5 more?", "5", False),
        ("7-3=", "3", True),
        ("In Equatorial Guinea?", "Malabo", False),
    ],
)
def test_stands_in_prompt(prompt: str, target: str, stands: bool) -> None:
    task = task_of(prompt, target, (), "exact")
    assert stands_in_prompt(task, task.items[0]) == stands
