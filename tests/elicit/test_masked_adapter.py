"""Masked adapters as an elicitor: more scalars bring back more, and the curve over them is read off the names."""

import numpy as np
import pytest
from adapters import Specimen, recovered

from tellapart.elicit import ELICITORS
from tellapart.elicit.masked_adapter import sizes_for
from tellapart.elicit.own_answers import own_answers
from tellapart.errors import UserMistake
from tellapart.stats.logistic_curve import Ends

MASKED = ELICITORS["masked_adapter"]


@pytest.mark.slow
def test_more_scalars_bring_back_more():
    specimen = Specimen.of("latent-register-0")
    own = own_answers(specimen.pair, specimen.fit)
    few, many = (MASKED.sized(specimen.pair, specimen.fit, own, size) for size in (4, 1024))
    assert few.setting["scalars"] == 4
    assert few.bits_once <= 32 * 4
    least, most = recovered(specimen, few), recovered(specimen, many)
    assert least < 0.25
    assert most >= 0.5
    assert most - recovered(specimen, MASKED.null(many, 0)) >= 0.3


def planted(half: float, names: list[str], items: int = 400) -> dict[str, np.ndarray]:
    """Scores of a plain logistic in ln p whose half lies at `half`, as per-item coins."""
    rng = np.random.default_rng(0)
    shares = [1 / (1 + (half / float(name.partition("@")[2])) ** 1.5) for name in names]
    return {
        name: (rng.random(items) < 0.1 + 0.8 * share).astype(float)
        for name, share in zip(names, shares, strict=True)
    }


def test_the_sizes_for_half_and_most_of_the_gain_are_found_again():
    names = [f"masked_adapter@{size}" for size in (4, 16, 64, 256, 1024, 4096)]
    rng = np.random.default_rng(1)
    ends = Ends((rng.random(400) < 0.1).astype(float), (rng.random(400) < 0.9).astype(float))
    means = planted(60.0, names) | {"lora@4": np.zeros(400), "masked_adapter@4096~null": np.zeros(400)}
    curve = sizes_for(means, ends)
    assert curve.points == 6
    assert curve.half.value == pytest.approx(60, rel=0.4)
    assert curve.half.low < 60 < curve.half.high
    assert curve.most.value == pytest.approx(60 * 9 ** (1 / 1.5), rel=0.8)


def test_too_few_sizes_give_no_figure():
    names = [f"masked_adapter@{size}" for size in (4, 16, 64)]
    curve = sizes_for(planted(60.0, names), Ends(np.zeros(400), np.ones(400)))
    assert np.isnan(curve.half.value)
    with pytest.raises(UserMistake, match="no way called"):
        sizes_for({"lora@4": np.zeros(400)}, Ends(np.zeros(400), np.ones(400)))
