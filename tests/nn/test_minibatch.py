import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError
from minigan.testing import check_grads


@pytest.mark.parametrize(("count", "group", "used"), [(8, 4, 4), (6, 4, 3), (5, 4, 1), (2, 4, 2), (12, 6, 6)])
@pytest.mark.parametrize("places", [(), (3, 2)])
def test_the_channel_is_the_mean_deviation_of_each_group(count, group, used, places):
    x = np.random.default_rng(0).standard_normal((count, *places, 5))
    y = nn.MinibatchStd(group)(mg.tensor(x)).numpy()
    assert np.array_equal(y[..., :5], x)
    apart = count // used
    for first in range(apart):
        members = np.arange(first, count, apart)
        expected = np.sqrt(x[members].var(0) + 1e-8).mean()
        np.testing.assert_allclose(y[members][..., 5], expected, rtol=1e-12)


def test_images_that_are_all_alike_are_told():
    alike = np.ones((4, 3, 3, 2))
    assert nn.MinibatchStd()(mg.tensor(alike)).numpy()[..., 2].max() <= 2e-4


def test_gradients_reach_the_other_samples():
    x = np.random.default_rng(0).standard_normal((6, 2, 2, 3))
    check_grads(lambda x: nn.MinibatchStd(3)(x), [x], order=2)


def test_before_the_last_layer_it_changes_nothing_at_first():
    x = mg.tensor(np.random.default_rng(0).standard_normal((4, 6, 6, 2)).astype(np.float32))
    for last in (lambda: nn.Linear(9, 1), lambda: nn.Linear(9, 1, bias=False)):
        network = nn.Sequential(nn.Conv2d(2, 1, 4), nn.LeakyReLU(0.2), nn.Flatten(), last())
        before = network(x).numpy()
        names = [name for name, _ in network[3].named_parameters()]
        nn.minibatch_std(network)
        np.testing.assert_allclose(network(x).numpy(), before, rtol=1e-6, atol=1e-7)
        assert [type(layer).__name__ for layer in network[3]] == ["MinibatchStd", "Linear"]
        assert [name for name, _ in network[3][1].named_parameters()] == names
        gradient = mg.grad(network(x).sum(), network.parameters())[2]
        assert gradient.shape == (10, 1)
        assert gradient[9, 0] != 0


def test_the_last_layer_may_be_a_convolution_within_another_network():
    network = nn.Sequential(nn.Sequential(nn.Conv2d(2, 3, 3)), nn.Sequential(nn.Conv2d(3, 1, 4)), nn.Flatten())
    nn.minibatch_std(network, group=2)
    assert network[1][0][1].weight.shape == (4, 4, 4, 1)
    assert network(mg.tensor(np.ones((4, 6, 6, 2), np.float32))).shape == (4, 1)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: nn.Sequential(nn.Flatten()), "no dense or convolutional layer"),
        (lambda: nn.spectral_norm(nn.Sequential(nn.Linear(3, 1))), "do this before spectral_norm"),
        (lambda: nn.Sequential(nn.ConvTranspose2d(3, 1, 2)), "transposed"),
        (lambda: nn.Sequential(nn.Conv2d(4, 2, 2, groups=2)), "groups"),
    ],
)
def test_where_it_cannot_stand_is_said(network, words):
    with pytest.raises(ShapeError, match=words):
        nn.minibatch_std(network())


def test_a_group_has_members():
    with pytest.raises(ShapeError, match="0 samples"):
        nn.MinibatchStd(0)
