"""FID and Inception Score: the Frechet distance and the classifier score by the 2015 Inception network.

    weights = mg.evaluation.inception_weights.load("pt_inception-2015-12-05-6726825d.pth")
    found = mg.evaluation.inception.evaluate(images, weights, mnist, test)
    found.made.frechet, found.floor.frechet  # FID of generated images, and of test images in their place

Images are resized to 299 x 299 pixels as that network's graph does it, by TensorFlow 1's bilinear resizing, as
torch-fidelity does and pytorch-fid does not. With other weights than the published the figures are not called FID and
IS. FID falls as images become more, so that only figures of as many can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigan import metrics
from minigan.data import Dataset
from minigan.data.arrays import check_channels, images_from
from minigan.errors import DataError
from minigan.evaluation.inception_weights import Weights
from minigan.evaluation.lines import aligned
from minigan.evaluation.seen import Seen
from minigan.metrics import Estimate
from minigan.models.inception import FEATURES

PARTS = 10  # of the Inception Score
LEAST = 10  # images: one for each part
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measured:
    """The scores of a set of images.

    frechet: the Frechet distance of their features to the training images': FID by the published weights
    score: the classifier score, mean and deviation of 10 parts in order: IS by the published weights
    """

    count: int
    frechet: float
    score: Estimate


@dataclass(frozen=True)
class InceptionEvaluation:
    """made: what generated images get; floor: test images in their place, as many unless there are fewer.

    digest, published: what the weights are called, and whether they are the published ones
    data, images: the training images' name, and how many there are
    training: how many of them the distances are to
    """

    digest: str
    published: bool
    data: str
    images: int
    training: int
    made: Measured
    floor: Measured

    @property
    def names(self) -> dict[str, str]:
        """What the figures may be called."""
        as_if = "" if self.published else "as "
        return {"frechet": f"{as_if}FID", "score": f"{as_if}IS"}

    def plain(self) -> dict:
        """All of it as JSON keeps it, with the figures' names."""
        plain = {**asdict(self), "names": self.names}
        for name in ("made", "floor"):
            plain[name]["score"] = dict(plain[name]["score"]._asdict())
        return plain


def evaluate(
    images: np.ndarray,
    weights: Weights,
    train: Dataset,
    test: Dataset,
    *,
    most: int | None = None,
    folder: Path | None = None,
    report: Report = lambda name, done, total: None,
) -> InceptionEvaluation:
    """Take the Frechet distance and the score of generated images, and those of test images beside them.

    images: (N, H, W, C), uint8, grey or in colour
    train, test: real images of the same shape; labels have no part in it
    most: use at most this many training images, the same ones at every call; all by default
    folder: where what the network makes of real images is kept, as it takes long (`seen.kept_folder()`); None: nowhere
    report: called with the kind of images that the network sees, how many it has seen and how many it will have seen
    raises DataError for images of another kind or shape, or fewer than 10
    """
    images = images_from("evaluate", images, what="generated images", floats=False)
    _check(images, train, test)
    if most is not None and most < LEAST:
        raise DataError(f"evaluate: most is {most}, but a distance is taken to at least {LEAST} training images")
    real, held_out = _some(train.images, most), _mixed(test.images, len(images))
    sets = {
        "training": Seen(real, weights, folder, logits=False),
        "test": Seen(held_out, weights, folder),
        "generated": Seen(images, weights),
    }
    done, total = 0, sum(len(seen.images) - seen.done for seen in sets.values())
    for name, seen in sets.items():
        before = seen.done
        seen.see(lambda now, name=name, ahead=done - before: report(name, ahead + now, total))
        done += seen.done - before
    training = sets["training"].features()
    floor, made = (
        Measured(
            len(sets[name].images), metrics.frechet_distance(training, sets[name].features()), sets[name].score(PARTS)
        )
        for name in ("test", "generated")
    )
    return InceptionEvaluation(weights.digest, weights.published, train.name, len(train), len(real), made, floor)


def _check(images, train, test):
    for name, of in (("training", train.images), ("test", test.images), ("generated", images)):
        check_channels("evaluate", of, f"{name} images")
        if of.shape[1:] != train.shape:
            raise DataError(f"evaluate: {name} images are {of.shape[1:]}, training images {train.shape}")
        if len(of) < LEAST:
            raise DataError(f"evaluate: there are {len(of)} {name} images, but every score takes at least {LEAST}")


def _some(images, count):
    """At most `count` of the images, in their order, the same ones at every call."""
    if count is None or len(images) <= count:
        return images
    return images[np.sort(np.random.default_rng(0).choice(len(images), count, replace=False))]


def _mixed(images, count):
    """At most `count` of the images, shuffled in the same way at every call: a folder sorts them by class."""
    return images[np.random.default_rng(0).permutation(len(images))[:count]]


def words(found: InceptionEvaluation) -> str:
    """What was found as text: by what, and a line for each measure, generated images beside test images."""
    made, floor, names = found.made, found.floor, found.names
    rows = [
        ("", "generated", "test", ""),
        (names["frechet"], f"{made.frechet:.2f}", f"{floor.frechet:.2f}", "0 is best"),
        (names["score"], _spread(made.score), _spread(floor.score), f"{PARTS} parts"),
        ("images", f"{made.count:,}", f"{floor.count:,}", ""),
    ]
    if found.published:
        by = f"by the 2015 Inception network ({found.digest})"
    else:
        by = f"by an Inception network with weights {found.digest}, which are not those of FID and IS"
    beside = f"{found.training:,} " + (f"of the {found.images:,} " if found.training < found.images else "")
    beside = f"{by}, beside\n{beside}training images of {found.data}"
    notes = []
    if min(made.count, floor.count, found.training) <= FEATURES:
        notes = [f"(of no more than {FEATURES:,} images the distance is mostly how few they are)"]
    return "\n".join([beside, "", *aligned(rows, "<>><"), *notes])


def _spread(estimate):
    return f"{estimate.mean:.2f} ± {estimate.deviation:.2f}"
