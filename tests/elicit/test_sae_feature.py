"""One feature of an autoencoder is found where a direction was planted; random features do nothing like it."""

import json

import numpy as np
import pytest
import torch
from planted import ask_for, split
from planted_direction import letters, planted
from safetensors.torch import save_file

from tellapart.elicit.choosing import mean_score
from tellapart.elicit.sae_feature import SaeFeature
from tellapart.errors import UserMistake
from tellapart.interventions.first_order import mean_slopes
from tellapart.runs.asking import Pair

TASK = letters()
FIT, REPORT = ask_for(split(TASK, 0, 8), 4), ask_for(split(TASK, 8, 16), 16, seed=1)


@pytest.fixture(scope="module")
def world():
    return planted()


def score(value, model) -> float:
    return mean_score(REPORT, value.answers(Pair(model), REPORT))


def public(folder, directions: torch.Tensor, hook: str = "blocks.1.hook_resid_post", **others):
    """Write a sae-lens folder whose features are read and written along `directions` [feature, width]."""
    folder.mkdir(exist_ok=True)
    config = {"architecture": "standard", "hook_name": hook, "d_in": directions.shape[1], **others}
    (folder / "cfg.json").write_text(json.dumps(config))
    tensors = {
        "W_enc": directions.T.contiguous(),
        "W_dec": directions.contiguous(),
        "b_enc": torch.zeros(len(directions)),
        "b_dec": torch.zeros(directions.shape[1]),
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    return str(folder)


def test_the_slope_of_the_right_answer_points_along_the_planted_direction(world):
    model, direction = world
    gap = mean_slopes(model, [("1:", "Q")]) - mean_slopes(model, [("1:", "k")])
    assert torch.nn.functional.cosine_similarity(gap[1], direction, dim=0) > 0.8
    assert all(weights.grad is None for weights in model.module.parameters())


def test_a_slope_is_that_of_finite_differences(world):
    from tellapart.models.hooks_position import Span, shifting

    model, _ = world
    slopes = mean_slopes(model, [("12:", "ab")])
    start = len(model.vocabulary.encode_prompts([("12:", "")])["12:", ""])
    for layer in range(2):
        push = torch.zeros(2, 32)
        push[layer] = torch.randn(32, generator=torch.Generator().manual_seed(layer)) * 1e-2
        told = []
        for sign in (1, -1):
            with shifting(model, sign * push, Span(start - 1, start)):
                told.append(sum(model.score([("12:", "ab")])[0].logprobs))
        assert (told[0] - told[1]) / 2 == pytest.approx(float((slopes * push).sum()), rel=0.05, abs=1e-5)


def test_a_planted_feature_is_found_among_an_autoencoder_that_was_given(world, tmp_path):
    model, direction = world
    drawn = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(2)))[0]
    rest = drawn - torch.outer(drawn @ direction, direction)
    directions = torch.cat([direction[None], torch.nn.functional.normalize(rest[:31], dim=1)])
    both = torch.cat([directions, -directions])
    elicitor = SaeFeature(saes=(public(tmp_path / "sae", both),))
    value = elicitor.fit(Pair(model), FIT)
    assert value.setting["source"].startswith(("feature +0 ", "feature -32 "))
    assert value.setting["layer"] == 1
    plain = score(SaeFeature().null(value, 1), model)
    assert score(value, model) > 0.8
    assert plain < 0.2
    assert 0 < value.bits_once <= np.log2(64) + np.log2(16) + np.log2(6)


def test_own_autoencoders_go_on_from_their_checkpoints(world, tmp_path):
    model, _ = world
    kept = FIT._replace(scratch=tmp_path)
    short = SaeFeature(steps=100)
    one = short.fit(Pair(model), kept)
    assert {"sae-0.safetensors", "sae-1.safetensors"} <= {path.name for path in tmp_path.iterdir()}
    assert short.fit(Pair(model), kept) == one
    assert short.fit(Pair(model), FIT) == one
    assert {"explained_variance", "dead_share", "tried", "sites"} <= one.setting.keys()


@pytest.mark.parametrize(
    ("width", "hook", "scale", "words"),
    [
        (16, "blocks.1.hook_resid_post", 1, "width 16 do not fit"),
        (32, "blocks.7.hook_resid_post", 1, "layer 7"),
        (32, "blocks.1.hook_resid_post", 30, "another model's"),
    ],
)
def test_an_autoencoder_of_another_model_is_refused(world, tmp_path, width, hook, scale, words):
    model, _ = world
    directions = scale * torch.randn(2 * width, width, generator=torch.Generator().manual_seed(0))
    elicitor = SaeFeature(saes=(public(tmp_path / "sae", directions, hook),))
    with pytest.raises(UserMistake, match=words):
        elicitor.fit(Pair(model), FIT)
