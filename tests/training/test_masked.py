"""Masked adapters against the dense low-rank form they stand for, and their units."""

import pytest
import torch
from transformers import LlamaConfig

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.specimens import load_model
from tellapart.training.change import attached, changed, probe_logits
from tellapart.training.masked import Masked, draw_entries
from tellapart.training.matrices import matrices_of, matrix, trained_parameters


def model_here() -> LocalModel:
    return load_model("latent-register-0/base")


def gains(count: int, seed: int = 0) -> Weights:
    return Weights({"gains": 0.3 * torch.randn(count, generator=torch.Generator().manual_seed(seed)).numpy()})


def test_it_is_the_dense_masked_low_rank_change():
    """Adding gain * direction to the row of its output, entry by entry, gives the same logits."""
    model, change, weights = model_here(), Masked(50, seed=3), gains(50)
    with changed(model, change, weights):
        ours = probe_logits(model)
    places = draw_entries(model.module, change)
    state = {name: value.clone() for name, value in model.module.state_dict().items()}
    with torch.no_grad():
        for part, entries in places:
            for which, output, direction in zip(*entries, strict=True):
                matrix(part)[output] += float(weights["gains"][which]) * direction
    dense = probe_logits(model)
    model.module.load_state_dict(state)
    assert torch.allclose(ours, dense, atol=1e-4)
    assert not torch.allclose(ours, probe_logits(model), atol=1e-2)


def test_every_entry_is_used_once_and_small_masks_are_part_of_larger_ones():
    model = model_here()
    small, large = (draw_entries(model.module, Masked(count, seed=1)) for count in (30, 300))
    for drawn, count in ((small, 30), (large, 300)):
        which = torch.cat([entries.which for _, entries in drawn])
        assert sorted(which.tolist()) == list(range(count))
    by_part = {id(part): entries for part, entries in large}
    for part, few in small:
        many = by_part[id(part)]
        for which, output, direction in zip(*few, strict=True):
            at = int((many.which == which).nonzero())
            assert many.outputs[at] == output
            assert torch.equal(many.directions[at], direction)


def test_entries_are_spread_over_all_outputs_alike():
    module = model_here().module
    drawn = draw_entries(module, Masked(14_080, seed=2))
    outputs = sum(matrix(part).shape[0] for part in matrices_of(module).values())
    for part, entries in drawn:
        share = matrix(part).shape[0] / outputs
        assert len(entries.which) / 14_080 == pytest.approx(share, abs=4 * (share / 14_080) ** 0.5)


def test_a_gain_of_1_is_as_large_as_the_matrix_does():
    """What a direction reads has the size of the matrix's own outputs, whatever the scale of the weights."""
    module = model_here().module
    for scale in (1.0, 100.0):
        drawn = draw_entries(module, Masked(5_000, seed=0))
        for part, entries in drawn:
            x = torch.randn(200, matrix(part).shape[1], generator=torch.Generator().manual_seed(0))
            with torch.no_grad():
                own = (x @ matrix(part).T).square().mean().sqrt()
                read = (x @ entries.directions.T).square().mean().sqrt()
            assert float(read / own) == pytest.approx(1.0, rel=0.25)
        with torch.no_grad():
            for part in matrices_of(module).values():
                matrix(part).mul_(scale)


def test_gradients_reach_the_gains_only():
    model = model_here()
    with attached(model, Masked(20)) as place:
        model.module(torch.tensor([[5, 6, 7]])).logits.square().sum().backward()
        grad = place.parameters["gains"].grad
        assert grad is not None
        assert int((grad != 0).sum()) >= 15
        assert [name for name, value in model.module.named_parameters() if value.requires_grad] == [
            "tellapart_change.gains"
        ]


def test_counts_and_mistakes():
    config = LlamaConfig(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2)
    assert trained_parameters(config, Masked(77)) == 77
    with pytest.raises(UserMistake, match="at least 1"):
        Masked(0).attach(model_here().module)
