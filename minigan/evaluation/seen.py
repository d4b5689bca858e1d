"""What the Inception network makes of a set of images, batch by batch; of real images it is kept in a file."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minigan import devices, metrics
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.evaluation.inception_weights import Weights
from minigan.kernels import cache
from minigan.models.inception import FEATURES, OUTPUTS
from minigan.training import weights
from minigan.training.errors import RunError

BATCH, PART = 32, 512  # images at a time in the network, and to the next moments
SECONDS = 60.0  # between two writings of a file
FORMAT = "minigan-inception-1"  # of files, and of what is done to images before the network sees them


def kept_folder() -> Path | None:
    """Where real images' features are kept: `inception` in the folder of caches; None where there is none."""
    return cache.safe_folder("inception")


class Seen:
    """Features of a set of images as far as the network has seen it, and its logits if wanted.

    images: (N, H, W, C), uint8
    folder: where it is kept, by the SHA-256 of images and weights; None keeps nothing. What an earlier call has kept
        there is gone on with
    logits: whether the Inception Score is wanted
    done: how many of the images the network has seen
    Up to 2,048 images their features are held, of more only mean and scatter, so that memory does not grow with them.
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

    def see(self, report: Callable[[int], None] = lambda done: None) -> None:
        """Have the network see the images that it has not seen yet; report: called with how many it has seen so far.

        Where there is no room to keep what it made of them, they are seen again next time.
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
        """What a Frechet distance is taken of."""
        return self.arrays["features"] if self.running is None else self.running.moments()

    def score(self, parts: int) -> metrics.Estimate:
        """The classifier score, of parts in the images' order."""
        return metrics.classifier_score(self.arrays["logits"], splits=parts, seed=None)

    def _take(self, features, logits):
        if self.running is None:
            self.arrays["features"] = np.concatenate([self.arrays["features"], features])
        else:
            self.running.add(features)
        if self.logits_wanted:
            self.arrays["logits"] = np.concatenate([self.arrays["logits"], logits])
        self.done += len(features)

    # ------------------------------------------------------------------------------------------- kept

    def _key(self):
        key = hashlib.sha256(f"{FORMAT} {self.by.arrays} {self.images.shape} {self.logits_wanted}".encode())
        key.update(np.ascontiguousarray(self.images))
        return key.hexdigest()[:32]

    def _resume(self):
        if self.path is None or not self.path.is_file():
            return
        with contextlib.suppress(RunError):  # a file that cannot be used is written anew
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
        """Whether a file's arrays are what is kept of the first `done` images."""
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
    """Features and logits of a batch, on the CPU."""
    device = next(network.named_parameters())[1].device
    features = network(Tensor(devices.move(images.astype(np.float32), device)))
    return features.numpy(), network.logits(features, bias=False).numpy()
