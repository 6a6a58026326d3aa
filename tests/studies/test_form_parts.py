"""Parts of `form` on planted rows and models: option bias, confidence, abstention, false premises, arms with gaps."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tellapart.controls import Made, controls_of
from tellapart.errors import UserMistake
from tellapart.models.budget import TokenBudget, current, metered
from tellapart.models.model import Answer, Completion, Model, Request, Scored
from tellapart.runs.folder import open_run
from tellapart.runs.row import Row
from tellapart.stats.estimate import Estimate
from tellapart.studies.form.arms import read_arms
from tellapart.studies.form.ask import Arm, Asking, ask_together
from tellapart.studies.form.complexity import complexity_finding
from tellapart.studies.form.facts import ArmFacts, Facts
from tellapart.studies.form.imitation import judged_finding
from tellapart.studies.form.judged import judge_checks
from tellapart.studies.form.judging import Pair, judge_pairs, read_unjudged
from tellapart.studies.form.knows import knows
from tellapart.studies.form.meanings import measure_meanings
from tellapart.studies.form.option_bias import measure_option_bias, option_caveats, option_estimates
from tellapart.studies.form.shares import Measured
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.form.verdict import Check, decide
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

PRIOR = np.array([0.6, 0.3, 0.1])


class Biased(Model):
    """Finds the word of the question among the options, a little; leans to the first letters."""

    reference, fingerprint, can_score = "biased", "biased", True

    def __init__(self, before: str = " ", share: float = 1.0) -> None:
        """A letter is written after `before`, in `share` of the probability."""
        self.asked, self.before, self.share = 0, before, share

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        raise AssertionError("only scores")

    def score(self, pairs: Iterable[tuple[str | tuple[int, ...], str | tuple[int, ...]]]) -> list[Scored]:
        scored = []
        for prompt, text in pairs:
            self.asked += 1
            assert isinstance(prompt, str)
            assert isinstance(text, str)
            wanted = prompt.partition("\n")[0].removeprefix("Find ")
            options = re.findall(r"^([A-C])\. (.+)$", prompt, re.MULTILINE)
            logs = np.log(PRIOR) + np.array([0.6 * (option == wanted) for _, option in options])
            logs -= np.log(np.exp(logs).sum())
            log = logs["ABC".index(text.strip())] + math.log(self.share)
            scored.append(Scored((1,), (text,), (log if text == self.before + text.strip() else -50.0,)))
        return scored


def listed(n: int) -> Task:
    words = ("oak", "elm", "fir", "ash", "yew")
    items = tuple(
        Item(
            str(at),
            {"q": f"Find {words[at % 5]}"},
            (words[at % 5],),
            tuple(words[(at + k) % 5] for k in turn),
        )
        for at, turn in ((at, ((0, 1, 2), (2, 0, 1), (1, 2, 0))[at % 3]) for at in range(n))
    )
    return Task("trees", items, "{q}\n{choices}\nAnswer:", make_scorer("choice"))


@pytest.mark.parametrize(("before", "share"), [(" ", 1.0), ("", 0.5)])
def test_option_bias_is_found_and_taken_out(tmp_path: Path, before: str, share: float) -> None:
    model, task = Biased(before, share), listed(120)
    with open_run(tmp_path / "run", {}, {}) as folder:
        told = measure_option_bias(folder, model, task, 0)
        asked = model.asked
        assert measure_option_bias(folder, model, task, 0) == told
        assert model.asked == asked, "read from the folder, not asked again"
    found = option_estimates(told)
    prior = [found[f"option_prior/{letter}"].value for letter in "ABC"]
    assert prior == pytest.approx(PRIOR, abs=0.03)
    assert found["letter_score"].value < 0.8
    assert found["debiased_letter_score"].value == 1
    assert found["debiasing_difference"].low > 0
    assert found["letter_share"].value == pytest.approx(share)
    assert not option_caveats(told)


def test_letters_that_seldom_come_are_said_to_tell_little(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", {}, {}) as folder:
        told = measure_option_bias(folder, Biased(share=0.02), listed(120), 0)
    assert "2 % of its probability" in option_caveats(told)[0]


def test_few_items_or_no_log_probabilities_give_no_bias(tmp_path: Path) -> None:
    mute = Biased()
    mute.can_score = False
    with open_run(tmp_path / "run", {}, {}) as folder:
        assert measure_option_bias(folder, Biased(), listed(12), 0) is None
        assert measure_option_bias(folder, mute, listed(120), 0) is None


def rows(
    texts: Sequence[str], scores: Sequence[float], logprobs: Sequence[float], tokens: int = 4
) -> pd.DataFrame:
    n = len(texts)
    return pd.DataFrame(
        {
            "condition": "k/full", "item": [str(at) for at in range(n)], "sample": 0, "status": "ok", "cluster": "",
            "completion": list(texts), "score": list(scores), "logprob": list(logprobs), "tokens": tokens,
        }
    )  # fmt: skip


def test_confidence_of_planted_rows() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.05, 0.95, 400)
    right = (rng.random(400) < chance).astype(float)
    found = knows(rows(["x"] * 400, right, 4 * np.log(chance)), "k/full", 1.0, {})
    assert found.estimates["calibration_error"].value < 0.08
    assert found.estimates["selective_risk_area"].value < 1 - right.mean()
    assert found.tables["risk_coverage"]["risk"][-1] == pytest.approx(1 - right.mean(), abs=1e-3)
    assert len(found.tables["reliability"]) == 10


def test_no_log_probabilities_no_curves() -> None:
    found = knows(rows(["x"] * 40, [1.0] * 40, [math.nan] * 40), "k/full", 1.0, {})
    assert found.tables == {}
    assert found.estimates == {}


def test_abstention_and_false_premises() -> None:
    texts = ["There is no such king."] * 18 + ["Henry."] * 2 + ["Paris."] * 17 + ["I don't know."] * 3
    false = {str(at): at < 20 for at in range(40)}
    found = knows(rows(texts, [1.0] * 40, [math.nan] * 40), "k/full", 1.0, false).estimates
    assert found["abstained"].value == 21 / 40
    assert found["false_premise_d_prime"].value > 2
    told_of = {name: known for name, known in false.items() if int(name) < 30}
    some = knows(rows(texts, [1.0] * 40, [math.nan] * 40), "k/full", 1.0, told_of).estimates
    assert some["false_premise_d_prime"].n == 30, "items that do not say are neither"
    only_no = knows(rows(["I don't know."] * 40, [0.0] * 40, [math.nan] * 40), "k/full", 1.0, false).estimates
    assert only_no["false_premise_d_prime"].value == 0
    assert only_no["false_premise_bias"].value < -1.9, "says no to everything"


def test_an_arm_that_lacks_items_is_compared_on_those_it_has() -> None:
    full = rows(["x"] * 10, [1.0] * 10, [math.nan] * 10)
    base = full.assign(condition="k/base", score=0.0)
    form = full.assign(condition="k/form", score=1.0).iloc[:4]
    told = {"base": ArmFacts("base"), "full": ArmFacts("full"), "form": ArmFacts("form")}
    arms = read_arms(pd.concat([full, base, form]), "k", told, 1.0)
    assert len(arms.items) == 10
    (own, other), _ = arms.compared("form", "full")
    assert len(own) == len(other) == 4
    assert np.isnan(arms.scores["form"]).sum() == 6


def share(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 100, "share", "")


@pytest.mark.parametrize(
    ("positive", "value", "label"),
    [
        ("held", 0.05, "substance"),
        ("open", 0.05, "cannot tell"),
        ("open", 1.0, "form"),
        ("held", 1.0, "form"),
    ],
)
def test_substance_needs_the_positive_control_to_fall(positive: str, value: float, label: str) -> None:
    effect = Estimate(0.5, 0.4, 0.6, 100, "score", "")
    shares = share(value, value - 0.05, value + 0.05)
    measured = Measured(
        {"base": "base", "full": "full", "form": "form", "destroyed": "gone"},
        effect,
        {"form_share/form": shares, "smallest_drop/form": share(0.1, math.nan, math.nan)},
        {},
    )
    checks = (Check("held", "again", ""), Check(positive, "gone", "does not clearly fall"))  # type: ignore[arg-type]
    assert decide(measured, checks, "cannot tell").label == label


def sized(status: str = "ok", end: float = 4) -> tuple[pd.DataFrame, Facts]:
    """Answers to items of 1 to 16 steps by a model that is right in every step up to `end`, and never beyond."""
    steps = np.repeat([1, 2, 4, 8, 16], 40)
    rng = np.random.default_rng(0)
    right = ((steps <= end) & (rng.random(200) < 0.98**steps)).astype(float)
    frame = rows(["x"] * 200, right, [math.nan] * 200).assign(condition="complexity/plain")
    frame.loc[(steps > 4) & (right == 0), "status"] = status
    complexity = {str(at): (float(n), float(n)) for at, n in enumerate(steps)}
    return frame, Facts({}, complexity=complexity)


def test_a_collapse_is_form() -> None:
    finding = complexity_finding(*sized())
    assert finding is not None
    assert finding.verdict == "form"
    assert finding.estimates["form_share"].value == 1
    assert [row["right"] for row in finding.tables["levels"]][-2:] == [0, 0]


def test_who_carries_it_out_has_the_substance() -> None:
    finding = complexity_finding(*sized(end=99))
    assert finding is not None
    assert finding.verdict == "substance"


def test_answers_that_were_cut_off_are_no_collapse() -> None:
    finding = complexity_finding(*sized("cut off"))
    assert finding is not None
    assert finding.verdict != "form"
    assert "80 of 200 answers ran into the token limit" in finding.caveats[0]
    assert [row["cut off"] for row in finding.tables["levels"]] == [0, 0, 0, 40, 40]


class Judge(Biased):
    """Prefers the answer with more of the word "right" in it; `first` leans to A."""

    def __init__(self, first: float = 0.0, likes_constant: bool = False) -> None:
        super().__init__()
        self.first, self.likes_constant = first, likes_constant

    def score(self, pairs: Iterable[tuple[str | tuple[int, ...], str | tuple[int, ...]]]) -> list[Scored]:
        scored = []
        for prompt, text in pairs:
            assert isinstance(prompt, str)
            assert isinstance(text, str)
            a, b = re.findall(r"Answer [AB]: (.*)", prompt)
            gap = a.count("right") - b.count("right") + self.first
            if self.likes_constant:
                gap += 5 * (a.startswith("This is") - b.startswith("This is"))
            scored.append(Scored((1,), (text,), (gap if text == " A" else 0.0,)))
        return scored


def unjudged(n: int = 40) -> list[Pair]:
    good, bad = "this is right {} and right", "this is wrong {} and long and windy"
    return [
        Pair(str(at), f"What is {at}?", ("good", "bad"), (good.format(at), bad.format(at))) for at in range(n)
    ]


@pytest.mark.parametrize(
    ("judge", "flagged"),
    [
        (Judge(), set()),
        (Judge(first=9), {"order swap", "constant answer (constant answer)"}),
        (Judge(likes_constant=True), {"constant answer (constant answer)"}),
    ],
)
def test_a_judge_is_tried_in_both_orders_and_on_a_constant_answer(
    tmp_path: Path, judge: Judge, flagged: set[str]
) -> None:
    with open_run(tmp_path / "run", {}, {}) as folder:
        judged = judge_pairs(folder, judge, unjudged(), quiet=True)
    assert len(judged) == 2 * 40 + 2 * 40
    checks = judge_checks(judged)
    assert {check.name for check in checks if check.flagged} == flagged
    finding = judged_finding(judged, 0, ())
    assert finding.estimates["win_rate/good"].value == (0.5 if judge.first else 1)
    assert finding.estimates["win_rate/good"].n == 40, "a pair judged in both orders is one pair"
    assert next(check for check in checks if check.name.startswith("constant")).estimate.n == 40


def test_how_right_answers_are_goes_with_a_judge(tmp_path: Path) -> None:
    line = {"question": "?", "model_a": "bad", "model_b": "good", "answer_a": "this is wrong and long",
            "answer_b": "this is right and right", "score_a": 0.0, "score_b": 1.0}  # fmt: skip
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "item": str(at),
                    **line,
                    "answer_a": f"wrong {at} and long",
                    "answer_b": f"this is right {at}",
                }
            )
            + "\n"
            for at in range(20)
        )
    )
    pairs = read_unjudged(str(path))
    with open_run(tmp_path / "run", {}, {}) as folder:
        judged = judge_pairs(folder, Judge(), pairs, quiet=True)
    known = {(one.models, one.scores) for one in judged if one.scores is not None}
    assert known == {(("bad", "good"), (0.0, 1.0)), (("good", "bad"), (1.0, 0.0))}
    assert judged_finding(judged, 0, ()).estimates["score/good"].value == 1
    half = {name: value for name, value in line.items() if name[:5] != "score"}
    path.write_text(path.read_text() + json.dumps({"item": "20", **half}))
    with pytest.raises(UserMistake, match="20 of 21 lines hold score_a and score_b"):
        read_unjudged(str(path))


class Same(Judge):
    """Says two answers entail each other where their first letters agree."""

    def score(self, pairs: Iterable[tuple[str | tuple[int, ...], str | tuple[int, ...]]]) -> list[Scored]:
        scored = []
        for prompt, text in pairs:
            assert isinstance(prompt, str)
            first, second = re.findall(r"(?:First|Second) answer: (\w)", prompt)
            scored.append(
                Scored((1,), (str(text),), (1.0 if (first == second) == (text == " yes") else 0.0,))
            )
        return scored


def test_semantic_entropy_with_an_entailment_model(tmp_path: Path) -> None:
    task = Task(
        "t", (Item("0", {"q": "?"}, ("a",)), Item("1", {"q": "?"}, ("b",))), "{q}", make_scorer("exact")
    )
    texts = {"0": ["a one", "a two", "a", "b"], "1": ["c", "d", "e", "f"]}
    made = [
        Row("form", "k/full", item, at, 0, "", "report", "", "", text, 1.0, "ok", "", math.nan, 1, 1, 0.0)
        for item, own in texts.items()
        for at, text in enumerate(own)
    ]
    with open_run(tmp_path / "a", {}, {}) as folder:
        told = measure_meanings(folder, task, made, Same())
    assert told is not None
    assert told["0"].entropy == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert told["1"].entropy == pytest.approx(math.log(4))
    with open_run(tmp_path / "b", {}, {}) as folder:
        plain = measure_meanings(folder, task, made, None)
        assert plain is not None
        assert plain["0"].entropy == pytest.approx(math.log(4))
    with open_run(tmp_path / "c", {}, {}) as folder:
        assert measure_meanings(folder, task, made[:1], None) is None
        assert measure_meanings(folder, task, made[:3], None) is not None
        assert measure_meanings(folder, task, made, None) == plain, "more answers than before count"


class Counting(Biased):
    """Answers every prompt with the same text, and counts."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for index, _ in enumerate(requests):
            if current().empty:
                raise current().refusal()
            self.asked += 1
            current().charge("generated", 1)
            yield Answer(index, Completion("A", (1,), ("A",), None, None, "stop", 1, 0.0))


def test_equal_arms_are_asked_once_and_a_budget_stops(tmp_path: Path) -> None:
    task, model = listed(10), Counting()
    arms = [Arm(control, Made(task)) for control in controls_of("choices")[:3]]
    with open_run(tmp_path / "run", {}, {}) as folder:
        asking = Asking(folder, model, FormSpec(json=True))
        ask_together(asking, arms)
        assert model.asked == 10
        assert [len(rows) for rows in asking.rows.values()] == [10, 10, 10]
        ask_together(Asking(folder, model, FormSpec(json=True)), arms)
        assert model.asked == 10, "what the folder holds is not asked again"
    with open_run(tmp_path / "poor", {}, {}) as folder:
        asking = Asking(folder, model, FormSpec(json=True))
        with metered(TokenBudget(4)) as budget:
            ask_together(asking, arms)
        assert budget.refused
        assert [len(rows) for rows in asking.rows.values()] == [4, 4, 4]
