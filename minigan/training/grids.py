"""Images side by side in one picture, and pictures as PNG."""

import io
import math

import numpy as np

from minigan.data.arrays import images_from
from minigan.data.pixels import pillow
from minigan.errors import DataError
from minigan.training.inputs import whole

GAP = 2  # pixels between images
SHADE = 24  # of the gaps, dark grey
WIDE = 480  # pixels; a smaller picture is enlarged by a whole factor up to about this


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lay images out in rows.

    images: (N, H, W, C), uint8
    columns: by default as many as make the grid about square
    returns: one picture (height, width, C), uint8; places that are left over are dark
    raises DataError for anything but such images, TrainingError for a number of columns that is not whole
    """
    images, columns = images_from("grid", images, floats=False), whole("grid: columns", columns)
    count, height, width, channels = images.shape
    if not count:
        raise DataError("grid: there are no images to show")
    columns = columns or math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    picture = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), SHADE, np.uint8)
    for number, image in enumerate(images):
        top = GAP + number // columns * (height + GAP)
        left = GAP + number % columns * (width + GAP)
        picture[top : top + height, left : left + width] = image
    return picture


def spread(images: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the images, evenly spread: if they are sorted by class, some of each."""
    if len(images) <= most:
        return images
    return images[np.linspace(0, len(images) - 1, most).round().astype(int)]


def enlarged(picture: np.ndarray, wide: int = WIDE) -> np.ndarray:
    """Repeat pixels so that a small picture is about `wide` across: (height, width, C) to a whole multiple of it."""
    factor = max(1, round(wide / picture.shape[1]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def png(picture: np.ndarray) -> bytes:
    """A picture (height, width, 1 or 3), uint8, as the bytes of a PNG file.

    raises DataError for anything else, or where Pillow is missing
    """
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or picture.dtype != np.uint8:
        raise DataError(f"png: a picture is (height, width, 1 or 3), uint8, not {picture.shape}, {picture.dtype}")
    buffer = io.BytesIO()
    pillow().Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def grid_png(images: np.ndarray, columns: int | None = None) -> bytes:
    """Images (N, H, W, 1 or 3), uint8, as one PNG file's bytes."""
    return png(enlarged(grid(images, columns)))
