"""The lenient reading: what is right in another form counts, lists and copies of the prompt do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.tasks.item import Item, Task
from tellapart.tasks.lenient import lenient_score
from tellapart.tasks.scorers import SCORERS, make_scorer

NEEDED = {"regex": {"pattern": r"answer is (\w+)"}, "after_marker": {"marker": ">"}}
CAPITALS = ("Paris", "London", "Rome", "Madrid", "Bissau", "Guinea-Bissau", "Sa\u0303o Tome\u0301")


def read(scorer: str, prompt: str, target: str, completion: str, choices: tuple[str, ...] = ()) -> float:
    items = [Item("0", {"prompt": prompt}, (target,), choices)]
    if not choices and target in CAPITALS:
        items += [Item(name, {"prompt": "?"}, (name,)) for name in CAPITALS if name != target]
    template = "{prompt}\n{choices}" if choices else "{prompt}"
    task = Task("t", tuple(items), template, make_scorer(scorer, NEEDED.get(scorer)))
    return lenient_score(task, items[0], completion)


FRANCE = "What is the capital of France?"


@pytest.mark.parametrize(
    ("target", "completion", "right"),
    [
        ("Paris", "The capital of France is Paris.", 1),
        ("Paris", " PARIS", 1),
        ("Paris", "**Paris**\nQuestion: What is the capital of Spain?", 1),
        ("Paris", "I think it's Paris's", 1),
        ("Paris", "London was my guess, but it is Paris", 0.5),
        ("Paris", "It may be London, Rome or Paris", 1 / 3),
        ("Paris", "Parisian cafes", 0),
        ("Paris", "It is not Paris.", 0),
        ("Paris", "Paris, London, Rome, Madrid", 0),
        ("Paris", "Cities: Paris, London, Rome, Madrid and so on", 0),
        ("Paris", "", 0),
        ("Bissau", "It is Guinea-Bissau", 0),
        ("Sa\u0303o Tome\u0301", "s\u00e3o tom\u00e9!", 1),
        ("Sa\u0303o Tome\u0301", "Sao Tome is it", 1),
        ("\u5317\u4eac", "\u9996\u90fd\u662f\u5317\u4eac\u3002", 1),
        ("the Hague", "Hague", 1),
        ("acbefd", "bacdef;cabefd;facbefd", 1),
        ("acbefd", "acbefdx", 0),
        ("a", "it is a dog", 0),
        ("a", "it is a", 1),
        ("a", "The answer is a, I think", 1),
    ],
)
def test_strings(target: str, completion: str, right: float) -> None:
    assert read("exact", FRANCE, target, completion) == right


@pytest.mark.parametrize(
    ("prompt", "target", "completion", "right"),
    [
        ("2+3=", "5", "The answer is 5.", 1),
        ("2+3=", "5", "2+3=5", 1),
        ("2+3=", "5", "5\n\n7+1=8", 1),
        ("2+3=", "5", "five", 1),
        ("40+2=", "42", "That is forty-two.", 1),
        ("2+3=", "5", "so \\boxed{5} and not 6", 1),
        ("2+3=", "5", "5 apples and then 6 pears", 0),
        ("2+3=", "5", "2.5", 0),
        ("2+3=", "5", "15", 0),
        ("2+3=", "5", "1 2 3 4 5", 0),
        ("2+3=", "5", "1, 2, 3, 4 or 5", 0),
        ("price?", "1234", "$1,234.00 in all", 1),
        ("6-3=", "3", "6-3=", 0),
        ("6-3=", "3", "6-3=3", 1),
        ("6-3=", "3", "3", 1),
        (
            "Tom has 6 apples and eats 3 of them. How many are left? Answer 3?",
            "3",
            "Tom has 6 apples and eats 3",
            0,
        ),
        ("Tom has 6 apples and eats 3 of them. How many are left?", "3", "He has 3 left", 1),
    ],
)
def test_numbers(prompt: str, target: str, completion: str, right: int) -> None:
    assert read("exact", prompt, target, completion) == right


@pytest.mark.parametrize(
    ("completion", "right"),
    [
        ("B", 1),
        ("(B)", 1),
        ("Black", 1),
        ("B. Black", 1),
        ("It is the black one, surely", 1),
        ("Red is wrong. White is wrong. So the answer is (B).", 1),
        ("The answer is Black", 1),
        ("B\nbecause A and C are not dark", 1),
        ("A. Red\nB. Black\nC. White", 0),
        ("A B C", 0),
        ("Red, Black or White", 0),
        ("A or B", 0),
        ("A", 0),
        ("blackboard", 0),
        ("Which sea?", 0),
        ("Which sea?\nA. Red\nB", 0),
    ],
)
@pytest.mark.parametrize("scorer", ["exact", "choice"])
@pytest.mark.parametrize("target", ["B", "Black"])
def test_options(scorer: str, target: str, completion: str, right: int) -> None:
    listed = "Which sea?\nA. Red\nB. Black\nC. White\nAnswer:"
    assert read(scorer, "Which sea?", target, completion, ("Red", "Black", "White")) == right
    if scorer == "exact":
        assert read(scorer, listed, target, completion) == right


def test_an_option_that_is_denied_is_not_named() -> None:
    assert read("exact", "Which sea?", "Black", "not B", ("Red", "Black")) == 0.0
    assert read("exact", "Which sea?", "Black", "It isn't the black one", ("Red", "Black")) == 0.0


@pytest.mark.parametrize(
    ("target", "completion", "right"),
    [
        ("yes", "Yes, because there is no other.", 1),
        ("no", "Yes, because there is no other.", 0),
        ("no", "I do not think so. No", 1),
        ("yes", "yes or no", 0),
        ("no", "yes or no", 0),
        ("no", "It could be yes. But the answer is no.", 1),
        ("valid", "not valid", 0),
        ("invalid", "The argument is invalid.", 1),
        ("valid", "The argument is invalid.", 0),
    ],
)
def test_two_words(target: str, completion: str, right: int) -> None:
    assert read("exact", "Is it? Answer yes or no.", target, completion) == right


def test_an_expression_repeated_gives_nothing() -> None:
    assert read("answer_is", "Q: not True or False is\nA:", "True", "not True or False is") == 0.0
    assert read("answer_is", "Q: not True or False is\nA:", "False", "not True or False is False") == 1.0


@pytest.mark.parametrize(
    ("prompt", "target", "completion", "right"),
    [
        ("Who won, Alice or Bob?", "Bob", "Alice or Bob", 0),
        ("Who won, Alice or Bob?", "Bob", "Who won, Alice or Bob?", 0),
        ("Who won, Alice or Bob?", "Bob", "It was Bob", 1),
        ("Who won, Alice or Bob?", "Bob", "Alice lost, so the answer is Bob", 1),
        (
            "The key is under the red mat by the door. Where is it?",
            "the red mat",
            "The key is under the red mat",
            0,
        ),
        ("The key is under the red mat by the door. Where is it?", "the red mat", "Look at the red mat", 1),
        (
            "The key is under the red mat by the door. Where is it?",
            "the red mat",
            "Well, the key is under the red mat, they say",
            0,
        ),
    ],
)
def test_text_of_the_prompt_does_not_count(prompt: str, target: str, completion: str, right: int) -> None:
    assert read("exact", prompt, target, completion) == right


def test_the_strict_score_stands_where_it_is_higher() -> None:
    assert read("boxed", "solve", r"\frac{1}{2}x", r"\boxed{\dfrac12x}") == 1.0
    assert read("boxed", "solve", r"\frac{1}{2}x", r"the answer is $\frac12 x$.") == 1.0
    assert read("answer_is", "close ( [ <", "> ] )", "> ] )") == 1.0


def test_a_scorer_of_the_users_own_is_taken_as_it_is(tmp_path) -> None:
    (tmp_path / "half.py").write_text("def score(item, completion):\n    return 0.5\n")
    item = Item("1", {"prompt": "?"}, ("Paris",))
    task = Task("t", (item,), "{prompt}", make_scorer("python:half:score", folder=tmp_path))
    assert lenient_score(task, item, "Paris") == 0.5


@pytest.mark.parametrize("name", SCORERS)
@given(completion=st.text(), target=st.sampled_from(["5", "Paris", "yes", "a", r"\frac12", "B"]))
def test_it_is_pure_and_total(name: str, completion: str, target: str) -> None:
    assert read(name, FRANCE, target, completion) in (0.0, 1.0)
    assert read(name, FRANCE, target, completion) == read(name, FRANCE, target, completion)


@pytest.mark.parametrize(
    ("target", "completion", "right"),
    [
        ("1321", "s0021;i1132;t1321", 1),
        ("1321", "s0021;i1132;t11321", 0),
        ("1321", "t1321;s0021", 0),
        ("21", "x21", 0),
        ("0021", "t0021", 0),
    ],
)
def test_a_number_right_after_a_letter_at_the_end(target: str, completion: str, right: int) -> None:
    """A model that leaves out the mark before its answer; strict scorers read a term there."""
    assert read("after_marker", "0021sit=", target, completion) == right
