"""The deconvnet is the same network in PyTorch, for every task: outputs, loss and one step's gradients in float64."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from weights_in_torch import (
    assert_close,
    assert_gradients_close,
    channels_first,
    channels_last,
    fill,
    gradients_of,
)

import minigan as mg

RESTORATIONS = ["super-resolution", "completion", "denoising"]
SHAPE = (12, 10, 3)


def hidden(inputs, filters=32, kernel=3, depth=1):
    layers = []
    for number in range(depth):
        layers += [nn.Conv2d(filters if number else inputs, filters, kernel), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.ConvTranspose2d(filters, filters, kernel), nn.ReLU()]
    return layers


def double(network):
    for part in network.networks().values():
        part.astype(np.float64)
    return network


@pytest.mark.parametrize("task", RESTORATIONS)
@pytest.mark.parametrize("options", [{}, {"filters": 6, "kernel": 5, "depth": 2}], ids=["as described", "deeper"])
def test_restored_images_and_one_steps_gradients_are_equal(task, options, rng):
    ours = double(mg.models.build("deconvnet", SHAPE, seed=3, task=task, **options))
    inputs, filters = 3 + (task == "completion"), options.get("filters", 32)
    theirs = nn.Sequential(*hidden(inputs, **options), nn.Conv2d(filters, 3, 1)).double()
    fill(theirs, ours.network)
    given, truth = rng.uniform(-1, 1, (4, *SHAPE[:2], inputs)), rng.uniform(-1, 1, (4, *SHAPE))
    restored = ours.network(mg.tensor(given))
    expected = theirs(channels_first(given))
    loss, expected_loss = mg.mean_squared_error(restored, truth), F.mse_loss(expected, channels_first(truth))
    expected_loss.backward()
    assert_close(restored.numpy(), channels_last(expected))
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-12)
    gradients = mg.grad(loss, ours.network.parameters())
    assert_gradients_close(ours.network, gradients, gradients_of(theirs, ours.network))


def test_the_adversarial_terms_gradients_are_equal(rng):
    ours = double(mg.models.build("deconvnet", (12, 8, 3), seed=3, adversarial=True))
    network = nn.Sequential(*hidden(3), nn.Conv2d(32, 3, 1)).double()
    judge = nn.Sequential(
        *(nn.Conv2d(3, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(3 * 2 * 64, 1)),
    ).double()
    fill(network, ours.network)
    fill(judge, ours.discriminator, (3, 2, 64))
    given = rng.uniform(-1, 1, (4, 12, 8, 3))
    loss = mg.binary_cross_entropy_with_logits(ours.discriminator(ours.network(mg.tensor(given))), 1)
    expected = F.softplus(-judge(network(channels_first(given)))).mean()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for mine, other, flat in ((ours.network, network, None), (ours.discriminator, judge, (3, 2, 64))):
        gradients = mg.grad(loss, mine.parameters(), retain_graph=True)
        assert_gradients_close(mine, gradients, gradients_of(other, mine, flat))


def test_the_classifiers_logits_and_gradients_are_equal(rng):
    ours = double(mg.models.build("deconvnet", (17, 18, 3), seed=3, task="classification", classes=4))
    theirs = nn.Sequential(*hidden(3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 9 * 32, 4)).double()
    fill(theirs, ours.network, (8, 9, 32))
    images, labels = rng.uniform(-1, 1, (4, 17, 18, 3)), rng.integers(0, 4, 4)
    loss = mg.cross_entropy(ours.network(mg.tensor(images)), labels)
    expected = F.cross_entropy(theirs(channels_first(images)), torch.from_numpy(labels))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    gradients = mg.grad(loss, ours.network.parameters())
    assert_gradients_close(ours.network, gradients, gradients_of(theirs, ours.network, (8, 9, 32)))


class DeconvnetGenerator(nn.Module):
    """The generator of deconvnet-gan; its dense maps are taken channels last, as minigan's are."""

    def __init__(self):
        super().__init__()
        double = {"stride": 2, "padding": 1, "bias": False}
        self.start = nn.Sequential(nn.Linear(100, 3 * 2 * 128, bias=False), nn.BatchNorm1d(3 * 2 * 128), nn.ReLU())
        self.grow = nn.Sequential(
            *(nn.ConvTranspose2d(128, 64, 4, **double), nn.BatchNorm2d(64), nn.ReLU()),
            *(nn.ConvTranspose2d(64, 32, 4, **double), nn.BatchNorm2d(32), nn.ReLU()),
            *(*hidden(32), nn.Conv2d(32, 3, 1), nn.Tanh()),
        )
        self.double()

    def forward(self, noise):
        return self.grow(self.start(noise).reshape(-1, 3, 2, 128).permute(0, 3, 1, 2))


def test_generated_images_and_their_gradients_are_equal(rng):
    ours, theirs = double(mg.models.build("deconvnet-gan", (12, 8, 3), seed=3)), DeconvnetGenerator()
    fill(theirs, ours.generator)
    noise = rng.standard_normal((4, 100))
    images, expected = ours.generator(mg.tensor(noise)), theirs(torch.from_numpy(noise))
    upstream = rng.standard_normal(images.shape)
    expected.backward(channels_first(upstream))
    assert_close(images.numpy(), channels_last(expected))
    gradients = mg.grad(images, ours.generator.parameters(), upstream)
    for (name, _), mine, other in zip(
        ours.generator.named_parameters(), gradients, gradients_of(theirs, ours.generator), strict=True
    ):
        assert np.linalg.norm(mine - other) <= 1e-9 * np.linalg.norm(other), name
