"""Training a GAN in one call."""

import os
from collections.abc import Iterable

import numpy as np

from minigan import models, random, training
from minigan.data import Augment, Batches, Dataset, to_uint8
from minigan.errors import DataError
from minigan.gan.objectives import Objective
from minigan.gan.trainer import Trainer
from minigan.models import GAN
from minigan.training import inputs
from minigan.training.callbacks import Callback
from minigan.training.errors import TrainingError


class Result(training.Result):
    """What training leaves.

    gan: the trained model
    history: a record for every step, see `Callback.on_step`; history.column("generator_loss") is a curve
    settings: what it was trained with
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.gan: GAN = trainer.gan

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """New images, (count, H, W, C), uint8; the same for the same seed."""
        return sample(self.gan, count, seed)


def fit(
    model: str | GAN,
    images: Dataset | np.ndarray,
    *,
    labels: np.ndarray | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    objective: str | Objective = "non-saturating",
    learning_rate: float | None = None,
    augment: Augment | None = None,
    device: str = "cpu",
    callbacks: Iterable[Callback] = (),
    out: str | os.PathLike | None = None,
    force: bool = False,
) -> Result:
    """Train a GAN on images.

        result = mg.gan.fit("dcgan", mg.data.load("glyphs"), steps=800, callbacks=[mg.gan.Progress()])
        images = result.sample(16)  # (16, 28, 28, 1), uint8

    model: a name in `mg.models.available()`, built for these images from `seed`; or a GAN, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    labels: (N,) integers, for models that use them
    steps, epochs: how long, one or the other; the model's `first_run` unless given
    batch: images in a batch, the model's own number unless given
    seed: the same seed gives the same weights to the bit, with or without callbacks
    learning_rate: of both players, the model's own unless given
    augment: random changes to the real images
    device: where to train, "cpu", "cuda" (an NVIDIA GPU) or "sim"; the GAN is moved there
    out: a folder that does not exist yet, for weights, log, sample grids and report; force replaces a run there
    raises DataError or TrainingError for images or settings that cannot be trained with, DivergedError where a loss
        becomes NaN, RunError for `out`; Interrupted (a KeyboardInterrupt) after Ctrl-C, with everything saved
    """
    images, labels, source = inputs.images_of(images, labels)
    inputs.check_seed(seed)
    inputs.check_positive(learning_rate=learning_rate)
    if not isinstance(model, str | GAN):
        raise TrainingError(
            f"fit: model is {model!r}, but a name or a GAN is trained; the names: {', '.join(models.available())}"
        )
    gan = models.build(model, images.shape[1:], seed) if isinstance(model, str) else model
    if tuple(gan.image_shape) != images.shape[1:]:
        raise DataError(f"{gan.name} makes images of {gan.image_shape}, but these are {images.shape[1:]} (H, W, C)")
    steps, batch = inputs.length(len(images), steps, epochs, batch, usual=gan.batch, first_run=gan.first_run)
    gan.to(device)
    batches = Batches(images, labels, batch_size=batch, seed=seed, augment=augment)
    if steps is None:
        steps = epochs * batches.steps_per_epoch
    trainer = Trainer(
        gan, batches, steps=steps, seed=seed, objective=objective, learning_rate=learning_rate, callbacks=callbacks
    )
    settings = {
        "model": gan.name,
        "image_shape": list(gan.image_shape),
        "data": source,
        "images": len(images),
        "augment": inputs.plain(augment),
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "device": device,
        "objective": trainer.objective.name,
        "optimiser": {"name": "Adam", "learning_rate": trainer.learning_rate, "betas": list(gan.betas)},
    }
    if out is not None:
        from minigan.training.recorder import Recorder

        trainer.callbacks.append(Recorder(out, settings, force))
    try:
        trainer.run()
    finally:
        batches.close()
    return Result(trainer, settings)


def sample(gan: GAN, count: int, seed: int = 0) -> np.ndarray:
    """Images from a GAN's generator in use (running statistics), (count, H, W, C), uint8.

    Fewer images are the beginning of more, and the noise is a stream of its own: training is not changed.
    raises TrainingError for a count below 1 or a seed below 0
    """
    if count < 1 or seed < 0:
        raise TrainingError(f"sample: count is {count} and seed {seed}, but they are at least 1 and 0")
    return to_uint8(gan.generate(gan.noise(count, random.Philox(seed, "sample"))))
