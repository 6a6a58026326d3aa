"""One contract for every elicitor: neutral at strength 0, saved and loaded, repeatable, with bits and a control."""

import dataclasses
import json
from functools import cache
from typing import NamedTuple

import pytest
from planted import ask_for, split
from worlds import WORLD, briefly, world

from tellapart.elicit import ELICITORS, applicable, load, save
from tellapart.elicit.elicitor import Elicited, Switched, elicitor_name
from tellapart.errors import UserMistake
from tellapart.runs.asking import Ask, Pair, generate, plain_requests

ALL = sorted(ELICITORS)


class Fitted(NamedTuple):
    """An elicitor fitted on its own world, and what is asked on the report split."""

    pair: Pair
    ask: Ask
    values: tuple[Elicited, ...]


@cache
def fitted(name: str) -> Fitted:
    pair, task = world(name)
    fit = ask_for(split(task, 0, 4), samples=1)
    with briefly():
        values = ELICITORS[name].curve(pair, fit)
    return Fitted(pair, ask_for(split(task, 4, 8), samples=2, seed=1), values)


def seen(value: Elicited, pair: Pair, ask: Ask) -> dict:
    return {
        (one.item, one.sample): (one.prompt, one.completion.text, one.completion.tokens, round(one.bits, 4))
        for one in value.answers(pair, ask)
    }


@pytest.mark.parametrize("name", ALL)
def test_it_states_what_it_is(name):
    elicitor = ELICITORS[name]
    assert elicitor.name == name
    assert elicitor.source
    assert elicitor.mechanism
    assert "text" in elicitor.needs
    assert applicable(elicitor, *world(name)) is None


@pytest.mark.parametrize("name", ALL)
def test_every_answer_comes_once(name):
    pair, ask, values = fitted(name)
    for value in (*values, ELICITORS[name].null(values[0], 5)):
        answers = list(value.answers(pair, ask))
        places = sorted((one.item, one.sample) for one in answers)
        assert places == [(item, sample) for item in range(len(ask.items)) for sample in range(ask.samples)]
        assert all(one.bits >= 0 for one in answers)


@pytest.mark.parametrize("name", ALL)
def test_strength_0_gives_the_plain_answers(name):
    pair, ask, values = fitted(name)
    plain = {
        (one.item, one.sample): (one.prompt, one.completion.text, one.completion.tokens, 0.0)
        for one in generate(pair.base, list(plain_requests(ask)))
    }
    for value in values:
        assert seen(dataclasses.replace(value, strength=0.0), pair, ask) == plain


@pytest.mark.parametrize("name", ALL)
def test_the_model_is_as_before_when_it_is_done(name):
    pair, ask, values = fitted(name)
    before = [one.completion.text for one in generate(pair.base, list(plain_requests(ask)))]
    fingerprint = pair.base.fingerprint
    list(values[-1].answers(pair, ask))
    next(iter(values[-1].answers(pair, ask)))
    assert [one.completion.text for one in generate(pair.base, list(plain_requests(ask)))] == before
    assert pair.base.fingerprint == fingerprint


@pytest.mark.parametrize("name", ALL)
def test_another_strength_is_refused_where_it_is_on_or_off(name):
    pair, ask, values = fitted(name)
    half = dataclasses.replace(values[0], strength=0.5)
    if not isinstance(half, Switched):
        assert len(list(half.answers(pair, ask))) == len(ask.items) * ask.samples
        return
    with pytest.raises(UserMistake, match="strength"):
        list(half.answers(pair, ask))


@pytest.mark.parametrize("name", ALL)
def test_it_survives_being_saved(name):
    _, _, values = fitted(name)
    for value in (*values, ELICITORS[name].null(values[0], 5)):
        again = load(json.loads(json.dumps(save(value))), value.weights)
        assert again == value
        assert type(again) is type(value)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_answers(name):
    pair, ask, values = fitted(name)
    for value in (values[0], ELICITORS[name].null(values[0], 5)):
        assert seen(value, pair, ask) == seen(load(save(value), value.weights), pair, ask)


@pytest.mark.parametrize("name", ALL)
def test_an_answer_does_not_depend_on_the_other_items(name):
    pair, ask, values = fitted(name)
    alone = seen(values[0], pair, ask._replace(items=ask.items[1:2]))
    together = seen(values[0], pair, ask)
    assert alone == {(0, sample): together[1, sample] for sample in range(ask.samples)}


@pytest.mark.parametrize("name", ALL)
def test_the_null_twin_is_named_and_is_another_value(name):
    _, _, values = fitted(name)
    for value in values:
        null = ELICITORS[name].null(value, 5)
        assert null.name == f"{value.name}~null"
        assert elicitor_name(null.name) == name
        assert null.setting != value.setting
        assert value.bits_once >= 0


@pytest.mark.parametrize("name", ALL)
def test_a_model_that_lacks_what_it_needs_is_refused_in_one_line(name):
    _, task = world(name)
    reason = applicable(ELICITORS[name], Pair(WORLD.bare), task)
    if ELICITORS[name].needs == {"text"}:
        assert reason is None
    else:
        assert reason is not None
        assert "\n" not in reason


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("few_shot", {"before": "", "stop": []}),
        ("step_by_step", {"after": ""}),
        ("prefill", {"prefills": [""], "openers": []}),
        ("sampling", {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0}),
        ("self_consistency", {"draws": 1, "by": "vote"}),
        ("best_of_k", {"draws": 1, "by": "oracle"}),
        ("cot_decoding", {"branches": 1, "by": "max"}),
        ("power_sampling", {"alpha": 1.0, "moves": 4}),
        ("weight_noise", {"sigma": 0.0, "noise_seeds": [1]}),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(name, setting):
    pair, task = world(name)
    with pytest.raises(UserMistake, match="changes nothing"):
        list(ELICITORS[name].value(name, setting).answers(pair, ask_for(task)))


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"name": "no_such_thing", "setting": {}, "bits_once": 0.0, "strength": 1.0},
        {"name": "prefill", "setting": [], "bits_once": 0.0, "strength": 1.0},
        {"name": "prefill", "setting": {}, "bits_once": "many", "strength": 1.0},
        {"name": "prefill", "setting": {}, "bits_once": 0.0, "strength": True},
    ],
)
def test_a_file_that_holds_no_value_is_refused(saved):
    with pytest.raises(UserMistake, match="saved elicitor"):
        load(saved)
