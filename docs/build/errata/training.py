"""Shared by the experiments that train: rounds of batches and noise, samples, and their distance to real images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import minigan as mg
from minigan import models, random
from minigan.data import Batches, to_uint8
from minigan.models import GAN

BATCH, SEED = 64, 0
RATE, BETAS = 2e-4, (0.5, 0.999)
SHOWN = 24  # samples in a picture
SCORED = 1000  # samples that are compared with as many real images
BLOCK = 4  # pixels: the features of the distance are means of blocks
POINTS = 200  # at most, per curve
FEATURES = f"the means of {BLOCK} x {BLOCK} blocks"


def adam(network) -> mg.optim.Adam:
    """The optimiser that all experiments use."""
    return mg.optim.Adam(network.parameters(), lr=RATE, betas=BETAS)


def fresh(model: str, images: np.ndarray, batch: int = BATCH) -> GAN:
    """A model for these images, with the same weights in every experiment."""
    gan = models.build(model, images.shape[1:], SEED)
    gan.batch = batch
    return gan


def rounds(gan: GAN, images: np.ndarray, steps: int) -> Iterator[tuple[mg.Tensor, mg.Tensor]]:
    """(real images, noise) for each step, the same for every experiment."""
    rng = random.Philox(SEED, "noise")
    with Batches(images, batch_size=min(gan.batch, len(images)), seed=SEED) as batches:
        for (real, _), _ in zip(batches, range(steps), strict=False):
            yield mg.tensor(real), gan.noise(len(real), rng)


def cross_entropy(scores: mg.Tensor, label: int) -> mg.Tensor:
    """The mean of -log p(label) of logits, where the label is 1 for real and 0 for generated."""
    return mg.binary_cross_entropy_with_logits(scores, label)


def sampled(gan: GAN, count: int = SCORED) -> np.ndarray:
    """Generate images (count, H, W, C), uint8, from the same noise in every experiment."""
    return to_uint8(gan.generate(gan.noise(count, random.Philox(SEED, "sample"))))


def drawn(images: np.ndarray, part: int = 0) -> np.ndarray:
    """A fixed random sample of SCORED images, or half of a small set; parts 0 and 1 are disjoint.

    The sample is random because the order may mean something: MNIST is sorted by writer.
    """
    count = min(SCORED, len(images) // 2)
    order = np.random.default_rng(SEED).permutation(len(images))
    return images[order[part * count : (part + 1) * count]]


def distance(made: np.ndarray, images: np.ndarray) -> float:
    """The Frechet distance between 1,000 images and as many of a set, on the means of blocks of pixels in [-1, 1].

    The features are crude, but do not depend on a classifier.
    """
    return mg.metrics.frechet_distance(blocks(made[:SCORED]), blocks(drawn(images)))


def floor(images: np.ndarray) -> float:
    """The same distance for other real images of the set."""
    return distance(drawn(images, 1), images)


def blocks(images: np.ndarray) -> np.ndarray:
    """Features (N, H / 4 * W / 4 * C): the mean of each block of pixels."""
    count, height, width, channels = images.shape
    parts = images.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels).astype(np.float64)
    return (parts.mean((2, 4)) / 127.5 - 1).reshape(count, -1)


class Curve:
    """Values over steps, at most POINTS of them."""

    def __init__(self, steps: int):
        self.every, self.step, self.rows = -(-steps // POINTS), 0, []

    def add(self, *values: mg.Tensor) -> None:
        """Add the means of Tensors at the next step."""
        if self.step % self.every == 0:
            self.rows.append([self.step, *(float(value.numpy().mean()) for value in values)])
        self.step += 1

    def column(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(steps, values); the first value has number 1."""
        rows = np.array(self.rows)
        return rows[:, 0], rows[:, number]

    def last(self, number: int) -> float:
        """The mean of a value over the last twentieth of the steps."""
        values = self.column(number)[1]
        return float(values[-max(1, len(values) // 20) :].mean())


def probability(scores: np.ndarray | float):
    """The probability of "real" for a logit."""
    return 1 / (1 + np.exp(-np.asarray(scores, np.float64)))
