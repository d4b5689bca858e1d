"""Generative adversarial evaluation: two trained GANs, each discriminator asked about the other generator's images.

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

BATCH = 200  # images that a discriminator is asked about at once, at most
LEAST = 10  # images of each kind
CLOSE = 1.25  # a ratio is about 1 from 1 / CLOSE to CLOSE
STATISTICS = "batch", "running"  # of a batch norm
WIDE = 4.0  # an interval whose end is more than this many times its beginning says nothing
CHANCE = 0.5  # a discriminator that is wrong about this share of the real images might as well guess


@dataclass(frozen=True)
class ErrorRate:
    """rate: the share of `count` images that a discriminator is wrong about; interval: Wilson's 95% interval of that
    share, if images are independent."""

    rate: float
    interval: Interval
    count: int

    @classmethod
    def of(cls, wrong: np.ndarray) -> ErrorRate:
        """wrong: (N,), whether the discriminator is wrong about each image."""
        return cls(float(wrong.mean()), wilson(int(wrong.sum()), len(wrong)), len(wrong))


@dataclass(frozen=True)
class Ratio:
    """The first discriminator's error rate by the second's, and its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def about_one(self) -> bool:
        """Whether the interval lies within what is taken for 1, from 0.8 to 1.25."""
        return self.low >= 1 / CLOSE and self.high <= CLOSE

    @property
    def not_one(self) -> bool:
        """Whether the interval lies outside of that."""
        return self.low > CLOSE or self.high < 1 / CLOSE

    @property
    def unknown(self) -> bool:
        """Whether the interval goes from a number to more than four times as much."""
        return self.high > WIDE * self.low

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Swapped:
    """What two discriminators are wrong about.

    test: either one's errors on real images that neither has learned from
    made: made[i][j], those of discriminator i on generator j's images
    r_test, r_samples: e(D1(test)) / e(D2(test)) and e(D1(G2)) / e(D2(G1))
    boundaries: the score from which on each takes an image for real
    verdict: a word of VERDICTS
    """

    test: tuple[ErrorRate, ErrorRate]
    made: tuple[tuple[ErrorRate, ErrorRate], tuple[ErrorRate, ErrorRate]]
    r_test: Ratio
    r_samples: Ratio
    boundaries: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Who wins: whose discriminator tells the other's images better, if both tell real ones about as well.

        "not comparable": the whole interval of r_test is outside 0.8 to 1.25, as one discriminator has learned its
        images by heart, or one of them takes at least half of the real images for generated ones
        "cannot be told": the interval of r_test is not within 0.8 to 1.25 either, or that of r_samples holds 1 and
        goes from a number to more than four times as much
        "tie": it holds 1 and is narrower
        """
        if self.r_test.not_one or max(of.rate for of in self.test) >= CHANCE:
            return "not comparable"
        if not self.r_test.about_one:
            return "cannot be told"
        if self.r_samples.high < 1:
            return "first"
        if self.r_samples.low > 1:
            return "second"
        return "cannot be told" if self.r_samples.unknown else "tie"

    def words(self, first: str = "the first", second: str = "the second") -> str:
        """The verdict and why, in a sentence with these names."""
        rejecting = [name for name, of in zip((first, second), self.test, strict=True) if of.rate >= CHANCE]
        verdict = "by chance" if self.verdict == "not comparable" and rejecting else self.verdict
        takes = "discriminators take" if len(rejecting) > 1 else "discriminator takes"
        return VERDICTS[verdict].format(
            first=first,
            second=second,
            by_chance=f"{' and '.join(rejecting)}'s {takes}",
            r_test=f"r_test = {self.r_test}",
            r_samples=f"r_samples = {self.r_samples}",
            close=f"{1 / CLOSE:g} to {CLOSE:g}",
        )

    def plain(self) -> dict:
        """All of it as JSON keeps it."""
        return {**asdict(self), "verdict": self.verdict}


VERDICTS = {
    "first": "{first} wins: its discriminator tells the other's images better, {r_samples} is below 1, and both do "
    "about as well on test images, {r_test}",
    "second": "{second} wins: its discriminator tells the other's images better, {r_samples} is above 1, and both do "
    "about as well on test images, {r_test}",
    "tie": "a tie: either discriminator tells the other's images about as well, {r_samples} may be 1",
    "not comparable": "not comparable: one discriminator does better on test images, {r_test} is not about 1 "
    "({close}), so that {r_samples} decides nothing",
    "by chance": "not comparable: {by_chance} half of the test images and more for generated ones, so that {r_samples} "
    "decides nothing",
    "cannot be told": "cannot be told: there are too few errors, {r_test}, {r_samples}; ask about more images",
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
    """Ask the discriminators of two GANs about test images, about their own images and about each other's.

        found = mg.evaluation.swapped(mg.gan.load("runs/a"), mg.gan.load("runs/b"), test)
        found.verdict, found.words("a", "b")

    first, second: trained, for images of one shape
    real: images that neither has learned from, (N, H, W, C), uint8 or floats in [-1, 1]; at most `count` are drawn
    count: images of each generator
    seed: of the noise, from which `mg.gan.sample` makes these images too, and of the draws
    labels: (N,) of real images, where a GAN is conditional; a Dataset has its own
    learned: training images, which a critic's boundary is found with
    statistics: what the discriminators' batch norms go by: those of a "batch", as in training, or the "running" ones

    An image is taken for real above the boundary of the discriminator's objective (`mg.gan.OBJECTIVES`, by the GAN's
    recipe). A Wasserstein critic has none, since its scores count only beside one another: its boundary lies midway
    between its mean scores of training images and of its own generator's, which are made of other noise; its training
    counts accuracy in the same way.

    Discriminators are asked as they were trained: about batches of one kind of images, real or of one generator, up to
    200 at a time. That matters where the others in a batch do. A batch norm's running statistics are of no kind, but
    mixed of both, most of them of generated images: by these a DCGAN's discriminator took 48% of MNIST's test images
    for generated after 1,200 steps, by those of batches 23%. A minibatch standard deviation sees whole groups, and what
    does not fill one is left out. Errors of such discriminators depend on one another, so that intervals are a little
    too narrow.

    Images are made by a generator's average where there is one, and asked about before they are rounded to bytes. A
    conditional discriminator also takes a test image's label, and the class that a generated image was made for.

    A ratio's interval is on its logarithm, by the delta method. The two rates of r_samples are of different images:
    1/a - 1/n + 1/b - 1/n for a and b errors among n images (Katz et al., Biometrics 34, 1978), half an error added to
    each count and half an image to n (Pettigrew, Gart & Thomas, Biometrika 73, 1986). Those of r_test are of the same
    images: (errors of one alone) / (a b), half an error added to either one's own (Bonett & Price, Statistics in
    Medicine 25, 2006; Fagerland, Lydersen & Laake, Statistics in Medicine 33, 2014). So no ratio is 0 / 0.

    raises ShapeError for GANs or images of other shapes, DataError for too few images or for labels that are missing
        or unknown, UnknownNameError for other statistics, MiniganError for a model without discriminator, an
        unconditional generator before a conditional discriminator, or a critic without training images
    """
    gans, count, seed = (first, second), whole("swapped: count", count, needed=True), check_seed(seed)
    _check_gans(gans)
    UnknownNameError.check("statistics of batch norms", statistics, STATISTICS)
    group = math.lcm(*map(_group, gans))
    least = -(-LEAST // group) * group
    images, labels = _drawn("real", real, labels, gans, count, random.derived(seed, "swapped"))
    if count < least or len(images) < least:
        raise DataError(
            f"swapped: {count} images of each generator and {len(images)} real ones, but at least {least} are asked "
            "about"
        )
    asked = [_to_be_asked(gan, statistics) for gan in gans]
    boundaries = tuple(_boundary(gan, learned, count, group, seed) for gan in asked)
    on_real = _scores(asked, _parts(images, labels, group))
    made = [_scores(asked, _generated(gan, count, group, random.Philox(seed, "sample"))) for gan in gans]
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
    """The ratio of two error rates on the same images: (N,) each, whether that one is wrong about an image."""
    alone, other = (float(np.count_nonzero(a & ~b)) + 0.5 for a, b in ((first, second), (second, first)))
    both = np.count_nonzero(first & second)
    a, b = both + alone, both + other
    return _ratio(a / b, (alone + other) / (a * b))


def ratio_on_others(first: np.ndarray, second: np.ndarray) -> Ratio:
    """The ratio of two error rates on different images: (N,) and (M,), whether one and the other is wrong."""
    (a, n), (b, m) = ((np.count_nonzero(wrong) + 0.5, len(wrong) + 0.5) for wrong in (first, second))
    return _ratio(a / n / (b / m), 1 / a - 1 / n + 1 / b - 1 / m)


def _ratio(ratio, variance):
    """A ratio, with the interval that follows from the variance of its logarithm."""
    factor = math.exp(quantile(CONFIDENCE) * math.sqrt(variance))
    return Ratio(float(ratio), float(ratio / factor), float(ratio * factor))


def _check_gans(gans):
    for gan in gans:
        if not isinstance(gan, GAN):
            what = f"{gan.name} is a {gan.kind}" if isinstance(gan, Model) else f"{gan!r} is no model"
            raise MiniganError(f"swapped: {what}, which has no discriminator to swap; GANs have")
        if gan.discriminator is None:
            raise MiniganError(f"swapped: this {gan.name} has no discriminator")
    first, second = gans
    if tuple(first.image_shape) != tuple(second.image_shape):
        raise ShapeError(
            f"swapped: {first.name} makes images of {tuple(first.image_shape)} and {second.name} of "
            f"{tuple(second.image_shape)} (H, W, C), so that neither discriminator can be shown the other's; "
            "train both on images of one shape"
        )
    if first.classes != second.classes and first.classes is not None and second.classes is not None:
        raise DataError(f"swapped: {first.name} knows {first.classes} classes and {second.name} {second.classes}")
    if (first.classes is None) != (second.classes is None):
        told, untold = (first, second) if second.classes is None else (second, first)
        raise MiniganError(
            f"swapped: {told.name}'s discriminator has to be told of which class an image is, and {untold.name} makes "
            "images of none; swap two conditional GANs, or two others"
        )


def _group(gan):
    """How many images a discriminator compares with one another; 1 where each is by itself."""
    return math.lcm(*(part.group for _, part in gan.discriminator.named_modules() if isinstance(part, MinibatchStd)))


def _drawn(kind, given, labels, gans, count, rng):
    """At most `count` of these images, and their labels if a GAN needs them.

    raises ShapeError for images of another shape, DataError for labels that are missing or unknown
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


def _to_be_asked(gan, statistics):
    """The GAN with a discriminator that is in use, but for its batch norms if they go by the batch: a copy, as these
    note the statistics of batches."""
    discriminator = copy.deepcopy(gan.discriminator).eval()
    for _, module in discriminator.named_modules():
        module.training = statistics == "batch" and isinstance(module, BatchNorm)
    return replace(gan, discriminator=discriminator)


def _places(count, group):
    """Slices of the images that are judged together: whole groups, about equally many in each slice."""
    ends = np.linspace(0, count // group, -(-count // BATCH) + 1).round().astype(int) * group
    return map(slice, ends[:-1], ends[1:])


def _parts(images, labels, group):
    """(images as floats, their labels or None), some at a time."""
    for some in _places(len(images), group):
        yield as_floats(images[some]), None if labels is None else labels[some]


def _generated(gan, count, group, rng):
    """The same of a generator's images."""
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
    """The score from which on a discriminator takes an image for real."""
    objective = objective_of(gan.recipe.objective)
    if objective.boundary is not None:
        return objective.boundary
    if learned is None:
        raise MiniganError(
            f"swapped: {gan.name} has a critic ({objective.name}), whose scores have no boundary between real and "
            "generated; it is found with training images (learned=)"
        )
    images, labels = _drawn("training", learned, None, [gan], count, random.derived(seed, "boundary"))
    made = _generated(gan, count, group, random.Philox(seed, "boundary"))
    return float(np.mean([_scores([gan], parts)[0].mean() for parts in (_parts(images, labels, group), made)]))
