"""Weight noise on a tiny random Llama: it takes place, in as many ways as stated, and leaves nothing behind."""

import subprocess
import sys

import pytest
import torch
from llamas import llama
from planted import addition, ask_for, split

from tellapart.elicit import ELICITORS
from tellapart.elicit.weight_noise import DRAWS, Noised
from tellapart.runs.asking import Pair

TASK = split(addition(), 0, 6)


@pytest.fixture(scope="module")
def model():
    return llama(5)


def written(value: Noised, model, samples: int) -> dict[tuple[int, int], tuple[int, ...]]:
    answers = value.answers(Pair(model), ask_for(TASK, samples, temperature=0.0))
    return {(one.item, one.sample): one.completion.tokens for one in answers}


def test_noise_changes_answers_and_every_noise_is_used(model):
    value = Noised("weight_noise", {"sigma": 0.5, "noise_seeds": [1, 2, 3, 4]})
    answers = written(value, model, DRAWS)
    greedy = written(Noised("weight_noise", {"other_seed": 1}), model, 1)
    assert sum(answers[item, 0] != greedy[item, 0] for item in range(6)) >= 4
    for item in range(6):
        assert len({answers[item, sample] for sample in range(DRAWS)}) > 1


def test_small_noise_changes_little(model):
    value = Noised("weight_noise", {"sigma": 1e-6, "noise_seeds": [1]})
    assert written(value, model, 1) == written(Noised("weight_noise", {"other_seed": 1}), model, 1)


def test_the_weights_are_restored_even_while_answers_are_still_read(model):
    before = [weights.clone() for weights in model.module.parameters()]
    answers = Noised("weight_noise", {"sigma": 0.5, "noise_seeds": [1]}).answers(Pair(model), ask_for(TASK))
    next(answers)
    assert all(map(torch.equal, before, model.module.parameters()))


def test_sigma_is_chosen_among_three(model):
    value = ELICITORS["weight_noise"].fit(Pair(model), ask_for(TASK, 2))
    assert [label for label, _, _ in value.setting["tried"]] == ["sigma 0.01", "sigma 0.03", "sigma 0.1"]
    assert value.bits_once == pytest.approx(1.585, abs=1e-3)


def test_the_package_is_there_without_torch():
    code = "import sys, tellapart.elicit; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
