"""Training in a program's own shape: it learns what is easy, stays at compiled weights, and counts what it was told."""

import math

import pytest

from tellapart.rasp.learning import Training, learn, program_bits
from tellapart.rasp.network import Compiled, compile_program
from tellapart.rasp.programs import PROGRAMS

QUICK = Training(4, steps=150, rows=32, evaluated=100)


@pytest.fixture(scope="module")
def most_frequent() -> Compiled:
    return compile_program(PROGRAMS["most_frequent"], 8)


def test_an_easy_program_is_learned_from_random_weights(most_frequent: Compiled) -> None:
    found = learn(most_frequent, QUICK, "random", 0.0, seed=0)
    assert found.before < 0.5 < 0.8 < found.score
    assert 0 < found.bits < 150 * 32 * 2.9  # fewer than guessing among seven tokens costs
    assert found == learn(most_frequent, QUICK, "random", 0.0, seed=0)


def test_compiled_weights_stay_and_cost_no_bits(most_frequent: Compiled) -> None:
    found = learn(most_frequent, QUICK, "compiled", 0.0, seed=0)
    assert (found.before, found.score, found.longer) == (1.0, 1.0, 1.0)
    assert (found.bits, found.moved, found.lost) == (0.0, 0.0, 0.0)


def test_noise_breaks_the_program_by_its_size() -> None:
    parity = compile_program(PROGRAMS["parity"], 8)
    still = Training(4, steps=1, evaluated=200)
    scores = [learn(parity, still, "noised", noise, seed=0).before for noise in (1e-6, 0.3)]
    assert scores[0] == 1.0
    assert scores[1] < 0.9


def test_longer_inputs_are_longer_than_those_of_training(most_frequent: Compiled) -> None:
    from tellapart.rasp.learning import _held_out

    within, longer = (_held_out(most_frequent.program, QUICK, 0, longer=one) for one in (False, True))
    assert max(map(len, within)) == 4
    assert (min(map(len, longer)), max(map(len, longer))) == (5, 8)


def test_a_longer_program_costs_more_bits() -> None:
    bits = {name: program_bits(compile_program(PROGRAMS[name], 8)) for name in ("parity", "addition")}
    assert 0 < bits["parity"] < bits["addition"] < math.inf
