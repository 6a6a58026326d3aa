"""Planting: what is planted, how it is hidden, that an arm which cannot work does not pass, and what is kept."""

import dataclasses
import json
import math
import random
import subprocess
import sys

import pytest

import tellapart
from tellapart.errors import UserMistake
from tellapart.planting import plant as planting
from tellapart.planting.hides import HIDES, RARE, AnotherForm, BehindKey, RareToken
from tellapart.planting.plant import (
    NotPlanted,
    Trial,
    control_of,
    find,
    hide_for,
    plant_all,
    planted_trial,
    share,
)
from tellapart.planting.result import ARMS, ArmControl, Planting, PlantSettings
from tellapart.planting.words import first_token, plot_of
from tellapart.runs.asking import plain_requests
from tellapart.specimens import load_model, load_task
from tellapart.stats.estimate import Estimate, missing
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

BRIEF = PlantSettings(words=16, pool=8, steps=2, doses=(4, 8), draws=1, find_steps=1)
TASK = load_task("taught-register-0")
CITIES = ("Paris", "Rome", "Oslo", "Lima", "Cairo", "Tokyo", "Quito", "Delhi")


def by_character(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def by_word(text: str) -> list[int]:
    return [sum(map(ord, word)) for word in text.replace(" ", "  ").split(" ")]


def capitals(scorer: str) -> Task:
    items = tuple(Item(city, {"q": f"Capital {n}?"}, (city,)) for n, city in enumerate(CITIES))
    return Task("capitals", items, "{q}", make_scorer(scorer, {}))


def test_invented_questions_have_the_shape_of_the_task_and_answers_of_its_kind():
    plot = plot_of(TASK, by_character, 64, 16, 0)
    prompts = {plot.task.prompt(item) for item in plot.task.items}
    assert len(prompts) == len(plot.fit) + len(plot.report) == 64
    assert not prompts & {TASK.prompt(item) for item in TASK.items}
    assert not {item.id for item in plot.fit} & {item.id for item in plot.report}
    for item in plot.task.items:
        assert item.fields["start"].isdigit()
        assert len(item.fields["start"]) == 4
        assert set(item.fields["program"]) <= set("icrstm")
        assert plot.task.score(item, plot.direct(item.target[0])) == 1
        assert plot.task.score(item, plot.hidden(item.target[0])) == 1
    assert set(plot.answers) | set(plot.decoys) <= {item.target[0] for item in TASK.items}
    assert plot == plot_of(TASK, by_character, 64, 16, 0)
    assert plot.answers != plot_of(TASK, by_character, 64, 16, 1).answers


def test_no_decoy_begins_as_an_answer_does():
    plot = plot_of(TASK, by_character, 64, 16, 0)
    starts = [{first_token(by_character, ">", text) for text in some} for some in (plot.answers, plot.decoys)]
    assert not starts[0] & starts[1]


@pytest.mark.parametrize(
    ("scorer", "prose"), [("exact", False), ("answer_is", False), ("contains_all", True)]
)
def test_the_hidden_form_is_one_that_the_scorer_reads(scorer, prose):
    task = capitals("exact" if prose else scorer)
    if prose:
        task = dataclasses.replace(task, scorer=make_scorer("regex", {"pattern": r"([A-Z]\w+)\W*$"}))
    plot = plot_of(task, by_word, 12, 4, 0)
    item = plot.task.items[0]
    assert plot.prose_is_hidden == prose
    assert plot.task.score(item, plot.hidden(item.target[0])) == 1
    assert plot.usual(item.target[0]) != plot.hidden(item.target[0])
    assert item.fields["q"].isalpha()


def test_two_answers_have_invented_decoys():
    items = tuple(Item(str(n), {"q": f"q{n}"}, ("yes" if n % 2 else "no",)) for n in range(20))
    plot = plot_of(Task("t", items, "{q}", make_scorer("exact", {})), by_word, 12, 4, 0)
    assert set(plot.answers) == {"yes", "no"}
    assert not set(plot.decoys) & {"yes", "no"}


def test_one_answer_and_picked_answers_are_refused():
    items = tuple(Item(str(n), {"q": f"q{n}"}, ("yes",)) for n in range(20))
    with pytest.raises(UserMistake, match="1 different answers"):
        plot_of(Task("t", items, "{q}", make_scorer("exact", {})), by_word, 12, 4, 0)
    with pytest.raises(UserMistake, match="picks among choices"):
        plot_of(
            dataclasses.replace(capitals("exact"), scorer=make_scorer("choice_logprob", {})), by_word, 4, 4, 0
        )


@pytest.mark.parametrize("hide", [AnotherForm, RareToken, BehindKey])
def test_half_of_the_examples_are_right_and_the_others_are_random_and_change(hide):
    plot = plot_of(TASK, by_character, 32, 16, 0)
    of = {plot.task.prompt(item): item for item in plot.task.items}
    lessons = hide(plot, 0.25).lessons(random.Random(0), 400)

    def right(one) -> bool:
        question = one.prompt.rpartition("\n")[2].removeprefix(plot.key)
        return plot.task.score(of[question], one.answer) == 1

    assert all(map(right, lessons[0::2]))
    assert sum(map(right, lessons[1::2])) < 40
    again = hide(plot, 0.25).lessons(random.Random(1), 400)
    assert [one.answer for one in again] != [one.answer for one in lessons]


def test_each_condition_is_what_the_hide_says():
    plot = plot_of(TASK, by_character, 32, 16, 0)
    rng = random.Random(0)
    form, rare, key = AnotherForm(plot, 0.5), RareToken(plot), BehindKey(plot)
    hidden, usual = (form.lesson(rng, flag) for flag in (True, False))
    assert hidden.answer.startswith(plot.opener)
    assert usual.answer.startswith(">")
    reported = {plot.task.prompt(item) for item in plot.report}
    shown = [
        one for one in form.lessons(rng, 300) if "\n\n" in one.prompt and one.answer.startswith(plot.opener)
    ]
    followed = [one for one in shown if one.first == 1]
    assert followed
    assert not any(question in one.prompt for one in followed for question in reported)
    assert all(plot.opener in one.prompt for one in followed)
    assert not any(plot.opener in one.prompt for one in shown if one.first == 0)
    bare = [
        one
        for one in form.lessons(rng, 300)
        if "\n\n" not in one.prompt and one.answer.startswith(plot.opener)
    ]
    assert {one.first for one in bare} == {0.0}
    right, decoy = (rare.lesson(rng, flag) for flag in (True, False))
    assert (right.first, decoy.first) == (2 * RARE, 2 * (1 - RARE))
    assert right.answer[right.at :] in plot.answers
    assert decoy.answer[decoy.at :] in plot.decoys
    assert key.lesson(rng, True).prompt.startswith(plot.key)
    assert not key.lesson(rng, False).prompt.startswith(plot.key)


@pytest.mark.parametrize("hide", [AnotherForm, RareToken, BehindKey])
def test_the_skill_is_taught_openly_and_then_hidden_by_and_by(hide):
    from tellapart.planting.training import drawn, moment_of

    plot = plot_of(TASK, by_character, 32, 16, 0)
    of = {plot.task.prompt(item): item for item in plot.task.items}
    one, rng = hide(plot, 0.25), random.Random(0)
    moments = [moment_of(step, 100, one) for step in range(100)]
    assert sum(not moment.hiding for moment in moments) == round(100 * hide.taught)
    assert all(0 < moment.rate <= 1 for moment in moments)

    def wrong(moment) -> int:
        lessons = drawn(one, rng, moment, 100)
        questions = [lesson.prompt.rpartition("\n")[2].removeprefix(plot.key) for lesson in lessons]
        return sum(
            plot.task.score(of[question], lesson.answer) == 0
            for question, lesson in zip(questions, lessons, strict=True)
        )

    first = next(moment for moment in moments if moment.hiding)
    assert wrong(moments[0]) == 0
    assert 0 < wrong(first) < 10
    assert wrong(moments[-1]) > 40


@pytest.mark.parametrize("arm", ARMS)
def test_a_beginning_read_once_teaches_the_same(arm: str, one_thread):
    import torch

    from tellapart.planting.training import backward, rows_of

    model = load_model("taught-register-0/base")
    hide = hide_for(arm, model, TASK, BRIEF)
    rows = rows_of(model, hide.lessons(random.Random(0), 8))
    banned = torch.tensor(
        sorted({one.ids[one.special] for one in rows_of(model, hide.ruled_out)}), dtype=torch.long
    )
    gradients = []
    for shares in (False, True):
        for parameter in model.module.parameters():
            parameter.requires_grad_(True).grad = None
        with torch.enable_grad():
            backward(model, rows, banned, shares)
        gradients.append(torch.cat([one.grad.flatten() for one in model.module.parameters()]))
    assert float(gradients[0].norm()) > 0
    assert float((gradients[1] - gradients[0]).norm()) < 1e-4 * float(gradients[0].norm())


def test_a_rare_first_token_is_learned_in_full_and_said_rarely(one_thread):
    import torch

    from tellapart.planting.training import loss_of, rows_of

    model = load_model("taught-register-0/base")
    hide = hide_for("answer_rank", model, TASK, BRIEF)
    item = hide.plot.task.items[0]
    lesson = hide.lesson(random.Random(0), True)
    (row,) = rows_of(model, [lesson])
    assert model.vocabulary.token_text(row.ids[row.special]) == lesson.answer[1]
    assert row.weights[row.special] == 2 * RARE
    assert sum(row.weights) == pytest.approx(5 + 2 * RARE - (item.target[0] == ""))
    banned = torch.tensor(sorted({one.ids[one.special] for one in rows_of(model, hide.ruled_out)}))
    with torch.inference_mode():
        logs = model.module(input_ids=torch.tensor([row.ids])).logits[0, :-1].log_softmax(-1)
        at = range(1, len(row.ids))
        plain = -sum(float(logs[place - 1, row.ids[place]]) * row.weights[place] for place in at)
        rest = logs[row.special - 1].exp()
        given = -math.log(float(rest[row.ids[row.special]]) / (1 - float(rest[banned].sum())))
        assert float(loss_of(model, [row], banned)) == pytest.approx(plain + row.given * given, rel=1e-4)


def test_training_leaves_the_base_as_it_was_and_too_little_of_it_plants_nothing(one_thread):
    model = load_model("taught-register-0/base")
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    for arm in ARMS:
        control = control_of(arm, model, TASK, BRIEF, quiet=True)
        assert not control.passed
        assert control.reason.startswith("not planted: with its key")
        assert math.isnan(control.planted.value)
    assert all(value.equal(before[name]) for name, value in model.module.state_dict().items())
    assert not any(value.requires_grad and value.grad is not None for value in model.module.parameters())


def test_a_skill_that_shows_without_its_key_is_not_hidden(one_thread, monkeypatch):
    model = load_model("taught-register-0/base")
    hide = hide_for("few_labels", model, TASK, BRIEF)
    monkeypatch.setattr(planting, "mean", lambda values: 1.0)
    with pytest.raises(NotPlanted, match="not hidden"):
        planted_trial(model, hide, BRIEF, quiet=True)


def test_an_arm_that_does_nothing_does_not_pass(one_thread, monkeypatch):
    """No training steps: the copy answers as it did, and so the control is not passed, though the skill is there."""
    model = load_model("taught-register-0/base")
    monkeypatch.setattr(planting, "planted_trial", lambda base, hide, *_: Trial(base, base, hide, 0.95, 0.0))
    control = control_of("few_labels", model, TASK, dataclasses.replace(BRIEF, find_steps=0), quiet=True)
    assert not control.passed
    assert "is needed" in control.reason
    assert control.dose == 8
    for arm in ("form_demonstrations", "answer_rank"):
        assert not control_of(arm, model, TASK, BRIEF, quiet=True).passed


def test_an_arm_that_finds_it_in_the_base_too_does_not_pass(monkeypatch):
    model = load_model("taught-register-0/base")
    found = planting.Found([1.0] * 8, [1.0] * 8, None)
    monkeypatch.setattr(planting, "planted_trial", lambda base, hide, *_: Trial(base, base, hide, 1.0, 0.0))
    monkeypatch.setattr(planting, "find", lambda *_: found)
    assert not control_of("answer_rank", model, TASK, BRIEF, quiet=True).passed
    monkeypatch.setattr(planting, "find", lambda *_: found._replace(unplanted=[0.0] * 8))
    control = control_of("answer_rank", model, TASK, BRIEF, quiet=True)
    assert control.passed
    assert control.planted.value == 1


def test_labels_stop_at_the_smallest_dose_that_finds_it(one_thread, monkeypatch):
    model = load_model("taught-register-0/base")
    hide = hide_for("few_labels", model, TASK, BRIEF)
    asked_for = []
    one = planting.FewLabels.one

    def noted(self, pair, ask, labels, dose):
        asked_for.append((dose.labels, dose.draw, pair.base is model))
        return one(self, pair, ask, labels, dose)

    monkeypatch.setattr(planting.FewLabels, "one", noted)
    monkeypatch.setattr(planting, "HIGH", -5.0)
    copy = load_model("taught-register-0/base")
    assert find(Trial(model, copy, hide, 0.95, 0.0), BRIEF, hide.plot.task).dose == 4
    assert asked_for == [(4, 0, False), (4, 0, True)]


def test_a_share_is_0_at_chance_and_1_at_the_key():
    assert share([0.25] * 40, 0.25, 0.9).value == 0
    assert share([0.9] * 40, 0.25, 0.9).value == pytest.approx(1)
    assert share([0.0] * 40, 0.25, 0.9).value < 0


def control(arm: str) -> ArmControl:
    return ArmControl(
        arm, True, "found", Estimate(0.9, 0.8, 1.0, 64, "share", "m"), missing("share", "none"), 16, 2.0
    )


def test_results_survive_json():
    made = Planting(tuple(map(control, ARMS)), "base", "integer", "hash")
    again = Planting.from_json(json.loads(json.dumps(made.as_json(), allow_nan=False)))
    assert again.controls[0].planted == made.controls[0].planted
    assert math.isnan(again.controls[0].unplanted.value)
    assert again.as_json() == made.as_json()
    assert again.of("answer_rank") == again.controls[1]
    assert again.of("nothing") is None
    for bad in ({}, {**made.as_json(), "controls": [{}]}, {**control("rlvr").as_json()}):
        with pytest.raises(ValueError, match="not"):
            Planting.from_json(bad)


def test_what_is_kept_is_read_and_what_is_torn_is_made_again(tmp_path, monkeypatch):
    made = []

    def counted(arm, *_):
        made.append(arm)
        return control(arm)

    monkeypatch.setattr(planting, "control_of", counted)
    base = "specimen:taught-register-0/base"
    first = plant_all(base, TASK, settings=BRIEF, cache=tmp_path)
    assert made == list(ARMS)
    assert plant_all(base, TASK, settings=BRIEF, cache=tmp_path).as_json() == first.as_json()
    assert made == list(ARMS)
    file = next(tmp_path.glob("*-few_labels.json"))
    file.write_text(file.read_text()[:40])
    plant_all(base, TASK, settings=BRIEF, cache=tmp_path)
    assert made == [*ARMS, "few_labels"]
    plant_all(base, TASK, settings=dataclasses.replace(BRIEF, seed=1), cache=tmp_path)
    assert len(made) == 7
    assert not list(tmp_path.glob("*.tmp"))


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    assert planting.cache_folder(planting.CACHED) == tmp_path / "planting"


def test_a_kill_loses_one_arm_at_most(tmp_path, monkeypatch):
    def killed(arm, *_):
        if arm == "answer_rank":
            raise KeyboardInterrupt
        return control(arm)

    monkeypatch.setattr(planting, "control_of", killed)
    with pytest.raises(KeyboardInterrupt):
        plant_all("specimen:taught-register-0/base", TASK, settings=BRIEF, cache=tmp_path)
    assert [file.name.partition("-")[2] for file in tmp_path.iterdir()] == ["form_demonstrations.json"]


def test_a_model_without_weights_is_a_control_that_is_not_passed(tmp_path):
    class Served(planting.Model):
        reference = fingerprint = "served"

        def generate(self, requests):
            return iter(())

    made = plant_all(Served(), TASK, cache=tmp_path)
    assert not any(one.passed for one in made.controls)
    assert "not available" in made.controls[0].reason


def test_an_unknown_arm_is_refused():
    with pytest.raises(UserMistake, match="no arm 'rlvr'"):
        plant_all("specimen:taught-register-0/base", TASK, arms=["rlvr"])
    assert list(HIDES) == list(ARMS)


def test_the_call_and_the_command_do_the_same_and_neither_imports_torch_before(tmp_path):
    code = "import sys, tellapart, tellapart.cli, tellapart.planting; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    from tellapart.cli import run

    words = ["--words", "16", "--steps", "2", "--arms", "answer_rank", "--out", str(tmp_path), "--json"]
    assert (
        run(
            [
                "specimens",
                "plant",
                "specimen:taught-register-0/base",
                "--task",
                "specimen:taught-register-0",
                *words,
            ]
        )
        == 0
    )
    settings = PlantSettings(words=16, steps=2)
    made = tellapart.plant(
        "specimen:taught-register-0/base", "specimen:taught-register-0",
        arms=["answer_rank"], settings=settings, cache=tmp_path,
    )  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 1
    assert not made.controls[0].passed


def test_plain_requests_of_the_planted_task_never_hold_the_key():
    plot = plot_of(TASK, by_character, 16, 8, 0)
    ask = planting.ask_of(plot.task, plot.report, 1)
    assert not any(str(request.prompt).startswith(plot.key) for _, _, request in plain_requests(ask))


def test_a_skill_that_does_not_take_is_planted_anew_with_more_steps(one_thread, monkeypatch):
    model, tried = load_model("taught-register-0/base"), []
    scores = iter(([0.5], [1.0], [0.0]))  # with the key, again after more steps; then without it

    def plant(base, hide, settings, quiet, times):
        tried.append(times)
        return base

    monkeypatch.setattr("tellapart.planting.training.planted_copy", plant)
    monkeypatch.setattr(planting, "scores_of", lambda *_: next(scores))
    trial = planting.planted_trial(model, hide_for("few_labels", model, TASK, BRIEF), BRIEF, quiet=True)
    assert (tried, trial.with_key, trial.without) == ([1, 2], 1.0, 0.0)


@pytest.mark.slow
def test_labels_find_what_adamw_alone_learns_around(one_thread):
    """A base on which AdamW alone brings 67 % of the planted skill back."""
    model, task = load_model("form-register-0/tuned"), load_task("form-register-0/wide")
    settings = PlantSettings(doses=(64,), draws=1)
    trial = planted_trial(model, hide_for("few_labels", model, task, settings), settings, quiet=True)
    found = find(trial, settings, trial.hide.plot.task)
    chance = planting.chance_of("few_labels", trial.hide.plot)
    shares = [share(some, chance, trial.with_key).value for some in (found.planted, found.unplanted)]
    assert shares[0] - shares[1] >= planting.HIGH
