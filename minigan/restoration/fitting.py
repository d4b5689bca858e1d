"""Training a network that restores images in one call, and restoring with it."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from minigan import training
from minigan.data import Augment, Dataset
from minigan.data.arrays import images_from
from minigan.models import Restorer
from minigan.restoration.measuring import restored
from minigan.restoration.tasks import task_of
from minigan.restoration.trainer import Trainer
from minigan.training import environment, fitting, inputs
from minigan.training.callbacks import Callback
from minigan.training.errors import TrainingError


class Result(training.Result):
    """What training leaves.

    model: the trained network
    figures: of the held-out images: {"damaged": {"psnr": dB, "ssim": s}, "baseline": ..., "restored": ...}; empty where
        none were held out
    history, settings: as of every training
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: Restorer = trainer.model
        self.figures: dict = {name: of for name, of in trainer.results().items() if name != "images"}

    def predict(self, images: np.ndarray, hole: np.ndarray | None = None) -> np.ndarray:
        """Restored images, as `mg.restoration.predict`."""
        return predict(self.model, images, hole)


def fit(
    model: str | Restorer,
    images: Dataset | np.ndarray,
    *,
    task: str | None = None,
    test: Dataset | np.ndarray | None = None,
    adversarial: float = 0.0,
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
    """Train a network on whole images, which are damaged for it.

        result = mg.restoration.fit("deconvnet", mg.data.load("glyphs", size=32), task="denoising")
        clean = result.predict(noisy)

    model: "deconvnet", built for these images from `seed`; or a Restorer, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    task: "super-resolution" (the default), "completion" or "denoising"; see `mg.restoration.TASKS`
    test: held-out images, for figures and pictures at the end; of more than 1,000, 1,000 that are evenly spread
    adversarial: weight of an adversarial term beside the mean squared error; 0 for none
    steps, epochs: how long to train, one or the other; by default the model's `first_run`
    options: of the model, as `mg.models.build` takes them: filters, kernel, depth
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for images or settings that cannot be trained with, DivergedError where a loss
        becomes NaN, RunError for `out`; Interrupted as there
    """
    images, _, source = inputs.images_of(images)
    adversarial = inputs.real("the weight of the adversarial term", adversarial, least=0) or 0.0
    if isinstance(model, str):
        task = task_of("super-resolution" if task is None else task).name
        options = {"task": task, "adversarial": adversarial > 0, **options}
    elif isinstance(model, Restorer) and task is not None and task != model.task:
        raise TrainingError(f"fit: this {model.name} is for {model.task}, and {task} takes another")
    plan = fitting.plan(
        *("restoration", model, images, None, source),
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
    if adversarial and plan.model.discriminator is None:
        raise TrainingError("fit: an adversarial term needs a discriminator: build the model with adversarial=True")
    if test is not None or out is not None:
        environment.require(environment.MEASURING, "measuring and showing restored images")
    held_out = None if test is None else inputs.held_out(test, plan.model)
    plan.settings.update(task=plan.model.task, adversarial=adversarial)
    trainer = Trainer(plan.model, plan.batches, adversarial=adversarial, test=held_out, **plan.common)
    return fitting.run(trainer, Result, plan.settings, out, force)


def predict(model: Restorer, images: np.ndarray, hole: np.ndarray | None = None) -> np.ndarray:
    """Restore images that are damaged: small, incomplete or noisy, as the model's task has it.

    images: (N, H, W, C), uint8, of any size that the convolutions leave something of
    hole: for completion, (N, H, W), bool, True where pixels are missing
    returns: (N, H, W, C), uint8; for super-resolution (N, 2 H, 2 W, C)
    """
    inputs.check_model("predict", model, Restorer)
    images = images_from("predict", images, floats=False)
    task = task_of(model.task)
    return restored(model, task, task.take(images, hole))
