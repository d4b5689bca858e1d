"""How large models are: counted by hand."""

import numpy as np
import pytest

import minigan as mg
from minigan import models, nn
from minigan.autograd.graph import watch
from minigan.models import GAN, Size
from minigan.models.counting import multiply_adds
from minigan.models.rgan import Stage


def images(*shape):
    return np.zeros((1, *shape), np.float32)


def test_the_dcgan_layer_by_layer():
    generator = 100 * 6272 + 7 * 7 * 128 * 4 * 4 * 64 + 14 * 14 * 64 * 4 * 4 * 1
    discriminator = 14 * 14 * 64 * 4 * 4 * 1 + 7 * 7 * 128 * 4 * 4 * 64 + 6272 * 1
    parameters = (100 + 2) * 6272 + 4 * 4 * 64 * 128 + 2 * 64 + 4 * 4 * 64 + 1
    assert models.size(models.build("dcgan")) == {
        "generator": Size(parameters, 4 * (parameters + 2 * (6272 + 64)), generator),
        "discriminator": Size(138_689, 4 * (138_689 + 2 * 128), discriminator),
    }


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (nn.Linear(5, 7), (5,), 35),
        (nn.Linear(5, 7), (3, 2, 5), 6 * 35),
        (nn.Conv2d(4, 6, 3), (9, 8, 4), 7 * 6 * 9 * 4 * 6),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1), (9, 8, 4), 5 * 4 * 9 * 4 * 6),
        (nn.Conv2d(4, 6, (3, 1), groups=2), (9, 8, 4), 7 * 8 * 3 * 2 * 6),
        (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), (9, 8, 4), 9 * 8 * 16 * 6 * 4),
        (nn.ConvTranspose2d(4, 6, 4, groups=2), (9, 8, 4), 9 * 8 * 16 * 3 * 4),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.LeakyReLU(0.2), nn.BatchNorm(2)), (3, 3, 1), 18),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 2), nn.ReLU()), (3, 3, 1), 18),
        (nn.MaxPool2d(2), (4, 4, 1), 0),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, nn.Module) else None,
)
def test_one_layer(layer, shape, count):
    assert multiply_adds(layer, images(*shape)) == count
    assert multiply_adds(layer, images(*shape).repeat(3, 0)) == 3 * count


def test_the_skip_of_a_stage_is_mixed_at_its_own_size():
    grow, mix, skip = 4 * 4 * 25 * 6 * 3, 8 * 8 * 3 * 3, 4 * 4 * 6 * 3
    assert multiply_adds(Stage(6, 3), images(4, 4, 6)) == grow + mix + skip


def test_a_spectral_norm_is_no_work_for_an_image():
    gan = models.build("cgan")
    before = models.size(gan)["discriminator"]
    after = models.size(gan.change(["spectral-norm"]))["discriminator"]
    assert (after.multiply_adds, after.parameters) == (before.multiply_adds, before.parameters)
    assert after.bytes > before.bytes


def test_each_network_is_given_what_it_takes():
    assert list(models.size(models.build("vae", (8, 8, 1)))) == ["encoder", "decoder"]
    completion = models.build("deconvnet", (8, 8, 1), task="completion", filters=2)
    assert models.size(completion)["network"].multiply_adds == 36 * 9 * 2 * 2 + 36 * 9 * 2 * 2 + 64 * 2
    judged = models.build("deconvnet", (8, 8, 1), adversarial=True)
    assert models.size(judged)["discriminator"].multiply_adds == 16 * 16 * 32 + 4 * 16 * 32 * 64 + 256
    averaged = models.build("mlp-gan", (4, 4, 1))
    averaged.average = averaged.generator
    assert models.size(averaged)["average"] == models.size(averaged)["generator"]


def test_nothing_else_is_changed_by_counting():
    class Product(nn.Module):
        def forward(self, x):
            return mg.matmul(x, mg.tensor(np.ones((3, 2), np.float32)))

    gan = GAN("own", nn.Sequential(nn.BatchNorm(3), Product()), Product(), (3,), 3)
    gan.generator[1].eval()
    before = gan.generator.state_dict()
    assert models.size(gan)["generator"] == Size(6, 48, 6)
    assert gan.generator.training
    assert all(np.array_equal(array, before[name]) for name, array in gan.generator.state_dict().items())
    assert watch is None
