"""Training a GAN in one call."""

import os
from collections.abc import Iterable

import numpy as np

from minigan import models, random
from minigan.data import Augment, Batches, Dataset, to_uint8
from minigan.errors import DataError
from minigan.gan.callbacks import Callback
from minigan.gan.errors import TrainingError
from minigan.gan.objectives import Objective
from minigan.gan.training import History, Trainer
from minigan.models import GAN


class Result:
    """What training leaves.

    gan: the trained model
    history: a record for every step, see `Callback.on_step`; history.column("generator_loss") is a curve
    settings: what it was trained with
    """

    def __init__(self, trainer: Trainer, settings: dict):
        self._trainer = trainer
        self.gan: GAN = trainer.gan
        self.history: History = trainer.history
        self.settings = settings

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """New images, (count, H, W, C), uint8; the same for the same seed."""
        return sample(self.gan, count, seed)

    def save(self, folder: str | os.PathLike, force: bool = False) -> None:
        """Write weights, settings, log, a sample grid and the report into a new folder, as `minigan train` does.

        raises RunError where the folder holds something already (with force: something other than a run) or cannot
            be written
        """
        from minigan.gan.recorder import Recorder

        Recorder(folder, self.settings, force).record(self._trainer)

    def __repr__(self) -> str:
        return f"Result({self.gan.name!r}, {len(self.history)} steps)"


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
    images, labels, source = _images(images, labels)
    _check_numbers(steps=steps, epochs=epochs, batch=batch, learning_rate=learning_rate)
    if not hasattr(seed, "__index__") or seed < 0:
        raise TrainingError(f"seed must be a whole number from 0 on, not {seed!r}")
    if not isinstance(model, str | GAN):
        raise TrainingError(
            f"fit: model is {model!r}, but a name or a GAN is trained; the names: {', '.join(models.available())}"
        )
    if steps is not None and epochs is not None:
        raise TrainingError(f"fit: steps={steps} and epochs={epochs} are two answers to one question; give one")
    gan = models.build(model, images.shape[1:], seed) if isinstance(model, str) else model
    if tuple(gan.image_shape) != images.shape[1:]:
        raise DataError(f"{gan.name} makes images of {gan.image_shape}, but these are {images.shape[1:]} (H, W, C)")
    if steps is None and epochs is None:
        steps, few = gan.first_run
        batch = few if batch is None else batch
    batch = gan.batch if batch is None else batch
    if batch > len(images):
        raise TrainingError(f"a batch of {batch} needs at least as many images, but there are {len(images)}")
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
        "augment": _plain(augment),
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "device": device,
        "objective": trainer.objective.name,
        "optimiser": {"name": "Adam", "learning_rate": trainer.learning_rate, "betas": list(gan.betas)},
    }
    if out is not None:
        from minigan.gan.recorder import Recorder

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


def _images(images, labels):
    """The array, its labels, and what to call it."""
    if isinstance(images, Dataset):
        labels = images.labels if labels is None else labels
        source, images = images.name, images.images
    else:
        source = "an array"
    if not isinstance(images, np.ndarray):
        raise DataError(
            f"fit: images are a {type(images).__name__}; it takes a Dataset (mg.data.load) or an array (N, H, W, C)"
        )
    if images.ndim != 4 or not images.size:
        hint = "; grey images have C = 1: images[..., None]" if images.ndim == 3 else ""
        raise DataError(f"fit: images have shape {images.shape}, but (N, H, W, C) is what it takes{hint}")
    return images, labels, source


def _check_numbers(**numbers):
    for name, number in numbers.items():
        if number is None:
            continue
        if name != "learning_rate" and not hasattr(number, "__index__"):
            raise TrainingError(f"{name} must be a whole number, not {number!r}")
        if not number > 0:
            raise TrainingError(f"{name.replace('_', ' ')} must be above 0, not {number}")


def _plain(augment):
    return None if augment is None else dict(vars(augment))
