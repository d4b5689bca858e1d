"""WGAN-GP's penalty and R1, and their gradients in the critic's parameters, beside PyTorch's double backward."""

import numpy as np
import pytest
import torch

import minigan as mg
from benchmarks.peers import torch_gan
from minigan import nn
from minigan.gan.objectives import gradient_penalty, r1

BOUND = 1e-8
CRITICS = {
    "dense": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
    ),
    "convolutional": lambda: nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 32, 1),
    ),
}


@pytest.fixture(params=CRITICS)
def critics(request):
    """Ours and PyTorch's, in float64, with the same weights."""
    mg.seed(0)
    ours = CRITICS[request.param]().astype(np.float64)
    return ours, torch_gan.translated(ours)


def channels_first(images):
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def assert_equal(ours, penalty, theirs, expected):
    """Both values, and both gradients in all parameters."""
    expected.backward()
    assert abs(penalty.item() - expected.item()) <= BOUND * expected.item()
    gradients = mg.grad(penalty, ours.parameters(), allow_unused=True)
    references = torch_gan.from_torch(
        ours, [torch.zeros_like(p) if p.grad is None else p.grad for p in theirs.parameters()]
    )
    for (name, _), gradient, reference in zip(ours.named_parameters(), gradients, references, strict=True):
        gradient = np.zeros_like(reference) if gradient is None else gradient
        # slopes of a piecewise linear critic do not depend on its biases: zeros on both sides
        assert name.endswith("weight") == bool(np.linalg.norm(reference)), name
        assert np.linalg.norm(gradient - reference) <= BOUND * np.linalg.norm(reference), name


def test_the_gradient_penalty_of_wgan_gp(critics, rng):
    ours, theirs = critics
    real, fake = (rng.uniform(-1, 1, (16, 28, 28, 1)) for _ in range(2))
    mixing = rng.random((16, 1, 1, 1))
    penalty = gradient_penalty(ours, mg.tensor(real), mg.tensor(fake), mixing)

    points = channels_first(mixing * real + (1 - mixing) * fake).requires_grad_()
    (slopes,) = torch.autograd.grad(theirs(points).sum(), points, create_graph=True)
    assert_equal(ours, penalty, theirs, ((slopes.flatten(1).norm(2, dim=1) - 1) ** 2).mean())


def test_r1(critics, rng):
    ours, theirs = critics
    real = rng.uniform(-1, 1, (16, 28, 28, 1))
    images = mg.tensor(real, requires_grad=True)
    penalty = r1(ours(images), images)

    points = channels_first(real).requires_grad_()
    (slopes,) = torch.autograd.grad(theirs(points).sum(), points, create_graph=True)
    assert_equal(ours, penalty, theirs, slopes.flatten(1).square().sum(1).mean())
