"""How good generated images are.

    mnist, test = mg.data.load_splits("mnist")
    judge = mg.classifier.fit("cnn", mnist, test=test).model
    found = mg.evaluation.evaluate(images, judge, mnist, test)
    found.made.frechet, found.floor.frechet
    mg.evaluation.tell_apart(images, test.images).accuracy
    mg.evaluation.swapped(gan, other, test).verdict

Scores are on the classifier's features, and comparable with scores on the same features only.
"""

from minigan.evaluation.adversarial import ToldApart, tell_apart
from minigan.evaluation.judging import Evaluation, Judge, Scores, digest, evaluate
from minigan.evaluation.swapped import Swapped, swapped

__all__ = ["Evaluation", "Judge", "Scores", "Swapped", "ToldApart", "digest", "evaluate", "swapped", "tell_apart"]
