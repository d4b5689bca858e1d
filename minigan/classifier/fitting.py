"""Training a classifier in one call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

import numpy as np

from minigan import training
from minigan.classifier.trainer import Trainer
from minigan.data import Augment, Dataset
from minigan.data.arrays import labels_from
from minigan.errors import DataError
from minigan.models import Classifier, Restorer
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback
from minigan.training.errors import RunWarning, TrainingError


class Result(training.Result):
    """What training leaves.

    model: the trained classifier
    accuracy: the share of the held-out images that it is right about, None where none were held out
    confusion_matrix: (classes, classes), rows what is shown, columns what was said; None likewise, and for more than
        1,000 classes
    history, settings: as of every training
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: Classifier = trainer.model
        results = trainer.results()
        self.accuracy: float | None = results.get("accuracy")
        matrix = results.get("confusion_matrix")
        self.confusion_matrix = None if matrix is None else np.array(matrix)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The most probable class of each image, (N,), int64."""
        return self.model.predict(images)


def fit(
    model: str | Classifier,
    images: Dataset | np.ndarray,
    *,
    labels: np.ndarray | None = None,
    test: Dataset | tuple[np.ndarray, np.ndarray] | None = None,
    features: Restorer | None = None,
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
    """Train a classifier on labelled images.

        result = mg.classifier.fit("cnn", mg.data.load("glyphs"), test=mg.data.load("glyphs", split="test", count=2000))
        result.accuracy, result.predict(images)

    model: "cnn" or "deconvnet", built for these images and classes from `seed`; or a Classifier, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    labels: (N,) integers from 0 on; a Dataset brings its own
    test: held-out images with labels, a Dataset or a pair of arrays, for the accuracy at the end; images whose label is
        NaN or a fraction are left out, with a RunWarning
    features: a trained Restorer whose hidden layers the "deconvnet" takes over and keeps as they are, so that only
        the dense layer learns; without one all layers learn together
    steps, epochs: how long to train, one or the other; by default the model's `first_epochs`
    options: of the model, as `mg.models.build` takes them; the number of classes comes from the data by default
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for images, labels or settings that cannot be trained with, DivergedError where
        the loss becomes NaN, RunError for `out`; Interrupted as there
    """
    names = images.classes if isinstance(images, Dataset) else ()
    if names and labels is None and isinstance(test, Dataset):
        images.check_classes(test, "fit", "test")
    images, labels, source = inputs.images_of(images, labels)
    if labels is None:
        raise DataError("fit: a classifier learns from labels; pass labels=, or a Dataset that has them")
    count = max(len(names), int(labels.max()) + 1, 2)
    if isinstance(model, str):
        options = {"classes": count, **({"task": "classification"} if model == "deconvnet" else {}), **options}
    plan = fitting.plan(
        *("classifier", model, images, labels, source),
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
    if count > plan.model.classes:
        raise DataError(f"fit: labels go up to {count - 1}, but {plan.model.name} tells {plan.model.classes} classes")
    names += tuple(map(str, range(len(names), plan.model.classes)))  # of classes that have none
    held_out = None if test is None else _held_out(test, plan.model)
    if features is not None:
        take_features(plan.model, features)
        plan.settings["features"] = f"of a {features.name} trained for {features.task}"
    trainer = Trainer(plan.model, plan.batches, test=held_out, classes=names, **plan.common)
    return fitting.run(trainer, Result, plan.settings, out, force)


def take_features(classifier: Classifier, restorer: Restorer) -> None:
    """Give a "deconvnet" classifier the hidden layers of a restorer, frozen.

    raises TrainingError for another kind of model, or where the two have other layers
    """
    inputs.check_model("features", restorer, Restorer)
    hidden = restorer.network[:-1]
    mine = classifier.network[: len(hidden)]
    same = [(n, p.shape) for n, p in hidden.named_parameters()] == [(n, p.shape) for n, p in mine.named_parameters()]
    if classifier.name != restorer.name or not same:
        raise TrainingError(
            f"features: the hidden layers of {restorer.name} for {restorer.task} do not fit {classifier.name}; "
            "both need the same filters, kernel, depth and channels (completion is given one channel more)"
        )
    mine.load_state_dict(hidden.state_dict())
    mine.freeze()


def _held_out(test, model):
    """The held-out images as a Dataset, checked against the model."""
    if not isinstance(test, Dataset | tuple | list) or (not isinstance(test, Dataset) and len(test) != 2):
        raise DataError(f"fit: test is a {type(test).__name__}, but it is a Dataset, or a pair (images, labels)")
    images, labels = (test.images, test.labels) if isinstance(test, Dataset) else test
    images = inputs.held_out(images, model)
    if labels is None:
        raise DataError(
            f"fit: test has {len(images)} images, and needs a label for each; without test images, name the folder of "
            "training images itself (--data FOLDER/train), and every tenth is held out"
        )
    images, labels = _labelled(images, labels)
    labels = labels_from("fit", labels, len(images), model.classes, "labels of test")
    return Dataset(images, labels, "held out", tuple(map(str, range(model.classes))))


def _labelled(images, labels):
    """The held-out images that have a label; others, with NaN or a fraction in its place, are left out and said."""
    if getattr(labels, "dtype", np.dtype(int)).kind != "f" or np.shape(labels) != (len(images),):
        return images, labels
    whole = np.isfinite(labels) & (labels == np.rint(labels))
    if whole.all() or not whole.any():
        return images, labels  # which `labels_from` refuses
    warnings.warn(
        f"fit: {np.count_nonzero(~whole):,} of the {len(images):,} labels of test are no whole numbers, such as "
        f"{labels[~whole][0]}; these images are left out, and the accuracy is that of the others",
        RunWarning,
        stacklevel=4,
    )
    return images[whole], labels[whole].astype(np.int64)
