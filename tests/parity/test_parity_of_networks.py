"""The models are PyTorch's layer for layer: the same parameter counts, outputs and gradients from the same weights."""

import numpy as np
import pytest
import torch

import minigan as mg
from benchmarks.peers import torch_gan
from minigan import models

MODELS = [("mlp-gan", 28, 1), ("dcgan", 28, 1), ("dcgan", 32, 3), ("dcgan", 64, 3)]


@pytest.fixture(params=MODELS, ids=lambda m: f"{m[0]}-{m[1]}")
def gan(request):
    name, size, channels = request.param
    model = models.build(name, (size, size, channels), seed=3)
    model.generator.astype(np.float64)
    model.discriminator.astype(np.float64)
    return model


def to_channels_first(images):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def test_parameter_counts_are_equal(gan):
    for ours, theirs in zip((gan.generator, gan.discriminator), torch_gan.networks(gan), strict=True):
        assert ours.parameter_count() == sum(p.numel() for p in theirs.parameters()) > 100_000


def test_converting_weights_there_and_back_gives_them_again(gan):
    for network in (gan.generator, gan.discriminator):
        arrays = [p.data for _, p in network.named_parameters()]
        back = torch_gan.from_torch(network, torch_gan.to_torch(network, arrays))
        assert all(np.array_equal(a, b) for a, b in zip(arrays, back, strict=True))


def test_generated_images_and_their_gradients_are_equal(gan, rng):
    theirs, _ = torch_gan.networks(gan)
    noise = rng.standard_normal((4, gan.latent_size))
    images = gan.generator(mg.tensor(noise))
    expected = theirs(torch.from_numpy(noise))
    upstream = rng.standard_normal(images.shape)
    expected.backward(to_channels_first(upstream))
    gradients = mg.grad(images, gan.generator.parameters(), upstream)
    assert_close(images.numpy(), expected.detach().numpy().transpose(0, 2, 3, 1))
    assert_gradients_close(gan.generator, gradients, theirs)


def test_logits_and_their_gradients_are_equal(gan, rng):
    _, theirs = torch_gan.networks(gan)
    images = rng.uniform(-1, 1, (4, *gan.image_shape))
    logits = gan.discriminator(mg.tensor(images))
    expected = theirs(to_channels_first(images))
    upstream = rng.standard_normal(logits.shape)
    expected.backward(torch.from_numpy(upstream))
    gradients = mg.grad(logits, gan.discriminator.parameters(), upstream)
    assert_close(logits.numpy(), expected.detach().numpy())
    assert_gradients_close(gan.discriminator, gradients, theirs)


def test_a_gradient_penalty_through_the_discriminator_agrees_with_double_backward(gan, rng):
    """Convolutions, batch norm and leaky ReLU, differentiated twice."""
    _, theirs = torch_gan.networks(gan)
    points = rng.uniform(-1, 1, (4, *gan.image_shape))

    images = mg.tensor(points, requires_grad=True)
    slope = mg.grad(gan.discriminator(images).sum(), images, create_graph=True)
    penalty = ((mg.sqrt((slope * slope).sum((1, 2, 3))) - 1) ** 2).mean()
    gradients = mg.grad(penalty, gan.discriminator.parameters(), allow_unused=True)

    images = to_channels_first(points).requires_grad_()
    (slope,) = torch.autograd.grad(theirs(images).sum(), images, create_graph=True)
    expected = ((slope.pow(2).sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
    (expected).backward()

    assert_close(penalty.item(), expected.item(), 1e-8)
    assert_gradients_close(gan.discriminator, gradients, theirs, 1e-8)


def assert_close(ours, expected, relative=1e-9):
    assert np.linalg.norm(ours - expected) <= relative * np.linalg.norm(expected)


def assert_gradients_close(network, gradients, theirs, relative=1e-9):
    """Each gradient by its norm; one that does not matter may be missing on either side."""
    largest = max(np.linalg.norm(g) for g in gradients if g is not None)
    expected = torch_gan.from_torch(
        network, [torch.zeros_like(p) if p.grad is None else p.grad for p in theirs.parameters()]
    )
    for (name, _), ours, reference in zip(network.named_parameters(), gradients, expected, strict=True):
        ours = np.zeros_like(reference) if ours is None else ours
        # a gradient that is zero by symmetry, such as a shift's before a batch norm, is rounding on both sides
        assert np.linalg.norm(ours - reference) <= relative * np.linalg.norm(reference) + 1e-14 * largest, name
