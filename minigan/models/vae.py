"""A variational autoencoder. Its decoder is the dense GAN's generator, so that the two can be compared.

source: Kingma & Welling, arXiv:1312.6114
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from minigan import ops, random
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.models.dense_gans import HIDDEN, dense_generator
from minigan.models.model import Model, as_floats, in_use, parts_of
from minigan.nn import Flatten, LeakyReLU, Linear, Sequential
from minigan.random import Philox


@dataclass
class VAE(Model):
    """An encoder, a decoder, and their training settings.

    encoder: images (N, H, W, C) in [-1, 1] to (N, 2 latent_size): means, then logarithms of variances
    decoder: latent values (N, latent_size) to images in [-1, 1]; it ends with a tanh and a reshape
    options: the options to rebuild it with
    first_run: the default (steps, batch)
    """

    kind: ClassVar[str] = "vae"
    players: ClassVar[tuple[str, ...]] = ("encoder", "decoder")

    name: str
    encoder: Sequential
    decoder: Sequential
    image_shape: tuple[int, int, int]
    latent_size: int = 100
    options: dict = field(default_factory=dict)
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    batch: int = 128
    first_run: tuple[int, int] = (12_000, 128)

    def input_shape(self, player):
        return (self.latent_size,) if player == "decoder" else super().input_shape(player)

    def noise(self, count: int, rng: Philox | np.random.Generator) -> Tensor:
        """Draw standard normal noise (count, latent_size), on the networks' device."""
        return Tensor(random.normal_noise(count, self.latent_size, rng, self.device))

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the posterior of the latent values given images: means and log variances, (N, latent_size) each."""
        both = self.encoder(images)
        return both[:, : self.latent_size], both[:, self.latent_size :]

    def losses(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the two parts of the bound on -log p(images), in nats per image: reconstruction and divergence.

        noise: standard normal, (N, latent_size); the latent values are mean + deviation * noise
        A pixel in [0, 1] is interpreted as the probability of white. Because the decoder's tanh(a) is
        2 sigmoid(2 a) - 1, the logits of the cross-entropy are twice the input of the tanh.
        source: Kingma & Welling, arXiv:1312.6114, equation 10 and appendices B and C.1
        """
        mean, log_variance = self.posterior(images)
        latent = mean + ops.exp(log_variance * 0.5) * noise
        logits = self.decoder[:-2](latent) * 2
        white = ops.reshape(images, (images.shape[0], -1)) * 0.5 + 0.5
        reconstruction = ops.binary_cross_entropy_with_logits(logits, white) * math.prod(self.image_shape)
        return reconstruction, ops.standard_normal_divergence(mean, log_variance)

    def generate(self, noise: Tensor, batch: int = 256) -> np.ndarray:
        """Generate images (N, H, W, C) in [-1, 1] from noise, `batch` at a time."""
        parts = in_use(self.decoder, parts_of(noise.data, batch), self.device)
        return np.concatenate(parts) if parts else np.empty((0, *self.image_shape), np.float32)

    def reconstruct(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """Encode images (N, H, W, C), uint8 or floats in [-1, 1], and decode the means. Returns images in [-1, 1]."""
        images = self.check(images)
        both = in_use(self.encoder, map(as_floats, parts_of(images, batch)), self.device)
        parts = in_use(self.decoder, (part[:, : self.latent_size] for part in both), self.device)
        return np.concatenate(parts) if parts else np.empty((0, *self.image_shape), np.float32)

    @no_grad()
    def bound(self, images: np.ndarray, rng: Philox | np.random.Generator, batch: int = 256) -> tuple[float, float]:
        """Average both parts of `losses` over images, with one draw of noise per image."""
        images = self.check(images)
        sums = np.zeros(2)
        for part in parts_of(images, batch):
            noise = self.noise(len(part), rng)
            losses = self.losses(Tensor(as_floats(part)).to(self.device), noise)
            sums += [loss.item() * len(part) for loss in losses]
        return tuple(float(n) for n in sums / len(images))


def vae(image_shape, rng, latent_size=100):
    """Build an encoder 784-128-128-(100, 100) and a decoder 100-128-128-784, for images of any shape."""
    encoder = Sequential(
        Flatten(),
        Linear(math.prod(image_shape), HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, HIDDEN, rng=rng),
        LeakyReLU(0.2),
        Linear(HIDDEN, 2 * latent_size, rng=rng),
    )
    decoder = dense_generator(image_shape, rng, latent_size)
    return VAE("vae", encoder, decoder, image_shape, latent_size, {"latent_size": latent_size})
