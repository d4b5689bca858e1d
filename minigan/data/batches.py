"""Shuffled batches without end, prepared ahead of the step that needs them, resumable to the bit."""

import os
import sys
from collections.abc import Iterator

import numpy as np

from minigan.data.ahead import Ahead
from minigan.data.arrays import images_from, labels_from, whole
from minigan.data.augment import Augment
from minigan.data.dataset import scaled
from minigan.errors import DataError

ORDER, AUGMENT = 0, 1  # the streams drawn from a seed
HAS_THREADS = sys.platform != "emscripten"  # a browser's Python can start none

Batch = tuple[np.ndarray, np.ndarray | None]


class Batches:
    """An endless iterator over (images, labels), epoch after epoch, each in its own random order.

    images: (N, H, W, C), uint8, or floats already in [-1, 1]
    labels: (N,), whole numbers from 0 on, or None
    batch_size: images in a batch; what is left at an epoch's end, too few for one, is dropped
    seed: every order and augmentation is a function of it, the epoch and the position alone
    augment: random changes to each batch, or None
    ahead: batches prepared in a background thread; 0, or a system without threads, prepares each when asked
    start: the (epoch, position) of the first batch, as `Batches.at` gave it

    Yields images (batch_size, H, W, C), float32 in [-1, 1], and labels (batch_size,) or None.
    Close it (or leave its `with`, or drop it) and the thread ends. A forked child goes on from where its parent was.
    raises DataError where the arrays do not fit, or batch_size is more than there are images
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        batch_size: int = 128,
        seed: int = 0,
        augment: Augment | None = None,
        ahead: int = 2,
        start: tuple[int, int] = (0, 0),
    ):
        self._plan = _Plan(images, labels, batch_size, seed, augment)
        self._ahead = whole("Batches", "ahead", ahead)
        self._source: Iterator[tuple[int, int, Batch]] | None = None
        self._process = os.getpid()  # the one whose thread prepares batches
        self._closed = False
        self.seek(*start)

    @property
    def batch_size(self) -> int:
        return self._plan.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return self._plan.steps

    @property
    def epoch(self) -> int:
        """The epoch of the next batch, from 0."""
        return self._next[0]

    @property
    def position(self) -> int:
        """The next batch's place in its epoch, from 0 to steps_per_epoch - 1."""
        return self._next[1]

    @property
    def at(self) -> tuple[int, int]:
        """(epoch, position) of the next batch: what `seek` or `start=` need to go on from here."""
        return self._next

    def batch(self, epoch: int, position: int) -> Batch:
        """Make any one batch, whatever has been iterated: the same (epoch, position), the same bits."""
        self._plan.check(epoch, position)
        return self._plan.batch(epoch, position)

    def seek(self, epoch: int, position: int = 0):
        """Go on from the given batch."""
        self._plan.check(epoch, position)
        self._stop()
        self._next = (epoch, position)

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Batch:
        if self._closed:
            raise StopIteration
        if self._process != os.getpid():  # a forked child has none of its parent's threads
            self._stop()
            self._process = os.getpid()
        if self._source is None:
            batches = self._plan.batches_from(*self._next)
            self._source = Ahead(batches, self._ahead) if self._ahead > 0 and HAS_THREADS else batches
        try:
            epoch, position, batch = next(self._source)
        except BaseException:
            # Start afresh, so that asking again after an error or Ctrl-C gives this batch, not the one after.
            self._stop()
            raise
        self._next = self._plan.after(epoch, position)
        return batch

    def close(self):
        """End the background thread and the iteration. Closing again does nothing."""
        self._closed = True
        self._stop()

    def _stop(self):
        if self._source is not None:
            self._source.close()
            self._source = None

    def __enter__(self) -> "Batches":
        return self

    def __exit__(self, *error):
        self.close()


class _Plan:
    """What every batch is, as a pure function of (epoch, position)."""

    def __init__(self, images, labels, batch_size, seed, augment):
        self.images, self.augment = images_from("Batches", images), augment
        self.labels = None if labels is None else labels_from("Batches", labels, len(images))
        self.batch_size = batch_size = whole("Batches", "batch_size", batch_size)
        self.seed = seed = whole("Batches", "the seed", seed)
        if augment is not None and not callable(augment):
            raise DataError(f"Batches: augment is {augment!r}, but mg.data.Augment(flip=True, shift=2) is one")
        if seed < 0:
            raise DataError(f"Batches: the seed must be at least 0, not {seed}")
        if not 1 <= batch_size <= len(images):
            raise DataError(
                f"Batches: batch_size {batch_size} does not fit {len(images)} images; "
                f"it must be from 1 to {len(images)}"
            )
        self.steps = len(images) // batch_size

    def check(self, epoch: int, position: int):
        epoch, position = whole("Batches", "epochs", epoch), whole("Batches", "positions", position)
        if epoch < 0 or not 0 <= position < self.steps:
            raise DataError(
                f"Batches: there is no batch ({epoch}, {position}); epochs count from 0, "
                f"positions from 0 to {self.steps - 1}"
            )

    def after(self, epoch: int, position: int) -> tuple[int, int]:
        return (epoch, position + 1) if position + 1 < self.steps else (epoch + 1, 0)

    def order(self, epoch: int) -> np.ndarray:
        """A permutation of the images, (N,)."""
        return np.random.default_rng([self.seed, ORDER, epoch]).permutation(len(self.images))

    def batch(self, epoch: int, position: int, order: np.ndarray | None = None) -> Batch:
        order = self.order(epoch) if order is None else order
        rows = order[position * self.batch_size : (position + 1) * self.batch_size]
        images = self.images[rows]
        if self.augment is not None:
            images = self.augment(images, np.random.default_rng([self.seed, AUGMENT, epoch, position]))
        images = scaled(images) if images.dtype == np.uint8 else images.astype(np.float32, copy=False)
        return images, None if self.labels is None else self.labels[rows]

    def batches_from(self, epoch: int, position: int) -> Iterator[tuple[int, int, Batch]]:
        while True:
            order = self.order(epoch)
            for step in range(position, self.steps):
                yield epoch, step, self.batch(epoch, step, order)
            epoch, position = epoch + 1, 0
