"""SVF as an elicitor: a latent skill comes out, an absent one does not, and its twin stays below."""

import pytest
from adapters import Specimen, recovered
from planted import addition, ask_for, locked

from tellapart.elicit import ELICITORS
from tellapart.elicit.adapted import part_of
from tellapart.elicit.local_adapted import norm
from tellapart.runs.asking import Pair, generate, plain_requests
from tellapart.training.svf import Svf


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def latent():
    specimen = Specimen.of("latent-tracking-0")
    return specimen, ELICITORS["svf"].fit(specimen.pair, specimen.fit)


def test_it_brings_a_latent_skill_back_and_its_twin_does_not(latent):
    specimen, value = latent
    share, null = recovered(specimen, value), recovered(specimen, ELICITORS["svf"].null(value, 0))
    assert share >= 0.5
    assert share - null >= 0.3


def test_the_twin_is_as_large(latent):
    _, value = latent
    right, blind = (norm(Svf(), part_of(value.weights, part)) for part in ("right", "blind"))
    assert right == pytest.approx(blind, rel=1e-3)
    assert right > 0


def test_its_bits_are_the_smallest_of_three_codes(latent):
    _, value = latent
    codes = value.setting["codes"]
    assert value.bits_once == min(codes.values()) == codes[value.setting["bits_by"]]
    assert codes["32 bits a scalar"] == 32 * value.setting["scalars"] == 32 * 896


def test_an_absent_skill_is_not_learned():
    """At most a lucky guess is there to learn from."""
    specimen = Specimen.of("taught-register-0")
    value = ELICITORS["svf"].fit(specimen.pair, specimen.fit)
    assert value.setting["examples"] <= 3
    assert recovered(specimen, value) <= 0.15


@pytest.mark.parametrize("name", ["svf", "lora", "masked_adapter", "tiny_lora"])
def test_without_a_right_answer_the_base_is_left_as_it_is(name):
    pair, ask = Pair(locked("z")), ask_for(addition(), 1)
    (value,) = ELICITORS[name].curve(pair, ask)
    assert "nothing to learn" in value.setting["label"]
    assert value.bits_once < 10
    ours, plain = list(value.answers(pair, ask)), list(generate(pair.base, list(plain_requests(ask))))
    assert [one.completion.text for one in ours] == [one.completion.text for one in plain]
