"""One contract, every control: the seed makes it again, items keep their places, the form is audited."""

from collections import Counter

import pytest
from control_worlds import given_for

from tellapart.controls import CONTROLS, FAMILIES, OURS, Control, Given, controls_of
from tellapart.controls.trained_instructions import TrainedControl
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

EVERY = sorted(CONTROLS)


@pytest.fixture(params=EVERY)
def control(request: pytest.FixtureRequest) -> Control:
    return CONTROLS[request.param]


def full_of(control: Control) -> Control:
    return next(one for one in controls_of(control.family) if one.role == "full")


def test_the_dict_holds_them_all() -> None:
    assert len(CONTROLS) == len(OURS)
    assert {control.family for control in CONTROLS.values()} == set(FAMILIES)


def test_every_family_has_its_mandatory_arms() -> None:
    for family in FAMILIES:
        roles = Counter(control.role for control in controls_of(family))
        assert roles["full"] == roles["base"] == 1
        assert roles["form"] >= 1
        assert roles["second form"] >= 1
        assert roles["destroyed"] >= 1
        assert sum(control.decides for control in controls_of(family)) == 1


def test_it_says_what_it_is(control: Control) -> None:
    assert control.kept
    assert control.removed
    assert control.source
    assert control.__doc__


def test_the_seed_makes_it_again(control: Control) -> None:
    given = given_for(control)
    assert control.obstacle(given) is None
    assert control.make(given) == control.make(given)
    assert control.make(given).task.fingerprint == control.make(given).task.fingerprint != ""


def test_items_keep_their_ids_and_places(control: Control) -> None:
    given = given_for(control)
    ids = [item.id for item in given.task.items]
    made = [item.id for item in control.make(given).task.items]
    assert made == [one for one in ids if one in set(made)]
    assert len(made) >= 2


def test_the_form_is_kept(control: Control) -> None:
    given = given_for(control)
    full = full_of(control).make(given)
    lines = control.audit(full, control.make(given), 0.1)
    assert all(line.held for line in lines), lines
    if control.role == "form" and control.name != "output_space":
        assert lines


def test_prompts_differ_from_full_where_they_must(control: Control) -> None:
    given = given_for(control)
    if control.role == "full" or isinstance(control, TrainedControl):
        return  # trained arms differ in their labels or their training too: test_form_trained.py
    full, made = full_of(control).make(given), control.make(given)
    asked = {item.id: (full.task.prompt(item), "") for item in full.task.items}
    now = {item.id: (made.task.prompt(item), made.prefills.get(item.id, "")) for item in made.task.items}
    assert any(asked[one] != now[one] for one in now)


def test_another_seed_draws_another(control: Control) -> None:
    drawn = {
        "invalid_steps",
        "inserted_mistake",
        "scrambled_steps",
        "other_order",
        "nothing",
        "other_question",
    }
    if control.name not in drawn:
        return
    given = given_for(control)
    assert control.make(given) != control.make(given._replace(seed=1))


def test_a_task_without_what_is_needed_gets_a_reason(control: Control) -> None:
    items = tuple(Item(str(at), {"prompt": f"what is {at}"}, (f"answer {at}",)) for at in range(4))
    bare = Given(Task("bare", items, "{prompt}", make_scorer("exact")), 0)
    reason = control.obstacle(bare)
    if control.family == "chain":
        assert reason is None
    else:
        assert reason
        assert "\n" not in reason
