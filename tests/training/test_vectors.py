"""Vectors in units of the residual stream: 0 changes nothing, 1 is as long as the stream, and a step is a step."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "elicit"))
from llamas import llama

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.states import Part, mean_states, residual_norms
from tellapart.training.change import attached, changed
from tellapart.training.vectors import LayerVectors

NORMS = (10.0, 40.0)
TOKENS = torch.tensor([[1, 20, 31, 42]])


def residuals(model) -> torch.Tensor:
    with torch.no_grad():
        return mean_states(model, [Part(tuple(TOKENS[0].tolist()))], [0, 1])[0]


def test_a_row_of_length_1_moves_the_stream_by_its_norm():
    model = llama(2)
    row = np.zeros((1, 32), np.float32)
    row[0, 5] = 1
    before = residuals(model)
    with changed(model, LayerVectors(NORMS, (1,)), Weights({"vectors": row}), strength=0.5):
        after = residuals(model)
    assert torch.equal(after[0], before[0])
    assert torch.allclose(after[1] - before[1], 0.5 * 40 * torch.tensor(row[0]), atol=1e-4)


def test_at_its_start_it_changes_nothing_and_the_rest_is_frozen():
    model = llama(2)
    before = model.module(input_ids=TOKENS).logits
    with attached(model, LayerVectors(NORMS)) as place:
        assert torch.equal(model.module(input_ids=TOKENS).logits, before)
        assert place.count == 64
        trained = [name for name, value in model.module.named_parameters() if value.requires_grad]
        assert [name.rpartition(".")[2] for name in trained] == ["vectors"]
        optimizer = torch.optim.Adam(place.parameters.values(), lr=0.05)
        model.module(input_ids=TOKENS).logits[0, -1, 7].backward()
        optimizer.step()
        assert np.linalg.norm(place.weights()["vectors"], axis=1) == pytest.approx([0.05, 0.05], rel=0.01)
    assert torch.equal(model.module(input_ids=TOKENS).logits, before)
    assert all(value.requires_grad and value.grad is None for value in model.module.parameters())


@pytest.mark.parametrize(
    "change",
    [
        LayerVectors((1.0,)),
        LayerVectors((1.0, 0.0)),
        LayerVectors((1.0, float("nan"))),
        LayerVectors(NORMS, (2,)),
    ],
)
def test_norms_or_layers_of_another_model_are_refused(change):
    with pytest.raises(UserMistake, match=r"norms|layers"):
        change.attach(llama(2).module)


def test_norms_are_medians_over_the_last_tokens():
    model = llama(2)
    prompts = ["ab", "b", "abc"]
    ids = model.vocabulary.encode_prompts([(prompt, "") for prompt in prompts])
    by_hand = [
        mean_states(model, [Part(ids[prompt, ""], slice(-1, None))], [0, 1])[0].norm(dim=-1)
        for prompt in prompts
    ]
    assert torch.allclose(residual_norms(model, prompts), torch.stack(by_hand).median(0).values, rtol=1e-5)
