"""Judges built against the verdict of judged pairs: none may bring a wrong word, whatever the seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tellapart.studies.form import imitation
from tellapart.studies.form.imitation import judged_finding
from tellapart.studies.form.judged import Judgement

WORDS = [
    "the",
    "answer",
    "depends",
    "on",
    "what",
    "is",
    "measured",
    "and",
    "how",
    "it",
    "was",
    "done",
    "in",
    "each",
    "of",
    "these",
]


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty resamples tell these judges apart; a hundred findings would take minutes with all."""
    monkeypatch.setattr(imitation, "RESAMPLES", 60)


@dataclass(frozen=True)
class Text:
    """An answer and what is true of it."""

    text: str
    right: bool

    @property
    def length(self) -> float:
        return math.log(len(self.text))

    @property
    def bold(self) -> float:
        return self.text.count("**so**") / 3


@dataclass(frozen=True)
class Author:
    """How often an author is right, how long it writes, how many words it sets bold; `longer` is how much longer a
    right answer is."""

    right: float
    words: tuple[int, int]
    bold: float = 0.5
    longer: float = 1.0
    opening: str = ""

    def writes(self, rng: np.random.Generator) -> Text:
        right = bool(rng.random() < self.right)
        count = int(rng.integers(*self.words) * (self.longer if right else 1.0))
        marks = ["**so**"] * int(rng.poisson(self.bold))
        return Text(" ".join([*self.opening.split(), *rng.choice(WORDS, count), *marks]), right)


Judge = Callable[[Text, Text], float]
"""The log odds that a judge prefers the first."""


def by_length_alone(a: Text, b: Text) -> float:
    return math.copysign(50, len(a.text) - len(b.text))


def by_length_somewhat(a: Text, b: Text) -> float:
    return 1.5 * (a.length - b.length)


def by_bold(a: Text, b: Text) -> float:
    return 2.5 * (a.bold - b.bold)


def by_facts(a: Text, b: Text) -> float:
    return 3.0 * (a.right - b.right)


def by_noise(a: Text, b: Text) -> float:
    return 0.0


def by_opening(a: Text, b: Text) -> float:
    return 2.0 * (a.text.startswith("Sure!") - b.text.startswith("Sure!"))


def by_place(a: Text, b: Text) -> float:
    return 4.0


def pairs(
    judge: Judge, good: Author, loud: Author, seed: int, n: int = 400, scored: bool = False, swap: bool = True
) -> list[Judgement]:
    rng, found = np.random.default_rng([seed, 1]), []
    for at in range(n):
        texts = [("good", good.writes(rng)), ("loud", loud.writes(rng))]
        if swap and rng.random() < 0.5:
            texts.reverse()
        (m, a), (k, b) = texts
        won = float(rng.random() < 1 / (1 + math.exp(-judge(a, b))))
        scores = (float(a.right), float(b.right)) if scored else None
        found.append(Judgement(str(at), (m, k), (a.text, b.text), won, scores))
    return found


SAME = (20, 60)
ALIKE = Author(0.8, SAME), Author(0.4, SAME)
ALWAYS_LONGER = Author(0.5, (20, 40)), Author(0.5, (60, 90))
OFTEN_LONGER = Author(0.5, (20, 60)), Author(0.5, (35, 75))
BOLDER = Author(0.5, SAME, 0.5), Author(0.5, SAME, 1.8)
BETTER_AND_LONGER = Author(0.8, (30, 75)), Author(0.4, (20, 60))
RIGHT_IS_LONGER = Author(0.8, SAME, longer=2.0), Author(0.4, SAME, longer=2.0)
EQUAL = Author(0.5, SAME), Author(0.5, SAME)
OPENS = Author(0.5, SAME, opening="Sure!"), Author(0.5, SAME)

CASES = {
    "length alone, one author always longer": (by_length_alone, ALWAYS_LONGER, set()),
    "length somewhat, one author always longer": (by_length_somewhat, ALWAYS_LONGER, set()),
    "length alone, one author often longer": (by_length_alone, OFTEN_LONGER, {"form"}),
    "length somewhat, one author often longer": (by_length_somewhat, OFTEN_LONGER, {"form"}),
    "style, one author bolder": (by_bold, BOLDER, {"form"}),
    "facts, style alike": (by_facts, ALIKE, {"substance"}),
    "facts, the better author longer": (by_facts, BETTER_AND_LONGER, {"substance"}),
    "facts, right answers twice as long": (by_facts, RIGHT_IS_LONGER, {"substance"}),
    "noise": (by_noise, EQUAL, set()),
    "noise, one author always longer": (by_noise, ALWAYS_LONGER, set()),
    "an opening word": (by_opening, OPENS, {"form"}),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_no_judge_brings_a_wrong_word(case: str, scored: bool, seed: int) -> None:
    judge, (good, loud), right = CASES[case]
    finding = judged_finding(pairs(judge, good, loud, seed, scored=scored), seed, ())
    assert finding.verdict in right | {"cannot tell"}, finding.sentence


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("case", "word"), [("style, one author bolder", "form"), ("facts, style alike", "substance")]
)
def test_with_scores_the_word_is_said(case: str, word: str, seed: int) -> None:
    judge, (good, loud), _ = CASES[case]
    finding = judged_finding(pairs(judge, good, loud, seed, n=800, scored=True), seed, ())
    assert finding.verdict == word, finding.sentence
    assert "good scores" in finding.sentence
    assert finding.estimates["score/good"].n == 800


@pytest.mark.parametrize("seed", range(3))
def test_the_refusal_names_its_obstacle(seed: int) -> None:
    finding = judged_finding(pairs(by_length_alone, *ALWAYS_LONGER, seed), seed, ())
    assert "length alone" in finding.sentence
    assert "loud writes the longer answer in 100 %" in finding.sentence
    assert math.isnan(finding.probability)


@pytest.mark.parametrize("seed", range(3))
def test_a_judge_of_places_where_one_author_always_stands_first(seed: int) -> None:
    finding = judged_finding(pairs(by_place, *EQUAL, seed, swap=False), seed, ())
    assert finding.verdict == "cannot tell"
    assert "no pair was judged in both orders" in finding.sentence


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("judge", [by_facts, by_length_somewhat, by_noise])
def test_a_constant_answer_that_wins(judge: Judge, seed: int) -> None:
    judged = pairs(judge, *ALIKE, seed)
    rng = np.random.default_rng(seed)
    null = [
        Judgement(one.item, ("null", one.models[0]), ("I win.", one.answers[0]), float(rng.random() < 0.7))
        for one in judged[:100]
    ]
    finding = judged_finding([*judged, *null], seed, ())
    assert finding.verdict == "cannot tell"
    assert "cannot be trusted" in finding.sentence
    alone = judged_finding(null, seed, ())
    assert "cannot be trusted" in alone.sentence
    assert alone.estimates["win_rate/null"].value > 0.5


def test_a_nearly_constant_answer_is_constant() -> None:
    judged = pairs(by_facts, *ALIKE, 0, n=100)
    null = [
        Judgement(one.item, ("null", "good"), (f"Hm {at}" if at < 5 else "I win.", one.answers[0]), 1.0)
        for at, one in enumerate(judged)
    ]
    assert "cannot be trusted" in judged_finding([*judged, *null], 0, ()).sentence


@pytest.mark.parametrize("seed", range(3))
def test_the_best_and_the_last_of_many_equal_models_do_not_differ(seed: int) -> None:
    rng, author = np.random.default_rng(seed), EQUAL[0]
    judged = []
    for at in range(1500):
        m, k = rng.choice(12, 2, replace=False)
        texts = author.writes(rng).text, author.writes(rng).text
        judged.append(Judgement(str(at), (f"m{m}", f"m{k}"), texts, float(rng.random() < 0.5)))
    assert judged_finding(judged, seed, ()).verdict == "cannot tell"


def test_truncated_answers_are_said_and_refused() -> None:
    judged = pairs(by_facts, *ALIKE, 0)
    cut = [one._replace(truncated=(one.models[0] == "loud", one.models[1] == "loud")) for one in judged]
    finding = judged_finding(cut, 0, ())
    assert finding.verdict == "cannot tell"
    assert "of the answers of loud are truncated" in finding.sentence
    some = [
        one._replace(truncated=(at % 4 == 0 and one.models[0] == "loud", False))
        for at, one in enumerate(judged)
    ]
    assert any("are truncated" in said for said in judged_finding(some, 0, ()).caveats)
