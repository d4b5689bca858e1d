"""DCGAN: strided convolutions in the discriminator, transposed ones in the generator, and batch norm in both.

source: Radford, Metz & Chintala, arXiv:1511.06434. At 28 pixels a dense layer is followed by maps of 7, 14 and 28
pixels; at 32 and 64 the maps double from 4. Weights start as N(0, 0.02), batch-norm scales as N(1, 0.02). There is no
batch norm on the generator's output or the discriminator's input, and no bias before a batch norm.
"""

from minigan.errors import ShapeError
from minigan.models.gan import GAN
from minigan.nn import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    init,
)

WEIGHTS, SCALES = init.normal(0.02), init.normal(0.02, 1.0)
HALVE = {"stride": 2, "padding": 1}  # with a 4 x 4 kernel; the adjoint doubles


SIZES = (28, 32, 64)  # pixels


def dcgan(image_shape, rng, latent_size=100, maps=None):
    """Build the DCGAN for square images of 28, 32 or 64 pixels.

    maps: channels at the smallest size, by default 128 for 28 pixels and 512 otherwise; halved at each doubling
    """
    height, width, channels = image_shape
    if height != width or height not in SIZES:
        raise ShapeError(
            f"dcgan: images are {height} x {width}, but it supports only 28 x 28, 32 x 32 and 64 x 64; "
            "resize the data (--size 32 on the command line, size=32 in data.load)"
        )
    if height == 28:
        networks = _networks_28(channels, rng, latent_size, maps or 128)
        return GAN("dcgan", *networks, image_shape, latent_size, batch=128, first_run=(3000, 32))
    return GAN("dcgan", *_networks(height, channels, rng, latent_size, maps or 512), image_shape, latent_size, batch=64)


def _networks_28(channels, rng, latent_size, maps):
    weights = {"weight_init": WEIGHTS, "rng": rng}
    generator = Sequential(
        Linear(latent_size, 7 * 7 * maps, bias=False, **weights),
        _batch_norm(7 * 7 * maps, rng),
        ReLU(),
        Reshape(7, 7, maps),
        ConvTranspose2d(maps, maps // 2, 4, bias=False, **HALVE, **weights),
        _batch_norm(maps // 2, rng),
        ReLU(),
        ConvTranspose2d(maps // 2, channels, 4, **HALVE, **weights),
        Tanh(),
    )
    discriminator = Sequential(
        Conv2d(channels, maps // 2, 4, **HALVE, **weights),
        LeakyReLU(0.2),
        Conv2d(maps // 2, maps, 4, bias=False, **HALVE, **weights),
        _batch_norm(maps, rng),
        LeakyReLU(0.2),
        Flatten(),
        Linear(7 * 7 * maps, 1, **weights),
    )
    return generator, discriminator


def _networks(size, channels, rng, latent_size, maps):
    """Build the networks for 32 or 64 pixels: from 1 x 1 to 4 x 4, then doubling to the image size."""
    weights = {"weight_init": WEIGHTS, "rng": rng}
    generator = [
        Reshape(1, 1, latent_size),
        ConvTranspose2d(latent_size, maps, 4, bias=False, **weights),
        _batch_norm(maps, rng),
        ReLU(),
    ]
    at = 4
    while at < size // 2:
        generator += [
            ConvTranspose2d(maps, maps // 2, 4, bias=False, **HALVE, **weights),
            _batch_norm(maps // 2, rng),
            ReLU(),
        ]
        maps, at = maps // 2, at * 2
    generator += [ConvTranspose2d(maps, channels, 4, bias=False, **HALVE, **weights), Tanh()]

    discriminator = [Conv2d(channels, maps, 4, bias=False, **HALVE, **weights), LeakyReLU(0.2)]
    while at > 4:
        discriminator += [
            Conv2d(maps, maps * 2, 4, bias=False, **HALVE, **weights),
            _batch_norm(maps * 2, rng),
            LeakyReLU(0.2),
        ]
        maps, at = maps * 2, at // 2
    discriminator += [Conv2d(maps, 1, 4, bias=False, **weights), Flatten()]
    return Sequential(*generator), Sequential(*discriminator)


def _batch_norm(channels, rng):
    return BatchNorm(channels, scale_init=SCALES, rng=rng)
