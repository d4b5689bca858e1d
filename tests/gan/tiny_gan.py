"""A GAN that trains in milliseconds, and images for it."""

import numpy as np

from minigan import random
from minigan.models import GAN
from minigan.nn import BatchNorm, Flatten, LeakyReLU, Linear, Reshape, Sequential, Tanh

SHAPE = (6, 6, 1)


def tiny_gan(seed=0):
    """Dense, with a batch norm in the generator so that training and use differ."""
    rng = random.derived(seed, "init")
    generator = Sequential(Linear(5, 16, rng=rng), BatchNorm(16), LeakyReLU(0.2), Linear(16, 36, rng=rng), Tanh())
    discriminator = Sequential(Flatten(), Linear(36, 16, rng=rng), LeakyReLU(0.2), Linear(16, 1, rng=rng))
    return GAN("tiny", Sequential(generator, Reshape(*SHAPE)), discriminator, SHAPE, latent_size=5, batch=8)


def tiny_images(count=40):
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)


def weights_of(gan):
    """All arrays of both players, by name."""
    players = {"generator": gan.generator, "discriminator": gan.discriminator}
    return {f"{p}.{name}": array for p, player in players.items() for name, array in player.state_dict().items()}


def same_bits(gan, other):
    mine, theirs = weights_of(gan), weights_of(other)
    return mine.keys() == theirs.keys() and all(mine[n].tobytes() == theirs[n].tobytes() for n in mine)
