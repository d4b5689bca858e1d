"""How good generated images are.

    mnist, test = mg.data.load_splits("mnist")
    judge = mg.classifier.fit("cnn", mnist, test=test).model
    found = mg.evaluation.evaluate(images, judge, mnist, test)
    found.made.frechet, found.floor.frechet
    mg.evaluation.tell_apart(images, test.images).accuracy

    reference = mg.evaluation.Reference(judge, mnist, test)  # for several sets of images
    [reference.evaluate(images).made.frechet for images in sets]

    weights = mg.evaluation.inception_weights.load("pt_inception-2015-12-05-6726825d.pth")  # published, a user's file
    mg.evaluation.inception.evaluate(images, weights, mnist, test).made.frechet  # FID

Scores are on the classifier's features, and comparable with scores on the same features only.
"""

from minigan.evaluation import inception, inception_weights
from minigan.evaluation.adversarial import ToldApart, tell_apart
from minigan.evaluation.judging import Evaluation, Judge, Reference, Scores, evaluate

__all__ = [
    "Evaluation",
    "Judge",
    "Reference",
    "Scores",
    "ToldApart",
    "evaluate",
    "inception",
    "inception_weights",
    "tell_apart",
]
