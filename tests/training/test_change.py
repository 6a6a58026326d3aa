"""Every change: neutral at its start and at strength 0, scaled, and gone afterwards, bit for bit."""

import numpy as np
import pytest
import torch
from letters import tiny

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.model import Request, Sampling
from tellapart.training.change import Change, Hooked, attached, changed, probe_logits
from tellapart.training.full import FullWeights
from tellapart.training.kinds import change_from, default_change
from tellapart.training.lora import Lora
from tellapart.training.vectors import LayerVectors

CHANGES = [FullWeights(), Lora(rank=2), LayerVectors((1.0, 2.0))]
NAMES = [change.name for change in CHANGES]


def state(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def moved(model, change: Change) -> Weights:
    """Return weights that are not the start's."""
    rng = np.random.default_rng(0)
    with attached(model, change) as place:
        start = place.weights()
    return Weights({k: v + 0.1 * rng.standard_normal(v.shape).astype(np.float32) for k, v in start.items()})


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_the_start_changes_nothing_and_only_the_change_is_trained(change):
    model = tiny()
    plain, flags = probe_logits(model), [p.requires_grad for p in model.module.parameters()]
    with attached(model, change) as place:
        assert torch.equal(probe_logits(model), plain)
        free = [p for p in model.module.parameters() if p.requires_grad]
        assert {id(p) for p in free} == {id(p) for p in place.parameters.values()}
        assert place.count == sum(p.numel() for p in free)
    assert [p.requires_grad for p in model.module.parameters()] == flags


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_it_is_gone_afterwards_also_after_an_error(change):
    model = tiny()
    before, form, fingerprint = state(model), repr(model.module), model.fingerprint
    names = set(vars(model.module))
    weights = moved(model, change)
    with changed(model, change, weights):
        assert model.fingerprint != fingerprint
        assert not torch.equal(probe_logits(model), probe_logits(tiny()))
    with pytest.raises(ZeroDivisionError), changed(model, change, weights):
        raise ZeroDivisionError
    assert same(state(model), before)
    assert repr(model.module) == form
    assert set(vars(model.module)) == names
    assert model.fingerprint == fingerprint
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.module.modules())


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_strength_0_is_the_plain_model_and_strengths_are_told_apart(change):
    model = tiny()
    plain, weights = probe_logits(model), moved(model, change)
    seen = {}
    for strength in (0.0, 0.5, 1.0):
        with changed(model, change, weights, strength):
            seen[strength] = (model.fingerprint, probe_logits(model))
    assert torch.equal(seen[0.0][1], plain)
    assert seen[0.0][0] == model.fingerprint
    assert len({fingerprint for fingerprint, _ in seen.values()}) == 3
    assert (seen[1.0][1] - plain).norm() > (seen[0.5][1] - plain).norm() > 0


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_the_plain_model_can_be_had_while_it_is_in_place(change):
    model = tiny()
    plain, weights = probe_logits(model), moved(model, change)
    with attached(model, change, weights) as place:
        trained = probe_logits(model)
        with place.without():
            assert torch.equal(probe_logits(model), plain)
        assert torch.equal(probe_logits(model), trained)
        assert not torch.equal(trained, plain)


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_change_without_effect_is_an_error(change):
    model = tiny()
    with attached(model, change) as place:
        start = place.weights()
    with pytest.raises(RuntimeError, match="as it was"), changed(model, change, start):
        pass


def test_a_change_that_was_never_called_is_an_error():
    class Idle(Change):
        name = "idle"

        def attach(self, module):
            class Held(Hooked):
                probed = False

            return Held(module, {"nothing": torch.ones(1)})

    model = tiny()
    with (
        pytest.raises(RuntimeError, match="never called"),
        changed(model, Idle(), Weights({"nothing": np.ones(1)})),
    ):
        list(model.generate([Request("1=", 0, Sampling(max_tokens=1))]))


def test_weights_of_another_shape_are_refused():
    model = tiny()
    with pytest.raises(UserMistake, match="shape"), changed(model, Lora(rank=2), moved(model, Lora(rank=4))):
        pass
    with pytest.raises(UserMistake, match="shape"), changed(model, FullWeights(), moved(model, Lora(rank=4))):
        pass


def test_a_change_is_named_in_json_and_made_from_it():
    assert change_from(Lora(rank=3).as_json()) == Lora(rank=3)
    assert change_from(FullWeights().as_json()) == default_change(tiny())
    for bad in ({"kind": "magic"}, {"kind": "lora", "rang": 3}, {}):
        with pytest.raises(UserMistake, match="unknown"):
            change_from(bad)


def test_adapters_upon_adapters_are_refused():
    model = tiny()
    with attached(model, Lora()), pytest.raises(UserMistake, match="already"):
        Lora().attach(model.module)
