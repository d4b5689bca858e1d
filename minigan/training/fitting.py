"""What the calls of `fit` for every kind of model have in common."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from minigan import models
from minigan.data import Augment, Batches
from minigan.errors import DataError
from minigan.models import Model
from minigan.training import inputs
from minigan.training.callbacks import Callback
from minigan.training.errors import Interrupted, RunWarning, TrainingError
from minigan.training.loop import Loop
from minigan.training.result import Result

Left = TypeVar("Left", bound=Result)
CLASSES = {"vae": models.VAE, "classifier": models.Classifier, "restoration": models.Restorer}


@dataclass
class Plan:
    """What is trained on what, for how long, and what a run folder says of it."""

    model: Model
    batches: Batches
    settings: dict
    common: dict  # what every `ModelLoop` takes


def run(trainer: Loop, result: type[Left], settings: dict, out: str | os.PathLike | None, force: bool) -> Left:
    """Train, keep the run in a folder if one is given, and return what training leaves.

    result: makes that of the trainer and the settings
    raises Interrupted, which holds it too, where the run was asked to stop
    """
    if out is not None:
        from minigan.training.recorder import Recorder

        trainer.callbacks.append(Recorder(out, settings, force))
    stopped = None
    try:
        trainer.run()
    except Interrupted as error:
        stopped = error
    finally:
        trainer.batches.close()
    try:
        trainer.results()  # measured by now where the run is kept; what is trained is not lost where that fails
    except Exception as error:
        warnings.warn(
            RunWarning(f"the held-out images could not be measured ({type(error).__name__}: {error})"), stacklevel=3
        )
    left = result(trainer, settings)
    if stopped is not None:
        stopped.result = left
        raise stopped
    return left


def plan(
    kind: str,
    model: str | Model,
    images: np.ndarray,
    labels: np.ndarray | None,
    source: inputs.Source,
    *,
    steps: int | None,
    epochs: int | None,
    batch: int | None,
    seed: int,
    learning_rate: float | None,
    augment: Augment | None,
    device: str,
    callbacks: Iterable[Callback],
    **options,
) -> Plan:
    """Check what `fit` was given, and build the model and its batches.

    kind: what the model must be
    model: a name, built with `options`; or a model, which is moved to the device
    raises DataError or TrainingError for what cannot be trained with
    """
    seed = inputs.check_seed(seed)
    learning_rate = inputs.real("learning_rate", learning_rate, above=0)
    batch = inputs.whole("batch", batch)
    inputs.check_augment(augment)
    built = model_of(kind, model, images.shape[1:], seed, options)
    if built.image_shape != images.shape[1:]:
        raise DataError(
            f"{built.name} is for images of {built.image_shape}, but these are {images.shape[1:]} (H, W, C)"
        )
    steps, batch = inputs.steps_and_batch(
        len(images), steps, epochs, batch, usual=built.batch, first_run=_first_run(built, len(images), batch)
    )
    built.to(device)
    batches = Batches(images, labels, batch_size=batch, seed=seed, augment=augment)
    epochs = inputs.whole("epochs", epochs)
    steps = epochs * batches.steps_per_epoch if steps is None else steps
    settings = {
        "kind": kind,
        "model": built.name,
        "options": built.options,
        "image_shape": list(built.image_shape),
        **source.plain(),
        "augment": inputs.plain(augment),
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "device": device,
    }
    common = {"steps": steps, "seed": seed, "learning_rate": learning_rate, "callbacks": callbacks}
    return Plan(built, batches, settings, common)


def model_of(kind: str, model: str | Model, image_shape, seed: int, options: dict) -> Model:
    """A model of this kind by its name, or the one given. Raises TrainingError for one of another kind."""
    if isinstance(model, str):
        model = models.build(model, image_shape, seed, **options)
    if not isinstance(model, Model):
        raise TrainingError(
            f"fit: model is {model!r}, but a name or a model is trained; the names: {', '.join(models.available())}"
        )
    if not isinstance(model, CLASSES[kind]):
        raise TrainingError(f"fit: {model.name} is a {model.kind}, which mg.{model.kind}.fit trains, not mg.{kind}.fit")
    return model


def _first_run(model, count, batch):
    """(steps, batch) where nothing is said; a classifier's length is in epochs."""
    if hasattr(model, "first_run"):
        return model.first_run
    batch = model.batch if batch is None else batch
    return max(1, model.first_epochs * (count // batch)), batch
