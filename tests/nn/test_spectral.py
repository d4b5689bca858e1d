"""What spectral normalisation does to a layer, and to a network's layers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError
from minigan.testing import check_grads

LAYERS = {
    "dense": (lambda: nn.Linear(7, 5), (4, 7)),
    "conv": (lambda: nn.Conv2d(3, 5, (3, 2)), (2, 4, 4, 3)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 4, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 5, (3, 2), stride=2), (2, 4, 4, 3)),
}


def as_matrix(layer):
    """The weight as outputs by everything else."""
    weight = layer.weight.numpy()
    return np.moveaxis(weight, 2 if getattr(layer, "transposed", False) else -1, 0).reshape(layer.left_size, -1)


def made(name):
    build, shape = LAYERS[name]
    mg.seed(0)
    layer = build().astype(np.float64)
    normal = nn.SpectralNorm(layer, rng=np.random.default_rng(0))
    layer.left_size = normal.left.size
    return normal, np.random.default_rng(1).standard_normal(shape)


@pytest.mark.parametrize("name", LAYERS)
def test_the_largest_singular_value_becomes_one(name):
    normal, x = made(name)
    normal.layer.weight.data[..., 0] *= 4  # so that the largest is far from the second
    for _ in range(200):
        normal(mg.tensor(x))
    largest = np.linalg.svd(as_matrix(normal.layer), compute_uv=False)[0]
    np.testing.assert_allclose(normal.normal_weight().numpy() * largest, normal.layer.weight.numpy(), rtol=1e-9)


@pytest.mark.parametrize("name", LAYERS)
def test_the_layer_computes_with_the_normal_weight_and_keeps_its_own(name):
    normal, x = made(name)
    y, weight, before = normal(mg.tensor(x)), normal.normal_weight().numpy(), normal.layer.weight
    other = LAYERS[name][0]().astype(np.float64)
    other.weight.data[...], other.bias.data[...] = weight, normal.layer.bias.data
    np.testing.assert_allclose(y.numpy(), other(mg.tensor(x)).numpy(), rtol=1e-12)
    assert normal.layer.weight is before
    assert {n for n, _ in normal.named_parameters()} == {"layer.weight", "layer.bias"}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_weight_over_sigma(name):
    normal, x = made(name)
    normal.eval()
    weight = normal.layer.weight

    def function(x, w):
        object.__setattr__(normal.layer, "weight", w)
        try:
            return normal(x)
        finally:
            object.__setattr__(normal.layer, "weight", weight)

    check_grads(function, [x, weight.numpy()], order=2, float32=False)  # u and v are float64


def test_only_training_improves_the_estimate():
    normal, x = made("dense")
    before = normal.state_dict()
    normal.eval()(mg.tensor(x))
    assert all(np.array_equal(before[name], array) for name, array in normal.state_dict().items())
    normal.train()(mg.tensor(x))
    assert not np.array_equal(before["left"], normal.left.numpy())


def test_two_passes_before_one_backward_keep_each_its_own_estimate():
    """As in a discriminator's step: real images, generated ones, then the gradient of both."""
    normal, x = made("conv")
    first, second = normal(mg.tensor(x)), normal(mg.tensor(x + 1))
    (together,) = mg.grad((first + second).sum(), [normal.layer.weight])
    assert np.isfinite(together).all()


def test_recomputed_it_iterates_once():
    plain, again = made("dense")[0], made("dense")[0]
    x = mg.tensor(made("dense")[1], requires_grad=True)
    plain(x).sum().backward()
    mg.recompute(again, x).sum().backward()
    assert np.array_equal(plain.left.numpy(), again.left.numpy())


@given(st.integers(0, 5))
def test_a_network_of_such_layers_has_slope_one_at_most(seed):
    rng = np.random.default_rng(seed)
    network = nn.Sequential(nn.Linear(6, 9, rng=rng), nn.LeakyReLU(0.2), nn.Linear(9, 1, rng=rng)).astype(np.float64)
    for _, parameter in network.named_parameters():
        parameter.data *= 10
    nn.spectral_norm(network, rng)
    points = mg.tensor(rng.standard_normal((20, 6)), requires_grad=True)
    for _ in range(100):
        scores = network(points)
    assert np.linalg.norm(mg.grad(scores.sum(), points), axis=1).max() <= 1 + 1e-6


def test_in_a_network_the_layers_stay_in_order_and_what_has_no_weight_as_it_is():
    network = nn.spectral_norm(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.LeakyReLU(0.2), nn.Sequential(nn.Flatten(), nn.Linear(8, 1)))
    )
    assert [type(layer).__name__ for layer in network] == ["SpectralNorm", "LeakyReLU", "Sequential"]
    assert [type(layer).__name__ for layer in network[2]] == ["Flatten", "SpectralNorm"]
    before = [id(layer) for _, layer in network.named_modules()]
    nn.spectral_norm(network)
    assert [id(layer) for _, layer in network.named_modules()] == before
    assert network(mg.tensor(np.ones((3, 4, 4, 1), np.float32))).shape == (3, 1)


def test_an_activation_is_absorbed_as_without():
    network = nn.spectral_norm(nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2)))
    assert network(mg.tensor(np.ones((2, 3), np.float32))).node.op.__name__ == "activated_linear"


def test_a_layer_without_a_weight_is_refused():
    with pytest.raises(ShapeError, match="Tanh has no weight"):
        nn.SpectralNorm(nn.Tanh())
