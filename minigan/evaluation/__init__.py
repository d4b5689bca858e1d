"""How good generated images are.

    mnist, test = mg.data.load_splits("mnist")
    judge = mg.classifier.fit("cnn", mnist, test=test).model
    found = mg.evaluation.evaluate(images, judge, mnist, test)
    found.made.frechet, found.floor.frechet
    mg.evaluation.tell_apart(images, test.images).accuracy

    reference = mg.evaluation.Reference(judge, mnist, test)  # for several sets of images
    [reference.evaluate(images).made.frechet for images in sets]

Scores are on the classifier's features, and comparable with scores on the same features only.
"""

from minigan.evaluation.adversarial import ToldApart, tell_apart
from minigan.evaluation.judging import Evaluation, Judge, Reference, Scores, evaluate

__all__ = ["Evaluation", "Judge", "Reference", "Scores", "ToldApart", "evaluate", "tell_apart"]
