"""The peers in benchmarks/peers do the same work: layer for layer, parameter counts and outputs agree, for every
network that is measured. (Gradients of both engines: test_parity_of_networks.)"""

import numpy as np
import pytest
import torch

import minigan as mg
from benchmarks.cases import GANS
from benchmarks.peers import torch_gan, torch_networks, torch_training
from minigan import models

EPSILON = {"float64": 2.2e-16, "float32": 1.2e-7}
PLAYERS = ("generator", "discriminator")


@pytest.fixture(scope="module", params=GANS)
def case(request):
    return GANS[request.param]


def build(case, dtype="float64"):
    gan = models.build(case.model, case.shape, seed=3)
    for player in PLAYERS:
        getattr(gan, player).astype(dtype)
    return gan


def to_channels_first(images):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def distance(a, b):
    return np.linalg.norm(a.astype(float) - b) / np.linalg.norm(b)


def test_parameter_counts_are_equal(case):
    gan = build(case)
    ours = [getattr(gan, player).parameter_count() for player in PLAYERS]
    for networks in (torch_gan.networks(gan), torch_networks.build(case)):
        assert [sum(p.numel() for p in network.parameters()) for network in networks] == ours
    assert min(ours) > 100_000


def test_the_networks_that_know_nothing_of_minigan_have_the_same_layers(case):
    """As PyTorch prints them, with all their settings, and in what they compute."""
    for translated, alone in zip(torch_gan.networks(build(case)), torch_networks.build(case), strict=True):
        assert str(translated) == str(alone)
        shapes = [[tuple(p.shape) for p in network.parameters()] for network in (translated, alone)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("dtype", EPSILON)
def test_outputs_of_both_players_agree_to_rounding(case, dtype, rng):
    """Sums of up to 16,384 products, in eight layers: a hundred roundings, in norm."""
    gan = build(case, dtype)
    noise = rng.standard_normal((4, gan.latent_size)).astype(dtype)
    images = rng.uniform(-1, 1, (4, *case.shape)).astype(dtype)
    generator, discriminator = torch_gan.networks(gan)
    with torch.no_grad():
        expected_images = generator(torch.from_numpy(noise)).numpy().transpose(0, 2, 3, 1)
        expected_logits = discriminator(to_channels_first(images)).numpy()
    with mg.no_grad():
        assert distance(gan.generator(mg.tensor(noise)).numpy(), expected_images) <= 100 * EPSILON[dtype]
        assert distance(gan.discriminator(mg.tensor(images)).numpy(), expected_logits) <= 100 * EPSILON[dtype]


def test_gradients_of_the_rgan_agree(rng):
    """Through the skips, the uneven padding and the transposed convolutions."""
    gan = build(GANS["rgan-64"])
    networks = torch_gan.networks(gan)
    inputs = rng.standard_normal((2, gan.latent_size)), rng.uniform(-1, 1, (2, *gan.image_shape))
    for player, theirs, array in zip(PLAYERS, networks, inputs, strict=True):
        ours = getattr(gan, player)
        given = torch.from_numpy(array) if array.ndim == 2 else to_channels_first(array)
        output, expected = ours(mg.tensor(array)), theirs(given)
        upstream = rng.standard_normal(output.shape)
        expected.backward(to_channels_first(upstream) if upstream.ndim == 4 else torch.from_numpy(upstream))
        gradients = mg.grad(output, ours.parameters(), upstream)
        reference = torch_gan.from_torch(ours, [p.grad for p in theirs.parameters()])
        for (name, _), mine, other in zip(ours.named_parameters(), gradients, reference, strict=True):
            assert distance(mine, other) <= 1e-11, (player, name)


def test_weights_of_the_rgan_come_back_from_pytorch():
    gan = build(GANS["rgan-64"])
    for player in PLAYERS:
        network = getattr(gan, player)
        arrays = [p.data for _, p in network.named_parameters()]
        back = torch_gan.from_torch(network, torch_gan.to_torch(network, arrays))
        assert all(np.array_equal(a, b) for a, b in zip(arrays, back, strict=True))


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_peers_step_by_itself_trains(channels_last):
    step = torch_training.first_step(GANS["mlp-gan"], channels_last)
    first = step()
    for _ in range(20):
        last = step()
    assert last[0] < first[0]
