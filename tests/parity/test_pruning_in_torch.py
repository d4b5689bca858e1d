"""Pruning sets the same weights to 0 as torch.nn.utils.prune does."""

import numpy as np
import pytest
import torch
from torch.nn.utils import prune as theirs

import minigan as mg
from minigan import pruning


def layers_of(network):
    """A torch layer for each of minigan's weights, with its numbers in the same order."""
    found = {}
    for name, weight in pruning.weights_of(network).items():
        found[name] = torch.nn.Linear(weight.size // weight.shape[-1], weight.shape[-1], bias=False)
        with torch.no_grad():
            numbers = np.array(weight.numpy()).reshape(weight.shape[-1], -1)
            found[name].weight.copy_(torch.from_numpy(numbers))
    return found


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9, 0.997])
@pytest.mark.parametrize(("model", "player"), [("dcgan", "generator"), ("cgan", "generator"), ("cnn", "network")])
def test_masks_of_the_whole_network_are_equal(model, player, share):
    network = getattr(mg.models.build(model, seed=2), player)
    layers = layers_of(network)
    theirs.global_unstructured(
        [(layer, "weight") for layer in layers.values()], pruning_method=theirs.L1Unstructured, amount=share
    )
    compare(network, layers, pruning.prune(network, share))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("model", "player"), [("dcgan", "discriminator"), ("vae", "decoder")])
def test_masks_of_every_layer_are_equal(model, player, share):
    network = getattr(mg.models.build(model, seed=2), player)
    layers = layers_of(network)
    for layer in layers.values():
        theirs.l1_unstructured(layer, "weight", share)
    compare(network, layers, pruning.prune(network, share, "layer"))


def compare(network, layers, pruned):
    assert pruned.layers.keys() == layers.keys()
    for name, weight in pruning.weights_of(network).items():
        mask = layers[name].weight_mask.numpy().reshape(weight.shape)
        np.testing.assert_array_equal(weight.numpy() != 0, mask == 1)
        np.testing.assert_array_equal(weight.numpy(), layers[name].weight.detach().numpy().reshape(weight.shape))
        assert pruned.layers[name] == (np.count_nonzero(mask == 0), mask.size)
