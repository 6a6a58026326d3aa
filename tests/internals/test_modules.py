"""The measures over torch modules: planted structure, what a rotation leaves, the module untouched, hostile inputs."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.internals.features import held_out_decodability
from tellapart.internals.modules import Questions, look_inside, read_activations, tangent_estimate
from tellapart.internals.networks import Network, grid_inputs, hidden_layers
from tellapart.internals.perturbed import pruning_error, relative_error
from tellapart.internals.reuse import chance_reuse, reliability, reuse, reuse_estimate
from tellapart.internals.tangent import kernel_participation_ratio, network_kernel
from tellapart.internals.twins import Recipe, Routine, train_twin, turn


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).double()


def points(count: int = 40) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((count, 3)))


def test_any_module_is_measured_and_left_as_it_was() -> None:
    module, before = net(), net().state_dict()
    found = look_inside(module, ["1", "3"], points(), Questions(concepts={"first": points()[:, 0].numpy()}))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    assert found.outputs.shape == (40, 2)
    assert found.estimates["distinct_features"].value == 11
    assert found.estimates["linear_decodability"].value > 0.5
    assert all(np.isfinite(one.value) and one.n > 0 for one in found.estimates.values())
    assert found.estimates["noise_error_1%"].low < found.estimates["noise_error_1%"].high
    assert found.turned["linear_decodability"] == pytest.approx(found.estimates["linear_decodability"].value)
    assert found.turned["pca_dims_99%_raw"] == found.estimates["pca_dims_99%_raw"].value


def test_tangent_ratio_of_a_linear_map_is_that_of_its_inputs() -> None:
    inputs = points()
    kernel = inputs.numpy() @ inputs.numpy().T
    module = nn.Linear(3, 1, bias=False).double()
    assert tangent_estimate(module, inputs).value == pytest.approx(kernel_participation_ratio(kernel))
    assert kernel_participation_ratio(np.eye(5)) == pytest.approx(5)


def test_tangent_kernel_of_an_image_network_is_that_of_finite_differences() -> None:
    from tellapart.internals.networks import draw

    random = np.random.default_rng(1)
    weights = tuple(random.standard_normal(shape) / 2 for shape in ((4, 3), (3, 3), (3, 3)))
    network = Network("n", weights, (("gaussian", 1), ("sin", 1), ("sigmoid", 1)))
    columns = []
    for layer, matrix in enumerate(weights):
        for place in np.ndindex(matrix.shape):
            drawn = []
            for step in (-1e-5, 1e-5):
                moved = [w.copy() for w in weights]
                moved[layer][place] += step
                drawn.append(draw(Network("n", tuple(moved), network.activations), 5).reshape(-1, 3))
            columns.append(((drawn[1] - drawn[0]) / 2e-5).T.ravel())
    slopes = np.array(columns)
    np.testing.assert_allclose(network_kernel(network, 5), slopes.T @ slopes, atol=1e-5)
    turned = [
        layer @ np.linalg.qr(random.standard_normal((3, 3)))[0]
        for layer in hidden_layers(network, grid_inputs(5))
    ]
    np.testing.assert_allclose(network_kernel(network, 5, turned), network_kernel(network, 5))


def planted(shared: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    context, side = np.repeat(["a", "b", "c"], 60), np.tile([0, 1], 90)
    directions = np.eye(9)[[0, 0, 0] if shared else [0, 1, 2]]
    at = np.unique(context, return_inverse=True)[1]
    return directions[at] * side[:, None] + 0.05 * random.standard_normal((180, 9)), side, context


def test_reuse_tells_one_direction_from_three_where_decodability_cannot() -> None:
    one, several = planted(True), planted(False)
    for states, side, _ in (one, several):
        assert held_out_decodability(states, side, 0).value == pytest.approx(1.0, abs=0.02)
    found, other = reuse(*one), reuse(*several)
    assert found is not None
    assert other is not None
    assert found.mean > 0.98
    assert abs(other.mean) < 0.05
    assert found.effective == pytest.approx(1, abs=0.05)
    assert other.effective == pytest.approx(3, abs=0.05)
    estimate = reuse_estimate(*several, seed=0)
    assert estimate.low < 0 < estimate.high < 0.2
    assert chance_reuse(*one, seed=0) < found.mean - 0.2
    assert reliability(*several, seed=0) > 0.98
    basis = np.linalg.qr(np.random.default_rng(3).standard_normal((9, 9)))[0]
    again = reuse(one[0] @ basis, *one[1:])
    assert again is not None
    np.testing.assert_allclose(again.cosines, found.cosines)


def test_too_few_points_are_missing_not_a_number() -> None:
    states, side, context = planted(True)
    assert np.isnan(reuse_estimate(states[:3], side[:3], context[:3], 0).value)
    assert "too few points" in reuse_estimate(states, np.zeros(180, int), context, 0).method
    assert np.isnan(held_out_decodability(states[:4], side[:4], 0).value)
    assert np.isnan(held_out_decodability(states, np.zeros(180), 0).value)
    assert np.isnan(relative_error(torch.ones(4, 2), torch.ones(4, 2)))
    assert np.isnan(pruning_error(nn.Linear(1, 1).double(), torch.ones(9, 1, dtype=torch.float64)).value)


@pytest.mark.parametrize(
    ("names", "inputs", "asked", "says"),
    [
        (["9"], points(), None, "no activation"),
        ([], points(), None, "at least one"),
        (["1"], points(1), None, "too few points"),
        (["1"], points(0), None, "too few points"),
        (["1"], points() * float("nan"), None, "NaN"),
        (["1"], torch.ones(40, 3, dtype=torch.float64), None, "constant"),
        (["1"], points(), Questions(targets=np.zeros(3, int)), "one a point"),
        (["1"], points(), Questions(concepts={"c": np.full(40, np.nan)}), "NaN"),
    ],
)
def test_bad_input_gives_one_line(
    names: list[str], inputs: Tensor, asked: Questions | None, says: str
) -> None:
    with pytest.raises(UserMistake, match=says):
        look_inside(net(), names, inputs, asked)


def test_a_turned_twin_is_the_same_function_with_the_same_surviving_figures() -> None:
    twin = train_twin(Recipe("split", "sum", 0))
    plain = look_inside(twin.module, ["hidden1", "hidden2"], twin.inputs, twin.questions)
    assert isinstance(twin.module, Routine)
    turn(twin.module, 5)
    turned = look_inside(twin.module, ["hidden1", "hidden2"], twin.inputs, twin.questions)
    np.testing.assert_allclose(plain.outputs, turned.outputs, atol=1e-3)
    for name in plain.survives:
        assert turned.estimates[name].value == pytest.approx(
            plain.estimates[name].value, rel=0.02, abs=1e-4
        ), name
    assert turned.estimates["pca_dims_99%"].value != plain.estimates["pca_dims_99%"].value
    layers, _ = read_activations(twin.module, ["hidden1"], twin.inputs)
    assert layers[0].shape == (400, 48)
