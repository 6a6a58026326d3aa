"""Where concepts are worked out and what reads them: hidden units and slopes by hand, on many architectures."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "models"))
from tiny import ARCHITECTURES, model_of

from tellapart.internals.interchange import Question, margins, slopes
from tellapart.internals.language import best_layer
from tellapart.internals.units import unit_states, writers
from tellapart.models.hooks import layers_of

QUESTIONS = [Question("abc", "d", "ef"), Question("hello", "x", "y"), Question("ab", "cd", "a")]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_slopes_are_what_a_small_shift_does(kind: str) -> None:
    model = model_of(kind)
    found = slopes(model, QUESTIONS, 1)
    way = torch.nn.functional.normalize(torch.randn(3, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    step = 1e-2
    moved = margins(model, QUESTIONS, 1, step * way) - margins(model, QUESTIONS, 1, -step * way)
    np.testing.assert_allclose((found * way).sum(1), moved / (2 * step), atol=5e-3)
    assert all(parameter.grad is None for parameter in model.module.parameters())


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_units_write_what_their_block_adds(kind: str) -> None:
    model = model_of(kind)
    prompts = ["abc", "hello", "ab", "abd"]
    found = unit_states(model, prompts, 1)
    if found is None:
        assert kind == "mixtral"
        return
    assert found.shape == (4, sum(len(norms) for _, norms in writers(model, 1)))
    part, norms = writers(model, 1)[-1]
    kept = []
    handle = part.register_forward_hook(lambda _module, inputs, _output: kept.append(inputs[0]))
    ids = model.vocabulary.encode_prompts([("hello", "")])["hello", ""]
    with torch.no_grad():
        model.module(torch.tensor([ids]))
    handle.remove()
    wanted = kept[0].reshape(len(ids), -1)[-1] * norms
    np.testing.assert_allclose(found[1, -len(norms) :], wanted, atol=1e-5)
    assert len(writers(model, 0)) < len(writers(model, 2)) <= len(layers_of(model.module))


def test_the_last_layer_is_taken_only_where_no_other_will_do() -> None:
    assert best_layer([{0: 0.6, 1: 1.0}]) == 0
    assert best_layer([{0: 0.2, 1: 1.0}]) == 1
    assert best_layer([{0: 0.2, 1: 0.1}]) == 0
    assert best_layer([{0: 0.1, 1: 0.7, 2: 0.9, 3: 1.0}]) == 2
    assert best_layer([{0: 1.0, 1: 0.6, 2: 1.0}, {0: 0.0, 1: 0.6, 2: 1.0}]) == 1
    assert best_layer([{0: 3.0}]) == 0
