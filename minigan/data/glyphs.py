"""Digits drawn as strokes: a labelled data set that needs no download and has no end."""

from collections.abc import Iterator

import numpy as np

from minigan.data.arrays import whole
from minigan.data.dataset import Dataset
from minigan.data.identity import Identity, of_arrays
from minigan.data.strokes import FORMS, POINTS, Form
from minigan.errors import DataError

SPLITS = {"train": 0, "test": 1}
CLASSES = tuple("0123456789")
CHUNK = 128  # images rendered together: two float32 planes of 28 x 28 x CHUNK stay in a core's cache

# One row of uniform numbers draws one image. Every image reads the same columns of its own row, so image i
# depends on the seed and on i alone, whatever the count.
LABEL, FORM, TALL, WIDE, SLANT, TURN, PEN, INK, ACROSS, DOWN = range(10)
WARP = slice(10, 20)
JITTER = slice(20, 60)
COLUMNS = 60


def glyphs(count: int = 20_000, seed: int = 0, split: str = "train", size: int = 28) -> Dataset:
    """Draw handwritten-looking digits 0 to 9, white on black, in random slant, thickness, place and size.

    count: how many; a smaller count is the beginning of a larger one
    seed: same seed, same images, to the bit, on every machine
    split: "train" or "test", two streams that share no image
    size: side of the images in pixels; the drawing scales with it
    returns: images (count, size, size, 1), uint8; labels (count,), int64
    raises DataError for a count or seed below 0, a size below 8 or an unknown split
    """
    if split not in SPLITS:
        raise DataError(f"glyphs: no split is called {split!r}; there are: {', '.join(sorted(SPLITS))}")
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
    # The numbers, not the pixels: glyphs of every size are the same ones.
    origin = Identity("glyphs", None, of_arrays(numbers), CLASSES, count)
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
    """The pen's path (B, POINTS, 2) in pixels of a 28 x 28 image, around the origin."""
    places = form.places
    jitter = (numbers[:, JITTER][:, : places.size].reshape(-1, *places.shape) - 0.5) * 0.07
    points = _warp(places + jitter, numbers[:, WARP])
    path = np.zeros((len(numbers), POINTS, 2))
    for column, weight in enumerate(form.weights.T):
        # Not a matrix product: BLAS may sum in another order on another machine.
        path += weight[:, None] * points[:, column, None, :]
    tall = _between(numbers[:, TALL], 15.5, 20.5)
    wide = tall * form.width * _between(numbers[:, WIDE], 0.82, 1.18)
    x = (path[..., 0] - 0.5) * wide[:, None]
    y = (path[..., 1] - 0.5) * tall[:, None]
    return _slant(x, y, numbers)


def _warp(points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Bend the box smoothly: each coordinate moves by a quadratic in both."""
    x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
    bends = (numbers - 0.5)[:, :, None]
    terms = (x * x, x * y, y * y, x * y * y, x * x * y)
    shift_x = sum(bends[:, i] * term for i, term in enumerate(terms))
    shift_y = sum(bends[:, 5 + i] * term for i, term in enumerate(terms))
    return points + 0.5 * np.stack([shift_x, 0.5 * shift_y], axis=-1)


def _slant(x: np.ndarray, y: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Shear to the right, as writers do, then turn a little.

    The turn is given by its tangent: sines and cosines differ in the last bit from one machine to the next.
    """
    x = x - y * _between(numbers[:, SLANT], -0.12, 0.42)[:, None]
    tangent = _between(numbers[:, TURN], -0.12, 0.12)[:, None]
    scale = 1 / np.sqrt(1 + tangent * tangent)
    return np.stack([(x - tangent * y) * scale, (tangent * x + y) * scale], axis=-1)


def _place(path: np.ndarray, pen: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Move each path into the image: near the middle, by a random part of the room that its margins leave."""
    low, high = path.min(axis=1), path.max(axis=1)
    room = np.maximum(26 - 2 * pen[:, None] - (high - low), 0) / 2
    off_centre = (numbers[:, [ACROSS, DOWN]] - 0.5) * np.minimum(room, 3) * 1.6
    return path + (14 - (low + high) / 2 + off_centre)[:, None, :]


def _ink(path: np.ndarray, pen: np.ndarray, brightness: np.ndarray, size: int) -> np.ndarray:
    """Pixels by their distance to the path: full inside the pen's radius, then one pixel of soft edge.

    path (B, POINTS, 2), pen and brightness (B,) -> uint8 (B, size, size). The squared distance splits into a
    column's and a row's part, so a point costs an addition and a minimum per pixel. The batch is the last
    axis: the inner loops run over contiguous memory.
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
