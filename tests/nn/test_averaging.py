import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.averaging import ExponentialAverage
from minigan.errors import MiniganError


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4), nn.ReLU())


def moved(network, seed):
    for tensor in (*dict(network.named_parameters()).values(), *dict(network.named_buffers()).values()):
        tensor.data += np.random.default_rng(seed).standard_normal(tensor.shape).astype(np.float32)


def test_parameters_and_buffers_are_averaged():
    net = network()
    average, expected = ExponentialAverage(net, 0.75, warmup=False), net.state_dict()
    for seed in range(5):
        moved(net, seed)
        average.update()
        expected = {name: 0.75 * array + 0.25 * net.state_dict()[name] for name, array in expected.items()}
    found = average.module.state_dict()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_at_first_the_present_counts_for_most():
    net = network()
    average, before = ExponentialAverage(net, 0.999), net.state_dict()
    moved(net, 0)
    average.update()
    expected = 0.1 * before["0.weight"] + 0.9 * net.state_dict()["0.weight"]
    np.testing.assert_allclose(average.module.state_dict()["0.weight"], expected, rtol=1e-6)
    for _ in range(8):
        average.update()
    assert average.decay == 0.999
    np.testing.assert_allclose(average.module.state_dict()["0.weight"], net.state_dict()["0.weight"], atol=1e-3)


def test_the_average_is_apart_and_in_use():
    net = network()
    average = ExponentialAverage(net, 0.9)
    before = net.state_dict()
    for array in average.module.state_dict().values():
        assert not any(np.shares_memory(array, other.data) for _, other in net.named_parameters())
    average.module(mg.tensor(np.ones((5, 3), np.float32)))
    assert not average.module.training
    assert not average.module.parameters()
    assert net.training
    assert len(net.parameters()) == 4
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


@pytest.mark.parametrize("decay", [1, -0.1, float("nan")])
def test_a_decay_that_averages_nothing_is_refused(decay):
    with pytest.raises(MiniganError, match="from 0 to below 1"):
        ExponentialAverage(network(), decay)
