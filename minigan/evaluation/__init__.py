"""Measure how good generated images are.

    mnist, test = mg.data.load_splits("mnist")
    judge = mg.classifier.fit("cnn", mnist, test=test).model
    found = mg.evaluation.evaluate(images, judge, mnist, test)
    found.made.frechet, found.floor.frechet
    mg.evaluation.tell_apart(images, test.images).accuracy
    mg.evaluation.swapped(gan, other, test).verdict
    html = mg.evaluation.page(images[:50], test.images[:50])  # a page on which people judge the images
    mg.evaluation.answered(["answers-1.json", "answers-2.json"]).pooled.right

    reference = mg.evaluation.Reference(judge, mnist, test)  # to evaluate several sets of images
    [reference.evaluate(images).made.frechet for images in sets]

    weights = mg.evaluation.inception_weights.load("pt_inception-2015-12-05-6726825d.pth")  # the published file
    mg.evaluation.fid.evaluate(images, weights, mnist, test).made.frechet  # FID

Scores are computed on the classifier's features; compare only scores on the same features.
"""

from minigan.evaluation import fid, inception_weights
from minigan.evaluation.adversarial import ToldApart, tell_apart
from minigan.evaluation.answers import Answered, Person, Share, answered
from minigan.evaluation.intervals import Interval, wilson
from minigan.evaluation.judging import Evaluation, Judge, Reference, Scores, evaluate
from minigan.evaluation.people import page
from minigan.evaluation.swapped import Swapped, swapped

__all__ = [
    "Answered",
    "Evaluation",
    "Interval",
    "Judge",
    "Person",
    "Reference",
    "Scores",
    "Share",
    "Swapped",
    "ToldApart",
    "answered",
    "evaluate",
    "fid",
    "inception_weights",
    "page",
    "swapped",
    "tell_apart",
    "wilson",
]
