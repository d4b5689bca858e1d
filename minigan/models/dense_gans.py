"""GANs of dense layers, for images of any shape: `mlp-gan`, `wgan`, `wgan-clip`, and `dense-conv-gan`.

`mlp-gan` is 100-128-128-784 with tanh against 784-128-128-1. It comes from a text on deconvolution as a strategy for
GANs, although its networks contain no deconvolution; those of `dcgan` do. Its recipe penalises the discriminator's
slope at real images (R1). Without that penalty it drops digits: after 12,000 steps, MNIST's zeros and ones.

The Wasserstein GANs have the same networks, but their critic's scores are not logits. The critic estimates the distance
between real and generated images, which is meaningful only while its slope is bounded: by a penalty on slopes other
than 1 (`wgan`), or by clipping its weights to small values (`wgan-clip`). It takes five steps for each step of the
generator, so that its estimate is good. There is no batch norm, because the penalty applies to each image's own slope.

sources: Mescheder, Geiger & Nowozin, Which training methods for GANs do actually converge?, arXiv:1801.04406 (R1);
Arjovsky, Chintala & Bottou, arXiv:1701.07875 (clipping, RMSprop at 5e-5); Gulrajani et al., arXiv:1704.00028 (penalty).
The learning rate 2e-4 and the batch of 128 are from the text that the dense networks come from.
"""

import itertools
import math

import numpy as np

from minigan.models.gan import GAN, Recipe
from minigan.nn import BatchNorm, Conv2d, Flatten, LeakyReLU, Linear, ReLU, Reshape, Sequential, Tanh

HIDDEN = 128


def mlp_gan(image_shape, rng, latent_size=100):
    """Build 100-128-128-784 with tanh against 784-128-128-1, for images of any shape."""
    networks = dense_networks(image_shape, rng, latent_size)
    return GAN("mlp-gan", *networks, image_shape, latent_size, Recipe(r1=1.0), first_run=(20_000, 64))


def dense_networks(image_shape, rng, latent_size=100):
    """Build a generator and a discriminator of three dense layers each, with leaky ReLU."""
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
    """Build three dense layers and tanh, for images of any shape. The VAE's decoder is built by this too."""
    return Sequential(
        Linear(latent_size, HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, math.prod(image_shape), rng=rng),
        Tanh(),
        Reshape(*image_shape),
    )


def wgan(image_shape, rng, latent_size=100):
    """Build 100-128-128-784 with tanh against a critic 784-128-128-1 with gradient penalty, for any image shape."""
    recipe = Recipe(objective="wasserstein", betas=(0.5, 0.9), critic_steps=5, gradient_penalty=10.0)
    networks = dense_networks(image_shape, rng, latent_size)
    return GAN("wgan", *networks, image_shape, latent_size, recipe, first_run=(6000, 128))


def wgan_clip(image_shape, rng, latent_size=100):
    """Build the same networks. The critic's weights are clipped to [-0.01, 0.01]."""
    recipe = Recipe("wasserstein", "rmsprop", generator_rate=5e-5, discriminator_rate=5e-5, critic_steps=5, clip=0.01)
    networks = dense_networks(image_shape, rng, latent_size)
    return GAN("wgan-clip", *networks, image_shape, latent_size, recipe, batch=64, first_run=(16_000, 64))


GROWING, SHRINKING = (256, 512, 1024), (512, 256)


def dense_conv_gan(image_shape, rng, latent_size=100):
    """Build dense layers of 256, 512, 1024 and the pixels, then a 3 x 3 convolution, against dense 512, 256, 1.

    This network differs in three ways from the text that it comes from. The text convolves a flat vector, which has no
    spatial neighbours; here the vector is reshaped to an image first. The text applies tanh before and after the
    convolution; here only after it, because the second tanh cannot restore what the first saturates, and little
    gradient passes through both. The text has four plain ReLUs in a row, which with weights of the usual size lose so
    much of the noise that all images come out the same; here the generator has a batch norm before each ReLU, and the
    discriminator's are leaky. The convolution starts as the identity. The discriminator's last layer gives logits.
    """
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
    """Return the kernel (KH, KW, C, C) of a convolution that leaves images unchanged."""
    weight = np.zeros(shape)
    weight[shape[0] // 2, shape[1] // 2] = np.eye(shape[2])
    return weight
