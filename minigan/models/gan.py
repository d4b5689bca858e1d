"""A GAN: two networks that fit one another, and the recipe that trains them by default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from minigan import random
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError, UnknownNameError
from minigan.models.model import Model, normal_noise
from minigan.models.recipe import Recipe
from minigan.nn import Module, as_in_use, minibatch_std, spectral_norm
from minigan.random import Philox

CHANGES = {"minibatch-std": minibatch_std, "spectral-norm": spectral_norm}  # in the order in which they fit together


@dataclass
class GAN(Model):
    """A generator, a discriminator, and their recipe.

    generator: noise (N, latent_size) to images (N, H, W, C) in [-1, 1]
    discriminator: images to scores (N, 1); logits, above 0 for real, where the objective takes them for such
    classes: where it is conditional, how many; both networks then take labels (N,) as their second argument
    batch: images in a batch
    first_run: the default (steps, batch); at 28 pixels two or three minutes
        on two cores, in which many small batches teach more than few large ones
    changes: what was done to the discriminator afterwards, names in CHANGES
    average: the generator with averaged weights, where training keeps one; samples are made with it
    """

    kind: ClassVar[str] = "gan"
    players: ClassVar[tuple[str, ...]] = ("generator", "discriminator", "average")

    name: str
    generator: Module
    discriminator: Module
    image_shape: tuple[int, int, int]
    latent_size: int = 100
    recipe: Recipe = field(default_factory=Recipe)
    batch: int = 128
    first_run: tuple[int, int] | None = None
    classes: int | None = None
    changes: tuple[str, ...] = ()
    average: Module | None = None

    def __post_init__(self):
        self.first_run = self.first_run or (800, self.batch)

    def noise(self, count: int, rng: Philox | np.random.Generator) -> Tensor:
        """Standard normal noise for `count` images, where the networks are."""
        return normal_noise(count, self.latent_size, rng, self.device)

    def labels(self, count: int) -> np.ndarray | None:
        """Labels for `count` images, all classes in turn; None where there are no classes."""
        return None if self.classes is None else np.arange(count) % self.classes

    def generated(self, noise: Tensor, labels: np.ndarray | None = None) -> Tensor:
        """The generator's images; labels are ignored if it takes none. Raises ShapeError for too few or many."""
        return self.generator(noise, *self._told(labels, len(noise)))

    def scores(self, images: Tensor, labels: np.ndarray | None = None) -> Tensor:
        """The discriminator's scores; labels are ignored if it takes none. Raises ShapeError as `generated`."""
        return self.discriminator(images, *self._told(labels, len(images)))

    def _told(self, labels, count):
        if self.classes is None:
            return ()
        if np.shape(labels) != (count,):
            raise ShapeError(f"{self.name}: {count} images, but labels of shape {np.shape(labels)}; each image has one")
        return (labels,)

    def change(self, names: Iterable[str], seed: int = 0) -> GAN:
        """Change the discriminator in these ways, each once. Returns the GAN.

        raises ShapeError where the discriminator does not take one, or it comes too late
        """
        for name in CHANGES:
            if name in names and name not in self.changes:
                rng = (random.derived(seed, name),) if name == "spectral-norm" else ()
                self.discriminator = CHANGES[name](self.discriminator, *rng)
                self.changes = (*self.changes, name)
        return self

    def freeze(self, names: Iterable[str]) -> GAN:
        """Stop the training of these parts: "generator", "discriminator" or what is in them, as "generator.0".

        The running statistics of a frozen batch norm go on following the batches. Returns the GAN.
        raises UnknownNameError for a part that is not there
        """
        parts = {
            f"{player}.{name}".rstrip("."): module
            for player, network in self.networks().items()
            if player != "average"
            for name, module in network.named_modules()
        }
        for name in names:
            UnknownNameError.check(f"part of {self.name}", name, parts)
            parts[name].freeze()
        return self

    @no_grad()
    def generate(self, noise: Tensor, labels: np.ndarray | None = None, batch: int = 256) -> np.ndarray:
        """Images (N, H, W, C) in [-1, 1] for this noise, with running statistics, `batch` of them at a time.

        labels: (N,), for a conditional GAN; by default all classes in turn
        The average generates where there is one.
        """
        labels = self.labels(len(noise)) if labels is None else labels
        generator = self.generator if self.average is None else self.average
        parts = []
        with as_in_use():
            for i in range(0, len(noise), batch):
                some = noise[i : i + batch]
                told = () if labels is None else self._told(labels[i : i + batch], len(some))
                parts.append(generator(some, *told).numpy())
        return np.concatenate(parts) if parts else np.empty((0, *self.image_shape), np.float32)
