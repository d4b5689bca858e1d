"""The deconvolutional network: a convolution, a transposed convolution that restores the image's size, and a dense
layer at every pixel. It restores images, classifies them, or forms the end of a GAN's generator.

A 3 x 3 convolution without padding reduces 32 x 32 pixels to 30 x 30, and a transposed one restores them. By default
there is one of each, with 32 channels, 3 x 3 kernels and ReLU. `filters`, `kernel` and `depth` make the network wider
and deeper: `depth` convolutions are followed by as many transposed ones, as in RED-Net (Mao et al., arXiv:1603.09056)
but without its skip connections.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from minigan.data.arrays import images_from
from minigan.errors import ShapeError, UnknownNameError
from minigan.models.classifier import Classifier
from minigan.models.gan import GAN
from minigan.models.model import Model, as_floats, in_use, parts_of
from minigan.nn import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    init,
)

FILTERS, KERNEL = 32, 3
RESTORATIONS = {"super-resolution": 0, "completion": 1, "denoising": 0}  # task -> additional input channels
CLASSIFICATION = "classification"
TASKS = (*RESTORATIONS, CLASSIFICATION)
GRID = 8  # cells along each axis that the classifier pools features into


@dataclass
class Restorer(Model):
    """A network that restores images, and its training settings.

    network: damaged images (N, H, W, inputs) in [-1, 1] to images (N, H, W, C), of any height and width
    discriminator: images to logits (N, 1), above 0 for real; None without adversarial training
    task: one of RESTORATIONS
    options: the options to rebuild it with
    first_run: the default (steps, batch)
    """

    kind: ClassVar[str] = "restoration"
    players: ClassVar[tuple[str, ...]] = ("network", "discriminator")

    name: str
    network: Sequential
    image_shape: tuple[int, int, int]
    task: str
    discriminator: Sequential | None = None
    options: dict = field(default_factory=dict)
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    batch: int = 32
    first_run: tuple[int, int] = (4000, 32)

    def input_shape(self, player):
        shape = super().input_shape(player)
        return (*shape[:2], self.inputs) if player == "network" else shape

    @classmethod
    def has_fixed_size(cls, options):
        return bool(options.get("adversarial"))  # its discriminator ends in a dense layer

    @property
    def inputs(self) -> int:
        """The number of input channels."""
        return self.image_shape[2] + RESTORATIONS[self.task]

    def restore(self, given: np.ndarray, batch: int = 64) -> np.ndarray:
        """Apply the network to (N, H, W, inputs), uint8 or floats in [-1, 1]. Returns (N, H, W, C), float32."""
        given = images_from(self.name, given, scale="known")
        if given.shape[3] != self.inputs:
            raise ShapeError(f"{self.name} for {self.task} takes (N, H, W, {self.inputs}), but received {given.shape}")
        parts = in_use(self.network, map(as_floats, parts_of(given, batch)), self.device)
        return np.concatenate(parts) if parts else np.empty((*given.shape[:3], self.image_shape[2]), np.float32)


def deconvnet(
    image_shape,
    rng,
    task="super-resolution",
    filters=FILTERS,
    kernel=KERNEL,
    depth=1,
    adversarial=False,
    classes=None,
):
    """Build the network for one of TASKS.

    adversarial: whether to add a discriminator, which needs images of at least 8 x 8 pixels
    classes: the number of classes for "classification", by default 10; features are pooled into 8 x 8 cells
    returns: a Restorer, or a Classifier for "classification"
    """
    UnknownNameError.check("task", task, TASKS)
    height, width, channels = image_shape
    lost = depth * (kernel - 1)
    if filters < 1 or kernel < 1 or depth < 1 or min(height, width) <= lost:
        raise ShapeError(
            f"deconvnet: filters {filters}, kernel {kernel} and depth {depth} must be at least 1, and images "
            f"({height} x {width}) larger than the {lost} pixels that the convolutions remove"
        )
    options = {"task": task, "filters": filters, "kernel": kernel, "depth": depth}
    if task == CLASSIFICATION:
        classes = 10 if classes is None else classes
        hidden = hidden_layers(channels, rng, filters, kernel, depth)
        return _classifier(hidden, image_shape, classes, filters, rng, {**options, "classes": classes})
    hidden = hidden_layers(channels + RESTORATIONS[task], rng, filters, kernel, depth)
    network = Sequential(*hidden, Linear(filters, channels, rng=rng))
    discriminator = judge(image_shape, rng) if adversarial else None
    options["adversarial"] = bool(adversarial)
    return Restorer("deconvnet", network, image_shape, task, discriminator, options)


def hidden_layers(inputs, rng, filters=FILTERS, kernel=KERNEL, depth=1):
    """Return the layers before the dense layer: (N, H, W, inputs) to (N, H, W, filters)."""
    weights = {"weight_init": init.he_uniform(), "rng": rng}
    layers = []
    for number in range(depth):
        layers += [Conv2d(filters if number else inputs, filters, kernel, **weights), ReLU()]
    for _ in range(depth):
        layers += [ConvTranspose2d(filters, filters, kernel, **weights), ReLU()]
    return layers


def _classifier(hidden, image_shape, classes, filters, rng, options):
    height, width, _ = image_shape
    if min(height, width) < GRID:
        raise ShapeError(f"deconvnet: images are {height} x {width}, but a classifier needs at least {GRID} x {GRID}")
    window = height // GRID, width // GRID
    cells = (height // window[0]) * (width // window[1])
    network = Sequential(*hidden, MaxPool2d(window), Flatten(), Linear(cells * filters, classes, rng=rng))
    return Classifier("deconvnet", network, image_shape, classes, options)


def judge(image_shape, rng):
    """Build a discriminator of restored images: two 4 x 4 convolutions of stride 2 and a dense layer, no batch norm."""
    height, width, channels = image_shape
    if min(height, width) < 8:
        raise ShapeError(f"deconvnet: images are {height} x {width}, but a discriminator needs at least 8 x 8")
    return Sequential(
        Conv2d(channels, 32, 4, stride=2, padding=1, rng=rng),
        LeakyReLU(0.2),
        Conv2d(32, 64, 4, stride=2, padding=1, rng=rng),
        LeakyReLU(0.2),
        Flatten(),
        Linear(height // 4 * (width // 4) * 64, 1, rng=rng),
    )


def deconvnet_gan(image_shape, rng, latent_size=100):
    """Build a GAN whose generator ends in the deconvolutional network, for sides that are multiples of 4.

    A dense layer produces maps of a quarter of the size, two 4 x 4 transposed convolutions double them, and the
    network of this file, with tanh, turns them into the image. The discriminator is the DCGAN's for 28 pixels.
    """
    height, width, channels = image_shape
    if height % 4 or width % 4:
        raise ShapeError(
            f"deconvnet-gan: images are {height} x {width}, but their sides must be multiples of 4; "
            "resize the data (--size 32 on the command line, size=32 in data.load)"
        )
    weights, double = {"weight_init": init.normal(0.02), "rng": rng}, {"stride": 2, "padding": 1}
    small = height // 4, width // 4

    def norm(maps):
        return BatchNorm(maps, scale_init=init.normal(0.02, 1.0), rng=rng)

    generator = Sequential(
        Linear(latent_size, small[0] * small[1] * 128, bias=False, **weights),
        norm(small[0] * small[1] * 128),
        ReLU(),
        Reshape(*small, 128),
        ConvTranspose2d(128, 64, 4, bias=False, **double, **weights),
        norm(64),
        ReLU(),
        ConvTranspose2d(64, FILTERS, 4, bias=False, **double, **weights),
        norm(FILTERS),
        ReLU(),
        *hidden_layers(FILTERS, rng),
        Linear(FILTERS, channels, rng=rng),
        Tanh(),
    )
    discriminator = Sequential(
        Conv2d(channels, 64, 4, **double, **weights),
        LeakyReLU(0.2),
        Conv2d(64, 128, 4, bias=False, **double, **weights),
        norm(128),
        LeakyReLU(0.2),
        Flatten(),
        Linear(small[0] * small[1] * 128, 1, **weights),
    )
    return GAN("deconvnet-gan", generator, discriminator, image_shape, latent_size, first_run=(2000, 32))
