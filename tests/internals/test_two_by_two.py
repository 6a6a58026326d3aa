"""The two-by-two table of vectors and models: a twin has the same vectors and effects, another model has not."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "elicit"))
from planted import ask_for, split
from planted_direction import letters, planted

from tellapart.errors import UserMistake
from tellapart.internals.two_by_two import lines, two_by_two
from tellapart.runs.asking import Pair

TASK = letters()
FIT, REPORT = ask_for(split(TASK, 0, 8), 4), ask_for(split(TASK, 8, 16), 8, seed=1)


def test_a_twin_has_the_same_table():
    table = two_by_two(Pair(planted()[0], planted()[0]), FIT, REPORT)
    assert table.cosines == pytest.approx((1.0, 1.0), abs=1e-5)
    for line in lines(table):
        assert line.on_base == line.on_tuned
    effects = {line.vector: line.on_base.value for line in lines(table)}
    assert effects["base"] == effects["tuned"] > 0.3
    assert effects["random"] < effects["base"] / 2
    assert effects["reversed base"] <= 0
    assert table.scores["base"] == table.scores["tuned"] < 0.1


def test_another_direction_has_another_cosine_and_no_effect_there():
    from llamas import llama

    table = two_by_two(Pair(planted()[0], llama(8)), FIT, REPORT)
    assert all(abs(cosine) < 0.6 for cosine in table.cosines)
    assert table.effects["base vector on base"].value > table.effects["base vector on tuned"].value + 0.3
    told = table.as_json()
    assert set(told["effects"]) == set(table.effects)
    assert len(told["cosines"]) == 2


def test_a_tuned_model_is_needed():
    with pytest.raises(UserMistake, match="give both"):
        two_by_two(Pair(planted()[0]), FIT, REPORT)
