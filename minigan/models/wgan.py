"""Wasserstein GANs of dense layers: a critic's raw scores instead of a discriminator's verdict.

The networks are the dense GAN's. What the critic learns is how far real and generated images lie apart, and that has a
meaning only while its slope is bounded: by a penalty on slopes other than 1 (`wgan`), or by weights that are kept small
(`wgan-clip`). The critic takes five steps for each of the generator, so that its distance is a good one. There is no
batch norm: the penalty is on every image's own slope.

source: Arjovsky, Chintala & Bottou, arXiv:1701.07875 (clipping, RMSprop at 5e-5); Gulrajani et al., arXiv:1704.00028
(penalty). The learning rate 2e-4 and the batch of 128 are those of the text that the dense networks are from.
"""

from minigan.models.gan import GAN
from minigan.models.mlp_gan import dense_networks
from minigan.models.recipe import Recipe


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
