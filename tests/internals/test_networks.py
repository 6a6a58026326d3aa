"""Networks read from weights, their pictures, features, symmetry and sweeps: oracles, plants, real networks."""

import colorsys
from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.internals.features import (
    decodability,
    distinct_features,
    participation_ratio,
    pca_dims,
    rotated,
    spectrum,
    standardised,
)
from tellapart.internals.networks import Network, draw, grid_inputs, hidden_layers, read_network, to_rgb
from tellapart.internals.png import encode_png, read_png
from tellapart.internals.sweeps import STEPS, effect_maps, effect_participation_ratio, sweeps
from tellapart.internals.symmetry import picture_mirror, symmetric_share, symmetric_variance

# name: distinct features, PCA dimensions, symmetric share as published; effect-map ratio of docs/validation/inside.md
FER = {
    "picbreeder_skull": (17, 12, 0.824, 6.4),
    "sgd_skull": (264, 47, 0.004, 56.3),
    "picbreeder_butterfly": (30, 19, 0.633, 8.4),
    "sgd_butterfly": (365, 63, 0.003, 46.5),
}


def small(seed: int = 0) -> Network:
    random = np.random.default_rng(seed)
    shapes = [(4, 5), (5, 5), (5, 3)]
    weights = tuple(random.standard_normal(shape) for shape in shapes)
    return Network("small", weights, (("cache", 2), ("gaussian", 2), ("sin", 1)))


def test_rgb_is_the_standard_librarys() -> None:
    outputs = np.random.default_rng(0).uniform(-2, 2, (200, 3))
    wanted = [colorsys.hsv_to_rgb((h + 1) % 1, min(max(s, 0), 1), min(abs(v), 1)) for h, s, v in outputs]
    np.testing.assert_allclose(to_rgb(outputs), wanted, atol=1e-12)


def test_png_there_and_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(encode_png(pixels))
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), pixels)
    (tmp_path / "a.png").write_bytes(encode_png(pixels)[:60])
    with pytest.raises(UserMistake, match=r"a\.png"):
        read_png(tmp_path / "a.png")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "sgd_butterfly" else ()) for name in FER]
)
def test_real_networks(shared: Path, name: str) -> None:
    folder = shared / "data" / "fer"
    network = read_network(folder / f"{name}.npz")
    picture = read_png(folder / f"{name}.png")[..., :3] / 255
    assert ((draw(network) - picture) ** 2).mean() < 1e-4
    inputs = grid_inputs(128)
    features = np.concatenate(hidden_layers(network, inputs), axis=1)
    kept = features[:, distinct_features(features, inputs).kept]
    mirror = picture_mirror(draw(network, 128))
    distinct, dims, share, ratio = FER[name]
    assert kept.shape[1] == distinct
    assert pca_dims(spectrum(standardised(kept)[0])) == dims
    assert round(symmetric_share(kept, mirror.axes), 3) == share
    assert effect_participation_ratio(effect_maps(network)) == pytest.approx(ratio, abs=0.06)


def test_distinct_features_are_the_planted_ones() -> None:
    random = np.random.default_rng(0)
    inputs, own = random.standard_normal((500, 2)), random.standard_normal((500, 3))
    copies = [own, -2 * own[:, :1] + 5, 3 * inputs[:, :1], np.ones((500, 1))]
    found = distinct_features(np.concatenate(copies, axis=1), inputs)
    assert found == ((0, 1, 2), 6, 1)


def test_dimensions_and_ratio_of_known_spectra() -> None:
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((400, 6)))[0]
    flat = basis - basis.mean(axis=0)
    assert pca_dims(spectrum(flat)) == 6
    assert pca_dims(spectrum(np.ones((10, 3)))) == 0
    assert participation_ratio(np.eye(7)) == pytest.approx(7)
    assert participation_ratio(np.ones((7, 3))) == pytest.approx(1)
    assert np.isnan(participation_ratio(np.zeros((2, 3))))


def test_sweeps_are_those_of_the_whole_network_run_again() -> None:
    network = small()
    seen = 0
    for (layer, source, to), pictures in sweeps(network, 6):
        for step, picture in zip(STEPS, pictures, strict=True):
            weights = [w.copy() for w in network.weights]
            weights[layer][source, to] += step
            whole = draw(Network("moved", tuple(weights), network.activations), 6)
            np.testing.assert_allclose(picture, whole.reshape(-1, 3), atol=1e-9)
        seen += 1
    assert seen == sum(w.size for w in network.weights)


def test_symmetry_of_planted_features() -> None:
    y, x, radius, _ = grid_inputs(16).T
    features = np.stack([radius, y**2, y, x * y], axis=1)
    assert symmetric_share(features, (1,)) == 0.5
    assert symmetric_variance(features[:, :2], (1,)) == pytest.approx(1)
    assert symmetric_variance(features[:, 2:], (1,)) == pytest.approx(0, abs=1e-12)


def test_what_survives_a_rotation_and_what_does_not() -> None:
    inputs = grid_inputs(16)
    layers = [layer[:, [0, 0, 2, 3, 4]] for layer in hidden_layers(small(), inputs)]
    turned = rotated(layers, 3)
    whole, other = np.concatenate(layers, axis=1), np.concatenate(turned, axis=1)
    np.testing.assert_allclose(spectrum(whole), spectrum(other), atol=1e-10)
    assert symmetric_variance(whole, (1,)) == pytest.approx(symmetric_variance(other, (1,)))
    radius = inputs[:, 2]
    assert decodability(layers[-1], radius) == pytest.approx(decodability(turned[-1], radius))
    assert len(distinct_features(whole, inputs).kept) < len(distinct_features(other, inputs).kept)


def written(folder: Path, arch: str = "2;cache:2,gaussian:2,sin:1", **changed: np.ndarray) -> Path:
    arrays = {f"layer_{index}": weights for index, weights in enumerate(small().weights)} | changed
    np.savez(folder / "net.npz", **arrays)  # type: ignore[arg-type]
    (folder / "net.arch").write_text(arch)
    return folder / "net.npz"


@pytest.mark.parametrize(
    ("arch", "changed", "says"),
    [
        ("", {}, "LAYERS;ACTIVATION"),
        ("2;cache:2,magic:3", {}, "no activation 'magic'"),
        ("3;cache:2,gaussian:2,sin:1", {}, "cannot be read"),
        ("1;cache:2,gaussian:2,sin:1", {}, "no place"),
        ("2;cache:2,gaussian:2,sin:1", {"layer_1": np.full((5, 5), np.nan)}, "NaN"),
        ("2;cache:2,gaussian:2,sin:1", {"layer_1": np.zeros((0, 5))}, "is needed"),
        ("2;cache:2,gaussian:2,sin:1", {"layer_1": np.array([{}], dtype=object)}, "cannot be read"),
        ("2;cache:2,gaussian:2,sin:1", {"layer_1": np.array(["a"])}, "cannot be read"),
        (
            "2;cache:2,gaussian:2,sin:1",
            {f"layer_{i}": 0 * w for i, w in enumerate(small().weights)},
            "all weights",
        ),
    ],
)
def test_bad_files_give_one_line(
    tmp_path: Path, arch: str, changed: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(UserMistake, match=says) as told:
        read_network(written(tmp_path, arch, **changed))
    assert "\n" not in str(told.value)


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert read_network(tmp_path / "net").width == 5
    path.write_bytes(b"")
    with pytest.raises(UserMistake, match="cannot be read"):
        read_network(path)
    with pytest.raises(UserMistake, match="is not there"):
        read_network(tmp_path / "other.npz")
