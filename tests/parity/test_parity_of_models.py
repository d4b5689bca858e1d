"""The peers in benchmarks/peers do the same work: layer for layer, parameter counts and outputs agree, for every
network that is measured. (Gradients of both engines: test_parity_of_networks.)"""

import numpy as np
import pytest
import torch

import minigan as mg
from benchmarks.cases import GANS
from benchmarks.peers import torch_gan, torch_networks, torch_training
from minigan import models

EPSILON = 2.2e-16
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


def outputs(case, dtype, rng):
    """((ours, PyTorch's) of the generator, (ours, PyTorch's) of the discriminator) from the same draws."""
    gan = build(case, dtype)
    generator, discriminator = torch_gan.networks(gan)
    noise = rng.standard_normal((8, gan.latent_size)).astype(dtype)
    images = rng.uniform(-1, 1, (8, *case.shape)).astype(dtype)
    with torch.no_grad(), mg.no_grad():
        theirs = generator(torch.from_numpy(noise)).numpy().transpose(0, 2, 3, 1)
        their_logits = discriminator(to_channels_first(images)).numpy()
        ours, our_logits = gan.generator(mg.tensor(noise)).numpy(), gan.discriminator(mg.tensor(images)).numpy()
    return (ours, theirs), (our_logits, their_logits)


def test_outputs_of_both_players_in_float64_agree_to_rounding(case, rng):
    """A hundred roundings, in norm: sums of up to 16,384 products, in eight layers."""
    for ours, theirs in outputs(case, "float64", rng):
        assert distance(ours, theirs) <= 100 * EPSILON


def test_outputs_of_both_players_in_float32_are_as_near_to_the_exact_ones(case):
    """Within the five times PyTorch's error that one layer's algorithm may have, on the same arrays. Draws differ by
    chance: their mean square counts."""
    squares = np.zeros((len(PLAYERS), 2))
    for draw in range(4):
        exact, rounded = (outputs(case, dtype, np.random.default_rng(draw)) for dtype in ("float64", "float32"))
        for player, ((_, reference), pair) in enumerate(zip(exact, rounded, strict=True)):
            squares[player] += [distance(output, reference) ** 2 for output in pair]
    for player, (ours, theirs) in zip(PLAYERS, np.sqrt(squares / 4), strict=True):
        print(f"{player}: {ours:.1e} off, {ours / theirs:.1f} times PyTorch's")
        assert ours <= 5 * theirs, player


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
