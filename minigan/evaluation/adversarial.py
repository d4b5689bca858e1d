"""Adversarial evaluation: can a network trained for this purpose tell generated images from real ones?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minigan import classifier
from minigan.data.arrays import images_from
from minigan.errors import DataError
from minigan.evaluation.intervals import Interval, wilson

FAKE, REAL = 0, 1
LEAST = 20  # images of each kind, half of which are held out
STEPS, BATCH = 600, 64


@dataclass(frozen=True)
class ToldApart:
    """The accuracy of a fresh discriminator on held-out images, half of them generated.

    accuracy: the share it classifies correctly: 0.5 is best for the generator, 1 means that it recognizes every image
    interval: Wilson's 95% interval of the accuracy, assuming independent images
    on_real, on_made: the accuracy on real and on generated images
    held_out: the number of held-out images of each kind
    """

    accuracy: float
    interval: Interval
    on_real: float
    on_made: float
    held_out: int


def tell_apart(made: np.ndarray, real: np.ndarray, steps: int = STEPS, seed: int = 0) -> ToldApart:
    """Train a fresh discriminator on half of the generated and real images, and test it on the other half.

    made, real: (N, H, W, C), uint8, at least 20 of each; the larger set is sampled down to the size of the smaller
    steps: training steps of a "cnn" with two classes, on batches of 64
    seed: for the weights, the batches and the split into halves
    raises DataError for too few images, or different shapes
    source: Bowman et al., arXiv:1511.06349, where a classifier tells generated sentences from real ones
    """
    made = images_from("tell_apart", made, what="generated images", floats=False)
    real = images_from("tell_apart", real, what="real images", floats=False)
    if made.shape[1:] != real.shape[1:]:
        raise DataError(f"tell_apart: generated images are {made.shape}, real ones {real.shape}; shapes must match")
    check_enough(made, real)
    count = min(len(made), len(real)) // 2
    rng = np.random.default_rng(seed)
    halves = [
        images[rng.permutation(len(images))[: 2 * count]].reshape(2, count, *images.shape[1:])
        for images in (made, real)
    ]
    seen, held_out = (np.concatenate([of_kind[half] for of_kind in halves]) for half in (0, 1))
    labels = np.repeat([FAKE, REAL], count)
    found = classifier.fit("cnn", seen, labels=labels, steps=steps, batch=min(BATCH, len(seen)), seed=seed)
    right = found.predict(held_out) == labels
    return ToldApart(
        float(right.mean()),
        wilson(int(right.sum()), len(right)),
        float(right[count:].mean()),
        float(right[:count].mean()),
        count,
    )


def check_enough(made: np.ndarray, real: np.ndarray) -> None:
    """Raise DataError if there are too few images to split in halves."""
    if min(len(made), len(real)) < LEAST:
        raise DataError(
            f"tell_apart: {len(made)} generated and {len(real)} real images; at least {LEAST} of each are needed"
        )
