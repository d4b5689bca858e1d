"""The dense GAN: noise through three dense layers to an image, and an image through three to a logit.

100-128-128-784 with tanh against 784-128-128-1, from a text on deconvolution as a strategy for GANs, though
there is none in it: `dcgan` has some.

Its recipe has a penalty on the discriminator's slopes at real images (R1), without which it leaves out digits: MNIST's
zeros and ones after 12,000 steps.

source: Mescheder, Geiger & Nowozin, Which training methods for GANs do actually converge?, arXiv:1801.04406
"""

import math

from minigan.models.gan import GAN
from minigan.models.recipe import Recipe
from minigan.nn import Flatten, LeakyReLU, Linear, Reshape, Sequential, Tanh

HIDDEN = 128


def mlp_gan(image_shape, rng, latent_size=100):
    """100-128-128-784 with tanh against 784-128-128-1, for images of any shape."""
    networks = dense_networks(image_shape, rng, latent_size)
    return GAN("mlp-gan", *networks, image_shape, latent_size, Recipe(r1=1.0), first_run=(20_000, 64))


def dense_networks(image_shape, rng, latent_size=100):
    """A generator and a discriminator of three dense layers each, leaky ReLU between them."""
    generator = dense_generator(image_shape, rng, latent_size)
    discriminator = Sequential(
        Flatten(),
        Linear(math.prod(image_shape), HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, 1, rng=rng),
    )
    return generator, discriminator


def dense_generator(image_shape, rng, latent_size=100):
    """Three dense layers and tanh, for images of any shape: what a VAE decodes with, too."""
    return Sequential(
        Linear(latent_size, HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, math.prod(image_shape), rng=rng),
        Tanh(),
        Reshape(*image_shape),
    )
