"""The path of all training, from `fit` to the trainer, for every kind of model; and loading a run's weights."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterable

import numpy as np

from minigan import devices, models
from minigan.data import Augment, Batches, Dataset
from minigan.errors import DataError, Interrupted, MiniganError, RunError, RunWarning, TrainingError, UnknownNameError
from minigan.kinds import Kind
from minigan.kinds import kind as kind_named
from minigan.models import Model
from minigan.training import inputs, weights
from minigan.training.callbacks import Callback
from minigan.training.folder import WEIGHTS, RunFolder
from minigan.training.loop import Loop, Result, checked_callbacks
from minigan.training.recorder import Recorder
from minigan.training.trainer import FORMAT, Job


def fit(
    kind: Kind,
    model: str | Model,
    images: Dataset | np.ndarray,
    *,
    labels: np.ndarray | None = None,
    test: Dataset | np.ndarray | tuple | None = None,
    steps: int | None,
    epochs: int | None,
    batch: int | None,
    seed: int,
    augment: Augment | None,
    device: str,
    callbacks: Iterable[Callback],
    out: str | os.PathLike | None,
    force: bool,
    options: dict,
    settings: dict,
) -> Result:
    """Train a model of a kind. The `fit` of every kind calls this function and documents the arguments.

    options: options for building a model by name
    settings: the arguments that only this kind has
    All arguments are checked before the model is changed, so an error leaves it unchanged.
    """
    images, labels, source = inputs.images_of(images, labels)
    labels = labels if kind.uses_labels else None
    seed, epochs = inputs.check_seed(seed), inputs.whole("epochs", epochs)
    inputs.check_augment(augment)
    callbacks = checked_callbacks(callbacks)
    devices.on(device)
    model = _model_of(kind, model, images.shape[1:], seed, lambda: kind.trainer.options(labels, options, settings))
    settings = kind.trainer.checked(model, Job(images, labels, device, seed, out is not None), settings)
    test = None if test is None else kind.trainer.held_out(test, model)
    first_run = _first_run(model, len(images), inputs.whole("batch", batch))
    steps, batch = inputs.steps_and_batch(len(images), steps, epochs, batch, usual=model.batch, first_run=first_run)
    batches = Batches(images, labels, batch_size=batch, seed=seed, augment=augment)
    if augment is not None:
        batches.batch(0, 0)  # raises DataError if the images are too small for it
    if steps is None:
        steps = max(1, epochs * batches.steps_per_epoch // kind.trainer.batches_per_step(settings))
    config = {
        "kind": kind.name,
        "model": model.name,
        "options": model.options,
        "image_shape": list(model.image_shape),
        **source.plain(),
        "augment": inputs.plain(augment),
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "device": device,
        **kind.trainer.recorded(model, settings),
    }
    if out is not None:
        callbacks.append(Recorder(out, config, force))  # raises RunError if the run folder cannot be created

    settings = kind.trainer.prepare(model, seed, settings)
    model.to(device)
    trainer = kind.trainer(model, batches, steps=steps, seed=seed, test=test, callbacks=callbacks, **settings)
    return run(trainer, kind.result, config)


def run(trainer: Loop, result: type[Result], settings: dict) -> Result:
    """Train and return the result.

    result: the class of the result, called with the trainer and the settings
    raises Interrupted, with the result in its `result`, if the run was asked to stop
    """
    stopped = None
    try:
        trainer.run()
    except Interrupted as error:
        stopped = error
    finally:
        trainer.batches.close()
    try:
        trainer.results()  # a recorded run has measured them already; if measuring fails, the model is not lost
    except Exception as error:
        warnings.warn(
            RunWarning(f"the held-out images could not be measured ({type(error).__name__}: {error})"), stacklevel=4
        )
    left = result(trainer, settings)
    if stopped is not None:
        stopped.result = left
        raise stopped
    return left


def _model_of(kind, model, image_shape, seed, options):
    """Return the model for images of this shape: the given one, or a new one if a name was given."""
    if isinstance(model, str):
        model = models.build(model, image_shape, seed, **options())
    if not isinstance(model, Model):
        raise TrainingError(
            f"fit: model is {model!r}, but it must be a model or one of the names {', '.join(models.available())}"
        )
    if not isinstance(model, kind.model):
        raise TrainingError(
            f"fit: {model.name} is a {model.kind}; train it with mg.{model.kind}.fit, not mg.{kind.name}.fit"
        )
    if tuple(model.image_shape) != image_shape:
        raise DataError(f"{model.name} is for images of {model.image_shape}, but these are {image_shape} (H, W, C)")
    return model


def _first_run(model, count, batch):
    """Return the model's default (steps, batch). A classifier's default is given in epochs."""
    if hasattr(model, "first_run"):
        return model.first_run
    batch = model.batch if batch is None else batch
    return max(1, model.first_epochs * (count // batch)), batch


# -------------------------------------------------------------------------------------------- reading back


def load(run: str | os.PathLike, kind: str | None = None, into: Model | None = None) -> Model:
    """Load the trained model of a run folder.

    kind: the required kind; by default any
    into: a model to load the weights into; by default a new one is built
    raises RunError if the folder is not a run or of another kind, or its weights are missing, truncated or do not fit
    """
    if into is not None:
        inputs.check_model("load: into", into, Model)
    folder = RunFolder(run)
    description, arrays = read(folder, kind)
    path, model = folder / WEIGHTS, into
    try:
        if model is None:
            model = models.build(description["model"], description["image_shape"], **description["options"])
        if model.kind != description["kind"]:
            raise RunError(f"it is a {model.kind}, not a {description['kind']}")
        if into is not None:
            _fill(copy.deepcopy(into), description, arrays)  # if one network does not fit, none changes
        _fill(model, description, arrays)
    except UnknownNameError as error:
        raise RunError(f"{path}: {error}; build the model yourself and load(..., into=it)") from error
    except (MiniganError, TypeError, MemoryError) as error:  # TypeError: an option has the wrong type
        raise RunError(f"{path}: does not fit the model {description['model']!r}: {error}") from error
    return model


def read(folder: RunFolder, kind: str | None = None) -> tuple[dict, dict[str, np.ndarray]]:
    """Read a run's weights: the model's description (kind, model, image_shape, options, changes) and the arrays.

    raises RunError if they are damaged or not of this kind
    """
    found = folder.config().get("kind", "gan")
    if kind is not None and found != kind:
        raise RunError(f"{folder.path}: this is a run of a {found}, not of a {kind}; load it with mg.{found}.load")
    header, arrays = folder.weights()
    path = folder / WEIGHTS
    description = weights.described(
        path, header, arrays, FORMAT, "a safetensors file, but not a model that minigan saved"
    )
    if header.get("kind") != found:
        raise RunError(f"{path}: these are weights of a {header.get('kind')}, but config.json describes a {found}")
    description = {"options": {}, "changes": [], **description, "kind": found}
    if kind_named(found).model.has_fixed_size(description["options"]):
        weights.check_enough(path, description["image_shape"], arrays)
    return description, arrays


def _fill(model, description, arrays):
    model.prepare(description["changes"], arrays)
    model.load_state(arrays)
