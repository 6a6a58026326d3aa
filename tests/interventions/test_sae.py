"""Autoencoders recover planted features, survive being saved and killed, and read what others wrote."""

import json

import pytest
import torch
from safetensors.torch import save_file

from tellapart.errors import UserMistake
from tellapart.interventions.sae import (
    Sae,
    explained_variance,
    keep_largest,
    live_features,
    load_sae,
    save_sae,
)
from tellapart.interventions.sae_public import open_sae
from tellapart.interventions.sae_training import Recipe, Training, sight, train_sae

WIDTH, PLANTED, ACTIVE = 24, 48, 3
RECIPE = Recipe(features=64, k=ACTIVE, steps=500, batch=256, rate=3e-3, quiet=True)


def planted_states(count: int = 8000, norm: float = 50.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return states that are sums of three of 48 directions, far from 0 and of any length, and the directions."""
    drawn = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(PLANTED, WIDTH, generator=drawn), dim=1)
    chosen = torch.rand(count, PLANTED, generator=drawn).topk(ACTIVE, dim=1).indices
    sizes = 0.5 + torch.rand(count, ACTIVE, generator=drawn)
    features = torch.zeros(count, PLANTED).scatter(1, chosen, sizes)
    return norm * (features @ directions + 0.3), directions


@pytest.fixture(scope="module")
def trained() -> Sae:
    return train_sae(planted_states()[0], 2, RECIPE)


def test_planted_features_are_recovered_and_random_ones_are_not(trained):
    states, directions = planted_states()
    best = (directions @ trained.decoder.T).amax(1)
    assert best.mean() > 0.9
    random = torch.nn.functional.normalize(torch.randn(PLANTED, WIDTH), dim=1)
    assert (random @ trained.decoder.T).amax(1).mean() < 0.75
    told = sight(trained, states)
    assert told.explained_variance > 0.85
    assert 0 <= told.dead_share < 0.5


def test_decoder_rows_have_length_1_and_k_features_are_active(trained):
    assert torch.allclose(trained.decoder.norm(dim=1), torch.ones(64), atol=1e-5)
    features = trained.encode(planted_states(100)[0])
    assert int((features > 0).sum(1).max()) <= ACTIVE
    assert bool((features >= 0).all())
    assert trained.direction(3).norm() == pytest.approx(1)
    with pytest.raises(UserMistake, match="choose 0-63"):
        trained.direction(64)


def test_the_unit_of_the_states_does_not_matter():
    states = planted_states(2000)[0]
    short = Recipe(features=32, k=3, steps=20, quiet=True)
    one, other = train_sae(states, 0, short), train_sae(1024 * states, 0, short)
    assert torch.allclose(one.decoder, other.decoder, atol=1e-3)
    assert explained_variance(one, states) == pytest.approx(
        explained_variance(other, 1024 * states), abs=1e-3
    )


def test_dead_features_learn_from_what_the_others_left_over():
    states = planted_states(400)[0]
    gradients = {}
    for weight in (0.0, 1 / 32):
        recipe = Recipe(features=64, k=1, dead_after=10, aux_k=64, aux_weight=weight, quiet=True)
        training = Training(states / 50, recipe)
        with torch.no_grad():
            training.parts["encoder_bias"][32:] = -0.5
        drive = (training.states - training.parts["bias"]) @ training.parts["encoder"].T
        fired = (keep_largest(drive + training.parts["encoder_bias"], 1) > 0).any(0)
        training.silent = torch.where(fired, 0, 10)
        assert 0 < int(fired.sum()) < 64
        training.loss(training.states)[0].backward()
        grad = training.parts["decoder"].grad
        assert grad is not None
        gradients[weight] = grad[~fired].norm()
    assert gradients[0.0] == 0
    assert gradients[1 / 32] > 0


def test_it_is_saved_bit_for_bit(trained, tmp_path):
    save_sae(trained, tmp_path / "one.safetensors")
    again = load_sae(tmp_path / "one.safetensors")
    for name in ("encoder", "encoder_bias", "decoder", "bias", "threshold"):
        assert torch.equal(getattr(again, name), getattr(trained, name))
    assert (again.layer, again.k, again.scale) == (trained.layer, trained.k, trained.scale)


def test_a_damaged_file_is_refused(trained, tmp_path):
    path = tmp_path / "one.safetensors"
    save_sae(trained, path)
    whole = path.read_bytes()
    strange = tmp_path / "strange.safetensors"
    save_file({"a": torch.zeros(2)}, strange)
    for bad in (whole[: len(whole) // 2], b"", b"\x00" * 64, strange.read_bytes()):
        path.write_bytes(bad)
        with pytest.raises(UserMistake, match="train it anew"):
            load_sae(path)


def test_a_killed_training_ends_where_an_undisturbed_one_does(tmp_path, monkeypatch):
    states = planted_states(1000)[0]
    recipe = Recipe(features=32, k=3, steps=60, batch=64, save_every=20, dead_after=5, quiet=True)
    whole = train_sae(states, 0, recipe)
    step = Training.step

    def killed(self) -> None:
        if self.done == 47:
            raise KeyboardInterrupt
        step(self)

    path = tmp_path / "part.safetensors"
    monkeypatch.setattr(Training, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        train_sae(states, 0, recipe, path)
    begun: list[int] = []

    def watched(self) -> None:
        begun.append(self.done)
        step(self)

    monkeypatch.setattr(Training, "step", watched)
    assert torch.equal(train_sae(states, 0, recipe, path).decoder, whole.decoder)
    assert begun[0] == 40
    begun.clear()
    path.write_bytes(b"torn")
    assert torch.equal(train_sae(states, 0, recipe, path).decoder, whole.decoder)
    assert begun[0] == 0


@pytest.mark.parametrize(
    ("states", "recipe", "words"),
    [
        (torch.zeros(5, 4), Recipe(), "at least 2 that differ"),
        (torch.full((5, 4), torch.nan), Recipe(), "at least 2 that differ"),
        (torch.randn(1, 4), Recipe(), "at least 2 that differ"),
        (torch.randn(5, 4), Recipe(features=4, k=5), "choose 1-4"),
    ],
)
def test_states_that_cannot_be_learned_from_are_refused(states, recipe, words):
    with pytest.raises(UserMistake, match=words):
        train_sae(states, 0, recipe)


def test_states_of_another_width_are_refused(trained):
    with pytest.raises(UserMistake, match=f"reads {WIDTH}"):
        trained.encode(torch.zeros(3, WIDTH + 1))


def test_the_largest_are_kept():
    assert keep_largest(torch.tensor([[3.0, -1.0, 2.0, 5.0]]), 2).tolist() == [[3, 0, 0, 5]]
    assert keep_largest(torch.tensor([1.0, 2.0]), None).tolist() == [1, 2]


def folder_of(path, config, **tensors):
    path.mkdir(exist_ok=True)
    (path / "cfg.json").write_text(json.dumps(config))
    save_file({name: value.contiguous() for name, value in tensors.items()}, path / "sae_weights.safetensors")
    return str(path)


def public_tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    shapes = {"W_enc": (6, 10), "W_dec": (10, 6), "b_enc": (10,), "b_dec": (6,)}
    return {name: torch.randn(shape, generator=drawn) for name, shape in shapes.items()}


@pytest.mark.parametrize("taken_off", [True, False])
@pytest.mark.parametrize("kind", ["standard", "topk", "topk of old", "jumprelu"])
def test_folders_of_sae_lens_are_read_by_their_formulas(tmp_path, kind, taken_off):
    t = public_tensors()
    metadata = {"hook_name": "blocks.3.hook_resid_pre"}
    config = {"apply_b_dec_to_input": taken_off, "normalize_activations": "none"}
    if kind == "topk of old":
        config |= {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}
        config |= metadata
    else:
        config |= {"architecture": kind, "k": 2, "metadata": metadata}
    threshold = torch.linspace(0, 2, 10)
    extra = {"threshold": threshold} if kind == "jumprelu" else {}
    sae = open_sae(folder_of(tmp_path / "sae", config, **t, **extra))
    states = torch.randn(50, 6)
    drive = (states - t["b_dec"] * taken_off) @ t["W_enc"] + t["b_enc"]
    wanted = drive.relu()
    if kind.startswith("topk"):
        wanted = keep_largest(drive, 2).relu()
    if kind == "jumprelu":
        wanted = torch.where(drive > threshold, drive, 0.0).relu()
    assert torch.allclose(sae.encode(states), wanted, atol=1e-5)
    assert torch.allclose(sae.decode(wanted), wanted @ t["W_dec"] + t["b_dec"], atol=1e-5)
    assert sae.layer == 2
    assert live_features(sae, states).shape == (10,)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "only residual streams"),
        ({"hook_name": "blocks.3.hook_mlp_out"}, "only residual streams"),
        ({"hook_name": "blocks.0.hook_resid_pre"}, "embeddings"),
        ({"hook_name": "blocks.3.hook_resid_pre", "architecture": "gated"}, "gated"),
        ({"hook_name": "blocks.3.hook_resid_pre", "architecture": "topk", "k": 0}, "k of 1"),
        ({"hook_name": "blocks.3.hook_resid_pre", "normalize_activations": "layer_norm"}, "layer_norm"),
        ({"hook_name": "blocks.3.hook_resid_pre", "rescale_acts_by_decoder_norm": True}, "fold"),
        ([], "JSON object"),
    ],
)
def test_folders_that_would_be_misread_are_refused(tmp_path, config, words):
    with pytest.raises(UserMistake, match=words):
        open_sae(folder_of(tmp_path / "sae", config, **public_tensors()))


def test_parts_that_do_not_fit_or_are_not_finite_are_refused(tmp_path):
    config = {"hook_name": "blocks.3.hook_resid_post"}
    for name, bad in (
        ("b_enc", torch.zeros(9)),
        ("b_dec", torch.zeros(7)),
        ("W_enc", torch.zeros(6, 9)),
        ("W_dec", torch.full((10, 6), torch.inf)),
    ):
        tensors = public_tensors() | {name: bad}
        with pytest.raises(UserMistake, match=r"must be|do not fit|finite"):
            open_sae(folder_of(tmp_path / name, config | {"apply_b_dec_to_input": True}, **tensors))
    missing = {name: value for name, value in public_tensors().items() if name != "W_dec"}
    with pytest.raises(UserMistake, match="W_dec"):
        open_sae(folder_of(tmp_path / "missing", config, **missing))


def test_what_is_not_there_is_told_in_one_line(tmp_path):
    with pytest.raises(UserMistake, match="no folder"):
        open_sae(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserMistake, match="missing or damaged"):
        open_sae(str(tmp_path / "empty"))


def test_a_release_needs_the_package(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sae_lens", None)
    with pytest.raises(UserMistake, match="pip install sae-lens"):
        open_sae("gpt2-small-res-jb@blocks.8.hook_resid_pre")
