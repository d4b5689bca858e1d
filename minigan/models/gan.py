"""A GAN: two networks that fit one another, and the settings they are trained with unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minigan.autograd import no_grad
from minigan.models.model import Model, normal_noise
from minigan.nn import Module
from minigan.random import Philox
from minigan.tensor import Tensor


@dataclass
class GAN(Model):
    """A generator, a discriminator, and their recipe.

    generator: noise (N, latent_size) to images (N, H, W, C) in [-1, 1]
    discriminator: images to logits (N, 1), above 0 for real
    first_run: (steps, batch) of a run that is told neither how long nor how many; at 28 pixels about two minutes on
        two cores, in which many small batches teach more than few large ones
    """

    kind: ClassVar[str] = "gan"
    players: ClassVar[tuple[str, ...]] = ("generator", "discriminator")

    name: str
    generator: Module
    discriminator: Module
    image_shape: tuple[int, int, int]
    latent_size: int = 100
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    batch: int = 128
    first_run: tuple[int, int] | None = None

    def __post_init__(self):
        self.first_run = self.first_run or (800, self.batch)

    def noise(self, count: int, rng: Philox | np.random.Generator) -> Tensor:
        """Standard normal noise for `count` images, where the networks are."""
        return normal_noise(count, self.latent_size, rng, self.device)

    @no_grad()
    def generate(self, noise: Tensor, batch: int = 256) -> np.ndarray:
        """Images (N, H, W, C) in [-1, 1] for this noise, with running statistics, `batch` of them at a time."""
        training = self.generator.training
        self.generator.eval()
        try:
            parts = [self.generator(noise[i : i + batch]).numpy() for i in range(0, len(noise), batch)]
        finally:
            self.generator.train(training)
        return np.concatenate(parts) if parts else np.empty((0, *self.image_shape), np.float32)
