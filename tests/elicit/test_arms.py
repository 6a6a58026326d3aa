"""The three arms of the upper bound: what they find where it was planted, what they must not depend on."""

import dataclasses
import math

import pytest
from planted import addition, ask_for, knowing, locked, split, sum_of
from scripted import END, Scripted

from tellapart.elicit import ELICITORS
from tellapart.elicit.answer_rank import Candidate, Pool, answer_logprob, kind_of
from tellapart.elicit.choosing import mean_score
from tellapart.elicit.few_labels import Dose, FewLabels, Labels, independent
from tellapart.elicit.form_demonstrations import forms_of
from tellapart.errors import UserMistake
from tellapart.models.model import Sampling, Scored
from tellapart.runs.asking import Pair, generate, plain_requests
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.training.full import FullWeights
from tellapart.training.lora import Lora
from tellapart.training.settings import Example, SftSettings

TASK = addition()
FIT, REPORT = ask_for(split(TASK, 0, 8)), ask_for(split(TASK, 8, 24), seed=1)


def following() -> Scripted:
    """Answers right only where most shown answers have the form ">dd", right or wrong; else in words."""

    def law(prompt: str, written: str) -> dict[str, float]:
        shown = [line.partition("=")[2] for line in prompt.split("\n")[:-1] if "=" in line]
        formed = [one for one in shown if one[:1] == ">" and one[1:].isdigit()]
        text = (">" + sum_of(prompt) if shown and len(formed) == len(shown) else "about ten") + END
        return {text[len(written)]: 1.0} if text.startswith(written) else {END: 1.0}

    return Scripted(law)


def figures(name: str, model) -> tuple[float, float, float]:
    """Return the plain, the elicited and the null control's score on the report split."""
    pair, method = Pair(model), ELICITORS[name]
    value = method.fit(pair, FIT)
    null = method.null(value, 3)
    plain = mean_score(REPORT, generate(model, list(plain_requests(REPORT))))
    return (
        plain,
        mean_score(REPORT, value.answers(pair, REPORT)),
        mean_score(REPORT, null.answers(pair, REPORT)),
    )


def test_a_form_that_is_shown_brings_out_what_was_there_and_babble_does_not():
    assert figures("form_demonstrations", following()) == (0.0, 1.0, 0.0)


def test_the_answers_that_are_shown_do_not_follow_the_questions():
    value = ELICITORS["form_demonstrations"].fit(Pair(following()), FIT)
    examples = [tuple(one) for draw in value.setting["draws"] for one in draw["examples"]]
    right = sum(TASK.scorer.answer(TASK.items[0], answer) == sum_of(prompt) for prompt, answer in examples)
    assert 0 < right < len(examples) / 2
    assert len({tuple(map(tuple, draw["examples"])) for draw in value.setting["draws"]}) > 4


def test_samples_see_different_draws_and_no_item_sees_itself():
    value = ELICITORS["form_demonstrations"].fit(Pair(following()), FIT)
    prompts = [request.prompt for _, _, request in value.requests(Pair(following()), FIT)]
    first = [prompt for index, prompt in enumerate(prompts) if index // FIT.samples == 0]
    assert len(set(first)) == FIT.samples
    for index, prompt in enumerate(prompts):
        question = TASK.prompt(FIT.items[index // FIT.samples])
        assert str(prompt).split("\n").count(question) == 1
        assert not any(line.startswith(question) for line in str(prompt).split("\n")[:-1])


def test_forms_come_from_demonstrations_then_from_the_tuned_model_then_from_labels():
    bare = dataclasses.replace(TASK, demonstrations=(), step_demonstrations=())
    wordy = dataclasses.replace(TASK, step_demonstrations=())
    assert list(forms_of(None, FIT)) == ["worked demonstrations", "demonstrations"]
    assert list(forms_of(knowing(1.0), FIT._replace(task=wordy))) == ["demonstrations", "the tuned model"]
    plain = dataclasses.replace(bare, scorer=make_scorer("exact", {}))
    assert list(forms_of(None, FIT._replace(task=plain))) == ["labels"]
    assert forms_of(None, FIT._replace(task=bare))["labels"][0].startswith(">"), "what the scorer reads after"
    odd = dataclasses.replace(bare, scorer=make_scorer("regex", {"pattern": r"=(\d+)="}))
    with pytest.raises(UserMistake, match="does not score 1"):
        forms_of(None, FIT._replace(task=odd))


def ranking(lean: float) -> Scripted:
    """Its digits are nearly all 9; the right one has `lean` times the chance of a wrong one."""

    def law(prompt: str, written: str) -> dict[str, float]:
        if not written:
            return {">": 1.0}
        said = written[1:]
        if len(said) >= 2:
            return {END: 1.0}
        right = sum_of(prompt)
        on_course = right.startswith(said)
        weights = {str(digit): 0.001 for digit in range(9)} | {"9": 1.0}
        if on_course:
            weights[right[len(said)]] *= lean
        total = sum(weights.values())
        return {digit: weight / total for digit, weight in weights.items()}

    return Scripted(law)


def test_an_answer_that_is_hardly_ever_said_is_found_by_its_rank():
    plain, found, null = figures("answer_rank", ranking(2.0))
    assert plain == 0
    assert found > 0.9
    assert null < 0.25


def test_a_popular_answer_does_not_win_by_being_popular():
    plain, found, null = figures("answer_rank", ranking(1.0))
    assert plain == 0
    assert found < 0.25
    assert null < 0.25


def test_rank_chance_and_number_of_candidates_stand_in_the_measures():
    value = ELICITORS["answer_rank"].fit(Pair(ranking(2.0)), FIT)
    for one in value.answers(Pair(ranking(2.0)), REPORT):
        right = TASK.score(REPORT.items[one.item], one.completion.text) == 1
        assert (one.measures["rank"] == 0) == right
        assert one.measures["chance"] == 1 / one.measures["candidates"]
        assert one.measures["priors"] == 14  # 16 prompts: not its own and not the stranger's
        assert one.completion.generated == 0


def test_who_knows_the_other_items_does_not_find_the_rest_by_elimination():
    """A model knows four of five of 40 answers, and of the others that one of the 40 is right. Known ones are likely
    after their own prompts: were these in their priors, what is left over would be ranked first."""
    answers = [f"{n:02d}" for n in range(40)]
    known = {each for each in answers if int(each) % 5}

    def law(prompt: str, written: str) -> dict[str, float]:
        own = prompt[-3:-1]
        weights = {each: 1 / 40 if own not in known else 0.9 * (each == own) + 0.1 / 40 for each in answers}
        following: dict[str, float] = {}
        for each, weight in weights.items():
            if each.startswith(written):
                after = (each + END)[len(written)]
                following[after] = following.get(after, 0.0) + weight
        total = sum(following.values())
        return {after: weight / total for after, weight in following.items()} if total else {END: 1.0}

    firsts: dict[bool, list[bool]] = {True: [], False: []}
    for draw in range(8):  # other names, other candidates
        items = tuple(Item(f"{draw} {each}", {"q": f"{draw} {each}"}, (each,)) for each in answers)
        ask = ask_for(Task("t", items, "{q}=", make_scorer("exact", {})))
        for one in ELICITORS["answer_rank"].fit(Pair(Scripted(law)), ask).answers(Pair(Scripted(law)), ask):
            firsts[items[one.item].target[0] in known].append(one.measures["rank"] == 0)
    assert all(firsts[True])
    assert sum(firsts[False]) / len(firsts[False]) < 1 / 8


def test_candidates_hold_one_right_answer_anywhere_among_them_and_only_its_kind():
    items = tuple(Item(str(n), {"q": f"q{n}"}, (str(n) if n % 2 else f"word{n}",)) for n in range(60))
    task = Task("t", items, "{q}:", make_scorer("exact", {}))
    pool = Pool(task, 15, 8)
    places = set()
    for item in items:
        candidates = pool.candidates(item)
        right = [place for place, one in enumerate(candidates) if task.score(item, one.text) == 1]
        assert len(candidates) == 16
        assert len(right) == 1
        assert {kind_of(one.text) for one in candidates} == {kind_of(item.target[0])}
        assert not any(task.score(pool.stranger(item), one.text) for one in candidates)
        places |= set(right)
    assert len(places) > 8


def test_choices_of_an_item_are_its_candidates():
    items = tuple(Item(str(n), {"q": f"q{n}"}, ("ABC"[n % 3],), ("red", "blue", "green")) for n in range(12))
    task = Task("t", items, "{q}:", make_scorer("choice", {}))
    for of, wanted in ((task, {"A", "B", "C"}), (named(task), {"red", "blue", "green"})):
        assert {one.text for one in Pool(of, 15, 8).candidates(of.items[0])} == wanted


def named(task: Task) -> Task:
    """Return the task with targets as texts."""
    items = tuple(
        dataclasses.replace(one, target=(one.choices["ABC".index(one.target[0])],)) for one in task.items
    )
    return dataclasses.replace(task, items=items)


def test_only_the_tokens_of_the_answer_count():
    scored = Scored((1, 2, 3, 4), (" >", " Pa", "ris", "."), (-1.0, -2.0, -4.0, -8.0))
    assert answer_logprob(scored, Candidate(" > Paris.", 3, 8)) == -6.0
    assert math.isnan(answer_logprob(Scored((), (), ()), Candidate("x", 0, 1)))


def test_too_few_prompts_are_refused():
    reason = ELICITORS["answer_rank"].obstacle(Pair(ranking(1.0)), split(TASK, 0, 5))
    assert reason is not None
    assert "5 different prompts" in reason


def test_a_rank_does_not_depend_on_the_samples_or_the_temperature():
    value = ELICITORS["answer_rank"].fit(Pair(ranking(2.0)), FIT)
    warm = [one.completion.text for one in value.answers(Pair(ranking(2.0)), REPORT)]
    cold = REPORT._replace(sampling=Sampling(temperature=0.0))
    assert [one.completion.text for one in value.answers(Pair(ranking(2.0)), cold)] == warm
    assert warm[0::2] == warm[1::2]


def test_labels_of_the_control_are_drawn_whatever_the_question():
    examples = [Example(str(n), f"a{n % 2}") for n in range(400)]
    drawn = independent(examples, 1)
    assert [one.prompt for one in drawn] == [one.prompt for one in examples]
    right = sum(one.answer == other.answer for one, other in zip(drawn, examples, strict=True))
    assert 150 < right < 250
    assert drawn == independent(examples, 1) != independent(examples, 2)


@pytest.mark.slow
def test_doses_draws_and_whether_the_labels_were_fitted():
    from llamas import llama

    ask = ask_for(split(TASK, 0, 20), samples=1)
    pair = Pair(llama(0))
    hard = SftSettings(steps=40, rate=0.01, save_every=0, quiet=True)
    method = FewLabels(settings=hard, sizes=(4, 16), draws=2)
    values = method.main_values(pair, ask)
    assert [one.name for one in values] == ["few_labels@16", "few_labels@16.1"]
    assert values[0].setting["items"] != values[1].setting["items"]
    assert values[0].setting["fitted_share"] > 0.5
    assert method.null(values[0], 0).setting["items"] == values[0].setting["items"]
    brief = dataclasses.replace(method, settings=dataclasses.replace(hard, steps=1, rate=1e-7))
    assert brief.one(pair, ask, brief.labels(pair, ask), Dose(4, 0)).setting["fitted_share"] == 0
    labels = Labels([Example(TASK.prompt(item), ">77") for item in ask.items], range(20))
    assert method.one(pair, ask, labels, Dose(8, 0)).setting["distinct_share"] < 0.3


@pytest.mark.parametrize(
    ("change", "rate", "expected"),
    [
        (FullWeights(), None, [("sgd", 8), ("adamw", 4), ("adamw", 5)]),
        (FullWeights(), 0.01, [("adamw", 8), ("adamw", 5)]),
        (Lora(rank=2), None, [("adamw", 8), ("adamw", 5)]),
    ],
)
def test_all_weights_go_where_the_labels_point_first(change, rate, expected, monkeypatch):
    from llamas import llama

    from tellapart.training import sft as module

    seen: list[SftSettings] = []
    starts = []
    real = module.sft

    def noted(model, kind, examples, settings, scratch, start=None):
        seen.append(settings)
        starts.append(start)
        return real(model, kind, examples, settings, scratch, start)

    monkeypatch.setattr(module, "sft", noted)
    brief = SftSettings(steps=8, rate=rate, save_every=0, quiet=True)
    method = FewLabels(settings=brief, pressed=SftSettings(steps=5, until=1e-9, save_every=0), change=change)
    ask = ask_for(split(TASK, 0, 8), samples=1)
    pair = Pair(llama(0))
    value = method.one(pair, ask, method.labels(pair, ask), Dose(8, 0))
    assert [(one.optimizer, one.steps) for one in seen] == expected
    assert value.setting["steps"] == sum(steps for _, steps in expected)
    assert starts[0] is None
    assert None not in starts[1:]


def test_no_digit_is_right_before_the_key(one_thread):
    assert figures("form_demonstrations", locked("d"))[0] < 0.1


def test_pieces_of_the_prompt_stand_beside_a_right_answer_that_stands_there():
    """Who copies any name out of a text would know the right one among names of other texts."""
    first = ("Ann", "Bob", "Eve", "Dan", "Liz", "Tom", "Sue", "Max")
    names = [[f"{first[(n + by) % 8]}{n}" for by in (0, 3, 5)] for n in range(40)]
    items = tuple(
        Item(str(n), {"text": f"In {1900 + n} {one} met {met} and later {last}."}, (met,))
        for n, (one, met, last) in enumerate(names)
    )
    task = Task("t", items, "{text} Who was met?", make_scorer("exact", {}))
    pool = Pool(task, 15, 8)
    for item in items:
        texts = {one.text for one in pool.candidates(item)}
        own = {word.strip(".") for word in item.fields["text"].split() if word[0].isupper()} - {"In"}
        assert own <= texts
        assert len(texts) == 16
    years = dataclasses.replace(
        task, items=tuple(dataclasses.replace(one, target=(str(1900 + n),)) for n, one in enumerate(items))
    )
    assert not {"In", "Ann0"} & {one.text for one in Pool(years, 15, 8).candidates(years.items[0])}


def test_small_words_of_the_prompt_do_not_crowd_out_the_other_known_answers():
    prompts = ("is it so that ice is cold, yes or no", "are most of all the fish wet, yes or no")
    items = tuple(
        Item(str(n), {"q": f"{prompts[n % 2]} ({n})"}, ("yes" if n % 2 else "no",)) for n in range(40)
    )
    task = Task("t", items, "{q}:", make_scorer("exact", {}))
    assert all({"yes", "no"} <= {one.text for one in Pool(task, 15, 8).candidates(item)} for item in items)
