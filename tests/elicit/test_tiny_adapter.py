"""TinyLoRA as an elicitor: 64 numbers bring a latent skill back, its twin does not, and 13 cost 416 bits at most."""

import pytest
from adapters import Specimen, recovered

from tellapart.elicit import ELICITORS
from tellapart.elicit.adapted import part_of
from tellapart.elicit.local_adapted import norm
from tellapart.training.tiny_lora import TinyLora


@pytest.fixture(scope="module")
def curve(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        specimen = Specimen.of("latent-tracking-0")
        yield specimen, ELICITORS["tiny_lora"].curve(specimen.pair, specimen.fit)


@pytest.mark.slow
def test_more_numbers_bring_more_back_and_a_twin_brings_nothing(curve):
    specimen, values = curve
    shares = [recovered(specimen, value) for value in values]
    assert shares[0] <= 0.1
    assert shares[2] >= 0.5
    assert recovered(specimen, ELICITORS["tiny_lora"].null(values[2], 0)) <= 0.1


def test_the_twin_is_as_large_and_the_price_at_most_32_bits_a_number(curve):
    _, values = curve
    assert [value.name for value in values] == ["tiny_lora@1", "tiny_lora@13", "tiny_lora@64"]
    for value, count in zip(values, (1, 13, 64), strict=True):
        assert value.setting["codes"]["32 bits a scalar"] == 32 * count
        assert value.bits_once == min(value.setting["codes"].values())
        right, blind = (norm(TinyLora(), part_of(value.weights, part)) for part in ("right", "blind"))
        assert right == pytest.approx(blind, rel=1e-3)
