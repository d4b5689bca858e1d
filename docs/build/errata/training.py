"""What the experiments that train have in common: rounds of batches and noise, samples, and a measure of them."""

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
SCORED = 1000  # samples that are measured, beside as many real images
BLOCK = 4  # pixels: the measure's features are means of blocks
POINTS = 200  # of a curve, at most
FEATURES = f"the means of {BLOCK} x {BLOCK} blocks"


def adam(network) -> mg.optim.Adam:
    """The optimiser of every experiment, so that only what is examined differs."""
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
    """The mean of -log of the probability that logits give to a label, 1 for real and 0 for generated."""
    return mg.binary_cross_entropy_with_logits(scores, label)


def sampled(gan: GAN, count: int = SCORED) -> np.ndarray:
    """Images of a generator, (count, H, W, C), uint8, from the same noise in every experiment."""
    return to_uint8(gan.generate(gan.noise(count, random.Philox(SEED, "sample"))))


def drawn(images: np.ndarray, part: int = 0) -> np.ndarray:
    """SCORED of a set's images, or half of a small set, drawn once for all: part 1 has none of those of part 0.

    They are drawn because the order of a set may mean something: MNIST's is by writers.
    """
    count = min(SCORED, len(images) // 2)
    order = np.random.default_rng(SEED).permutation(len(images))
    return images[order[part * count : (part + 1) * count]]


def distance(made: np.ndarray, images: np.ndarray) -> float:
    """The Frechet distance of 1,000 images from as many of a set, by the means of blocks, pixels from -1 to 1.

    The features are crude, but of no classifier's taste.
    """
    return mg.metrics.frechet_distance(blocks(made[:SCORED]), blocks(drawn(images)))


def floor(images: np.ndarray) -> float:
    """The same distance of other real images of the set."""
    return distance(drawn(images, 1), images)


def blocks(images: np.ndarray) -> np.ndarray:
    """(N, H / 4 * W / 4 * C): the mean of each block of pixels, as features."""
    count, height, width, channels = images.shape
    parts = images.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels).astype(np.float64)
    return (parts.mean((2, 4)) / 127.5 - 1).reshape(count, -1)


class Curve:
    """Values over steps, of which at most POINTS are kept."""

    def __init__(self, steps: int):
        self.every, self.step, self.rows = -(-steps // POINTS), 0, []

    def add(self, *values: mg.Tensor) -> None:
        """The means of Tensors at the next step."""
        if self.step % self.every == 0:
            self.rows.append([self.step, *(float(value.numpy().mean()) for value in values)])
        self.step += 1

    def column(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(steps, values), the first value is number 1."""
        rows = np.array(self.rows)
        return rows[:, 0], rows[:, number]

    def last(self, number: int) -> float:
        """The mean of a value over the last twentieth of the steps."""
        values = self.column(number)[1]
        return float(values[-max(1, len(values) // 20) :].mean())


def probability(scores: np.ndarray | float):
    """The probability of "real" that a logit stands for."""
    return 1 / (1 + np.exp(-np.asarray(scores, np.float64)))
