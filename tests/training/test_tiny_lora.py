"""TinyLoRA against the dense weights it stands for."""

import pytest
import torch
from transformers import AutoConfig

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.specimens import load_model
from tellapart.training.change import attached, changed, probe_logits
from tellapart.training.matrices import matrices_of, matrix, trained_parameters
from tellapart.training.tiny_lora import TinyLora, frozen_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def drawn(count: int) -> Weights:
    return Weights({"v": 0.2 * torch.randn(count, generator=torch.Generator().manual_seed(0)).numpy()})


def dense_logits(model, change: TinyLora, weights: Weights, strength: float = 1.0) -> torch.Tensor:
    state = {name: value.clone() for name, value in model.module.state_dict().items()}
    v = torch.tensor(weights["v"])
    with torch.no_grad():
        for at, part in enumerate(matrices_of(model.module).values()):
            frozen = frozen_of(matrix(part), change, at)
            turned = sum(one * each for one, each in zip(v, frozen.p, strict=True))
            matrix(part).add_(strength * frozen.u @ turned @ frozen.sv)
    logits = probe_logits(model)
    model.module.load_state_dict(state)
    return logits


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_it_is_the_dense_change_of_the_largest_directions(strength):
    model, change, weights = load_model("latent-register-0/base"), TinyLora(13), drawn(13)
    plain = probe_logits(model)
    with changed(model, change, weights, strength):
        ours = probe_logits(model)
    assert torch.allclose(ours, dense_logits(model, change, weights, strength), atol=1e-4)
    assert not torch.allclose(ours, plain, atol=1e-2)
    assert torch.equal(probe_logits(model), plain)


def test_only_its_numbers_are_trained():
    model = load_model("latent-register-0/base")
    with attached(model, TinyLora(5)) as place:
        assert place.count == 5
        assert [value.shape for value in model.module.parameters() if value.requires_grad] == [(5,)]
    config = AutoConfig.for_model("llama", hidden_size=64, num_hidden_layers=2, num_attention_heads=4)
    assert trained_parameters(config, TinyLora(13)) == 13


def test_matrices_are_turned_differently_and_seeds_differ():
    weight = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    first, second, other = (
        frozen_of(weight, TinyLora(3, seed=seed), at).p for seed, at in ((0, 0), (0, 1), (1, 0))
    )
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(first, frozen_of(weight, TinyLora(3), 0).p)


def test_a_matrix_of_less_rank_has_what_it_has():
    frozen = frozen_of(torch.ones(4, 1), TinyLora(2, rank=3), 0)
    assert (frozen.u.shape, frozen.sv.shape, frozen.p.shape) == ((4, 1), (1, 1), (2, 1, 1))


@pytest.mark.parametrize("change", [TinyLora(0), TinyLora(1, rank=0)])
def test_nothing_to_train_is_refused(change):
    with pytest.raises(UserMistake, match="must be 1 or more"):
        change.attach(load_model("latent-register-0/base").module)
