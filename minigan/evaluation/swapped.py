"""Generative adversarial evaluation: test each of two trained GANs' discriminators on the other generator's images.

source: Im, Kim, Jiang & Memisevic, Generating images with recurrent adversarial networks, arXiv:1602.05110, section 4
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from minigan import devices, random
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.data import Dataset
from minigan.data.arrays import labels_from
from minigan.errors import DataError, MiniganError, ShapeError, UnknownNameError
from minigan.evaluation.intervals import CONFIDENCE, Interval, quantile, wilson
from minigan.gan.objectives import objective_of
from minigan.models import GAN, Model
from minigan.models.model import as_floats
from minigan.nn import BatchNorm, MinibatchStd
from minigan.training.inputs import check_seed, images_of, whole

BATCH = 200  # the most images that a discriminator judges at once
LEAST = 10  # images of each kind
CLOSE = 1.25  # ratios from 1 / CLOSE to CLOSE count as about 1
STATISTICS = "batch", "running"  # of a batch norm
WIDE = 4.0  # an interval is inconclusive if its upper end is more than this many times its lower end
CHANCE = 0.5  # a discriminator with this error rate on real images might as well guess


@dataclass(frozen=True)
class ErrorRate:
    """A discriminator's error rate on `count` images, with Wilson's 95% interval, assuming independent images."""

    rate: float
    interval: Interval
    count: int

    @classmethod
    def of(cls, wrong: np.ndarray) -> ErrorRate:
        """wrong: (N,), whether the discriminator is wrong about each image."""
        return cls(float(wrong.mean()), wilson(int(wrong.sum()), len(wrong)), len(wrong))


@dataclass(frozen=True)
class Ratio:
    """The first discriminator's error rate divided by the second's, and its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def about_one(self) -> bool:
        """Whether the interval lies within 0.8 to 1.25, which counts as 1."""
        return self.low >= 1 / CLOSE and self.high <= CLOSE

    @property
    def not_one(self) -> bool:
        """Whether the interval lies outside 0.8 to 1.25."""
        return self.low > CLOSE or self.high < 1 / CLOSE

    @property
    def unknown(self) -> bool:
        """Whether the interval's upper end is more than four times its lower end."""
        return self.high > WIDE * self.low

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Swapped:
    """The errors of two discriminators.

    test: each discriminator's errors on held-out real images
    made: made[i][j], the errors of discriminator i on generator j's images
    r_test, r_samples: e(D1(test)) / e(D2(test)) and e(D1(G2)) / e(D2(G1))
    boundaries: the score above which each discriminator judges an image real
    verdict: a key of VERDICTS
    """

    test: tuple[ErrorRate, ErrorRate]
    made: tuple[tuple[ErrorRate, ErrorRate], tuple[ErrorRate, ErrorRate]]
    r_test: Ratio
    r_samples: Ratio
    boundaries: tuple[float, float]

    @property
    def verdict(self) -> str:
        """The winner is the GAN whose discriminator recognizes the other's images better, if both do about equally
        well on real images.

        "not comparable": the interval of r_test is entirely outside 0.8 to 1.25, for example because one discriminator
        has memorized its training images, or a discriminator judges at least half of the real images as generated
        "undecided": the interval of r_test is not within 0.8 to 1.25, or that of r_samples contains 1 and its
        upper end is more than four times its lower end
        "tie": the interval of r_samples contains 1 and is narrower
        """
        if self.r_test.not_one or max(of.rate for of in self.test) >= CHANCE:
            return "not comparable"
        if not self.r_test.about_one:
            return "undecided"
        if self.r_samples.high < 1:
            return "first"
        if self.r_samples.low > 1:
            return "second"
        return "undecided" if self.r_samples.unknown else "tie"

    def words(self, first: str = "the first", second: str = "the second") -> str:
        """The verdict and its reason, in a sentence with these names."""
        rejecting = [name for name, errors in zip((first, second), self.test, strict=True) if errors.rate >= CHANCE]
        verdict = "by chance" if self.verdict == "not comparable" and rejecting else self.verdict
        judges = "discriminators judge" if len(rejecting) > 1 else "discriminator judges"
        return VERDICTS[verdict].format(
            first=first,
            second=second,
            by_chance=f"{' and '.join(rejecting)}'s {judges}",
            r_test=f"r_test = {self.r_test}",
            r_samples=f"r_samples = {self.r_samples}",
            close=f"{1 / CLOSE:g} to {CLOSE:g}",
        )

    def plain(self) -> dict:
        """A dict for JSON."""
        return {**asdict(self), "verdict": self.verdict}


VERDICTS = {
    "first": "{first} wins: its discriminator recognizes the other's images better, {r_samples} is below 1, and both "
    "do about equally well on test images, {r_test}",
    "second": "{second} wins: its discriminator recognizes the other's images better, {r_samples} is above 1, and both "
    "do about equally well on test images, {r_test}",
    "tie": "a tie: both discriminators recognize the other's images about equally well, {r_samples} may be 1",
    "not comparable": "not comparable: one discriminator does better on test images, {r_test} is not about 1 "
    "({close}), so {r_samples} decides nothing",
    "by chance": "not comparable: {by_chance} at least half of the test images as generated, so {r_samples} decides "
    "nothing",
    "undecided": "undecided: there are too few errors, {r_test}, {r_samples}; use more images",
}


def swapped(
    first: GAN,
    second: GAN,
    real: Dataset | np.ndarray,
    count: int = 10_000,
    seed: int = 0,
    labels: np.ndarray | None = None,
    learned: Dataset | np.ndarray | None = None,
    statistics: str = "batch",
) -> Swapped:
    """Test the discriminators of two GANs on test images, on their own generators' images and on each other's.

        found = mg.evaluation.swapped(mg.gan.load("runs/a"), mg.gan.load("runs/b"), test)
        found.verdict, found.words("a", "b")

    first, second: trained GANs for images of one shape
    real: held-out images, (N, H, W, C), uint8 or floats in [-1, 1]; at most `count` are drawn
    count: the number of images of each generator
    seed: for the noise, from which `mg.gan.sample` makes the same images, and for the draws
    labels: (N,), of real images, if a GAN is conditional; a Dataset has its own
    learned: training images, used to find a critic's boundary
    statistics: the statistics that the discriminators' batch norms use: "batch", as in training, or "running"

    An image is judged real if its score is above the boundary of the discriminator's objective (`mg.gan.OBJECTIVES`, by
    the GAN's recipe). A Wasserstein critic has none, since its scores are only relative. Its boundary is midway between
    its mean scores for training images and for its own generator's images, made from other noise; accuracy during
    training is measured in the same way.

    As in training, discriminators judge batches of up to 200 images that are all real or all from one generator. This
    matters if the images of a batch affect one another. A batch norm's running statistics mix both kinds, mostly
    generated images: with them, a DCGAN's discriminator judged 48% of MNIST's test images as generated after 1,200
    steps, and 23% with batch statistics. A minibatch standard deviation needs complete groups, so a remainder is left
    out. The errors of such discriminators are not independent, which makes intervals a little too narrow.

    Images come from a generator's average if there is one, and are judged before they are rounded to bytes. A
    conditional discriminator also receives a test image's label, and the class that a generated image was made for.

    A ratio's interval is computed on its logarithm, by the delta method. The two rates of r_samples are of different
    images, and the variance is 1/a - 1/n + 1/b - 1/n for a and b errors among n images (Katz et al., Biometrics 34,
    1978), after adding half an error to each count and half an image to n (Pettigrew, Gart & Thomas, Biometrika 73,
    1986). Those of r_test are of the same images, and the variance is (errors of only one) / (a b), after adding half
    an error to those of each one alone (Bonett & Price, Statistics in Medicine 25, 2006; Fagerland, Lydersen & Laake,
    Statistics in Medicine 33, 2014). So no ratio is 0 / 0.

    raises ShapeError for GANs or images of different shapes, DataError for too few images, or missing or unknown
        labels, UnknownNameError for other statistics, MiniganError for a model without discriminator, a conditional and
        an unconditional GAN, or a critic without training images
    """
    gans, count, seed = (first, second), whole("swapped: count", count, needed=True), check_seed(seed)
    _check_gans(gans)
    UnknownNameError.check("statistics of batch norms", statistics, STATISTICS)
    group = math.lcm(*map(_group, gans))
    least = -(-LEAST // group) * group
    images, labels = _drawn("real", real, labels, gans, count, random.derived(seed, "swapped"))
    if count < least or len(images) < least:
        raise DataError(
            f"swapped: {count} images of each generator and {len(images)} real ones, but at least {least} of each are "
            "needed"
        )
    tested = [_in_test_mode(gan, statistics) for gan in gans]
    boundaries = tuple(_boundary(gan, learned, count, group, seed) for gan in tested)
    on_real = _scores(tested, _parts(images, labels, group))
    made = [_scores(tested, _generated(gan, count, group, random.Philox(seed, "sample"))) for gan in gans]
    wrong = [~(scores > boundary) for scores, boundary in zip(on_real, boundaries, strict=True)]  # a NaN is wrong
    fooled = [[~(made[of][by] < boundaries[by]) for of in (0, 1)] for by in (0, 1)]
    return Swapped(
        tuple(map(ErrorRate.of, wrong)),
        tuple(tuple(map(ErrorRate.of, row)) for row in fooled),
        ratio_on_same(*wrong),
        ratio_on_others(fooled[0][1], fooled[1][0]),
        boundaries,
    )


def ratio_on_same(first: np.ndarray, second: np.ndarray) -> Ratio:
    """The ratio of two error rates on the same images. first, second: (N,), whether each is wrong about an image"""
    alone, other = (float(np.count_nonzero(a & ~b)) + 0.5 for a, b in ((first, second), (second, first)))
    both = np.count_nonzero(first & second)
    a, b = both + alone, both + other
    return _ratio(a / b, (alone + other) / (a * b))


def ratio_on_others(first: np.ndarray, second: np.ndarray) -> Ratio:
    """The ratio of two error rates on different images. first, second: (N,) and (M,), whether each is wrong"""
    (a, n), (b, m) = ((np.count_nonzero(wrong) + 0.5, len(wrong) + 0.5) for wrong in (first, second))
    return _ratio(a / n / (b / m), 1 / a - 1 / n + 1 / b - 1 / m)


def _ratio(ratio, variance):
    """A ratio with its interval, given the variance of its logarithm."""
    factor = math.exp(quantile(CONFIDENCE) * math.sqrt(variance))
    return Ratio(float(ratio), float(ratio / factor), float(ratio * factor))


def _check_gans(gans):
    for gan in gans:
        if not isinstance(gan, GAN):
            what = f"{gan.name} is a {gan.kind}" if isinstance(gan, Model) else f"{gan!r} is not a model"
            raise MiniganError(f"swapped: {what}, expected a GAN, which has a discriminator to swap")
        if gan.discriminator is None:
            raise MiniganError(f"swapped: this {gan.name} has no discriminator")
    first, second = gans
    if tuple(first.image_shape) != tuple(second.image_shape):
        raise ShapeError(
            f"swapped: {first.name} makes images of {tuple(first.image_shape)} and {second.name} of "
            f"{tuple(second.image_shape)} (H, W, C), but each discriminator must accept the other's images; train both "
            "on images of one shape"
        )
    if first.classes != second.classes and first.classes is not None and second.classes is not None:
        raise DataError(f"swapped: {first.name} has {first.classes} classes and {second.name} {second.classes}")
    if (first.classes is None) != (second.classes is None):
        conditional, other = (first, second) if second.classes is None else (second, first)
        raise MiniganError(
            f"swapped: {conditional.name}'s discriminator needs each image's class, but {other.name} makes images "
            "without classes; swap two conditional or two unconditional GANs"
        )


def _group(gan):
    """The number of images that a discriminator compares with one another; 1 if it judges each separately."""
    return math.lcm(*(part.group for _, part in gan.discriminator.named_modules() if isinstance(part, MinibatchStd)))


def _drawn(kind, given, labels, gans, count, rng):
    """Draw at most `count` of these images, and their labels if a GAN needs them.

    raises ShapeError for images of another shape, DataError for missing or unknown labels
    """
    images, labels, _ = images_of(given, labels, "swapped")
    for gan in gans:
        gan.check(images)
    classes = gans[0].classes
    if classes is not None:
        if labels is None:
            raise DataError(
                f"swapped: {gans[0].name} is conditional, so each of {len(images)} {kind} images needs a label, but "
                "labels are missing"
            )
        labels_from("swapped", labels, len(images), classes, f"labels of {kind} images")
    rows = np.sort(rng.choice(len(images), min(count, len(images)), replace=False))
    return images[rows], None if classes is None else labels[rows]


def _in_test_mode(gan, statistics):
    """The GAN with a copy of its discriminator in evaluation mode, except for batch norms that use batch statistics,
    which update their running ones."""
    discriminator = copy.deepcopy(gan.discriminator).eval()
    for _, module in discriminator.named_modules():
        module.training = statistics == "batch" and isinstance(module, BatchNorm)
    return replace(gan, discriminator=discriminator)


def _places(count, group):
    """Slices of images that are judged together: complete groups, and about equally many images in each slice."""
    ends = np.linspace(0, count // group, -(-count // BATCH) + 1).round().astype(int) * group
    return map(slice, ends[:-1], ends[1:])


def _parts(images, labels, group):
    """Yield (images as floats, their labels or None), some at a time."""
    for some in _places(len(images), group):
        yield as_floats(images[some]), None if labels is None else labels[some]


def _generated(gan, count, group, rng):
    """Yield (images, their labels or None) of a generator, some at a time."""
    noise, labels = gan.noise(count, rng), gan.labels(count)
    for some in _places(count, group):
        classes = None if labels is None else labels[some]
        yield gan.generate(noise[some], classes), classes


@no_grad()
def _scores(gans, parts: Iterator) -> list[np.ndarray]:
    """The scores (N,) that each discriminator gives these images."""
    found = [[] for _ in gans]
    for images, labels in parts:
        for gan, scores in zip(gans, found, strict=True):
            given = Tensor(devices.move(images, gan.device))
            scores.append(gan.scores(given, labels).numpy().reshape(len(images)))
    return [np.concatenate(scores) for scores in found]


def _boundary(gan, learned, count, group, seed):
    """The score above which a discriminator judges an image real."""
    objective = objective_of(gan.recipe.objective)
    if objective.boundary is not None:
        return objective.boundary
    if learned is None:
        raise MiniganError(
            f"swapped: {gan.name} has a critic ({objective.name}), whose boundary between real and generated must be "
            "found with training images (learned=)"
        )
    images, labels = _drawn("training", learned, None, [gan], count, random.derived(seed, "boundary"))
    made = _generated(gan, count, group, random.Philox(seed, "boundary"))
    return float(np.mean([_scores([gan], parts)[0].mean() for parts in (_parts(images, labels, group), made)]))
