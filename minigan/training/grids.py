"""PNG files as bytes: grids of images, and matplotlib figures with names on them."""

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
SHADE = 24  # the grey of the gaps
WIDE = 480  # pixels; smaller pictures are enlarged by an integer factor to about this width


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Arrange images in a grid.

    images: (N, H, W, C), uint8
    columns: by default as many as make the grid about square
    returns: one picture (height, width, C), uint8; unused cells are dark
    raises DataError for other images or none, TrainingError if `columns` is not a whole number above 0
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
    """Select at most `most` images, evenly spaced, so that images sorted by class yield some of each."""
    if len(images) <= most:
        return images
    return images[np.linspace(0, len(images) - 1, most).round().astype(int)]


def enlarged(picture: np.ndarray, wide: int = WIDE) -> np.ndarray:
    """Enlarge a small picture (height, width, C) to about `wide` pixels across by repeating pixels."""
    factor = max(1, round(wide / picture.shape[1]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def png(picture: np.ndarray) -> bytes:
    """Encode a picture (height, width, 1 or 3), uint8, as the bytes of a PNG file.

    raises DataError for other arrays, or if Pillow is missing
    """
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or picture.dtype != np.uint8:
        raise DataError(f"png: a picture is (height, width, 1 or 3), uint8, not {picture.shape}, {picture.dtype}")
    buffer = io.BytesIO()
    pillow().Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def grid_png(images: np.ndarray, columns: int | None = None) -> bytes:
    """Encode a grid of images (N, H, W, 1 or 3), uint8, as the bytes of a PNG file."""
    return png(enlarged(grid(images, columns)))


LONGEST = 32  # characters of a name in a picture
DIRECTIONS = {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}  # change the direction of the text that follows


def printable(text: str, longest: int | None = None, lines: bool = False) -> str:
    """Escape characters that cannot be printed, drawn or encoded, as \\n, \\x1b or \\udce9.

    longest: the maximum number of characters; a longer name loses its middle
    lines: whether to keep line breaks
    """
    kept = "".join(c if _is_plain(c) or (lines and c == "\n") else ascii(c)[1:-1] for c in text)
    if longest is None or len(kept) <= longest:
        return kept
    return f"{kept[: longest // 2]}…{kept[len(kept) - (longest - 1) // 2 :]}"


def _is_plain(letter):
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in DIRECTIONS


@contextlib.contextmanager
def drawing(**settings) -> Iterator[None]:
    """Make matplotlib draw text literally: $ is not mathematics, and characters that its font lacks are empty boxes."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False, **settings}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def png_of(figure) -> bytes:
    """Encode a matplotlib figure as the bytes of a PNG file, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
