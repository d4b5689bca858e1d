"""Pruning: which weights become 0, how many, and what stays as it is."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import MiniganError, UnknownNameError
from minigan.models.rgan import Stage
from minigan.pruning import deflated_size, player_of, prune

FIRST = np.float32([[1, -6, 3], [-2, 5, 0.5]])
SECOND = np.float32([[0.1], [-0.2], [9]])


def two_layers():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm(3), nn.ReLU(), nn.Linear(3, 1))
    state = network.state_dict()
    network.load_state_dict({**state, "0.weight": FIRST, "3.weight": SECOND})
    return network


def weights(network):
    return [network[0].weight.numpy().tolist(), network[3].weight.numpy().tolist()]


def test_the_smallest_of_all_layers_become_zero():
    network = two_layers()
    pruned = prune(network, 5 / 9)
    assert weights(network) == [[[0, -6, 3], [0, 5, 0]], [[0], [0], [9]]]
    assert pruned.layers == {"0.weight": (3, 6), "3.weight": (2, 3)}
    assert (pruned.zeros, pruned.weights) == (5, 9)


def test_or_the_smallest_of_every_layer():
    network = two_layers()
    pruned = prune(network, 1 / 3, "layer")
    assert weights(network) == [[[0, -6, 3], [-2, 5, 0]], [[0], [-np.float32(0.2)], [9]]]
    assert pruned.layers == {"0.weight": (2, 6), "3.weight": (1, 3)}


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.499, 0.999])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_exactly_so_many_do_and_the_others_stay(share, scope):
    network = mg.models.build("dcgan", seed=1).generator
    before = network.state_dict()
    pruned = prune(network, share, scope)
    parts = [sum(size for _, size in pruned.layers.values())] if scope == "global" else []
    parts = parts or [size for _, size in pruned.layers.values()]
    assert pruned.zeros == sum(round(share * size) for size in parts)
    for name, after in network.state_dict().items():
        changed = before[name] != after
        assert not after[changed].any()
        if name in pruned.layers:
            assert np.count_nonzero(changed) == np.count_nonzero(after == 0) == pruned.layers[name][0]
            if scope == "layer" and changed.any():
                assert np.abs(before[name][changed]).max() <= np.abs(after[~changed]).min()
        else:
            assert not changed.any(), name


def test_of_equal_weights_the_first_go():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for layer in network:
        layer.load_state_dict({**layer.state_dict(), "weight": np.float32([[1, -1], [-1, 1]])})
    prune(network, 0.75)
    assert network[0].weight.numpy().tolist() == [[0, 0], [0, 0]]
    assert network[1].weight.numpy().tolist() == [[0, 0], [-1, 1]]


def test_what_is_zero_already_counts():
    network = two_layers()
    prune(network, 5 / 9)
    once = weights(network)
    assert prune(network, 3 / 9).zeros == 5
    assert weights(network) == once
    prune(network, 6 / 9)
    assert weights(network) == [[[0, -6, 0], [0, 5, 0]], [[0], [0], [9]]]


def test_every_kind_of_layer_with_weights_is_pruned_wherever_it_is():
    gan = mg.models.build("cgan", classes=3)
    names = set(prune(gan.generator, 0.5).layers)
    assert names == {"classes.weight", *(f"layers.{number}.weight" for number in (0, 4, 7))}
    network = nn.spectral_norm(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3), Stage(1, 2)))
    assert set(prune(network, 0.5).layers) == {f"{part}.layer.weight" for part in ("0", "1", "2.grow", "2.mix")}


def test_a_layer_alone_and_frozen_weights():
    layer = nn.Linear(2, 3).freeze()
    layer.load_state_dict({**layer.state_dict(), "weight": FIRST})
    assert prune(layer, 0.5).layers == {"weight": (3, 6)}
    assert layer.weight.numpy().tolist() == [[0, -6, 3], [0, 5, 0]]


def test_a_backward_pass_over_weights_that_have_changed_is_refused():
    network = two_layers()
    y = network(mg.tensor(np.eye(4, 2, dtype=np.float32), requires_grad=True)).sum()
    prune(network, 0.5)
    with pytest.raises(mg.GraphError):
        y.backward()


@pytest.mark.parametrize("share", [1, -0.1, 1.5, float("nan"), "half"])
def test_shares_that_are_none_are_refused(share):
    with pytest.raises(MiniganError, match=r"from 0 \(no weights\) to below 1"):
        prune(two_layers(), share)


def test_other_scopes_and_networks_without_weights_are_refused():
    with pytest.raises(UnknownNameError, match="no scope of pruning is called 'globally'; did you mean global"):
        prune(two_layers(), 0.5, "globally")
    with pytest.raises(MiniganError, match="BatchNorm has no dense or convolutional layer"):
        prune(nn.BatchNorm(3), 0.5)


def test_the_player_that_does_the_work():
    gan = mg.models.build("mlp-gan", (4, 4, 1))
    assert player_of(gan) == "generator"
    gan.average = gan.generator
    assert player_of(gan) == "average"
    assert [player_of(mg.models.build(name, (8, 8, 1))) for name in ("vae", "cnn", "deconvnet")] == [
        *("decoder", "network", "network")
    ]


def test_zeros_take_next_to_no_room():
    network = nn.Sequential(nn.Linear(300, 300, bias=False))
    full = deflated_size(network)
    assert 0.85 < full / (4 * 300 * 300) < 1
    prune(network, 0.9)
    assert deflated_size(network) < full / 4
