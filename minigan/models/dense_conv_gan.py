"""A dense generator whose image goes through one convolution: 256, 512, 1024, 784, then 3 x 3.

The text that it is from convolves a flat vector, which has no neighbours: here the 784 numbers are an image first. It
also squashes them by tanh before the convolution and again after it; the first one is left out, since what it flattens
the second cannot unfold, and little gradient comes back through both. Its own ReLUs without more end in one image for
all noise: four of them, with weights as small as usual, pass on little of what differs. So the generator's have batch
norms before them, and the discriminator's are leaky. The convolution begins as the one that changes nothing. The
discriminator's last layer gives logits.
"""

import itertools
import math

import numpy as np

from minigan.models.gan import GAN
from minigan.nn import BatchNorm, Conv2d, Flatten, LeakyReLU, Linear, ReLU, Reshape, Sequential, Tanh

GROWING, SHRINKING = (256, 512, 1024), (512, 256)


def dense_conv_gan(image_shape, rng, latent_size=100):
    """Dense 256, 512, 1024 and the pixels, then a 3 x 3 convolution; against dense 512, 256, 1. For any image shape."""
    pixels, channels = math.prod(image_shape), image_shape[2]
    generator = []
    for inputs, outputs in itertools.pairwise((latent_size, *GROWING)):
        generator += [Linear(inputs, outputs, bias=False, rng=rng), BatchNorm(outputs, rng=rng), ReLU()]
    generator += [
        Linear(GROWING[-1], pixels, rng=rng),
        Reshape(*image_shape),
        Conv2d(channels, channels, 3, padding="same", weight_init=_identity, rng=rng),
        Tanh(),
    ]
    discriminator = [Flatten()]
    for inputs, outputs in itertools.pairwise((pixels, *SHRINKING)):
        discriminator += [Linear(inputs, outputs, rng=rng), LeakyReLU(0.2)]
    discriminator += [Linear(SHRINKING[-1], 1, rng=rng)]
    networks = Sequential(*generator), Sequential(*discriminator)
    return GAN("dense-conv-gan", *networks, image_shape, latent_size, first_run=(8000, 64))


def _identity(rng, shape, fan_in, fan_out):
    """The kernel (KH, KW, C, C) of a convolution that returns its image."""
    weight = np.zeros(shape)
    weight[shape[0] // 2, shape[1] // 2] = np.eye(shape[2])
    return weight
