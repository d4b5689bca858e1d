"""Saliency: closed forms of linear networks, what SmoothGrad averages, whose score it is, and errors."""

import numpy as np
import pytest

import minigan as mg
from minigan import inside, nn, ops
from minigan.errors import DataError, ShapeError, TrainingError
from minigan.models import GAN, Classifier

SHAPE = (3, 4, 2)


def linear(rng, classes=3):
    """A classifier whose logits are linear in the image, and its weights (H, W, C, classes)."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, classes))
    weights = rng.standard_normal((24, classes)).astype(np.float32)
    network[1].weight.data[...] = weights
    return Classifier("linear", network, SHAPE, classes), weights.reshape(*SHAPE, classes)


def test_of_a_linear_network_it_is_the_largest_weight_of_each_pixel(rng):
    judge, weights = linear(rng)
    images = rng.integers(0, 256, (5, *SHAPE), np.uint8)
    labels = np.array([2, 0, 1, 1, 2])
    expected = np.abs(weights).max(2)
    found = inside.saliency(judge, images, labels, batch=2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.moveaxis(expected, 2, 0)[labels], rtol=1e-6)
    np.testing.assert_allclose(inside.saliency(judge, images, 1)[3], expected[..., 1], rtol=1e-6)
    told = judge.predict(images)
    np.testing.assert_allclose(inside.saliency(judge, images), np.moveaxis(expected, 2, 0)[told], rtol=1e-6)
    smooth = inside.saliency(judge, images, labels, samples=3)
    np.testing.assert_allclose(smooth, found, rtol=1e-5)


def test_smoothgrad_averages_over_the_kinks_beside_the_image():
    # logits are what pixels have above -0.5: at a pixel of -0.5 the slope is 0, and 1 for half of the noisy copies
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU())
    network[1].weight.data[...], network[1].bias.data[...] = np.eye(2), 0.5
    judge = Classifier("kinks", network, (1, 2, 1), 2)
    image = np.array([0.5, -0.5], np.float32).reshape(1, 1, 2, 1)
    assert inside.saliency(judge, image, 1).tolist() == [[[0, 0]]]
    found = inside.saliency(judge, image, 1, samples=400)
    assert found[0, 0, 0] == 0
    assert found[0, 0, 1] == pytest.approx(0.5, abs=0.1)
    # noise is a share of the image's range, 1: at 0.15 a pixel of -0.35 is one deviation above the kink
    image[0, 0, 1] = -0.35
    found = inside.saliency(judge, image, 1, samples=400, noise=0.15 / 0.85)[0, 0, 1]
    assert found == pytest.approx(0.841, abs=0.05)
    assert np.array_equal(*(inside.saliency(judge, image, samples=4, seed=seed) for seed in (1, 1)))


def test_running_statistics_are_used_so_that_no_image_depends_on_others(rng):
    judge = mg.models.build("cnn", (8, 8, 1), classes=3)
    images = rng.uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)
    whole = inside.saliency(judge, images)
    assert judge.network.training
    np.testing.assert_allclose(inside.saliency(judge, images[2:3])[0], whole[2], rtol=1e-4, atol=1e-6)
    assert all(p.grad is None for p in judge.network.parameters())


class Told(nn.Module):
    """A discriminator whose score is a class's row of weights times the image."""

    def __init__(self, classes, size):
        super().__init__()
        self.rows = nn.Embedding(classes, size)

    def forward(self, images, labels):
        return ops.sum(self.rows(labels) * ops.flatten(images), axis=1, keepdims=True)


def test_of_a_gan_it_is_the_discriminators_and_a_conditional_one_is_told_the_class(rng):
    images = rng.uniform(-1, 1, (4, *SHAPE)).astype(np.float32)
    plain = GAN("plain", nn.Tanh(), nn.Sequential(nn.Flatten(), nn.Linear(24, 1)), SHAPE)
    weights = np.abs(plain.discriminator[1].weight.numpy()).reshape(SHAPE).max(2)
    np.testing.assert_allclose(inside.saliency(plain, images), np.tile(weights, (4, 1, 1)), rtol=1e-6)
    told = GAN("told", nn.Tanh(), Told(3, 24), SHAPE, classes=3)
    rows = np.abs(told.discriminator.rows.weight.numpy()).reshape(3, *SHAPE).max(3)
    np.testing.assert_allclose(inside.saliency(told, images, [2, 2, 0, 1]), rows[[2, 2, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(inside.saliency(told, images), rows[[0, 1, 2, 0]], rtol=1e-6)
    with pytest.raises(ShapeError, match="plain has no classes"):
        inside.saliency(plain, images, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"labels": 3}, ShapeError, "labels run from 3 to 3, but classes from 0 to 2"),
        ({"labels": [0, 1]}, ShapeError, r"labels are int64 of shape \(2,\), expected an int, or one for each of 4"),
        ({"labels": 0.5}, ShapeError, "an int"),
        ({"samples": -1}, TrainingError, "samples must be"),
        ({"seed": -1}, TrainingError, "seed must be"),
        ({"images": np.zeros((4, 3, 4, 1), np.uint8)}, ShapeError, r"is for images of \(3, 4, 2\)"),
        ({"images": np.full((4, *SHAPE), 0.5)}, DataError, r"may be \[0, 1\] or \[-1, 1\]"),
    ],
)
def test_what_does_not_fit_is_said(rng, arguments, error, message):
    judge, _ = linear(rng)
    with pytest.raises(error, match=message):
        inside.saliency(judge, **{"images": np.zeros((4, *SHAPE), np.uint8), **arguments})
