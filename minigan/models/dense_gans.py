"""GANs of dense layers, for images of any shape: `mlp-gan`, `wgan`, `wgan-clip`, and `dense-conv-gan`.

The plain one is 100-128-128-784 with tanh against 784-128-128-1. The text on deconvolution as a strategy for GANs that
it comes from has no deconvolution in its networks; `dcgan` has. Its recipe penalises the discriminator's slope at real
images (R1). Without that penalty it leaves out digits: after 12,000 steps, MNIST's zeros and ones.

The Wasserstein GANs have the same networks, but their critic gives raw scores instead of a verdict. It learns how far
apart real and generated images lie, which means something only while its slope is bounded: by a penalty on slopes other
than 1 (`wgan`), or by clipping its weights to small values (`wgan-clip`). The critic takes five steps for each step of
the generator, so that its estimate of the distance is a good one. There is no batch norm, because the penalty is on
each image's own slope.

sources: Mescheder, Geiger & Nowozin, Which training methods for GANs do actually converge?, arXiv:1801.04406 (R1);
Arjovsky, Chintala & Bottou, arXiv:1701.07875 (clipping, RMSprop at 5e-5); Gulrajani et al., arXiv:1704.00028 (penalty).
The learning rate 2e-4 and the batch of 128 are those of the text that the dense networks come from.
"""

import itertools
import math

import numpy as np

from minigan.models.gan import GAN, Recipe
from minigan.nn import BatchNorm, Conv2d, Flatten, LeakyReLU, Linear, ReLU, Reshape, Sequential, Tanh

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
    """Three dense layers and tanh, for images of any shape. It is also the decoder of a VAE."""
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
    """100-128-128-784 with tanh against a critic 784-128-128-1 with gradient penalty, for images of any shape."""
    recipe = Recipe(objective="wasserstein", betas=(0.5, 0.9), critic_steps=5, gradient_penalty=10.0)
    networks = dense_networks(image_shape, rng, latent_size)
    return GAN("wgan", *networks, image_shape, latent_size, recipe, first_run=(6000, 128))


def wgan_clip(image_shape, rng, latent_size=100):
    """The same networks, the critic's weights clipped at 0.01."""
    recipe = Recipe("wasserstein", "rmsprop", generator_rate=5e-5, discriminator_rate=5e-5, critic_steps=5, clip=0.01)
    networks = dense_networks(image_shape, rng, latent_size)
    return GAN("wgan-clip", *networks, image_shape, latent_size, recipe, batch=64, first_run=(16_000, 64))


GROWING, SHRINKING = (256, 512, 1024), (512, 256)


def dense_conv_gan(image_shape, rng, latent_size=100):
    """Dense 256, 512, 1024 and the pixels, then a 3 x 3 convolution; against dense 512, 256, 1.

    The text that this network comes from differs in three ways. It convolves a flat vector, which has no neighbours;
    here the 784 numbers are an image first. It applies tanh before the convolution as well as after it; the first one
    is left out, because the second cannot restore what the first flattens, and little gradient passes through both. And
    it has four plain ReLUs in a row, which with weights of the usual size pass on so little of the noise that every
    image comes out the same; here the generator has a batch norm before each, and the discriminator's are leaky. The
    convolution starts as the identity. The discriminator's last layer gives logits.
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
    """The kernel (KH, KW, C, C) of a convolution that returns its image."""
    weight = np.zeros(shape)
    weight[shape[0] // 2, shape[1] // 2] = np.eye(shape[2])
    return weight
