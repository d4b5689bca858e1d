"""Multiply-adds and parameters are those that PyTorch counts for the same networks."""

import pytest
import torch
from torch import nn as tnn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers import torch_gan
from minigan import models, nn
from minigan.models.rgan import Stage


def flops(network, *shape):
    """Floating point operations of one pass, by PyTorch's own counter: two for each multiply-add."""
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *shape))
    return counter.get_total_flops()


def channels_first(shape):
    return shape[2], *shape[:2]


GANS = [("dcgan", 28, 1), ("dcgan", 64, 3), ("mlp-gan", 28, 1), ("wgan", 28, 1), ("rgan", 32, 3), ("cgan", 28, 1)]


@pytest.mark.parametrize(("name", "size", "channels"), GANS, ids=lambda given: str(given))
def test_gans(name, size, channels):
    gan = models.build(name, (size, size, channels))
    found = models.size(gan)
    if name == "cgan":  # its layers, without what only tells them the class
        gan.generator = nn.Sequential(*(m for m in gan.generator.layers if not isinstance(m, nn.ConditionalBatchNorm)))
        gan.discriminator, latent = nn.Sequential(*gan.discriminator.features, gan.discriminator.score), 150
    else:
        latent = gan.latent_size
        for player, theirs in zip(("generator", "discriminator"), torch_gan.networks(gan), strict=True):
            assert found[player].parameters == sum(parameter.numel() for parameter in theirs.parameters())
    generator, discriminator = torch_gan.networks(gan)
    assert 2 * found["discriminator"].multiply_adds == flops(discriminator, *channels_first(gan.image_shape))
    assert 2 * (found["generator"].multiply_adds + spared(gan.generator)) == flops(generator, latent)


def spared(generator):
    """The R-GAN's skips are mixed before their pixels are repeated: a quarter of the products that PyTorch does."""
    stages, side, count = [layer for layer in generator if isinstance(layer, Stage)], 4, 0
    for stage in stages:
        count += 3 * side * side * stage.grow.inputs * stage.mix.outputs
        side *= 2
    return count


def test_a_vae():
    vae = models.build("vae")
    found = models.size(vae)
    assert 2 * found["encoder"].multiply_adds == flops(torch_gan.translated(vae.encoder), 1, 28, 28)
    assert 2 * found["decoder"].multiply_adds == flops(torch_gan.translated(vae.decoder), 100)


def test_a_classifier():
    theirs = tnn.Sequential(
        *(tnn.Conv2d(1, 32, 3, padding=1, bias=False), tnn.BatchNorm2d(32), tnn.ReLU(), tnn.MaxPool2d(2)),
        *(tnn.Conv2d(32, 64, 3, padding=1, bias=False), tnn.BatchNorm2d(64), tnn.ReLU(), tnn.AvgPool2d(2)),
        *(tnn.Flatten(), tnn.Linear(7 * 7 * 64, 128), tnn.ReLU(), tnn.Linear(128, 10)),
    )
    found = models.size(models.build("cnn"))["network"]
    assert 2 * found.multiply_adds == flops(theirs, 1, 28, 28)
    assert found.parameters == sum(parameter.numel() for parameter in theirs.parameters())


def test_a_restoring_network():
    theirs = tnn.Sequential(
        *(tnn.Conv2d(1, 32, 3), tnn.ReLU(), tnn.ConvTranspose2d(32, 32, 3), tnn.ReLU(), tnn.Conv2d(32, 1, 1))
    )
    found = models.size(models.build("deconvnet"))["network"]
    assert 2 * found.multiply_adds == flops(theirs, 1, 28, 28)
    assert found.parameters == sum(parameter.numel() for parameter in theirs.parameters())
