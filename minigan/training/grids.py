"""Pictures as the bytes of PNG files: images side by side, and figures with names on them."""

import contextlib
import io
import math
import unicodedata
import warnings
from collections.abc import Iterator

import numpy as np

from minigan.data.arrays import images_from, pillow
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


LONGEST = 32  # letters of a name in a picture
DIRECTIONS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}  # turn the text after them round


def printable(text: str, longest: int | None = None, lines: bool = False) -> str:
    """A name as it can be written, drawn and encoded anywhere: what would break that stands as \\n, \\x1b or \\udce9.

    longest: letters at most; a longer name loses its middle
    lines: whether ends of lines stay
    """
    kept = "".join(c if _is_plain(c) or (lines and c == "\n") else ascii(c)[1:-1] for c in text)
    if longest is None or len(kept) <= longest:
        return kept
    return f"{kept[: longest // 2]}…{kept[len(kept) - (longest - 1) // 2 :]}"


def _is_plain(letter):
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in DIRECTIONS


@contextlib.contextmanager
def drawing(**settings) -> Iterator[None]:
    """Within, matplotlib draws names as they are: a $ is a $, and a letter that its font lacks is an empty box."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False, **settings}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def png_of(figure) -> bytes:
    """A matplotlib figure as the bytes of a PNG file, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
