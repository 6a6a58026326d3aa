"""One contract, every verifier; and what each finds where a model knows which answers are right."""

import random
import re
from contextlib import nullcontext

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.models.model import Answer, Completion, Model, Scored
from tellapart.stats.improvement import gap, verified
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.verifiers import VERIFIERS, open_verifier
from tellapart.verifiers.critique import read_verdict
from tellapart.verifiers.score import read_mark
from tellapart.verifiers.verifier import Bench, put

ITEMS = tuple(Item(f"i{n}", {"prompt": f"{n} + 1 = "}, (str(n + 1),)) for n in range(30))
TASK = Task(
    "sums",
    ITEMS,
    "{prompt}",
    make_scorer("exact"),
    steps=lambda item, text: "valid" if text == item.target[0] else "absent",
)
KNOWN = [name for name in VERIFIERS if name not in ("chance", "form", "longest")]


class Knowing(Model):
    """Judges "n + 1 = m" rightly with chance `skill`, in words, marks and log-probabilities."""

    can_score = True

    def __init__(self, skill):
        self.skill = skill
        self.reference = self.fingerprint = f"knowing {skill}"

    def generate(self, requests):
        for index, request in enumerate(requests):
            n, m = re.match(r"(\d+) \+ 1 = (\d+)", request.prompt).groups()
            says = self._says(int(n) + 1 == int(m), request.seed)
            text = (
                ("mark 10" if says else "mark 1")
                if "whole number" in request.prompt
                else ("yes" if says else "no")
            )
            yield Answer(index, Completion(f"let me see: {text}", (), (), None, None, "stop", 1, 0.0))

    def score(self, pairs):
        return [Scored((), (), (self._logprob(prompt, option),)) for prompt, option in pairs]

    def _says(self, right, seed):
        return right if random.Random(seed).random() < self.skill else not right

    def _logprob(self, prompt, option):
        n = int(re.match(r"(\d+)", prompt).group(1))
        if "Answer A" in prompt:
            best = [m for m in re.findall(r"Answer ([AB]): (\d+)", prompt) if int(m[1]) == n + 1]
            wanted = f" {best[0][0]}" if best else " A"
        else:
            wanted = " yes" if f"= {n + 1}\n" in prompt else " no"
        certain = random.Random(f"{prompt}").random() < self.skill
        return -0.1 if (option == wanted) == certain else -2.0


def _bench(model, seed=0, share=0.4):
    rng = random.Random(seed)
    answers = [
        [
            item.target[0] if rng.random() < share else str(int(item.target[0]) + rng.randint(1, 50))
            for _ in range(8)
        ]
        for item in ITEMS
    ]
    answers[0][0] = None
    truth = np.array(
        [
            [np.nan if t is None else TASK.score(i, t) for t in row]
            for i, row in zip(ITEMS, answers, strict=True)
        ]
    )
    return Bench(TASK, ITEMS, answers, lambda: nullcontext(model), lambda: nullcontext(model), seed), truth


@pytest.mark.parametrize("name", [*VERIFIERS, "majority+critique"])
def test_verdicts_have_the_answers_shape_and_depend_on_the_seed_alone(name):
    bench, truth = _bench(Knowing(0.9))
    verifier = open_verifier(name)
    utilities = verifier.judge(bench)
    assert utilities.shape == truth.shape
    assert np.isnan(utilities[0, 0]), "a failed answer has no verdict"
    assert ((np.nan_to_num(utilities) >= 0) & (np.nan_to_num(utilities) <= 1)).all()
    accepted = verifier.accept(utilities)
    assert not accepted[0, 0]
    assert (np.isnan(verifier.judge(bench)) == np.isnan(utilities)).all()
    assert np.array_equal(np.nan_to_num(verifier.judge(bench)), np.nan_to_num(utilities))
    assert verifier.name == name


@pytest.mark.parametrize("name", KNOWN)
def test_a_model_that_knows_shows_a_gap_and_one_that_does_not_shows_none(name):
    bench, truth = _bench(Knowing(1.0))
    verifier = open_verifier(name)
    found = gap(verified(truth, verifier.accept(verifier.judge(bench))))
    assert found.low > 0.2
    if not verifier.outside and name != "majority":
        bench, truth = _bench(Knowing(0.5))
        blind = gap(verified(truth, verifier.accept(verifier.judge(bench))))
        assert blind.low < 0.05, f"{name} gained {blind} from a model that knows nothing"


def test_controls_do_not_know():
    bench, truth = _bench(Knowing(1.0))
    for name in ("chance", "form"):
        verifier = open_verifier(name)
        found = gap(verified(truth, verifier.accept(verifier.judge(bench))))
        assert found.low <= 0 <= found.high


def test_and_accepts_what_both_accept_and_is_the_sharper_one():
    bench, truth = _bench(Knowing(0.8), share=0.3)
    parts = [open_verifier(name) for name in ("majority", "critique")]
    both = open_verifier("majority+critique")
    accepted = [one.accept(one.judge(bench)) for one in (*parts, both)]
    assert (accepted[2] == (accepted[0] & accepted[1])).all()
    rights = [np.nanmean(np.where(a, truth, np.nan)) for a in accepted]
    assert rights[2] >= max(rights[:2]) - 0.05


class LikesA(Knowing):
    """Knows which answer is right, and likes whatever is called A more than that."""

    def _logprob(self, prompt, option):
        return super()._logprob(prompt, option) + (5.0 if option == " A" else 0.0)


def test_a_tournament_in_both_orders_is_not_swayed_by_the_place():
    verifier = open_verifier("tournament")
    told = [verifier.judge(_bench(model)[0]) for model in (Knowing(1.0), LikesA(1.0))]
    assert np.array_equal(np.nan_to_num(told[0]), np.nan_to_num(told[1]))


def test_majority_asks_for_two_votes_and_takes_the_first_of_equals():
    bench, _ = _bench(Knowing(1.0))
    answers = [["1", "2", "3"], ["5", "4", "4"], ["7", "8", "7"]]
    verifier = open_verifier("majority")
    told = verifier.judge(bench._replace(items=ITEMS[:3], answers=answers))
    assert told.tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 1]]


def test_graded_verifiers_accept_the_best_fifth():
    verifier = open_verifier("logprob")
    utilities = np.linspace(0, 1, 100).reshape(10, 10)
    utilities[0, 0] = np.nan
    assert verifier.accept(utilities).sum() == 20
    assert not verifier.accept(np.full((2, 2), np.nan)).any()


def test_python_functions_judge_and_are_held_to_their_range(tmp_path, monkeypatch):
    (tmp_path / "mine_verifies.py").write_text(
        "def even(item, text):\n    return None if text == '9' else float(int(text) % 2 == 0)\n"
        "def wild(item, text):\n    return 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    bench, _ = _bench(Knowing(1.0))
    bench = bench._replace(items=ITEMS[:1], answers=[["4", "5", "9"]])
    told = open_verifier("python:mine_verifies:even").judge(bench)
    assert told[0, :2].tolist() == [1, 0]
    assert np.isnan(told[0, 2])
    with pytest.raises(UserMistake, match="gave 7 for item 'i0': give a number in"):
        open_verifier("python:mine_verifies:wild").judge(bench)


def test_mistakes_are_told_in_a_line():
    with pytest.raises(UserMistake, match="no verifier 'oracle': give logprob, critique"):
        open_verifier("oracle")
    bench, _ = _bench(Knowing(1.0))
    with pytest.raises(UserMistake, match="no step checker"):
        open_verifier("steps").judge(bench._replace(task=Task("t", ITEMS, "{prompt}", make_scorer("exact"))))


def test_verdicts_and_marks_are_read_from_the_end():
    assert read_verdict("no, wait: yes", ("yes", "no")) == 1
    assert read_verdict("r7583;c1305>x", ("v", "x")) == 0
    assert np.isnan(read_verdict("I know nothing", ("yes", "no")))
    assert np.isnan(read_verdict(None, ("yes", "no")))
    assert read_mark("from 1 to 10: 10") == 1
    assert read_mark("a 4.5, or 42") != read_mark("10")
    assert np.isnan(read_mark("none"))
    assert put("{a} {b}", {"a": "{b}", "b": "x"}) == "{b} x"
