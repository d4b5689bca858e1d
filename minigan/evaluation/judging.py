"""Score generated images with a trained classifier, and real images for comparison."""

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

NEIGHBOURS = 3  # k of precision and recall
RARE = 0.01  # an image is unusually close to a training image if no more than this share of the test images are closer
LEAST = 10  # images
PARTS, PART = 10, 500  # of the classifier score: the most parts, and the fewest images in one of several parts


@dataclass(frozen=True)
class Judge:
    """The classifier that scored the images.

    name, features: its name, and the number of features it computes for an image
    accuracy: its accuracy on the test images
    digest: the first digits of the SHA-256 of its weights; only scores with equal digests are comparable
    """

    name: str
    features: int
    accuracy: float
    digest: str


@dataclass(frozen=True)
class Scores:
    """The scores of a set of images.

    frechet: the Frechet distance between their features and those of all training images
    kernel: the kernel distance to the training images, mean and deviation over 100 subsets
    score: the classifier score, mean and deviation over its parts
    precision, recall: compared with as many training images, with k = 3
    covered: the number of classes covered
    counts: the number of images that the classifier assigns to each class
    nearest: the median distance, in features, from an image to its nearest training image
    near: the share of images that are as close to a training image as the closest 1% of the test images
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
    """made: the scores of generated images; floor: those of as many test images, for comparison.

    judge: the classifier; count: the number of images of each kind, on which nearly all scores depend
    data, training, classes: the name of the real images, and the numbers of training images and classes
    nearest: the generated images closest to a training image, closest first, each followed by that training image
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
        """A dict for JSON, without the images."""
        plain = {name: value for name, value in asdict(self).items() if name != "nearest"}
        for name in ("made", "floor"):
            for measure in ("kernel", "score"):
                plain[name][measure] = dict(plain[name][measure]._asdict())
        return plain


class Reference:
    """Real images and their features, computed once to evaluate several sets of generated images.

    judge: a classifier trained on `train`
    train, test: real images with labels; `test` shows the scores of the best possible images
    raises DataError for too few images, or labels that are missing or unknown to the classifier, ShapeError for images
        of the wrong shape
    """

    def __init__(self, judge: Classifier, train: Dataset, test: Dataset):
        _check(judge, train, test)
        self.classifier, self.train, self.test = judge, train, test
        self.real, self.held_out = judge.features(train.images), judge.features(test.images)
        accuracy = float(np.mean(judge.logits_of(self.held_out).argmax(1) == test.labels))
        self.judge = Judge(judge.name, self.real.shape[1], accuracy, judge.digest())
        self._floors = {}  # (count, seed) -> scores of `count` test images, the best possible for a set of this size

    def evaluate(self, images: np.ndarray, seed: int = 0, pairs: int = 12) -> Evaluation:
        """Score a set of generated images, and as many test images for comparison.

        images: (N, H, W, C), uint8, N at least 10; resized to the classifier's size. If there are fewer test or
            training images than N, only as many generated images are used
        seed: for all draws: images, subsets, parts, and the real images used for precision and recall
        pairs: the number of closest images to keep
        raises DataError for too few images, or images that cannot be resized to the classifier's shape
        """
        judge, train = self.classifier, self.train
        images = _checked(images, judge)
        count = min(map(len, (images, train, self.test)))
        images = _drawn(images, count, np.random.default_rng((seed, 1)))
        rng = np.random.default_rng(seed)  # separate, so that every set of this size is compared with the same images
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
    """Score generated images on the features of a classifier, and as many test images for comparison.

    Arguments and errors are those of `Reference` and its `evaluate`, which are faster for several sets of images.
    """
    images = _checked(images, judge)  # before the features of real images are computed, which takes long
    return Reference(judge, train, test).evaluate(images, seed, pairs)


def parts(count: int) -> int:
    """The number of parts that `count` images are split into; the classifier score is the mean over them."""
    return max(1, min(PARTS, count // PART))


def _drawn(rows, count, rng):
    """`count` of the rows, in their order."""
    return rows if len(rows) == count else rows[np.sort(rng.choice(len(rows), count, replace=False))]


def _check(judge, train, test):
    """Raise an error unless these are datasets that the classifier can be evaluated on."""
    check_model("evaluate: judge", judge, Classifier)
    for name, dataset in (("train", train), ("test", test)):
        if not isinstance(dataset, Dataset):
            raise DataError(f"evaluate: {name} is a {type(dataset).__name__}, expected mg.data.Dataset(images, labels)")
        if dataset.labels is None:
            raise DataError(
                f"evaluate: {name} ({dataset.name}) has no labels, which are needed to check the classifier itself"
            )
        judge.check(dataset.images)
        if dataset.labels.max() >= judge.classes:
            raise DataError(
                f"evaluate: {dataset.name} has {len(dataset.classes)} classes, the classifier {judge.classes}"
            )
    train.check_classes(test, "evaluate", "test")
    _check_count(test=test.images, training=train.images)


def _checked(images, judge):
    """Validate generated images, and resize them to the classifier's size."""
    check_model("evaluate: judge", judge, Classifier)
    images = images_from("evaluate", images, what="generated images", floats=False)
    _check_count(generated=images)
    return fitted(images, judge.image_shape)


def _check_count(**images):
    for name, of in images.items():
        if len(of) < LEAST:
            raise DataError(f"evaluate: there are {len(of)} {name} images, but every score needs at least {LEAST}")


def fitted(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Resize images (N, H, W, C) to a shape (H, W, C). Raises DataError if the channels differ."""
    if images.shape[1:] == tuple(shape):
        return images
    if images.shape[3] != shape[2]:
        raise DataError(f"evaluate: images are {images.shape[1:]}, but the classifier's are {shape}")
    return resized(images, tuple(shape[:2]))


def words(found: Evaluation, name: str) -> str:
    """The result as text: the classifier, and a line for each measure, with generated and test images side by side."""
    judge, made, floor = found.judge, found.made, found.floor
    rows = [
        ("", "generated", "test", ""),
        ("Frechet distance", f"{made.frechet:.2f}", f"{floor.frechet:.2f}", "0 is best"),
        ("kernel distance", _spread(made.kernel, ".4f"), _spread(floor.kernel, ".4f"), "0 is best"),
        ("classifier score", _spread(made.score, ".2f"), _spread(floor.score, ".2f"), f"at most {found.classes}"),
        ("precision", f"{made.precision:.3f}", f"{floor.precision:.3f}", f"{NEIGHBOURS} neighbours"),
        ("recall", f"{made.recall:.3f}", f"{floor.recall:.3f}", f"{NEIGHBOURS} neighbours"),
        ("classes covered", f"{made.covered}", f"{floor.covered}", f"of {found.classes}"),
        ("rarest class", f"{min(made.counts):,}", f"{min(floor.counts):,}", f"of {found.count:,} images"),
        ("nearest training image", f"{made.nearest:.2f}", f"{floor.nearest:.2f}", "median distance"),
        ("unusually close to one", f"{made.near:.1%}", f"{floor.near:.1%}", "high: copies, or only typical images"),
    ]
    return "\n".join(
        [
            f"{name}, by {judge.features} features of a {judge.name} ({judge.digest}), which is right about "
            f"{judge.accuracy:.2%} of test images,",
            f"compared with {found.training:,} training images of {found.data}; {found.count:,} generated and "
            f"{found.count:,} test images",
            "",
            *aligned(rows, "<>><"),
        ]
    )


def _spread(estimate, form):
    return f"{estimate.mean:{form}}" + (f" ± {estimate.deviation:{form}}" if estimate.deviation else "")
