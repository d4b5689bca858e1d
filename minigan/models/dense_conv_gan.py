"""A dense generator whose image goes through one convolution: 256, 512, 1024, 784, then 3 x 3.

The text that it is from convolves a flat vector, which has no neighbours: here the 784 numbers are an image first. It
also squashes them by tanh before the convolution and again after it; the first one is left away, since what it flattens
the second cannot unfold, and little gradient comes back through both. The discriminator's last layer gives logits.
"""

import itertools
import math

from minigan.models.gan import GAN
from minigan.nn import Conv2d, Flatten, Linear, ReLU, Reshape, Sequential, Tanh

GROWING, SHRINKING = (256, 512, 1024), (512, 256)


def dense_conv_gan(image_shape, rng, latent_size=100):
    """Dense 256, 512, 1024 and the pixels, then a 3 x 3 convolution; against dense 512, 256, 1. For any image shape."""
    pixels, channels = math.prod(image_shape), image_shape[2]
    generator = Sequential(
        *_dense((latent_size, *GROWING), rng),
        Linear(GROWING[-1], pixels, rng=rng),
        Reshape(*image_shape),
        Conv2d(channels, channels, 3, padding="same", rng=rng),
        Tanh(),
    )
    discriminator = Sequential(Flatten(), *_dense((pixels, *SHRINKING), rng), Linear(SHRINKING[-1], 1, rng=rng))
    return GAN("dense-conv-gan", generator, discriminator, image_shape, latent_size, first_run=(6000, 64))


def _dense(sizes, rng):
    """Dense layers from each size to the next, a ReLU after each."""
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs, rng=rng), ReLU()]
    return layers
