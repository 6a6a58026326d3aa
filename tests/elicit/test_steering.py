"""Steering finds a direction that was planted, its random twin does not, and it charges what it was told."""

import dataclasses

import numpy as np
import pytest
import torch
from planted import ask_for, split
from planted_direction import LAYER, letters, planted

from tellapart.elicit import ELICITORS, load, save
from tellapart.elicit.choosing import mean_score
from tellapart.elicit.steered import Steered, random_control, stored_bits, vectors_of
from tellapart.elicit.steering import Steering
from tellapart.elicit.steering_rl import SteeringRl
from tellapart.errors import UserMistake
from tellapart.models.model import Request, Sampling
from tellapart.runs.asking import Pair

TASK = letters()
ENDING = letters(longest=2)
FIT = ask_for(split(TASK, 0, 8), 4)
METHODS = ["steering", "steering_sft", "steering_rl"]


@pytest.fixture(scope="module")
def world():
    return planted()


@pytest.fixture(scope="module")
def ending_world():
    return planted(ends=True)


@pytest.fixture(scope="module")
def found(world, ending_world):
    model, _ = world
    sft = ELICITORS["steering_sft"].fit(Pair(ending_world[0]), ask_for(split(ENDING, 0, 8), 4))
    others = {one.name: one.fit(Pair(model), FIT) for one in (Steering(), SteeringRl(steps=12, group=32))}
    return {**others, "steering_sft": sft}


def score(value, model) -> float:
    report = ask_for(split(ENDING if "sft" in value.name else TASK, 8, 16), 16, seed=1)
    return mean_score(report, value.answers(Pair(model), report))


@pytest.mark.parametrize("name", METHODS)
def test_a_planted_direction_is_found_and_a_random_one_does_nothing(world, ending_world, found, name):
    model, direction = ending_world if name == "steering_sft" else world
    value = found[name]
    plain = score(dataclasses.replace(value, strength=0.0), model)
    assert plain < 0.1
    steered = score(value, model)
    assert steered > plain + 0.4
    assert score(ELICITORS[name].null(value, 5), model) < steered / 2
    rows = torch.from_numpy(value.weights["vectors"][0].astype(np.float32))
    cosines = torch.nn.functional.cosine_similarity(rows, direction[None], dim=-1)
    alike = (
        0.35 if name == "steering" else 0.6
    )  # a difference of means also holds what else the letter's embedding is
    assert cosines[int(value.setting.get("layer", LAYER))] > alike


@pytest.mark.parametrize("name", METHODS)
def test_the_twin_is_as_long_in_each_layer(found, name):
    value = found[name]
    twin = ELICITORS[name].null(value, 5)
    own = np.linalg.norm(value.weights["vectors"].astype(np.float64), axis=2)
    other = np.linalg.norm(twin.weights["vectors"].astype(np.float64), axis=2)
    assert np.allclose(other, np.broadcast_to(own, other.shape), rtol=5e-3)
    assert np.array_equal(twin.weights["norms"], value.weights["norms"])
    assert twin.weights != ELICITORS[name].null(value, 6).weights


def test_bits_are_the_smaller_of_what_was_told_and_what_is_stored(found):
    for value in found.values():
        assert 0 < value.bits_once <= stored_bits(value.weights["vectors"]) + 8
        assert "the smaller of" in value.setting["bits_by"]


def test_strength_scales_what_is_added(found):
    value = found["steering_sft"]
    shift = value.shifts()
    assert torch.allclose(dataclasses.replace(value, strength=-0.5).shifts(), -0.5 * shift)
    norms = torch.tensor(value.weights["norms"])
    assert torch.allclose(shift[0].norm(dim=-1) / norms, torch.tensor(value.setting["norms"]), atol=1e-3)


def test_applied_steers_whatever_is_asked_and_leaves_the_model_as_it_was(world, found):
    model, _ = world
    request = [Request("1:", seed=3, sampling=Sampling(temperature=0.0, max_tokens=1))]
    plain, fingerprint = next(model.generate(request)).completion.text, model.fingerprint
    with found["steering_sft"].applied(model):
        assert model.fingerprint != fingerprint
        assert next(model.generate(request)).completion.text != plain
    assert (next(model.generate(request)).completion.text, model.fingerprint) == (plain, fingerprint)
    with pytest.raises(UserMistake, match="only"):
        found["steering"].applied(model)


def test_vectors_of_0_are_refused_unless_nothing_was_learned(world):
    model, _ = world
    weights = vectors_of(np.zeros((1, 2, 32)), np.ones(2))
    value = Steered("steering", {"where": "answer"}, weights=weights)
    for bad in (value, Steered("steering", {"where": "answer"})):
        with pytest.raises(UserMistake, match="changes nothing"):
            list(bad.answers(Pair(model), FIT))
    told = dataclasses.replace(value, setting={**value.setting, "learned_nothing": "no reward"})
    plain = dataclasses.replace(value, strength=0.0)
    texts = [
        sorted((one.item, one.sample, one.completion.text) for one in each.answers(Pair(model), FIT))
        for each in (told, plain)
    ]
    assert texts[0] == texts[1]


def test_without_a_reward_nothing_is_learned(world):
    model, _ = world
    items = tuple(dataclasses.replace(item, target=("never",)) for item in TASK.items[:4])
    hopeless = ask_for(dataclasses.replace(TASK, items=items))
    value = SteeringRl(steps=1).fit(Pair(model), hopeless)
    assert "learned_nothing" in value.setting
    assert value.bits_once == 0
    for name in ("steering", "steering_sft"):
        with pytest.raises(UserMistake, match="step_demonstrations"):
            ELICITORS[name].fit(Pair(model), hopeless)


def test_a_value_of_another_model_is_refused(found):
    from llamas import llama

    value = found["steering_sft"]
    wide = dataclasses.replace(value, weights=vectors_of(np.ones((1, 3, 32)), np.ones(3)))
    with pytest.raises(UserMistake, match="layers"):
        list(wide.answers(Pair(llama(1)), FIT))


def test_saved_weights_are_needed_to_load(found):
    value = random_control(found["steering"], 3)
    assert load(save(value), value.weights) == value
    with pytest.raises(UserMistake, match="wanted"):
        load(save(value))
