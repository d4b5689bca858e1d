"""Training a variational autoencoder in one call, and drawing from it."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from minigan import random, training
from minigan.data import Augment, Dataset
from minigan.data.dataset import clipped
from minigan.models import VAE
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback
from minigan.vae.trainer import Trainer


class Result(training.Result):
    """What training leaves.

    model: the trained VAE
    bound: on -log p of the held-out images, nats per image; None where none were held out
    history, settings: as of every training
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: VAE = trainer.model
        self.bound: float | None = trainer.results().get("bound")

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """New images, (count, H, W, C), uint8; the same for the same seed."""
        return sample(self.model, count, seed)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """What encoder and decoder make of images (N, H, W, C), uint8."""
        return reconstruct(self.model, images)


def fit(
    model: str | VAE,
    images: Dataset | np.ndarray,
    *,
    test: Dataset | np.ndarray | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    learning_rate: float | None = None,
    augment: Augment | None = None,
    device: str = "cpu",
    callbacks: Iterable[Callback] = (),
    out: str | os.PathLike | None = None,
    force: bool = False,
    **options,
) -> Result:
    """Train a variational autoencoder on images.

        result = mg.vae.fit("vae", mg.data.load("glyphs"), steps=2000)
        result.sample(16), result.reconstruct(images)

    model: "vae", built for these images from `seed`; or a VAE, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    test: held-out images, for the bound at the end
    steps, epochs: how long to train, one or the other; by default the model's `first_run`
    options: of the model, as `mg.models.build` takes them: latent_size
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for images or settings that cannot be trained with, DivergedError where the loss
        becomes NaN, RunError for `out`; Interrupted as there
    """
    images, _, source = inputs.images_of(images)
    plan = fitting.plan(
        *("vae", model, images, None, source),
        steps=steps,
        epochs=epochs,
        batch=batch,
        seed=seed,
        learning_rate=learning_rate,
        augment=augment,
        device=device,
        callbacks=callbacks,
        **options,
    )
    held_out = None if test is None else inputs.held_out(test, plan.model)
    trainer = Trainer(plan.model, plan.batches, test=held_out, **plan.common)
    return fitting.run(trainer, Result, plan.settings, out, force)


def sample(vae: VAE, count: int, seed: int = 0) -> np.ndarray:
    """Images from a VAE's decoder, (count, H, W, C), uint8; fewer are the beginning of more.

    raises TrainingError for another kind of model, a count below 1 or a seed below 0
    """
    inputs.check_model("sample", vae, VAE)
    count, seed = inputs.whole("sample: count", count, needed=True), inputs.check_seed(seed)
    return clipped(vae.generate(vae.noise(count, random.Philox(seed, "sample"))))


def reconstruct(vae: VAE, images: np.ndarray) -> np.ndarray:
    """What encoder and decoder make of images (N, H, W, C), uint8 or floats in [-1, 1]: the same shape, uint8."""
    inputs.check_model("reconstruct", vae, VAE)
    return clipped(vae.reconstruct(images))
