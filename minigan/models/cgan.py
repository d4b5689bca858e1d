"""A conditional DCGAN: it generates images of a given class.

The generator concatenates an embedding of the class with the noise, and each batch norm has a scale and a shift for
each class (conditional batch norm). The embedding starts small compared with the noise. If it starts as large, each
class collapses to a single image before the discriminator has learned to notice. For the same reason, the
discriminator's learning rate is twice the generator's.

The discriminator adds the product of the image's features and an embedding of the class to its score (projection),
which measures how well the image fits the class. It uses spectral norm and the hinge loss. At 28 pixels the maps have
7, 14 and 28 pixels; at 32 and 64 they double from 4.

source: Miyato & Koyama, cGANs with projection discriminator, arXiv:1802.05637; the layers are DCGAN's, arXiv:1511.06434
"""

from minigan import ops
from minigan.errors import ShapeError
from minigan.models.gan import GAN, Recipe
from minigan.nn import (
    ConditionalBatchNorm,
    Conv2d,
    ConvTranspose2d,
    Embedding,
    Flatten,
    LeakyReLU,
    Linear,
    Module,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    init,
)

CLASSES = 10  # by default
JOINED = 50  # size of the generator's embedding of a class
WEIGHTS, SMALL = init.normal(0.02), init.normal(0.2)
HALVE = {"stride": 2, "padding": 1}  # with a 4 x 4 kernel; the adjoint doubles
FIRST = {28: 7, 32: 4, 64: 4}  # pixels of the smallest maps
SIZES = tuple(FIRST)


class Generator(Module):
    """(noise (N, latent_size), labels (N,)) to images. The layers' input is the noise and the class's embedding,
    concatenated; conditional batch norms also take the labels.
    """

    def __init__(self, layers: Sequential, classes: int, rng=None):
        super().__init__()
        self.classes = Embedding(classes, JOINED, weight_init=SMALL, rng=rng)
        self.layers = layers

    def forward(self, noise, labels):
        x = ops.concatenate([noise, self.classes(labels)], axis=1)
        for layer in self.layers:
            x = layer(x, labels) if isinstance(layer, ConditionalBatchNorm) else layer(x)
        return x


class Discriminator(Module):
    """(images, labels (N,)) to scores (N, 1): score(features) + <classes[label], features>."""

    def __init__(self, features: Sequential, width: int, classes: int, rng=None):
        super().__init__()
        self.features = features
        self.score = Linear(width, 1, weight_init=WEIGHTS, rng=rng)
        self.classes = Embedding(classes, width, weight_init=WEIGHTS, rng=rng)

    def forward(self, images, labels):
        features = self.features(images)
        return self.score(features) + ops.sum(features * self.classes(labels), axis=1, keepdims=True)


def cgan(image_shape, rng, classes=None, latent_size=100, maps=64):
    """Build the conditional GAN for square images of 28, 32 or 64 pixels.

    maps: channels before the generator's last layer and after the discriminator's first; they double at each halving
    """
    height, width, channels = image_shape
    if height != width or height not in SIZES:
        raise ShapeError(
            f"cgan: images are {height} x {width}, but it supports only 28 x 28, 32 x 32 and 64 x 64; "
            "resize the data (--size 32 on the command line, size=32 in data.load)"
        )
    classes, first = classes or CLASSES, FIRST[height]
    counts = [maps]  # of channels, from the largest maps to the smallest
    while first * 2 ** len(counts) < height:
        counts.append(counts[-1] * 2)
    networks = (
        _generator(channels, counts, first, classes, latent_size, rng),
        _discriminator(channels, counts, first, classes, rng),
    )
    recipe = Recipe(objective="hinge", discriminator_rate=4e-4, spectral_norm=True)
    return GAN("cgan", *networks, image_shape, latent_size, recipe, batch=64, first_run=(3000, 32), classes=classes)


def _generator(channels, counts, first, classes, latent_size, rng):
    weights = {"weight_init": WEIGHTS, "rng": rng}
    most = counts[-1]
    layers = [Linear(latent_size + JOINED, first * first * most, bias=False, **weights), Reshape(first, first, most)]
    layers += [ConditionalBatchNorm(classes, most, rng=rng), ReLU()]
    for inputs, outputs in zip(counts[::-1], counts[-2::-1], strict=False):
        layers += [ConvTranspose2d(inputs, outputs, 4, bias=False, **HALVE, **weights)]
        layers += [ConditionalBatchNorm(classes, outputs, rng=rng), ReLU()]
    layers += [ConvTranspose2d(counts[0], channels, 4, **HALVE, **weights), Tanh()]
    return Generator(Sequential(*layers), classes, rng)


def _discriminator(channels, counts, first, classes, rng):
    layers = []
    for inputs, outputs in zip((channels, *counts), counts, strict=False):
        layers += [Conv2d(inputs, outputs, 4, weight_init=WEIGHTS, rng=rng, **HALVE), LeakyReLU(0.2)]
    return Discriminator(Sequential(*layers, Flatten()), first * first * counts[-1], classes, rng)
