"""Endless shuffled, augmented batches, prepared in the background and resumable to the bit."""

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
HAS_THREADS = sys.platform != "emscripten"  # Python in a browser cannot start threads

Batch = tuple[np.ndarray, np.ndarray | None]


MOST = 1 << 16  # pixels; no image side is longer


@dataclass(frozen=True)
class Augment:
    """Flip, shift and crop each image of a batch at random.

    flip: mirror left to right with probability one half (not for digits, which it would turn into other shapes)
    shift: move by up to this many whole pixels each way, and repeat edge pixels into the gap
    crop: cut out a window this many pixels smaller, at a random place, and stretch it back bilinearly
    raises DataError unless shift and crop are whole numbers of pixels, and when called if the crop leaves no window
    """

    flip: bool = False
    shift: int = 0
    crop: int = 0

    def __post_init__(self):
        for name in ("shift", "crop"):
            pixels = getattr(self, name)
            if not hasattr(pixels, "__index__") or not 0 <= pixels <= MOST:
                raise DataError(f"Augment: {name} must be a whole number of pixels from 0 to {MOST:,}, not {pixels!r}")
            object.__setattr__(self, name, int(pixels))  # because JSON cannot store NumPy's numbers
        object.__setattr__(self, "flip", bool(self.flip))

    def __call__(self, images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Augment a batch (N, H, W, C). The result has the same shape, dtype and range; the input is unchanged.

        Equal generator states give equal results.
        """
        count, height, width, _ = images.shape
        if self.crop >= min(height, width):
            raise DataError(f"Augment: crop {self.crop} leaves no pixels of {height} x {width} images")
        rows = self._coordinates(count, height, generator)
        columns = self._coordinates(count, width, generator)
        if self.flip:
            mirrored = generator.random(count) < 0.5
            columns[mirrored] = columns[mirrored, ::-1]
        if self.crop:
            return _bilinear(images, rows, columns)
        return _gather(images, rows.astype(np.intp), columns.astype(np.intp))

    def _coordinates(self, count: int, length: int, generator: np.random.Generator) -> np.ndarray:
        """The coordinate along one axis that each output pixel reads, (count, length), from 0 to length - 1."""
        start = generator.integers(0, self.crop + 1, (count, 1))
        offset = generator.integers(-self.shift, self.shift + 1, (count, 1))
        step = (length - 1 - self.crop) / max(length - 1, 1)
        return np.clip(start + offset + np.arange(length) * step, 0, length - 1)


def _gather(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _bilinear(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolate images between their pixels, first along rows, then along columns."""
    numbers = np.arange(len(images))[:, None]
    low, high, part = _neighbours(rows, images.shape[1])
    lines = _mix(images[numbers, low], images[numbers, high], part[:, :, None, None])
    low, high, part = _neighbours(columns, images.shape[2])
    numbers, every = numbers[:, :, None], np.arange(images.shape[1])[:, None]
    left, right = lines[numbers, every, low[:, None]], lines[numbers, every, high[:, None]]
    mixed = _mix(left, right, part[:, None, :, None])
    if images.dtype == np.uint8:
        return np.rint(mixed).astype(np.uint8)
    # Rounding may exceed the ends of the range.
    return np.clip(mixed, images.min(), images.max()).astype(images.dtype) if images.size else images.copy()


def _neighbours(where: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = where.astype(np.intp)
    return low, np.minimum(low + 1, length - 1), (where - low).astype(np.float32)


def _mix(first: np.ndarray, second: np.ndarray, part: np.ndarray) -> np.ndarray:
    first, second = first.astype(np.float32, copy=False), second.astype(np.float32, copy=False)
    return first + part * (second - first)


class Batches:
    """An endless iterator over (images, labels), epoch after epoch, each in its own random order.

    images: (N, H, W, C), uint8, or floats in [-1, 1]
    labels: (N,), whole numbers from 0, or None
    batch_size: images in a batch; an epoch's last, incomplete batch is dropped
    seed: every order and augmentation is a function of the seed, the epoch and the position alone
    augment: random changes to each batch, or None
    ahead: batches prepared in advance by a background thread; with 0, or without threads, each is made on request
    start: the (epoch, position) of the first batch, as given by `Batches.at`

    Yields images (batch_size, H, W, C), float32 in [-1, 1], and labels (batch_size,) or None.
    The thread ends when the iterator is closed, its `with` block ends, or it is dropped. A forked child continues at
    its parent's position.
    raises DataError if images and labels do not match, or batch_size exceeds the number of images
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
        self._process = os.getpid()  # the process whose thread prepares batches
        self._closed = False
        self.seek(*start)

    @property
    def batch_size(self) -> int:
        return self._plan.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """The number of complete batches in an epoch."""
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
        """(epoch, position) of the next batch; pass it to `seek` or `start=` to resume there."""
        return self._next

    def batch(self, epoch: int, position: int) -> Batch:
        """Make the batch at (epoch, position), always with the same bits, regardless of the iteration."""
        self._plan.check(epoch, position)
        return self._plan.batch(epoch, position)

    def seek(self, epoch: int, position: int = 0):
        """Continue from the given batch."""
        self._plan.check(epoch, position)
        self._stop()
        self._next = (epoch, position)

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Batch:
        if self._closed:
            raise StopIteration
        if self._process != os.getpid():  # a forked child does not have its parent's threads
            self._stop()
            self._process = os.getpid()
        if self._source is None:
            batches = self._plan.batches_from(*self._next)
            self._source = Ahead(batches, self._ahead) if self._ahead > 0 and HAS_THREADS else batches
        try:
            epoch, position, batch = next(self._source)
        except BaseException:
            # Restart, so that the next call after an error or Ctrl-C gives this batch, not the one after it.
            self._stop()
            raise
        self._next = self._plan.after(epoch, position)
        return batch

    def close(self):
        """End the background thread and the iteration. Closing twice is harmless."""
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
    """The content of every batch, as a pure function of (epoch, position)."""

    def __init__(self, images, labels, batch_size, seed, augment):
        self.images, self.augment = images_from("Batches", images), augment
        self.labels = None if labels is None else labels_from("Batches", labels, len(images))
        self.batch_size = batch_size = whole("Batches", "batch_size", batch_size)
        self.seed = seed = whole("Batches", "the seed", seed)
        if augment is not None and not callable(augment):
            raise DataError(
                f"Batches: augment is {augment!r}, expected for example mg.data.Augment(flip=True, shift=2)"
            )
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
    """Iterate over the items of a producer, up to `depth` items ahead.

    The producer runs in a background thread. Its error is raised in the consumer, after the items before it. The
    thread ends with the producer, on `close()`, or when the last reference is dropped. A forked child does not have its
    parent's threads, and can only close or drop the iterator.
    """

    def __init__(self, producer: Iterator[Any], depth: int):
        self._queue = _Queue(depth)
        # The thread refers to the queue, never to this object, so that dropping the last reference ends it.
        self._thread = threading.Thread(target=_run, args=(producer, self._queue), daemon=True, name="minigan-ahead")
        self._finalizer = weakref.finalize(self, self._queue.close)
        self._thread.start()

    def __iter__(self) -> "Ahead":
        return self

    def __next__(self) -> Any:
        return self._queue.take()

    def close(self):
        """End the thread and wait for it; the item it is preparing is lost. Closing twice is harmless."""
        self._finalizer()
        if self._thread is not threading.current_thread():
            self._thread.join()


class _Queue:
    """A queue of bounded length that either side can end."""

    def __init__(self, depth: int):
        self._items: deque[Any] = deque()
        self._depth = depth
        self._process = os.getpid()
        self._end: BaseException | None = None
        self._closed = False
        # Re-entrant, because the garbage collector may call `close` in a thread that holds the lock.
        self._changed = threading.Condition(threading.RLock())

    def put(self, item: Any) -> bool:
        """Wait for room and add an item; False if the consumer has closed the queue."""
        with self._changed:
            while len(self._items) >= self._depth and not self._closed:
                self._changed.wait()
            self._items.append(item)
            self._changed.notify_all()
            return not self._closed

    def end(self, error: BaseException):
        """Raise `error` in the consumer, after it has taken the remaining items."""
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
        if os.getpid() != self._process:  # in a forked child, one of the parent's threads may hold the lock
            return
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


def _run(producer: Iterator[Any], queue: _Queue):
    try:
        for item in producer:
            if not queue.put(item):
                return
        queue.end(StopIteration())
    except BaseException as error:
        queue.end(error)
