"""Train classifiers, with accuracy, confusion matrix and misclassified images on held-out data.

mnist, test = mg.data.load("mnist"), mg.data.load("mnist", split="test")
result = mg.classifier.fit("cnn", mnist, test=test, epochs=4)
result.accuracy, result.predict(test.images)
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from minigan import autograd, optim, training
from minigan.data import Augment, Batches, Dataset
from minigan.data.arrays import labels_from
from minigan.errors import DataError, RunWarning, TrainingError
from minigan.kinds import Architecture, Kind
from minigan.models import Classifier
from minigan.ops import cross_entropy
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback
from minigan.training.report import Curves, Shown
from minigan.training.trainer import ModelTrainer

if TYPE_CHECKING:
    from minigan.models import Restorer

__all__ = ["Classifier", "Result", "Trainer", "fit", "load"]

CURVES = (
    Curves("Loss", {"cross-entropy": "loss"}),
    Curves("Accuracy on the batch", {"before the update": "accuracy"}, percent=True),
)
MATRIX = 1000  # the most classes for which a confusion matrix is saved: a larger one is mostly zeros and fills the disk


class Result(training.Result):
    """The result of training a classifier.

    model: the trained classifier
    accuracy: the accuracy on the held-out images; None without held-out images
    confusion_matrix: (classes, classes), rows are true classes, columns predicted ones; None without held-out images or
        for more than 1,000 classes
    history, settings: as in `mg.training.Result`
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: Classifier = trainer.model
        results = trainer.results()
        self.accuracy: float | None = results.get("accuracy")
        matrix = results.get("confusion_matrix")
        self.confusion_matrix = None if matrix is None else np.array(matrix)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Predict the most probable class of each image, (N,), int64."""
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

    model: "cnn" or "deconvnet", which is built for these images and classes from `seed`; or a Classifier, which is
        trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    labels: (N,) integers of at least 0; by default the Dataset's own
    test: held-out images with labels, a Dataset or a pair of arrays; accuracy on them is measured at the end. Images
        whose label is NaN or a fraction are skipped, with a RunWarning
    features: a trained Restorer whose hidden layers the "deconvnet" copies and freezes, so that only the dense layer
        learns; by default all layers learn
    steps, epochs: how long to train (give one of them); by default the model's `first_epochs`
    options: the model's options, as in `mg.models.build`; by default the number of classes comes from the data
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for unusable images, labels or settings, DivergedError if the loss becomes NaN,
        RunError if the run cannot be written to `out`; Interrupted, as in `mg.gan.fit`
    """
    names = images.classes if isinstance(images, Dataset) else ()
    if names and labels is None and isinstance(test, Dataset):
        images.check_classes(test, "fit", "test")
    if isinstance(model, str) and model == "deconvnet":
        options = {"task": "classification", **options}
    return fitting.fit(
        *(KIND, model, images),
        labels=labels,
        test=test,
        steps=steps,
        epochs=epochs,
        batch=batch,
        seed=seed,
        augment=augment,
        device=device,
        callbacks=callbacks,
        out=out,
        force=force,
        options=options,
        settings={"learning_rate": learning_rate, "features": features, "names": names},
    )


def load(run: str | os.PathLike, into: Classifier | None = None) -> Classifier:
    """Load the trained classifier of a run folder.

    into: a classifier to load the weights into; by default a new one is built
    raises RunError if the folder is not a run of a classifier, or its weights are missing, truncated or do not fit
    """
    return fitting.load(run, "classifier", into)


def take_features(classifier: Classifier, restorer: Restorer) -> None:
    """Copy the hidden layers of a restorer into a "deconvnet" classifier and freeze them.

    raises TrainingError for another kind of model, or if the layers differ
    """
    check_features(classifier, restorer)
    hidden = restorer.network[:-1]
    mine = classifier.network[: len(hidden)]
    mine.load_state_dict(hidden.state_dict())
    mine.freeze()


def check_features(classifier: Classifier, restorer: Restorer) -> None:
    """Raise TrainingError if a classifier cannot copy the hidden layers of a restorer."""
    from minigan.models import Restorer

    inputs.check_model("features", restorer, Restorer)
    hidden = restorer.network[:-1]
    mine = classifier.network[: len(hidden)]
    same = [(n, p.shape) for n, p in hidden.named_parameters()] == [(n, p.shape) for n, p in mine.named_parameters()]
    if classifier.name != restorer.name or not same:
        raise TrainingError(
            f"features: the hidden layers of {restorer.name} for {restorer.task} do not fit {classifier.name}; "
            "both need the same filters, kernel, depth and channels (completion has one more input channel)"
        )


class Trainer(ModelTrainer):
    """Trains a classifier.

    batches: images, float32 (N, H, W, C) in [-1, 1], with labels
    test: held-out images with labels, or None; they are used once, at the end
    classes: the names of the classes
    """

    model: Classifier

    def __init__(
        self,
        model: Classifier,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        learning_rate: float | None = None,
        test: Dataset | None = None,
        classes: tuple[str, ...] = (),
        callbacks: Iterable[Callback] = (),
    ):
        super().__init__(model, batches, steps=steps, seed=seed, test=test, callbacks=callbacks)
        self.optimiser = self.adam(learning_rate)
        self.schedule = optim.Schedule(self.optimiser, optim.cosine(steps))
        self.classes = (*classes, *map(str, range(len(classes), model.classes)))

    @classmethod
    def options(cls, labels, options, settings):
        return {"classes": _class_count(labels, settings["names"]), **options}

    @classmethod
    def checked(cls, model, job, settings):
        settings = super().checked(model, job, settings)
        count = _class_count(job.labels, settings["names"])
        if count > model.classes:
            raise DataError(f"fit: labels go up to {count - 1}, but {model.name} predicts {model.classes} classes")
        if settings["features"] is not None:
            check_features(model, settings["features"])
        return settings

    @classmethod
    def held_out(cls, test, model):
        """Return the held-out images whose label is a whole number, as a Dataset."""
        if not isinstance(test, Dataset | tuple | list) or (not isinstance(test, Dataset) and len(test) != 2):
            raise DataError(f"fit: test is a {type(test).__name__}; pass a Dataset or a pair (images, labels)")
        images, labels = (test.images, test.labels) if isinstance(test, Dataset) else test
        images = inputs.held_out(images, model)
        if labels is None:
            raise DataError(
                f"fit: the {len(images)} images of test need labels; to hold out every tenth training image instead, "
                "give the folder of training images itself (--data FOLDER/train)"
            )
        images, labels = _labelled(images, labels)
        labels = labels_from("fit", labels, len(images), model.classes, "labels of test")
        return Dataset(images, labels, "held out", tuple(map(str, range(model.classes))))

    @classmethod
    def recorded(cls, model, settings):
        features = settings["features"]
        return {} if features is None else {"features": f"of a {features.name} trained for {features.task}"}

    @classmethod
    def prepare(cls, model, seed, settings):
        if settings["features"] is not None:
            take_features(model, settings["features"])
        return {"learning_rate": settings["learning_rate"], "classes": settings["names"]}

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """Train on one batch.

        images, labels: (N, H, W, C), float32 in [-1, 1], and (N,) integers
        returns: loss, and accuracy (on this batch, before the update)
        raises DivergedError if the loss is not finite; no parameter has changed then
        """
        network, given = self.model.network, self.on_device(images)
        logits = network(given)
        loss = cross_entropy(logits, labels)
        self.check_loss("the loss", loss, images, lambda: network(given))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        self.schedule.step()
        right = logits.numpy().argmax(1) == labels
        return {"loss": loss.item(), "accuracy": float(right.mean())}

    def measure(self) -> np.ndarray:
        """Compute logits of the test images, (N, classes)."""
        return self.model.logits(self.test.images)

    def figures(self, logits):
        """Return the accuracy on held-out images, the confusion matrix for up to 1,000 classes (rows are true classes,
        columns predicted ones), and the digest of the weights, which identifies the classifier in evaluations."""
        labels, predicted, matrix = self.test.labels, logits.argmax(1), {}
        if self.model.classes <= MATRIX:
            matrix["confusion_matrix"] = confusion_matrix(labels, predicted, self.model.classes).tolist()
        return {"accuracy": float(np.mean(predicted == labels)), **matrix, "digest": self.model.digest()}

    def pictures(self):
        from minigan.classifier import pictures

        results = self.results()
        if not results:
            return {}
        logits, drawn = self.measured(), {}
        if "confusion_matrix" in results:
            drawn["confusion"] = pictures.confusion(np.array(results["confusion_matrix"]), self.classes)
        if (logits.argmax(1) != self.test.labels).any():
            drawn["errors"] = pictures.errors(self.test.images, self.test.labels, logits, self.classes)
        return drawn

    def shown(self):
        results = self.results()
        held_out = {}
        if results:
            wrong = int(np.sum(self.measured().argmax(1) != self.test.labels))
            held_out = {
                "accuracy on held-out images": f"{results['accuracy']:.2%}",
                "wrong": f"{wrong:,} of {len(self.test):,}",
            }
        return Shown(
            curves=CURVES,
            results=held_out,
            facts={"loss": "loss"},
            settings={
                "loss": "cross-entropy",
                "optimiser": f"{self.optimiser_in_words()}, falling to 0 along half a cosine",
            },
            pictures={
                "confusion": "Held-out images: rows are true classes, columns predicted ones.",
                "errors": "Misclassified images, the most confident first: true class → predicted class.",
            },
        )

    def words(self, means):
        return f"loss {means['loss']:.3f}  accuracy {means['accuracy']:5.1%}"


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count the images of each true class (rows) by predicted class (columns), (classes, classes)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _class_count(labels, names):
    """Return the number of classes from their names and the largest label."""
    if labels is None:
        raise DataError("fit: a classifier needs labels; pass labels= or a Dataset with labels")
    return max(len(names), int(labels.max()) + 1, 2)


def _labelled(images, labels):
    """Return the held-out images whose label is a whole number, and warn about others, with NaN or a fraction."""
    if getattr(labels, "dtype", np.dtype(int)).kind != "f" or np.shape(labels) != (len(images),):
        return images, labels
    whole = np.isfinite(labels) & (labels == np.rint(labels))
    if whole.all() or not whole.any():
        return images, labels  # if none is whole, `labels_from` refuses them
    warnings.warn(
        f"fit: {np.count_nonzero(~whole):,} of the {len(images):,} labels of test are not whole numbers, such as "
        f"{labels[~whole][0]}; these images are skipped, and the accuracy is that of the others",
        RunWarning,
        stacklevel=5,
    )
    return images[whole], labels[whole].astype(np.int64)


def _from_command(settings):
    if "features" in settings:
        settings["features"] = fitting.load(settings["features"], "restoration")
    return settings


KIND = Kind(
    name="classifier",
    plural="classifiers",
    model=Classifier,
    models={
        "cnn": Architecture(
            "minigan.models.classifier:cnn",
            "two convolutions, max and average pooling, two dense layers",
            classes=True,
        ),
    },
    trainer=Trainer,
    result=Result,
    fit=fit,
    uses_labels=True,
    settings=("learning_rate", "features"),
    from_command=_from_command,
)
