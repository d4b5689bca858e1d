"""FID and Inception Score: the Frechet distance and the classifier score computed with the 2015 Inception network.

    weights = mg.evaluation.inception_weights.load("pt_inception-2015-12-05-6726825d.pth")
    found = mg.evaluation.fid.evaluate(images, weights, mnist, test)
    found.made.frechet, found.floor.frechet  # FID of generated images, and of test images for comparison

Images are resized to 299 x 299 pixels as in that network's graph, with TensorFlow 1's bilinear resizing: torch-fidelity
does this too, pytorch-fid does not. With weights other than the published ones, the figures are not called FID and IS.
FID falls as the number of images grows, so compare only figures for the same number of images.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigan import devices, metrics
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.data import Dataset
from minigan.data.arrays import check_channels, images_from
from minigan.errors import DataError, RunError
from minigan.evaluation.inception_weights import Weights
from minigan.evaluation.intervals import aligned
from minigan.kernels import cache
from minigan.metrics import Estimate
from minigan.models.inception import FEATURES, OUTPUTS
from minigan.training import weights

PARTS = 10  # of the Inception Score
LEAST = 10  # images: one for each part
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measured:
    """The scores of a set of images.

    frechet: the Frechet distance between their features and the training images'; FID with the published weights
    score: the classifier score, mean and deviation of 10 consecutive parts; IS with the published weights
    """

    count: int
    frechet: float
    score: Estimate


@dataclass(frozen=True)
class InceptionEvaluation:
    """made: the scores of generated images; floor: those of as many test images, or all of them if there are fewer.

    digest, published: the weights' short digest, and whether they are the published ones
    data, images: the name of the training images, and their number
    training: the number of training images that the distances are computed with
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
        """The figures' names: "FID" and "IS", or "as FID" and "as IS" with unpublished weights."""
        prefix = "" if self.published else "as "
        return {"frechet": f"{prefix}FID", "score": f"{prefix}IS"}

    def plain(self) -> dict:
        """A dict for JSON, with the figures' names."""
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
    """Compute the Frechet distance and the score of generated images, and those of test images for comparison.

    images: (N, H, W, C), uint8, grey or in colour
    train, test: real images of the same shape; labels are not used
    most: use at most this many training images, the same ones at every call; all by default
    folder: caches the features of real images, which take long to compute (`cache_folder()`); None caches nothing
    report: called with the kind of images being processed, the number done and the total
    raises DataError for images of another dtype or shape, or fewer than 10
    """
    images = images_from("evaluate", images, what="generated images", floats=False)
    _check(images, train, test)
    if most is not None and most < LEAST:
        raise DataError(f"evaluate: most is {most}, but at least {LEAST} training images are needed")
    real, held_out = _some(train.images, most), _mixed(test.images, len(images))
    sets = {
        "training": InceptionFeatures(real, weights, folder, logits=False),
        "test": InceptionFeatures(held_out, weights, folder),
        "generated": InceptionFeatures(images, weights),
    }
    done, total = 0, sum(len(seen.images) - seen.done for seen in sets.values())
    for name, seen in sets.items():
        before = seen.done
        seen.compute(lambda now, name=name, ahead=done - before: report(name, ahead + now, total))
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
            raise DataError(f"evaluate: there are {len(of)} {name} images, but every score needs at least {LEAST}")


def _some(images, count):
    """At most `count` of the images, in their order, the same ones at every call."""
    if count is None or len(images) <= count:
        return images
    return images[np.sort(np.random.default_rng(0).choice(len(images), count, replace=False))]


def _mixed(images, count):
    """At most `count` of the images, shuffled in the same way at every call, since a folder sorts them by class."""
    return images[np.random.default_rng(0).permutation(len(images))[:count]]


def words(found: InceptionEvaluation) -> str:
    """The result as text: the network, and a line for each measure, with generated and test images side by side."""
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
    compared = f"{found.training:,} " + (f"of the {found.images:,} " if found.training < found.images else "")
    heading = f"{by}, compared with\n{compared}training images of {found.data}"
    notes = []
    if min(made.count, floor.count, found.training) <= FEATURES:
        notes = [f"(with {FEATURES:,} images or fewer, the distance mostly reflects their small number)"]
    return "\n".join([heading, "", *aligned(rows, "<>><"), *notes])


def _spread(estimate):
    return f"{estimate.mean:.2f} ± {estimate.deviation:.2f}"


# ---------------------------------------------------------------------------------------------------------- features


BATCH, PART = 32, 512  # images in a batch of the network, and between two updates of the moments
SECONDS = 60.0  # between two writes of a file
FORMAT = "minigan-inception-1"  # the version of the file format and of the images' preprocessing


def cache_folder() -> Path | None:
    """The folder that caches the features of real images, `inception` in the cache; None if there is no cache."""
    return cache.safe_folder("inception")


class InceptionFeatures:
    """The Inception network's features of a set of images, and its logits on request, computed batch by batch.

    images: (N, H, W, C), uint8
    folder: caches the results under the SHA-256 of images and weights, from which an interrupted computation resumes;
        None caches nothing
    logits: whether to keep the logits too, for the Inception Score
    done: the number of images that the network has processed
    To bound memory, features are kept for up to 2,048 images, and only their mean and scatter for a larger set.
    """

    def __init__(self, images: np.ndarray, by: Weights, folder: Path | None = None, logits: bool = True):
        self.images, self.by = images, by
        self.arrays = {
            "features": np.empty((0, FEATURES), np.float32),
            "logits": np.empty((0, OUTPUTS), np.float32),
        }
        self.logits_wanted, self.done = logits, 0
        self.running = metrics.RunningMoments(FEATURES) if len(images) > FEATURES else None
        self.path = None if folder is None else folder / f"{self._key()}.safetensors"
        self._resume()

    def compute(self, report: Callable[[int], None] = lambda done: None) -> None:
        """Process the remaining images; report: called with the number of images done so far.

        If the results do not fit on the disk, they are computed again next time.
        """
        written, before = time.monotonic(), self.done
        while self.done < len(self.images):
            parts = []
            for start in range(self.done, min(self.done + PART, len(self.images)), BATCH):
                parts.append(_outputs(self.by.network, self.images[start : min(start + BATCH, self.done + PART)]))
                report(min(start + BATCH, len(self.images)))
            self._take(*map(np.concatenate, zip(*parts, strict=True)))
            if time.monotonic() - written > SECONDS:
                self._keep()
                written, before = time.monotonic(), self.done
        if self.done > before:
            self._keep()

    def features(self) -> np.ndarray | metrics.Moments:
        """The features, or for a large set their moments, to pass to `frechet_distance`."""
        return self.arrays["features"] if self.running is None else self.running.moments()

    def score(self, parts: int) -> metrics.Estimate:
        """The classifier score, with parts in the order of the images."""
        return metrics.classifier_score(self.arrays["logits"], splits=parts, seed=None)

    def _take(self, features, logits):
        if self.running is None:
            self.arrays["features"] = np.concatenate([self.arrays["features"], features])
        else:
            self.running.add(features)
        if self.logits_wanted:
            self.arrays["logits"] = np.concatenate([self.arrays["logits"], logits])
        self.done += len(features)

    # ------------------------------------------------------------------------------------------ cache

    def _key(self):
        key = hashlib.sha256(f"{FORMAT} {self.by.arrays} {self.images.shape} {self.logits_wanted}".encode())
        key.update(np.ascontiguousarray(self.images))
        return key.hexdigest()[:32]

    def _resume(self):
        if self.path is None or not self.path.is_file():
            return
        with contextlib.suppress(RunError):  # an unusable file is overwritten later
            header, arrays = weights.read(self.path)
            done = header.get("done", "")
            if header.get("format") != FORMAT or not (
                done.isdecimal() and len(done) < 19 and self._fit(arrays, int(done))
            ):
                return
            if self.running is not None:
                self.running.mean, self.running.scatter = np.array(arrays["mean"]), np.array(arrays["scatter"])
                self.running.count = int(done)
            self.arrays = {name: arrays[name] for name in self.arrays}
            self.done = int(done)

    def _fit(self, arrays, done):
        """Whether a file's arrays are those of the first `done` images."""
        shapes = {
            "features": ((done if self.running is None else 0, FEATURES), np.float32),
            "logits": ((done if self.logits_wanted else 0, OUTPUTS), np.float32),
        }
        if self.running is not None:
            shapes |= {"mean": ((FEATURES,), np.float64), "scatter": ((FEATURES, FEATURES), np.float64)}
        found = {name: (array.shape, array.dtype.type) for name, array in arrays.items()}
        return done <= len(self.images) and found == shapes

    def _keep(self):
        if self.path is None:
            return
        arrays = dict(self.arrays)
        if self.running is not None:
            arrays |= {"mean": self.running.mean, "scatter": self.running.scatter}
        with contextlib.suppress(RunError, OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            weights.save(self.path, {"format": FORMAT, "done": str(self.done)}, arrays)


@no_grad()
def _outputs(network, images):
    """Compute the features and logits of a batch, and copy them to the CPU."""
    device = next(network.named_parameters())[1].device
    features = network(Tensor(devices.move(images.astype(np.float32), device)))
    return features.numpy(), network.logits(features, bias=False).numpy()
