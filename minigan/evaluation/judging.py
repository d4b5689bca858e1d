"""Every measure of generated images by a trained classifier, beside what real images get."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import numpy as np

from minigan import metrics
from minigan.data import Dataset
from minigan.data.pixels import resized
from minigan.errors import DataError
from minigan.metrics import Estimate
from minigan.models import Classifier

NEIGHBOURS = 3  # of precision and recall
RARE = 0.01  # of the test images are as near to a training image as what counts as a copy
LEAST = 10  # images: as many as the classifier's score has parts


@dataclass(frozen=True)
class Judge:
    """What images were judged by.

    name, features: the classifier's, and how many numbers it makes of an image
    accuracy: the share of the test images that it is right about
    digest: the first digits of the SHA-256 of its weights, by which one knows whether two scores are comparable
    """

    name: str
    features: int
    accuracy: float
    digest: str


@dataclass(frozen=True)
class Scores:
    """What a set of images gets.

    count: how many they are
    frechet: the Frechet distance of their features to those of all training images
    kernel: the kernel distance to them, mean and deviation of 100 subsets
    score: the classifier score, mean and deviation of 10 parts
    precision, recall: among as many training images, with k = 3
    covered: how many classes are there
    nearest: the median distance of an image to the training image nearest to it
    copies: the share of images nearer to one than all but a hundredth of the test images are
    """

    count: int
    frechet: float
    kernel: Estimate
    score: Estimate
    precision: float
    recall: float
    covered: int
    nearest: float
    copies: float


@dataclass(frozen=True)
class Evaluation:
    """made: the scores of generated images; floor: of the test images in their place, which no generator is meant to
    be better than.

    judge: by what; classes: how many there are; data, training: the real images' name and how many they are
    likest: generated images that are nearest to a training image, nearest first, each followed by that one
    """

    judge: Judge
    data: str
    training: int
    classes: int
    made: Scores
    floor: Scores
    likest: np.ndarray

    def plain(self) -> dict:
        """All but the images, as JSON keeps it."""
        plain = {name: value for name, value in asdict(self).items() if name != "likest"}
        for name in ("made", "floor"):
            for measure in ("kernel", "score"):
                plain[name][measure] = dict(plain[name][measure]._asdict())
        return plain


def evaluate(
    images: np.ndarray, judge: Classifier, train: Dataset, test: Dataset, seed: int = 0, pairs: int = 12
) -> Evaluation:
    """Score generated images on the features of a classifier, and the test images beside them.

    images: (N, H, W, C), uint8, N at least 10; those of another size than the classifier's are resized to it
    judge: trained on `train`, whose images it takes
    train, test: real images with labels; `test` shows what the best possible images would get
    seed: of all draws: subsets, parts and the real images that precision and recall are taken among
    pairs: how many of the likest are kept
    raises DataError for too few images, labels that are missing, or images that are not the classifier's
    """
    images = _checked(images, judge, train, test)
    real = judge.features(train.images)
    features = {"made": judge.features(images), "floor": judge.features(test.images)}
    near = {name: metrics.nearest(of, real) for name, of in features.items()}
    usual = float(np.quantile(near["floor"][1], RARE))
    scores = {}
    for name, of in features.items():
        logits, distances = judge.logits_of(of), near[name][1]
        among = np.random.default_rng(seed).choice(len(real), min(len(of), len(real)), replace=False)
        precision, recall = metrics.precision_recall(real[among], of, NEIGHBOURS)
        scores[name] = Scores(
            count=len(of),
            frechet=metrics.frechet_distance(real, of),
            kernel=metrics.kernel_distance(real, of, seed=seed),
            score=metrics.classifier_score(logits, seed=seed),
            precision=precision,
            recall=recall,
            covered=metrics.classes_covered(logits.argmax(1), train.labels, judge.classes),
            nearest=float(np.median(distances)),
            copies=float(np.mean(distances <= usual)),
        )
    accuracy = float(np.mean(judge.logits_of(features["floor"]).argmax(1) == test.labels))
    by = Judge(judge.name, real.shape[1], accuracy, digest(judge))
    rows, distances = near["made"]
    first = distances.argsort(kind="stable")[:pairs]
    likest = np.stack([images[first], train.images[rows[first]]], 1).reshape(-1, *judge.image_shape)
    return Evaluation(by, train.name, len(train), judge.classes, **scores, likest=likest)


def _checked(images, judge, train, test):
    """The generated images, as large as the classifier's."""
    for name, dataset in (("train", train), ("test", test)):
        if dataset.labels is None:
            raise DataError(
                f"evaluate: {name} ({dataset.name}) has no labels, which the classifier is judged by itself"
            )
        judge.check(dataset.images)
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.dtype != np.uint8:
        raise DataError("evaluate: generated images are uint8 (N, H, W, C)")
    for name, of in (("generated", images), ("test", test.images), ("training", train.images)):
        if len(of) < LEAST:
            raise DataError(f"evaluate: there are {len(of)} {name} images, but every score takes at least {LEAST}")
    return fitted(images, judge.image_shape)


def fitted(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images (N, H, W, C), resized where that makes them of a shape. Raises DataError where it cannot."""
    height, width, channels = shape
    if images.shape[1:] == tuple(shape):
        return images
    if images.shape[3] != channels or height != width:
        raise DataError(f"evaluate: images are {images.shape[1:]}, and the classifier's {shape}")
    return resized(images, height)


def digest(judge: Classifier) -> str:
    """The first eight digits of the SHA-256 of a classifier's weights and statistics."""
    found = hashlib.sha256()
    for name, array in sorted(judge.network.state_dict().items()):
        found.update(name.encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:8]


def words(found: Evaluation, name: str) -> str:
    """What was found as text: by what, and a line for each measure, generated images beside test images."""
    judge, made, floor = found.judge, found.made, found.floor
    among = f"{NEIGHBOURS} neighbours, among as many training images"
    rows = [
        ("", "generated", "test", ""),
        ("images", f"{made.count:,}", f"{floor.count:,}", ""),
        ("Frechet distance", f"{made.frechet:.2f}", f"{floor.frechet:.2f}", "0 is best"),
        ("kernel distance", _spread(made.kernel, ".4f"), _spread(floor.kernel, ".4f"), "0 is best"),
        ("classifier score", _spread(made.score, ".2f"), _spread(floor.score, ".2f"), f"at most {found.classes}"),
        ("precision", f"{made.precision:.3f}", f"{floor.precision:.3f}", among),
        ("recall", f"{made.recall:.3f}", f"{floor.recall:.3f}", among),
        ("classes covered", f"{made.covered}", f"{floor.covered}", f"of {found.classes}"),
        ("distance to the nearest", f"{made.nearest:.2f}", f"{floor.nearest:.2f}", "training image, median"),
        ("nearer than usual", f"{made.copies:.1%}", f"{floor.copies:.1%}", "memorised, where it is much more than 1%"),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows)
    return "\n".join(
        [
            f"{name}, by {judge.features} features of a {judge.name} ({judge.digest}) with {judge.accuracy:.2%} on the "
            "test images,",
            f"beside {found.training:,} training images of {found.data}; in the column test its test images instead",
            "",
            *lines,
        ]
    )


def _spread(estimate, form):
    return f"{estimate.mean:{form}} ± {estimate.deviation:{form}}"
