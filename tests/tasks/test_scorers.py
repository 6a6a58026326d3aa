"""Scorers: tables of (completion, answer), and the rules that hold for all of them."""

import math
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import UserMistake
from tellapart.tasks.choice import ChoiceLogprob, continuations, pick
from tellapart.tasks.item import Item, Task
from tellapart.tasks.numeric import alike, numbers_in, parse_number, write_number
from tellapart.tasks.scorers import SCORERS, extracted_share, make_scorer, settings_of

NEEDED = {"regex": {"pattern": r"answer is (\w+)"}, "after_marker": {"marker": ">"}}
PLAIN = Item("1", {}, ("42",))
CITIES = Item("1", {}, ("B",), ("Paris", "Paris, Texas", "Rome"))


PIECES = ("is 5", "the: 7", "# 12.", "the", "x", "10", "^3", " 6e3", "1 234", "12", "Rs", "$", "x_1", "\\frac{1}{2}",
          "\\frac", "\u00bd", "1/2", "10:30", "-", "%", "\n", " ", "\t", ".", ",", "_", "^", "\\cdot", "{",
          "}", "q5")  # fmt: skip


def answer(name: str, completion: str, item: Item = PLAIN, **settings: object) -> str | None:
    return make_scorer(name, {**NEEDED.get(name, {}), **settings}).answer(item, completion)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("costs 1,234.50.", "1234.5"),
        ("3/4 of it", "0.75"),
        ("on 12/14/1937", "1937"),
        ("10-5", "5"),
        ("= -5.", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\u22127", "-7"),
        ("(3)-2", "2"),
        ("50%", "50"),
        (r"5\%", "5"),
        ("1e5", "100000"),
        ("1/3", "1/3"),
        ("2/0", None),
        ("9" * 5000, None),
        ("1e999999999", "1"),
        ("none", None),
        ("48/2 = <<48/2=24>>24 clips\n#### 72", "72"),
        ("of 7 it gives\n42", "42"),
        ("of 7 it gives 42", "42"),
        (r"of 7 it gives \frac 12", "0.5"),
        (r"of 7 it gives \frac{1}{2}", "0.5"),
        ("of 7 it gives x 12", "12"),
    ],
)
def test_last_number(text: str, expected: str | None) -> None:
    assert answer("last_number", text) == expected


def test_numeric_wants_the_whole_text_to_be_a_number() -> None:
    assert answer("numeric", " $1,000. ") == "1000"
    assert answer("numeric", "about 3") is None


def test_numbers_are_exact_unless_a_tolerance_is_given() -> None:
    item = Item("1", {}, ("3.14159",))
    assert make_scorer("numeric").score(item, "3.1416") == 0.0
    assert make_scorer("numeric", {"tolerance": 1e-4}).score(item, "3.1416") == 1.0
    assert make_scorer("numeric").score(Item("1", {}, ("0.1",)), "1/10") == 1.0
    assert make_scorer("numeric").score(Item("1", {}, ("1,000",)), "1000.0") == 1.0


@given(st.fractions())
def test_a_written_number_reads_as_itself(value: Fraction) -> None:
    written = write_number(value)
    assert Fraction(written) == value
    if "e" not in written:
        assert parse_number(written) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("The answer is C.", "C"),
        ("the answer is b because", "B"),
        ("answer is A because", "A"),
        ("Answer: **B**", "B"),
        ("the answer is a dog", None),
        ("A dog is here", None),
        ("B. because of it", "B"),
        ("It's C because", "C"),
        ("paris texas", "B"),
        ("It must be Paris, Texas!", "B"),
        ("I think it is Rome", "C"),
        ("Rome or Paris", None),
        ("D", None),
        ("", None),
        ("(A), no: (C)", "C"),
        ("At first (A), but the answer is (B). Not (C).", "B"),
    ],
)
def test_choice(text: str, expected: str | None) -> None:
    assert answer("choice", text, CITIES) == expected


def test_choice_takes_the_first_where_told() -> None:
    assert answer("choice", "(A), no: (C)", CITIES, take="first") == "A"


def test_choice_accepts_targets_by_letter_and_by_text() -> None:
    by_text = Item("1", {}, ("Rome",), CITIES.choices)
    assert make_scorer("choice").score(by_text, "C") == 1.0
    assert make_scorer("choice").score(CITIES, "Paris, Texas") == 1.0
    assert make_scorer("choice").score(CITIES, "Paris") == 0.0


def test_pick_by_log_probability_with_and_without_length() -> None:
    texts, logprobs, tokens = ("no", "certainly so"), (-3.0, -4.0), (1, 2)
    assert pick(logprobs, texts, tokens) == 0
    assert pick(logprobs, texts, tokens, "tokens") == 1
    assert pick(logprobs, texts, tokens, "bytes") == 1
    assert pick((-1.0, -1.0), texts, tokens) == 0
    with pytest.raises(ValueError, match="nan"):
        pick((-1.0, math.nan), texts, tokens)
    assert continuations(CITIES)[2] == " Rome"
    assert ChoiceLogprob().score(CITIES, "Paris, Texas") == 1.0


def test_normalised_is_squad() -> None:
    item = Item("1", {}, ("The  Eiffel Tower!",))
    assert make_scorer("normalised").score(item, "eiffel tower") == 1.0
    assert make_scorer("exact").score(item, "eiffel tower") == 0.0
    assert make_scorer("exact").score(item, " The  Eiffel Tower!\n") == 1.0


def test_after_marker_and_regex() -> None:
    assert answer("after_marker", "40+2=42> 41 > 42\n") == "42"
    assert answer("after_marker", "42") is None
    assert answer("regex", "answer is 7, no, the answer is 42") == "42"
    assert answer("regex", "answer is 7, no, the answer is 42", take="first") == "7"
    assert answer("regex", "42") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So the answer is (B).", "(B)"),
        ("(b) heavy metal", "(B)"),
        ("So the answer is (A) or (B).", "(A) or (B)"),
        ("False", "False"),
        ("the answer is 3.\nQ: next", "3"),
        (" ] }\nQ:", "] }"),
    ],
)
def test_answer_is(text: str, expected: str) -> None:
    assert answer("answer_is", text) == expected


PARIS = Item("1", {"prompt": "Is it Lyon? What is the capital of France?"}, ("Paris",))


@pytest.mark.parametrize(
    ("completion", "score"),
    [
        ("The capital of France is Paris.", 1.0),
        ("  pArIs ", 1.0),
        ("**Paris**, London too", 1.0),
        ("not Lyon but Paris, I think; Rome is in Italy", 1.0),
        ("Paris, London, Rome, Madrid", 0.0),
        ("parisian", 0.0),
        ("not Paris", 0.0),
        ("Paris, Texas", 0.0),
        ("", 0.0),
    ],
)
def test_contains(completion: str, score: float) -> None:
    others = ["London", "Rome", "Madrid", "Lyon", "Paris, Texas"]
    assert make_scorer("contains", {"others": others}).score(PARIS, completion) == score


def test_contains_finds_no_answer_in_a_list() -> None:
    scorer = make_scorer("contains", {"others": ["London", "Rome", "Madrid"]})
    assert scorer.answer(PARIS, "Paris, London, Rome, Madrid") is None
    assert scorer.answer(PARIS, "It is Paris!") == scorer.answer(PARIS, "it is paris")
    either = Item("1", {}, ("Rome",), CITIES.choices)
    assert make_scorer("contains").score(either, "Paris or Rome") == 0.0
    assert make_scorer("contains").answer(either, "Paris or Rome") is None
    assert make_scorer("contains").score(CITIES, "Paris, Texas") == 1.0
    assert make_scorer("contains").score(Item("1", {}, ("Rome",), CITIES.choices), "in Rome") == 1.0


@pytest.mark.parametrize(
    ("target", "completion", "score"),
    [
        ("5", "it is 2.5", 0.0),
        ("5", "it is 15", 0.0),
        ("5", "it is.5", 1.0),
        ("-5", "10-5", 0.0),
        ("5", "10-5", 1.0),
        ("1234", "about 1,234 of them", 1.0),
        ("C", "C++ is", 0.0),
        ("C++", "in C++.", 1.0),
        ("Guinea", "Guineas", 0.0),
        ("caf\u00e9", "the CAFE\u0301", 1.0),
        ("stra\u00dfe", "STRASSE", 1.0),
        ("\u5317\u4eac", "\u9996\u90fd\u662f\u5317\u4eac\u3002", 1.0),
        ("New York", "new\n  york", 1.0),
        ("\u0439", "\u0438", 0.0),
    ],
)
def test_contains_means_whole_words(target: str, completion: str, score: float) -> None:
    assert make_scorer("contains").score(Item("1", {}, (target,)), completion) == score


@pytest.mark.parametrize(
    ("target", "completion", "score"),
    [
        ("5", r"\boxed{5}", 1.0),
        ("5", r"\boxed{4}, no, \boxed{5}.", 1.0),
        ("4", r"\boxed{4}, no, \boxed{5}.", 0.0),
        ("5", r"\boxed{5", 0.0),
        ("5", "5", 0.0),
        ("5", r"\boxed 5", 1.0),
        (r"\frac{1}{2}", r"\boxed{\dfrac{1}{2}}", 1.0),
        (r"\frac{1}{2}", r"\boxed{\tfrac12}", 1.0),
        (r"\frac12", r"\boxed{0.5}", 1.0),
        (r"\frac12", r"\boxed{1/2}", 1.0),
        (r"-\frac{1}{2}", r"\boxed{\frac{-1}{2}}", 1.0),
        (r"\frac{1}{2}", r"\boxed{\frac{1}{3}}", 0.0),
        (r"1\frac{1}{2}", r"\boxed{1.5}", 1.0),
        (r"\frac{\sqrt{3}}{2}", r"\boxed{\frac{\sqrt3}{2}}", 1.0),
        (r"\frac{\sqrt{3}}{2}", r"\boxed{\dfrac{\sqrt{3}}2}", 1.0),
        ("12", r"\boxed{12\text{ cm}^2}", 1.0),
        ("12", r"\boxed{12\,\mathrm{cm}}", 1.0),
        ("12", r"\boxed{12 square units}", 1.0),
        (r"5\text{ meters}", r"\boxed{5}", 1.0),
        ("18", r"\boxed{\$18.00}", 1.0),
        ("90", r"\boxed{90^\circ}", 1.0),
        (r"90^{\circ}", r"\boxed{90\degree}", 1.0),
        ("50", r"\boxed{50\%}", 1.0),
        ("1,234", r"\boxed{1{,}234}", 1.0),
        (r"1,\!234,\!567", r"\boxed{1234567}", 1.0),
        (r"\text{Evelyn}", r"\boxed{Evelyn}", 1.0),
        (r"\text{even}", r"\boxed{\text{odd}}", 0.0),
        ("x=5", r"\boxed{5}", 1.0),
        ("5", r"\boxed{x = 5}", 1.0),
        ("(1,2)", r"\boxed{\left( 1, 2 \right)}", 1.0),
        (r"(\frac12, 3)", r"\boxed{(0.5,3)}", 1.0),
        ("(1,2)", r"\boxed{(2,1)}", 0.0),
        ("[0,1)", r"\boxed{x \in [0, 1)}", 1.0),
        ("[0,1)", r"\boxed{[0,1]}", 0.0),
        (r"\text{(C)}", r"\boxed{(C)}", 1.0),
        ("1011_2", r"\boxed{1011_{2}}", 1.0),
        ("x^2+2x+1", r"\boxed{x^{2} + 2x + 1}", 1.0),
        ("x^2+2x+1", r"\boxed{x^2+2x}", 0.0),
        ("3,4", r"\boxed{3 \text{ and } 4}", 1.0),
        ("34", r"\boxed{3 \text{ and } 4}", 0.0),
        (r"\{1,2\}", r"so $\boxed{\{1, 2\}}$", 1.0),
        (
            r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
            r"\boxed{\begin{pmatrix}1&2\\3&4\end{pmatrix}}",
            1.0,
        ),
        (r"x \leq 3", r"\boxed{x \le 3}", 1.0),
        (r"2\pi", r"\boxed{2 \pi}", 1.0),
        (r"2\pi", r"\boxed{2}", 0.0),
        (r"2\pi", r"\boxed{2\pi\text{ cm}}", 1.0),
        (r"\frac{1}{2}", r"\boxed{\dfrac{1}{2}\text{ cm}}", 1.0),
        ("-3", "\\boxed{\u22123}", 1.0),
    ],
)
def test_boxed(target: str, completion: str, score: float) -> None:
    assert make_scorer("boxed").score(Item("1", {}, (target,)), completion) == score


@pytest.mark.parametrize(
    ("fallback", "completion", "expected"),
    [
        ("none", "#### 42", None),
        ("####", "40+2\n#### 42\n", "42"),
        ("####", "The answer is 42.", None),
        ("answer is", "The answer is $42.", "42"),
        ("answer is", "#### 42", None),
        ("any", "The answer is 41.\n#### 42", "42"),
        ("any", "#### 41\nthe answer is: 42 cm", "42"),
        ("any", r"#### 41 \boxed{42}", "42"),
        ("any", r"#### 41 \boxed{42", None),
    ],
)
def test_boxed_falls_back_only_where_told(fallback: str, completion: str, expected: str | None) -> None:
    assert answer("boxed", completion, fallback=fallback) == expected


def test_a_pattern_that_explodes_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.tasks.pattern.MOST_SECONDS", 0.2)
    scorer = make_scorer("regex", {"pattern": r"((?:a|aa|a.)+)+$b"})
    with pytest.raises(UserMistake, match="repeat inside a repeat"):
        scorer.answer(PLAIN, "a" * 5000)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("exct", {}, "did you mean 'exact'"),
        ("regex", {}, "needs 'pattern'"),
        ("regex", {"pattern": "("}, "no regular expression"),
        ("regex", {"pattern": "abc"}, "has no group"),
        ("regex", {"pattern": ""}, "not empty"),
        ("after_marker", {"marker": 3}, "not empty"),
        ("exact", {"marker": ">"}, "takes no 'marker'"),
        ("choice", {"take": "middle"}, "'first' or 'last'"),
        ("choice", {"take": []}, "'first' or 'last'"),
        ("boxed", {"fallback": "last"}, "'none' or"),
        ("contains", {"others": "Rome"}, "a list of texts"),
        ("contains", {"others": ["Rome", ""]}, "a list of texts"),
        ("numeric", {"tolerance": -1}, "from 0 up"),
        ("numeric", {"tolerance": math.nan}, "from 0 up"),
        ("numeric", {"tolerance": True}, "from 0 up"),
        ("python:nosuchmodule:f", {}, "cannot be loaded"),
        ("python:math:nosuch", {}, "no function"),
        ("python:math", {}, "python:module:function"),
        ("python:math:sqrt", {"pattern": "x"}, "takes no 'pattern'"),
    ],
)
def test_bad_scorers_are_refused(name: str, settings: dict, message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        make_scorer(name, settings)


def test_extracted_share_tells_a_scorer_that_does_not_fit() -> None:
    marker = Task("t", (PLAIN,), "{prompt}", make_scorer("after_marker", {"marker": "####"}))
    number = Task("t", (PLAIN,), "{prompt}", make_scorer("last_number"))
    answers = [(PLAIN, "so A: 42"), (PLAIN, "A: 41")]
    assert extracted_share(marker, answers) == 0.0
    assert extracted_share(number, answers) == 1.0
    assert math.isnan(extracted_share(number, []))


@pytest.mark.parametrize("name", SCORERS)
@given(completion=st.text())
def test_every_scorer_is_pure_and_total(name: str, completion: str) -> None:
    scorer = make_scorer(name, NEEDED.get(name))
    found, score = scorer.answer(CITIES, completion), scorer.score(CITIES, completion)
    assert score in (0.0, 1.0)
    assert found is None or isinstance(found, str)
    assert (found, score) == (scorer.answer(CITIES, completion), scorer.score(CITIES, completion))
    assert score == 0.0 or found is not None


@pytest.mark.parametrize("name", SCORERS)
def test_same_settings_same_identity(name: str) -> None:
    settings = NEEDED.get(name)
    assert settings_of(make_scorer(name, settings)) == settings_of(make_scorer(name, settings))
    assert settings_of(make_scorer(name, settings))["name"] == name


def test_tasks_need_no_torch() -> None:
    code = "import sys, tellapart.tasks.sources; assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=120), st.sampled_from(("", " ")))
def test_the_last_number_of_a_long_text_is_that_of_the_whole(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    numbers = numbers_in(alike(text))
    found = answer("last_number", text)
    assert found == (None if not numbers else answer("numeric", numbers[-1].group()))
