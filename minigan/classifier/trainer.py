"""How a classifier is trained: cross-entropy, Adam, and a learning rate that falls to 0 along half a cosine."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minigan import autograd, optim
from minigan.classifier import pictures
from minigan.data import Batches, Dataset
from minigan.models import Classifier
from minigan.ops import cross_entropy
from minigan.training.callbacks import Callback
from minigan.training.fitting import ModelLoop
from minigan.training.report import Curves, Shown

CURVES = (
    Curves("Loss", {"cross-entropy": "loss"}),
    Curves("Right in the batch", {"before learning from it": "accuracy"}, percent=True),
)
MATRIX = 1000  # classes, at most, of which a confusion matrix is kept: of more it holds zeros, and fills the disk


class Trainer(ModelLoop):
    """A classifier in training.

    batches: images, float32 (N, H, W, C) in [-1, 1], with labels
    test: labelled images that are held out, or None; they are looked at once, at the end
    classes: the labels' names
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
        super().__init__(model, batches, steps=steps, seed=seed, learning_rate=learning_rate, callbacks=callbacks)
        self.schedule = optim.Schedule(self.optimiser, optim.cosine(steps))
        self.test = test
        self.classes = (*classes, *map(str, range(len(classes), model.classes)))

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """One step on a batch.

        images, labels: (N, H, W, C), float32 in [-1, 1], and (N,) integers
        returns: loss, and accuracy (the share that was right before this step)
        raises DivergedError where the loss is not a number; nothing has moved then
        """
        network, given = self.model.network, self.on_device(images)
        logits = network(given)
        loss = cross_entropy(logits, labels)
        self.check("the loss", loss, images, lambda: network(given))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        self.schedule.step()
        right = logits.numpy().argmax(1) == labels
        return {"loss": loss.item(), "accuracy": float(right.mean())}

    def measure(self) -> np.ndarray:
        """Logits of the test images, (N, classes)."""
        return self.model.logits(self.test.images)

    def figures(self, logits):
        """accuracy on the held-out images, the confusion matrix of up to 1,000 classes (rows are what is shown, columns
        what was said), and the digest of the weights, which names the classifier where it judges."""
        labels, told, matrix = self.test.labels, logits.argmax(1), {}
        if self.model.classes <= MATRIX:
            matrix["confusion_matrix"] = confusion_matrix(labels, told, self.model.classes).tolist()
        return {"accuracy": float(np.mean(told == labels)), **matrix, "digest": self.model.digest()}

    def pictures(self):
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
            settings={"loss": "cross-entropy", "optimiser": f"{self.adam()}, falling to 0 along half a cosine"},
            pictures={
                "confusion": "Held-out images: rows are what they show, columns what the network says.",
                "errors": "Those it is wrong about, the surest mistakes first: what it is, and what the network says.",
            },
        )

    def words(self, means):
        return f"loss {means['loss']:.3f}  right {means['accuracy']:5.1%}"


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many images of each class (rows) were taken for each (columns), (classes, classes)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
