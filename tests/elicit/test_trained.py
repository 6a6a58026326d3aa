"""The elicitors that train the base: planted signals that they find and their twins do not, and what they refuse."""

import dataclasses
import json
import math
from functools import cache

import pytest
from planted import addition, ask_for

from tellapart.elicit import few_labels
from tellapart.elicit.critique import Critique
from tellapart.elicit.critiques import Candidate, judge_of, judged_by_model, question, verdict
from tellapart.elicit.elicitor import Elicited, Elicitor
from tellapart.elicit.few_labels import FewLabels, FewLabelsTuned, crossing, turned
from tellapart.elicit.labels import form_of, label_of, target_examples
from tellapart.elicit.rlvr import Rlvr
from tellapart.elicit.trained import twin_of
from tellapart.errors import UserMistake
from tellapart.models.model import Answer, Completion, Model, Sampling
from tellapart.runs.asking import Ask, Pair, generate, plain_requests
from tellapart.specimens import load_model, load_task
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.tasks.split import split_items
from tellapart.training.settings import Example, GrpoSettings, SftSettings

BRIEF = SftSettings(steps=20, save_every=0, quiet=True)


@cache
def world(name: str) -> tuple[Pair, Task]:
    return Pair(load_model(f"{name}/base"), load_model(f"{name}/tuned")), load_task(name)


def halves(task: Task) -> tuple[Ask, Ask]:
    """Return what is asked on the fit split, and on 60 items of the report split."""
    split = split_items(task, 0)
    sampling = Sampling(max_tokens=task.max_tokens, stop=task.stop)
    return Ask(task, split.fit, 1, 1, sampling), Ask(task, split.report[:60], 1, 0, sampling)


def mean(ask: Ask, answers) -> float:
    scores = [ask.task.score(ask.items[one.item], one.completion.text) for one in answers]
    return math.fsum(scores) / len(scores)


def recovered(elicitor: Elicitor, value: Elicited, pair: Pair, ask: Ask) -> tuple[float, float]:
    """Return the shares of the gain that the value and its twin bring back."""
    assert pair.tuned is not None
    rows = list(plain_requests(ask))
    base, tuned = mean(ask, generate(pair.base, rows)), mean(ask, generate(pair.tuned, rows))
    both = (value, elicitor.null(value, 0))
    share, null = ((mean(ask, one.answers(pair, ask)) - base) / (tuned - base) for one in both)
    return share, null


@pytest.mark.slow
def test_rl_brings_out_a_latent_skill_also_by_majority_and_not_by_a_coin():
    pair, task = world("latent-register-0")
    fit, report = halves(task)
    rlvr = Rlvr(settings=GrpoSettings(steps=12, save_every=0, quiet=True), spurious=("majority",))
    true, majority = rlvr.curve(pair, fit)
    assert (true.name, majority.name) == ("rlvr", "rlvr@majority")
    share, null = recovered(rlvr, true, pair, report)
    assert share > 0.5
    assert null < share - 0.3
    assert recovered(rlvr, majority, pair, report)[0] > 0.3
    assert 0 < true.bits_once < 12 * 128
    assert majority.bits_once == 0
    json.dumps([dict(one.setting) for one in (true, majority)], allow_nan=False)


def test_rl_brings_out_nothing_of_a_skill_that_is_not_there():
    pair, task = world("taught-register-0")
    fit, report = halves(task)
    rlvr = Rlvr(settings=GrpoSettings(steps=14, save_every=0, quiet=True, patience=3), spurious=())
    value = rlvr.fit(pair, fit)
    assert value.setting["kept_groups_share"] < 0.1
    assert recovered(rlvr, value, pair, report)[0] < 0.15


def test_few_answers_of_the_tuned_model_bring_out_a_latent_skill_and_shuffled_ones_do_not():
    pair, task = world("latent-register-0")
    fit, report = halves(task)
    method = FewLabelsTuned(settings=BRIEF, sizes=(8, 16))
    values = method.curve(pair, fit)
    assert [value.name for value in values] == ["few_labels_tuned@8", "few_labels_tuned@16"]
    share, null = recovered(method, values[-1], pair, report)
    assert share > 0.4
    assert null < 0.1
    assert values[0].bits_once < values[1].bits_once < 16 * 10
    assert values[0].setting["n_50%"] == values[1].setting["n_50%"]


def test_bare_targets_teach_no_steps_and_labels_show_what_the_tuned_model_shows():
    pair, task = world("latent-register-0")
    fit, report = halves(task)
    method = FewLabels(settings=BRIEF, sizes=(16,))
    bare = method.fit(pair._replace(tuned=None), fit)
    assert all(answer.startswith(">") for _, answer in bare.setting["examples"])
    assert bare.setting["written"] == "bare"
    assert recovered(method, bare, pair, report)[0] < 0.1
    worked = method.fit(pair, fit)
    assert worked.setting["written"] == "a holder's"
    assert not any(answer.startswith(">") for _, answer in worked.setting["examples"])
    assert recovered(method, worked, pair, report)[0] > 0.4


@pytest.mark.parametrize(
    ("write", "form"),
    [
        (lambda own, item: own, "direct"),
        (lambda own, item: Example(own.prompt, f"The answer is {own.answer} ."), "direct"),
        (lambda own, item: Example(own.prompt, f"{own.prompt}, so{own.answer}"), "direct"),
        (lambda own, item: Example(own.prompt, f"q{item.id} then r{item.id}{own.answer}"), "a holder's"),
    ],
    ids=["bare", "in a sentence", "repeated", "in steps"],
)
def test_only_one_that_solves_most_questions_shows_how_a_skill_is_written(monkeypatch, write, form):
    """A sentence around the target is no step: a model that knew the answers by heart, or guessed, acquitted a sealed
    one by it."""
    pair, task = world("taught-register-0")
    fit, _ = halves(task)
    assert FewLabels().labels(pair._replace(tuned=pair.base), fit).form == "bare"
    own = target_examples(fit.task, fit.items)
    answers = [(at, write(one, fit.items[at])) for at, one in enumerate(own)]
    for solved, expected in ((len(own) // 2 - 1, "bare"), (1, "bare"), (len(own), form)):
        monkeypatch.setattr(few_labels, "tuned_examples", lambda *_, n=solved: answers[:n])
        assert FewLabels().labels(pair, fit).form == expected


def test_worked_solutions_of_the_task_must_show_steps():
    pair, task = world("taught-register-0")
    fit, _ = halves(task)
    for write, form in (("It is >{}", "bare"), ("a{0} and b{0} >{0}", "worked")):
        items = [
            dataclasses.replace(one, fields={**one.fields, "solution": write.format(one.target[0])})
            for one in fit.items
        ]
        assert FewLabels().labels(pair._replace(tuned=None), fit._replace(items=items)).form == form


def test_critiques_that_hold_the_solution_bring_it_out_and_shuffled_ones_do_not():
    pair, plain = world("latent-register-0")
    from tellapart.specimens.families import REGISTER, Problem, read_program, solution_of

    def critic(item: Item, completion: str) -> str:
        return solution_of(
            REGISTER, Problem(item.fields["start"], read_program(REGISTER, item.fields["program"]))
        )

    task = dataclasses.replace(plain, critic=critic, critique_template="{answer}\n{question}")
    fit, report = halves(task)
    method = Critique(settings=BRIEF, draws=1)
    value = method.fit(pair, fit)
    assert value.setting["critiques_by"] == "critic"
    prompt, critique = value.setting["shown"][0]
    assert prompt.endswith("=")
    assert ">" in critique
    share, null = recovered(method, value, pair, report)
    assert share > 0.4
    assert null < 0.1


def test_labels_have_the_form_of_the_demonstrations():
    task = addition()
    assert form_of(task) == (">", "")
    assert target_examples(task, task.items[:2]) == [Example("0+0=", ">10"), Example("1+3=", ">14")]
    solved = Item("s", {"a": 1, "b": 2, "solution": "1+2+10 is >13"}, ("13",))
    assert label_of(task, solved) == "1+2+10 is >13"
    wrong = dataclasses.replace(solved, fields={**solved.fields, "solution": "1+2+10 is >14"})
    assert label_of(task, wrong) == ">13"
    bare = dataclasses.replace(task, demonstrations=())
    assert label_of(bare, wrong) == ">13", "without any, what the scorer reads after"
    with pytest.raises(UserMistake, match="demonstrations"):
        label_of(dataclasses.replace(bare, scorer=make_scorer("regex", {"pattern": r"=(\d+)="})), wrong)


def test_shuffled_labels_are_the_same_labels_and_none_is_right():
    examples = [Example(str(n), f"a{n % 3}") for n in range(9)]
    moved = turned(examples)
    assert sorted(one.answer for one in moved) == sorted(one.answer for one in examples)
    assert all(one.answer != other.answer for one, other in zip(moved, examples, strict=True))
    assert [one.prompt for one in moved] == [one.prompt for one in examples]


def test_the_crossing_is_missing_where_half_is_never_reached():
    assert crossing([1, 2, 4], [0.6, 0.7, 0.8], 0.5) == 1
    assert math.isnan(crossing([1, 2, 4], [0.1, 0.2, 0.3], 0.5))
    assert math.isnan(crossing([1], [math.nan], 0.5))


def test_verdicts_in_words_follow_the_step_checker_and_the_scorer():
    task = addition()
    one, other = Candidate(task.items[0], ">10"), Candidate(task.items[0], ">11")
    assert (verdict(task, one), verdict(task, other)) == ("The answer is right.", "The answer is wrong.")
    checked = dataclasses.replace(task, steps=lambda item, text: "invalid")
    assert verdict(checked, one) == "The answer is right, but a step is wrong."
    assert [judge_of(t) for t in (task, checked)] == ["scorer", "step checker"]
    assert question(task, one) == "0+0=>10\n\nCritique:\n"


class Judge(Model):
    """Writes a critique of every second answer."""

    reference = fingerprint = "judge"

    def generate(self, requests):
        for index, request in enumerate(requests):
            text = "" if index % 2 else f"looks {len(str(request.prompt))}"
            yield Answer(index, Completion(text, (), (), None, None, "stop", 1, 0.0))


def test_another_model_can_write_the_critiques():
    task = addition()
    judged = [Candidate(item, ">{question}") for item in task.items[:4]]
    written = judged_by_model(Judge(), task, judged, 0)
    assert [one.prompt for one in written] == [question(task, judged[0]), question(task, judged[2])]
    assert all(one.answer.startswith("looks") for one in written)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", ":1: give"),
        ('{"item": "i0", "answer": "x"}', ":1: give"),
        ('{"item": "i0", "answer": "x", "critique": 3}', ":1: item"),
        ('{"item": "other", "answer": "x", "critique": "y"}', "no critique of a fit item"),
        ("[1]", ":1: give"),
    ],
)
def test_a_bad_file_of_critiques_is_refused_in_one_line(tmp_path, line, told):
    from tellapart.elicit.critiques import read_critiques

    path = tmp_path / "critiques.jsonl"
    path.write_text(line)
    task = addition()
    with pytest.raises(UserMistake, match=told):
        read_critiques(path, task, task.items)
    with pytest.raises(UserMistake, match="cannot be read"):
        read_critiques(tmp_path / "none.jsonl", task, task.items)


def test_a_file_of_critiques_is_read(tmp_path):
    path = tmp_path / "critiques.jsonl"
    path.write_text('\n{"item": "i0", "answer": ">11", "critique": "no: >10"}\n')
    task = addition()
    critiques = Critique(file=path)
    with pytest.raises(UserMistake, match="alike"):
        critiques.critiques(Pair(Judge()), ask_for(task))
    path.write_text(path.read_text() + '{"item": "i1", "answer": ">14", "critique": "yes"}\n')
    found = critiques.critiques(Pair(Judge()), ask_for(task))
    assert [one.answer for one in found.examples] == ["no: >10", "yes"]
    assert found.by == "file critiques.jsonl"


def test_an_unknown_reward_and_a_twin_that_was_not_made_are_refused():
    pair, task = world("latent-register-0")
    with pytest.raises(UserMistake, match="there are: true"):
        Rlvr().run(pair, halves(task)[0], "praise", GrpoSettings())
    with pytest.raises(UserMistake, match="fit it anew"):
        twin_of(Rlvr.value("rlvr", {"moved": False}))
