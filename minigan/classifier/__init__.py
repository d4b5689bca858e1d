"""Training classifiers: accuracy on images held out, the confusion matrix, the images that were mistaken.

mnist, test = mg.data.load("mnist"), mg.data.load("mnist", split="test")
result = mg.classifier.fit("cnn", mnist, test=test, epochs=4)
result.accuracy, result.predict(test.images)
"""

import os

from minigan.classifier.fitting import Result, fit
from minigan.classifier.trainer import Trainer
from minigan.models import Classifier

__all__ = ["Classifier", "Result", "Trainer", "fit", "load"]


def load(run: str | os.PathLike, into: Classifier | None = None) -> Classifier:
    """The trained classifier of a run folder.

    into: a classifier that takes the weights, instead of a new one of the name that the run gives
    raises RunError where the folder is no run of a classifier, or its weights are missing, cut off or do not fit
    """
    from minigan.training import fitting

    return fitting.load(run, "classifier", into)
