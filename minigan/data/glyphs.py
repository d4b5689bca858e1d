"""Digits drawn as strokes: a labelled dataset of any size that needs no download."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minigan.data.arrays import whole
from minigan.data.dataset import Dataset, Identity, digest_of_arrays
from minigan.errors import DataError

SPLITS = {"train": 0, "test": 1}
CLASSES = tuple("0123456789")
CHUNK = 128  # images rendered together: two float32 planes of 28 x 28 x CHUNK stay in a core's cache

# Each image is drawn from one row of uniform random numbers, always from the same columns. So image i depends on the
# seed and i alone, whatever the count.
LABEL, FORM, TALL, WIDE, SLANT, TURN, PEN, INK, ACROSS, DOWN = range(10)
WARP = slice(10, 20)
JITTER = slice(20, 60)
COLUMNS = 60


def glyphs(count: int = 20_000, seed: int = 0, split: str = "train", size: int = 28) -> Dataset:
    """Draw digits 0 to 9 that look handwritten, white on black, with random slant, thickness, place and size.

    count: the number of images; a smaller count gives the first images of a larger one
    seed: the same seed gives the same images, to the bit, on every machine
    split: "train" or "test", two streams that share no image
    size: side of the images in pixels; the drawing scales with it
    returns: images (count, size, size, 1), uint8; labels (count,), int64
    raises DataError for a count or seed below 0, a size below 8 or an unknown split
    """
    if split not in SPLITS:
        raise DataError(f"glyphs: there is no split {split!r}; choose one of {', '.join(sorted(SPLITS))}")
    count, seed, size = whole("glyphs", "count", count), whole("glyphs", "seed", seed), whole("glyphs", "size", size)
    if count < 0 or seed < 0 or size < 8:
        raise DataError(f"glyphs: count {count} and seed {seed} must be at least 0, size {size} at least 8")
    try:
        numbers = np.random.default_rng([seed, SPLITS[split]]).random((count, COLUMNS))
        images = np.empty((count, size, size, 1), np.uint8)
    except (MemoryError, ValueError) as error:
        raise DataError(f"glyphs: {count} images of {size} x {size} do not fit into memory") from error
    labels = (numbers[:, LABEL] * 10).astype(np.int64)
    for start in range(0, count, CHUNK):
        rows = slice(start, start + CHUNK)
        images[rows, :, :, 0] = _draw(numbers[rows], labels[rows], size)
    # The digest is of the numbers, not the pixels, so that glyphs of every size are the same dataset.
    origin = Identity("glyphs", None, digest_of_arrays(numbers), CLASSES, count)
    return Dataset(images, labels, "glyphs", CLASSES).known_as(origin)


def _draw(numbers: np.ndarray, labels: np.ndarray, size: int) -> np.ndarray:
    """Draw one chunk: numbers (B, COLUMNS) -> uint8 (B, size, size)."""
    path = np.empty((len(labels), POINTS, 2))
    for form, chosen in _forms(numbers, labels):
        path[chosen] = _trace(form, numbers[chosen])
    pen = _between(numbers[:, PEN], 0.85, 1.75)
    path = _place(path, pen, numbers)
    return _ink(path * (size / 28), pen * (size / 28), _between(numbers[:, INK], 0.8, 1.0), size)


def _forms(numbers: np.ndarray, labels: np.ndarray) -> Iterator[tuple[Form, np.ndarray]]:
    """Yield each form with the indices of the images that use it."""
    for digit in range(10):
        of_digit = [form for form in FORMS if form.digit == digit]
        edges = np.cumsum([form.share for form in of_digit])[:-1]
        pick = np.searchsorted(edges, numbers[:, FORM], side="right")
        for i, form in enumerate(of_digit):
            chosen = np.flatnonzero((labels == digit) & (pick == i))
            if len(chosen):
                yield form, chosen


def _trace(form: Form, numbers: np.ndarray) -> np.ndarray:
    """The pen's path (B, POINTS, 2), centred at the origin, in pixels of a 28 x 28 image."""
    places = form.places
    jitter = (numbers[:, JITTER][:, : places.size].reshape(-1, *places.shape) - 0.5) * 0.07
    points = _warp(places + jitter, numbers[:, WARP])
    path = np.zeros((len(numbers), POINTS, 2))
    for column, weight in enumerate(form.weights.T):
        # Not a matrix product, because BLAS may sum in a different order on another machine.
        path += weight[:, None] * points[:, column, None, :]
    tall = _between(numbers[:, TALL], 15.5, 20.5)
    wide = tall * form.width * _between(numbers[:, WIDE], 0.82, 1.18)
    x = (path[..., 0] - 0.5) * wide[:, None]
    y = (path[..., 1] - 0.5) * tall[:, None]
    return _slant(x, y, numbers)


def _warp(points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Bend the box smoothly: shift each coordinate by a polynomial in both."""
    x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
    bends = (numbers - 0.5)[:, :, None]
    terms = (x * x, x * y, y * y, x * y * y, x * x * y)
    shift_x = sum(bends[:, i] * term for i, term in enumerate(terms))
    shift_y = sum(bends[:, 5 + i] * term for i, term in enumerate(terms))
    return points + 0.5 * np.stack([shift_x, 0.5 * shift_y], axis=-1)


def _slant(x: np.ndarray, y: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Shear to the right, as writers do, then rotate a little.

    The rotation is computed from its tangent, because sines and cosines differ in the last bit between machines.
    """
    x = x - y * _between(numbers[:, SLANT], -0.12, 0.42)[:, None]
    tangent = _between(numbers[:, TURN], -0.12, 0.12)[:, None]
    scale = 1 / np.sqrt(1 + tangent * tangent)
    return np.stack([(x - tangent * y) * scale, (tangent * x + y) * scale], axis=-1)


def _place(path: np.ndarray, pen: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Move each path near the middle of the image, at a random offset within the margins."""
    low, high = path.min(axis=1), path.max(axis=1)
    room = np.maximum(26 - 2 * pen[:, None] - (high - low), 0) / 2
    off_centre = (numbers[:, [ACROSS, DOWN]] - 0.5) * np.minimum(room, 3) * 1.6
    return path + (14 - (low + high) / 2 + off_centre)[:, None, :]


def _ink(path: np.ndarray, pen: np.ndarray, brightness: np.ndarray, size: int) -> np.ndarray:
    """Shade pixels by their distance to the path: full inside the pen's radius, then one pixel of soft edge.

    path (B, POINTS, 2), pen and brightness (B,) -> uint8 (B, size, size). The squared distance is the sum of a
    column's and a row's part, so a point costs an addition and a minimum per pixel. The batch is the last axis, so the
    inner loops run over contiguous memory.
    """
    centres = (np.arange(size) + 0.5)[:, None, None]
    path = np.ascontiguousarray(path.transpose(2, 1, 0))
    across = np.square(centres - path[0]).astype(np.float32)
    down = np.square(centres - path[1]).astype(np.float32)
    nearest = np.full((size, size, path.shape[2]), np.inf, np.float32)
    squared = np.empty_like(nearest)
    for point in range(path.shape[1]):
        np.add(down[:, None, point], across[None, :, point], out=squared)
        np.minimum(nearest, squared, out=nearest)
    np.sqrt(nearest, out=nearest)
    coverage = np.clip(pen.astype(np.float32) + np.float32(0.5) - nearest, 0, 1)
    return np.rint(coverage * (255 * brightness).astype(np.float32)).astype(np.uint8).transpose(2, 0, 1)


def _between(uniform: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + (high - low) * uniform


POINTS = 112  # sampled along each form, under 0.9 pixels apart in a 28 x 28 image, so that the edges look smooth

Stroke = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Form:
    """One way to write a digit.

    digit: the digit it shows
    share: its share among the forms of its digit
    width: the width of its box divided by the height
    lines: the strokes as text, each with at least two points
    """

    digit: int
    share: float
    width: float
    lines: tuple[str, ...]

    @cached_property
    def strokes(self) -> tuple[Stroke, ...]:
        """The points of each stroke, in units of the box."""
        return tuple(
            tuple(tuple(int(number) / 100 for number in point.split()) for point in line.split(","))
            for line in self.lines
        )

    @cached_property
    def places(self) -> np.ndarray:
        """The distinct control points, (P, 2). Strokes that meet share points, so that jitter keeps them joined."""
        return np.array(sorted({point for stroke in self.strokes for point in stroke}))

    @cached_property
    def weights(self) -> np.ndarray:
        """The matrix (POINTS, P) that maps control points to points along the strokes."""
        index = {tuple(place): i for i, place in enumerate(self.places)}
        lengths = [_length(stroke) for stroke in self.strokes]
        counts = _shares(lengths, POINTS)
        rows = np.zeros((POINTS, len(index)))
        start = 0
        for stroke, count in zip(self.strokes, counts, strict=True):
            spline = _spline(stroke, count)
            for column, point in enumerate(stroke):
                rows[start : start + count, index[point]] += spline[:, column]
            start += count
        return rows


def _length(stroke: Stroke) -> float:
    return float(np.sqrt((np.diff(np.array(stroke), axis=0) ** 2).sum(axis=1)).sum())


def _shares(lengths: list[float], total: int) -> list[int]:
    """Distribute `total` points among strokes in proportion to their lengths."""
    edges = np.rint(np.cumsum([0.0, *lengths]) / sum(lengths) * total).astype(int)
    return [int(count) for count in np.diff(edges)]


def _spline(stroke: Stroke, count: int) -> np.ndarray:
    """The matrix (count, points) of a Catmull-Rom spline sampled evenly along the stroke's chords."""
    knots = np.array(stroke)
    along = np.concatenate([[0.0], np.cumsum(np.sqrt((np.diff(knots, axis=0) ** 2).sum(axis=1)))])
    where = np.linspace(0, along[-1], count)
    span = np.clip(np.searchsorted(along, where, side="right") - 1, 0, len(knots) - 2)
    t = (where - along[span]) / (along[span + 1] - along[span])
    cubic = (
        0.5 * (-t + 2 * t * t - t * t * t),
        0.5 * (2 - 5 * t * t + 3 * t * t * t),
        0.5 * (t + 4 * t * t - 3 * t * t * t),
        0.5 * (-t * t + t * t * t),
    )
    closed = stroke[0] == stroke[-1]
    last = len(knots) - 1
    rows = np.zeros((count, len(knots)))
    for offset, weight in zip((-1, 0, 1, 2), cubic, strict=True):
        knot = span + offset
        # Beyond its ends, a closed stroke wraps around, and an open one repeats its end points.
        knot = np.where(knot < 0, last - 1, np.where(knot > last, 1, knot)) if closed else np.clip(knot, 0, last)
        np.add.at(rows, (np.arange(count), knot), weight)
    return rows


FORMS = (
    Form(0, 1.0, 0.68, ("50 0, 14 17, 0 50, 14 84, 50 100, 86 83, 100 50, 86 16, 50 0",)),
    Form(1, 0.55, 0.2, ("50 0, 50 34, 50 67, 50 100",)),
    Form(1, 0.3, 0.34, ("0 25, 35 14, 70 0", "70 0, 70 50, 70 100")),
    Form(1, 0.15, 0.46, ("10 24, 32 13, 52 0", "52 0, 52 50, 52 100", "0 100, 52 100, 100 100")),
    Form(2, 0.6, 0.66, ("3 24, 17 6, 46 0, 80 10, 88 33, 64 62, 0 100", "0 100, 50 99, 100 97")),
    Form(2, 0.4, 0.72, ("6 20, 22 4, 50 0, 78 12, 82 36, 58 66, 20 94, 3 90, 12 78, 40 84, 70 98, 100 90",)),
    Form(3, 0.7, 0.62, ("4 13, 28 1, 60 1, 86 13, 84 34, 36 47", "36 47, 84 54, 100 74, 80 94, 42 100, 0 88")),
    Form(3, 0.3, 0.62, ("5 2, 50 1, 92 1", "92 1, 62 22, 40 42", "40 42, 80 48, 100 70, 80 93, 40 100, 0 88")),
    Form(4, 0.6, 0.66, ("16 0, 10 28, 2 56", "2 56, 50 55, 100 52", "80 4, 76 50, 72 100")),
    Form(4, 0.4, 0.7, ("72 0, 36 36, 0 68", "0 68, 50 68, 100 66", "72 0, 72 50, 72 100")),
    Form(
        5,
        1.0,
        0.64,
        ("94 0, 54 1, 16 2", "16 2, 12 22, 8 44", "8 44, 46 36, 84 46, 98 70, 78 94, 38 100, 0 89"),
    ),
    Form(6, 1.0, 0.6, ("82 0, 42 18, 12 46, 2 74, 22 95, 56 100, 90 88, 96 68, 72 53, 38 56, 6 76",)),
    Form(7, 0.7, 0.62, ("0 5, 50 3, 100 0", "100 0, 66 44, 46 72, 36 100")),
    Form(7, 0.3, 0.62, ("0 4, 50 3, 100 0", "100 0, 68 44, 50 72, 40 100", "28 52, 60 50, 94 48")),
    Form(
        8,
        1.0,
        0.6,
        ("88 16, 52 0, 14 14, 20 36, 54 50, 92 68, 92 88, 50 100, 8 88, 8 68, 50 49, 84 34, 88 16",),
    ),
    Form(9, 0.6, 0.6, ("94 26, 82 6, 48 0, 12 10, 2 30, 22 48, 56 48, 94 26", "94 26, 90 60, 80 100")),
    Form(
        9,
        0.4,
        0.62,
        ("94 24, 80 5, 46 0, 12 11, 2 31, 24 48, 58 47, 94 24", "94 24, 96 50, 90 78, 64 98, 20 94"),
    ),
)
