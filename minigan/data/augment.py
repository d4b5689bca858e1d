"""Random changes to images that keep what they show."""

from dataclasses import dataclass

import numpy as np

from minigan.errors import DataError

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
