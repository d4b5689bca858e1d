"""A layer and its activation give the same, computed together or one after the other."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import DtypeError, ShapeError
from minigan.nn import fusion

LAYERS = {
    "linear": lambda: nn.Linear(6, 5),
    "convolution": lambda: nn.Conv2d(6, 5, 3, padding=1),
    "batch norm": lambda: nn.BatchNorm(6),
    "spectral norm": lambda: nn.spectral_norm(nn.Linear(6, 5)),
}
ALONE = {
    "transposed": lambda: nn.ConvTranspose2d(6, 5, 3),
    "group norm": lambda: nn.GroupNorm(2, 6),
    "an own layer": lambda: type("Own", (nn.Linear,), {})(6, 5),
}
ACTIVATIONS = {"relu": nn.ReLU, "leaky relu": lambda: nn.LeakyReLU(0.2)}


def outcome(network, x, together):
    """What a copy of a network computes: the result, the gradients and the buffers afterwards."""
    mg.seed(0)
    x = mg.tensor(x, requires_grad=True)
    layer, activation = network
    y = network(x) if together else activation(layer(x))
    gradients = mg.grad(mg.square(y).sum(), [x, *network.parameters()])
    return [y.numpy(), *gradients, *(b.numpy().copy() for _, b in network.named_buffers())]


@pytest.mark.numba
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_together_is_one_after_the_other(layer, activation, training):
    networks = []
    for _ in range(2):
        mg.seed(1)
        networks.append(nn.Sequential(LAYERS[layer](), ACTIVATIONS[activation]()).train(training))
    x = np.random.default_rng(0).standard_normal((4, 7, 7, 6)).astype(np.float32)
    assert fusion.fuses(*networks[0]) == (training or layer != "batch norm")
    (y, *others), (expected, *apart) = outcome(networks[0], x, True), outcome(networks[1], x, False)
    np.testing.assert_array_equal(y, expected)
    for one, other in zip(others, apart, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", ALONE)
def test_what_is_not_in_the_table_is_computed_alone(layer):
    assert not fusion.fuses(ALONE[layer](), nn.ReLU())


def test_other_activations_are_computed_alone():
    assert not any(fusion.fuses(LAYERS["linear"](), following) for following in (nn.Tanh(), nn.LeakyReLU(-0.5)))


@pytest.mark.parametrize("layer", LAYERS)
def test_bad_arguments_are_explained_as_by_the_layer_alone(layer):
    network = nn.Sequential(LAYERS[layer](), nn.ReLU())
    with pytest.raises(DtypeError, match=r"a str, but it takes arrays or Tensors"):
        network("a word")
    with pytest.raises(ShapeError):
        network(np.ones((4, 7, 7, 5), np.float32))
