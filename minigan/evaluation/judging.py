"""Every measure of generated images by a trained classifier, beside what real images get."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from minigan import metrics
from minigan.data import Dataset
from minigan.data.arrays import images_from, resized
from minigan.errors import DataError
from minigan.evaluation.intervals import aligned
from minigan.metrics import Estimate
from minigan.models import Classifier
from minigan.training.inputs import check_model

NEIGHBOURS = 3  # of precision and recall
RARE = 0.01  # of the test images are as near to a training image as what is counted as near
LEAST = 10  # images
PARTS, PART = 10, 500  # of the classifier score: how many, and images in one; where there are fewer images, fewer parts


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

    frechet: the Frechet distance of their features to those of all training images
    kernel: the kernel distance to them, mean and deviation of 100 subsets
    score: the classifier score, mean and deviation of its parts
    precision, recall: among as many training images, with k = 3
    covered: how many classes are there
    counts: how many images the classifier takes for each class
    nearest: the median distance, in features, of an image to the training image nearest to it
    near: the share of images as near to one as the nearest hundredth of the test images
    """

    frechet: float
    kernel: Estimate
    score: Estimate
    precision: float
    recall: float
    covered: int
    counts: tuple[int, ...]
    nearest: float
    near: float


@dataclass(frozen=True)
class Evaluation:
    """made: the scores of generated images; floor: of as many test images in their place.

    judge: by what; count: how many of either were judged, as nearly all scores depend on it
    data, training, classes: the real images' name, how many they are to learn from, and of how many classes
    nearest: generated images that are nearest to a training image, nearest first, each followed by that one
    """

    judge: Judge
    count: int
    data: str
    training: int
    classes: int
    made: Scores
    floor: Scores
    nearest: np.ndarray

    def plain(self) -> dict:
        """All but the images, as JSON keeps it."""
        plain = {name: value for name, value in asdict(self).items() if name != "nearest"}
        for name in ("made", "floor"):
            for measure in ("kernel", "score"):
                plain[name][measure] = dict(plain[name][measure]._asdict())
        return plain


class Reference:
    """Real images and what a classifier makes of them, computed once: sets of generated images are judged beside them.

    judge: trained on `train`, whose images it takes
    train, test: real images with labels; `test` shows what the best possible images would get
    raises DataError for too few images, labels that are missing or that the classifier does not know, ShapeError for
        images of another shape than the classifier's
    """

    def __init__(self, judge: Classifier, train: Dataset, test: Dataset):
        _check(judge, train, test)
        self.classifier, self.train, self.test = judge, train, test
        self.real, self.held_out = judge.features(train.images), judge.features(test.images)
        accuracy = float(np.mean(judge.logits_of(self.held_out).argmax(1) == test.labels))
        self.judge = Judge(judge.name, self.real.shape[1], accuracy, judge.digest())
        self._floors = {}  # (count, seed) -> scores of `count` test images: the best such a set can reach

    def evaluate(self, images: np.ndarray, seed: int = 0, pairs: int = 12) -> Evaluation:
        """Score a set of generated images, and as many test images beside it.

        images: (N, H, W, C), uint8, N at least 10; resized to the classifier's size. If there are fewer test or
            training images than N, only as many generated ones are used
        seed: of all draws: images, subsets, parts and the real images that precision and recall are taken among
        pairs: how many of the nearest are kept
        raises DataError for too few images, or such that cannot be made as large as the classifier's
        """
        judge, train = self.classifier, self.train
        images = _checked(images, judge)
        count = min(map(len, (images, train, self.test)))
        images = _drawn(images, count, np.random.default_rng((seed, 1)))
        rng = np.random.default_rng(seed)  # what it draws is the same for every set of this size
        held_out, among = _drawn(self.held_out, count, rng), _drawn(self.real, count, rng)
        if (count, seed) not in self._floors:
            near = metrics.nearest(held_out, self.real)[1]
            usual = float(np.quantile(near, RARE))
            self._floors[count, seed] = self._scores(held_out, among, near, usual, seed), usual
        floor, usual = self._floors[count, seed]
        features = judge.features(images)
        rows, distances = metrics.nearest(features, self.real)
        made = self._scores(features, among, distances, usual, seed)
        first = distances.argsort(kind="stable")[:pairs]
        nearest = np.stack([images[first], train.images[rows[first]]], 1).reshape(-1, *judge.image_shape)
        return Evaluation(self.judge, count, train.name, len(train), judge.classes, made, floor, nearest)

    def _scores(self, features, among, distances, usual, seed):
        logits = self.classifier.logits_of(features)
        precision, recall = metrics.precision_recall(among, features, NEIGHBOURS)
        return Scores(
            frechet=metrics.frechet_distance(self.real, features),
            kernel=metrics.kernel_distance(self.real, features, seed=seed),
            score=metrics.classifier_score(logits, splits=parts(len(features)), seed=seed),
            precision=precision,
            recall=recall,
            covered=metrics.classes_covered(logits.argmax(1), self.train.labels, self.classifier.classes),
            counts=tuple(np.bincount(logits.argmax(1), minlength=self.classifier.classes).tolist()),
            nearest=float(np.median(distances)),
            near=float(np.mean(distances <= usual)),
        )


def evaluate(
    images: np.ndarray, judge: Classifier, train: Dataset, test: Dataset, seed: int = 0, pairs: int = 12
) -> Evaluation:
    """Score generated images on the features of a classifier, and as many test images beside them.

    Arguments and errors are those of `Reference` and its `evaluate`, which judge one set after another more quickly.
    """
    images = _checked(images, judge)  # before real images are looked at, which takes long
    return Reference(judge, train, test).evaluate(images, seed, pairs)


def parts(count: int) -> int:
    """Into how many parts `count` images are split; the classifier score is the mean over them."""
    return max(1, min(PARTS, count // PART))


def _drawn(rows, count, rng):
    """`count` of the rows, in their order."""
    return rows if len(rows) == count else rows[np.sort(rng.choice(len(rows), count, replace=False))]


def _check(judge, train, test):
    """Raise an error unless these are real images that a classifier can be asked about."""
    check_model("evaluate: judge", judge, Classifier)
    for name, dataset in (("train", train), ("test", test)):
        if not isinstance(dataset, Dataset):
            raise DataError(
                f"evaluate: {name} is a {type(dataset).__name__}, but it is a Dataset: mg.data.Dataset(images, labels)"
            )
        if dataset.labels is None:
            raise DataError(
                f"evaluate: {name} ({dataset.name}) has no labels, which the classifier is judged by itself"
            )
        judge.check(dataset.images)
        if dataset.labels.max() >= judge.classes:
            raise DataError(
                f"evaluate: {dataset.name} has {len(dataset.classes)} classes, the classifier {judge.classes}"
            )
    train.check_classes(test, "evaluate", "test")
    _check_count(test=test.images, training=train.images)


def _checked(images, judge):
    """The generated images, as large as the classifier's."""
    check_model("evaluate: judge", judge, Classifier)
    images = images_from("evaluate", images, what="generated images", floats=False)
    _check_count(generated=images)
    return fitted(images, judge.image_shape)


def _check_count(**images):
    for name, of in images.items():
        if len(of) < LEAST:
            raise DataError(f"evaluate: there are {len(of)} {name} images, but every score takes at least {LEAST}")


def fitted(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images (N, H, W, C), resized where that makes them of a shape. Raises DataError where it cannot."""
    if images.shape[1:] == tuple(shape):
        return images
    if images.shape[3] != shape[2]:
        raise DataError(f"evaluate: images are {images.shape[1:]}, and the classifier's {shape}")
    return resized(images, tuple(shape[:2]))


def words(found: Evaluation, name: str) -> str:
    """What was found as text: by what, and a line for each measure, generated images beside test images."""
    judge, made, floor = found.judge, found.made, found.floor
    rows = [
        ("", "generated", "test", ""),
        ("Frechet distance", f"{made.frechet:.2f}", f"{floor.frechet:.2f}", "0 is best"),
        ("kernel distance", _spread(made.kernel, ".4f"), _spread(floor.kernel, ".4f"), "0 is best"),
        ("classifier score", _spread(made.score, ".2f"), _spread(floor.score, ".2f"), f"at most {found.classes}"),
        ("precision", f"{made.precision:.3f}", f"{floor.precision:.3f}", f"{NEIGHBOURS} neighbours"),
        ("recall", f"{made.recall:.3f}", f"{floor.recall:.3f}", f"{NEIGHBOURS} neighbours"),
        ("classes covered", f"{made.covered}", f"{floor.covered}", f"of {found.classes}"),
        ("the rarest class", f"{min(made.counts):,}", f"{min(floor.counts):,}", f"of {found.count:,} images"),
        ("distance to the nearest", f"{made.nearest:.2f}", f"{floor.nearest:.2f}", "training image, median"),
        ("as near as few are", f"{made.near:.1%}", f"{floor.near:.1%}", "many: copies, or all of the most usual kind"),
    ]
    return "\n".join(
        [
            f"{name}, by {judge.features} features of a {judge.name} ({judge.digest}) with {judge.accuracy:.2%} on the "
            "test images,",
            f"beside {found.training:,} training images of {found.data}; in the column test its test images instead, "
            f"{found.count:,} of either",
            "",
            *aligned(rows, "<>><"),
        ]
    )


def _spread(estimate, form):
    return f"{estimate.mean:{form}}" + (f" ± {estimate.deviation:{form}}" if estimate.deviation else "")
