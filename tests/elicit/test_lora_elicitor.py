"""LoRA as an elicitor, and what adapters have in common: saved, loaded, resumed, refused."""

import numpy as np
import pytest
from adapters import Specimen, recovered

from tellapart.elicit import ELICITORS
from tellapart.elicit.adapted import Adapted, part_of
from tellapart.elicit.local_adapted import change_of, norm, of_norm
from tellapart.elicit.lora import LowRank
from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.training.lora import Lora
from tellapart.training.masked import Masked
from tellapart.training.svf import Svf


@pytest.fixture(scope="module")
def latent():
    specimen = Specimen.of("latent-register-1")
    return specimen, ELICITORS["lora"].fit(specimen.pair, specimen.fit)


def test_it_brings_a_latent_skill_back_and_its_twin_does_not(latent):
    specimen, value = latent
    assert value.name == "lora@4"
    share, null = recovered(specimen, value), recovered(specimen, ELICITORS["lora"].null(value, 0))
    assert share >= 0.5
    assert share - null >= 0.3


def test_the_norm_is_that_of_the_product():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 7)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    weights = Weights({"layer.lora_A.weight": a, "layer.lora_B.weight": b})
    assert norm(Lora(3), weights) == pytest.approx(np.linalg.norm(b @ a), rel=1e-5)
    larger = of_norm(Lora(3), weights, 10.0)
    assert np.array_equal(larger["layer.lora_A.weight"], a)
    assert norm(Lora(3), larger) == pytest.approx(10.0, rel=1e-5)


def test_norms_are_counted_from_where_a_change_is_neutral():
    z = Weights({"layer": np.array([1.0, 1.3, 0.6], np.float32)})
    assert norm(Svf(), z) == pytest.approx(0.5)
    assert of_norm(Svf(), z, 1.0)["layer"] == pytest.approx([1.0, 1.6, 0.2])
    assert norm(Masked(3), z) == pytest.approx(np.linalg.norm([1.0, 1.3, 0.6]))
    still = Weights({"layer": np.ones(3, np.float32)})
    assert of_norm(Svf(), still, 1.0) == still


def test_weights_of_another_model_are_refused(latent):
    specimen, value = latent
    cut = Weights({name: array[:1] for name, array in value.weights.items()})
    other = Adapted(value.name, value.setting, value.bits_once, weights=cut)
    with pytest.raises(UserMistake, match="shape"):
        next(iter(other.answers(specimen.pair, specimen.report)))
    with pytest.raises(UserMistake, match="fit it anew"):
        part_of(Weights(), "right")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"kind": "nothing"},
        {"kind": "lora", "rank": "many"},
        {"kind": "lora", "width": 3},
        {"kind": "lora", "rank": True},
        {"kind": "svf", "targets": "q_proj"},
    ],
)
def test_a_change_that_is_none_of_ours_is_refused(told):
    with pytest.raises(UserMistake, match="saved change"):
        change_of(told)


def test_changes_come_back_from_json():
    assert change_of({"kind": "lora", "rank": 2}) == Lora(rank=2)
    assert change_of({"kind": "svf", "targets": ["q_proj"]}) == Svf(("q_proj",))


def test_what_was_trained_is_not_trained_again(tmp_path, monkeypatch):
    from tellapart.training import sft

    specimen = Specimen.of("latent-register-1")
    ask = specimen.fit._replace(scratch=tmp_path)
    lora = LowRank(steps=2)
    first = lora.fit(specimen.pair, ask)
    monkeypatch.setattr(sft, "run_trainer", None)
    assert lora.fit(specimen.pair, ask) == first
