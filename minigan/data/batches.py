"""Shuffled, augmented batches without end, prepared in the background and resumable to the bit."""

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.data.arrays import images_from, labels_from, scaled, whole
from minigan.errors import DataError

ORDER, AUGMENT = 0, 1  # the streams drawn from a seed
HAS_THREADS = sys.platform != "emscripten"  # a browser's Python can start none

Batch = tuple[np.ndarray, np.ndarray | None]


MOST = 1 << 16  # pixels; no image has more along a side


@dataclass(frozen=True)
class Augment:
    """Flip, shift and crop each image of a batch at random.

    flip: mirror left to right with probability one half (not for digits: it makes letters of them)
    shift: move by up to this many whole pixels each way; edge pixels are repeated into the gap
    crop: cut out a window this many pixels smaller, anywhere, and stretch it back bilinearly
    raises DataError where shift or crop is no number of pixels, or on use where the window would vanish
    """

    flip: bool = False
    shift: int = 0
    crop: int = 0

    def __post_init__(self):
        for name in ("shift", "crop"):
            pixels = getattr(self, name)
            if not hasattr(pixels, "__index__") or not 0 <= pixels <= MOST:
                raise DataError(
                    f"Augment: {name} is {pixels!r}, but it is a whole number of pixels, from 0 to {MOST:,}"
                )
            object.__setattr__(self, name, int(pixels))  # of NumPy's numbers, which JSON does not keep
        object.__setattr__(self, "flip", bool(self.flip))

    def __call__(self, images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Change a batch: (N, H, W, C) -> the same shape and dtype, in the range of the input.

        The images are not changed in place. Equal generator states give equal results.
        """
        count, height, width, _ = images.shape
        if self.crop >= min(height, width):
            raise DataError(f"Augment: crop {self.crop} leaves nothing of images of {height} x {width}")
        rows = self._coordinates(count, height, generator)
        columns = self._coordinates(count, width, generator)
        if self.flip:
            mirrored = generator.random(count) < 0.5
            columns[mirrored] = columns[mirrored, ::-1]
        if self.crop:
            return _bilinear(images, rows, columns)
        return _gather(images, rows.astype(np.intp), columns.astype(np.intp))

    def _coordinates(self, count: int, length: int, generator: np.random.Generator) -> np.ndarray:
        """Where along one axis each output pixel reads, (count, length), within 0 and length - 1."""
        start = generator.integers(0, self.crop + 1, (count, 1))
        offset = generator.integers(-self.shift, self.shift + 1, (count, 1))
        step = (length - 1 - self.crop) / max(length - 1, 1)
        return np.clip(start + offset + np.arange(length) * step, 0, length - 1)


def _gather(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _bilinear(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Read images between their pixels, first along rows, then along columns."""
    numbers = np.arange(len(images))[:, None]
    low, high, part = _neighbours(rows, images.shape[1])
    lines = _mix(images[numbers, low], images[numbers, high], part[:, :, None, None])
    low, high, part = _neighbours(columns, images.shape[2])
    numbers, every = numbers[:, :, None], np.arange(images.shape[1])[:, None]
    left, right = lines[numbers, every, low[:, None]], lines[numbers, every, high[:, None]]
    mixed = _mix(left, right, part[:, None, :, None])
    if images.dtype == np.uint8:
        return np.rint(mixed).astype(np.uint8)
    # Rounding may step over the ends of the range.
    return np.clip(mixed, images.min(), images.max()).astype(images.dtype) if images.size else images.copy()


def _neighbours(where: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = where.astype(np.intp)
    return low, np.minimum(low + 1, length - 1), (where - low).astype(np.float32)


def _mix(first: np.ndarray, second: np.ndarray, part: np.ndarray) -> np.ndarray:
    first, second = first.astype(np.float32, copy=False), second.astype(np.float32, copy=False)
    return first + part * (second - first)


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


class Ahead:
    """Iterate over what a producer yields, up to `depth` items ahead.

    The producer runs in one background thread. Its error is raised in the consumer, after the items before it.
    `close()`, or dropping the last reference, ends the thread; so does the producer's end. A forked child, which has
    none of its parent's threads, can only close or drop it.
    """

    def __init__(self, producer: Iterator[Any], depth: int):
        self._shelf = _Shelf(depth)
        # The thread holds the shelf, never this object: otherwise nobody could drop the last reference.
        self._thread = threading.Thread(target=_run, args=(producer, self._shelf), daemon=True, name="minigan-ahead")
        self._finalizer = weakref.finalize(self, self._shelf.close)
        self._thread.start()

    def __iter__(self) -> "Ahead":
        return self

    def __next__(self) -> Any:
        return self._shelf.take()

    def close(self):
        """End the thread and wait for it; the item it works on is lost. Closing again does nothing."""
        self._finalizer()
        if self._thread is not threading.current_thread():
            self._thread.join()


class _Shelf:
    """A queue of bounded length that either side can end."""

    def __init__(self, depth: int):
        self._items: deque[Any] = deque()
        self._depth = depth
        self._process = os.getpid()
        self._end: BaseException | None = None
        self._closed = False
        # Re-entrant, because the garbage collector may call `close` in a thread that holds it.
        self._changed = threading.Condition(threading.RLock())

    def put(self, item: Any) -> bool:
        """Wait for room and add an item; False once the consumer has gone."""
        with self._changed:
            while len(self._items) >= self._depth and not self._closed:
                self._changed.wait()
            self._items.append(item)
            self._changed.notify_all()
            return not self._closed

    def end(self, error: BaseException):
        """Raise `error` in the consumer, once it has taken the items that are left."""
        with self._changed:
            self._end = error
            self._changed.notify_all()

    def take(self) -> Any:
        with self._changed:
            while not self._items and self._end is None and not self._closed:
                self._changed.wait()
            if self._closed:
                raise StopIteration
            if not self._items:
                raise self._end
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self):
        if os.getpid() != self._process:  # in a forked child, where a thread that is not there may hold the lock
            return
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


def _run(producer: Iterator[Any], shelf: _Shelf):
    try:
        for item in producer:
            if not shelf.put(item):
                return
        shelf.end(StopIteration())
    except BaseException as error:
        shelf.end(error)
