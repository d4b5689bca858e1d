"""Arrays of images and labels: validation, and conversion of scale, size and channels."""

from __future__ import annotations

import operator
from types import ModuleType

import numpy as np

from minigan.errors import DataError

MOST_CLASSES = 1 << 16  # a larger label is not a class index but an identifier of some other kind
GREY_OR_COLOUR = (1, 3)  # channels
TO_SCALE = "images * 2 - 1 if 0 is black, mg.data.to_uint8(images) if -1 is black"
TO_BYTES = (
    "convert floats in [-1, 1] with mg.data.to_uint8(images), floats in [0, 1] with mg.data.to_uint8(images * 2 - 1), "
    "and floats in [0, 255] with np.rint(images).astype(np.uint8)"
)


def images_from(call: str, value, *, what: str = "images", floats: bool = True, scale: str = "strict") -> np.ndarray:
    """Validate an array of images, and return it as a plain ndarray (N, H, W, C), aligned, in native byte order.

    call, what: the names of the function and its argument in error messages
    floats: whether floats are accepted besides 8-bit values
    scale: which floats are accepted: "strict" for [-1, 1] with at least one below 0, "known" for [-1, 1], "any" for all
    returns: uint8, or floats. Integers of other dtypes become uint8 if all are from 0 to 255

    Floats in [0, 1], which other libraries use, look like bright images in [-1, 1]. So "strict" refuses floats that
    are all at least 0, with a message that gives both conversions.
    raises DataError for everything else
    """
    images = _plain(call, value, what, "an array (N, H, W, C)")
    if images.ndim != 4:
        grey = "; grey images have C = 1: images[..., None]" if images.ndim == 3 else ""
        raise DataError(f"{call}: {what} have shape {images.shape}, expected (N, H, W, C){grey}")
    if images.dtype.kind in "iu":
        return _bytes(call, images, what)
    if images.dtype.kind != "f" or not floats:
        accepted = "uint8, or floats in [-1, 1]" if floats else "uint8"
        how = f"; {TO_BYTES}" if images.dtype.kind == "f" else ""
        how = "; multiply by 255: images.astype(np.uint8) * 255" if images.dtype == bool else how
        raise DataError(f"{call}: {what} are {images.dtype}, expected {accepted}{how}")
    if scale != "any":
        _check_scale(call, images, what, scale)
    return images


def check_channels(call: str, images: np.ndarray, what: str = "images") -> None:
    """Raise DataError if images are neither grey nor RGB; the message says how to convert them."""
    channels = images.shape[3]
    if channels in GREY_OR_COLOUR:
        return
    how = {
        2: "drop alpha with images[..., :1]",
        4: "drop alpha with images[..., :3]",
    }.get(channels, "choose the channels to train on")
    if channels > 4 and images.shape[2] in GREY_OR_COLOUR:
        how = "move the image axis to the front: images.transpose(3, 0, 1, 2)"
    if images.shape[1] in (*GREY_OR_COLOUR, 4) and channels > 4:
        how = "move the channels to the end: images.transpose(0, 2, 3, 1)"
    raise DataError(
        f"{call}: {what} have shape {images.shape}, which means {channels} channels; expected (N, H, W, C) with "
        f"C = 1 (grey) or 3 (RGB); {how}"
    )


def labels_from(call: str, value, count: int, classes: int | None = None, what: str = "labels") -> np.ndarray:
    """Validate labels, and return them as int64 (count,). Lists and booleans are accepted too.

    classes: the number of classes; None allows up to 65,536
    raises DataError unless there is one whole number for each image, within the classes
    """
    expected = f"whole numbers from 0, one for each of {count} images"
    if isinstance(value, list | tuple | range):
        try:
            value = np.array(value)
        except (ValueError, OverflowError) as error:
            raise DataError(f"{call}: {what} are a list that does not form an array, expected {expected}") from error
    labels = _plain(call, value, what, expected)
    if labels.dtype.kind not in "iub" and labels.size:
        raise DataError(f"{call}: {what} are {labels.dtype}, expected {expected}{how_to_number(labels)}")
    if labels.shape != (count,):
        how = "; convert one-hot rows with labels.argmax(1)" if labels.ndim == 2 and labels.shape[1] > 1 else ""
        how = "; use labels.ravel()" if labels.shape == (count, 1) else how
        raise DataError(f"{call}: {what} have shape {labels.shape}, expected {expected}{how}")
    low, high = (int(labels.min()), int(labels.max())) if count else (0, -1)
    if low < 0:
        raise DataError(f"{call}: {what} go down to {low}, expected {expected}")
    if high >= (MOST_CLASSES if classes is None else classes):
        if classes is not None:
            last = f", 0 to {classes - 1}" if classes else ""
            raise DataError(f"{call}: {what} go up to {high}, but there are {classes} classes{last}")
        raise DataError(
            f"{call}: {what} go up to {high}, but at most {MOST_CLASSES:,} classes are allowed, numbered from 0; "
            "number them with np.unique(labels, return_inverse=True)[1]"
        )
    return labels.astype(np.int64)


def whole(call: str, what: str, value) -> int:
    """Return a Python or NumPy integer as an int. Raises DataError for anything else; checks no bounds."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise DataError(f"{call}: {what} must be a whole number, not {value!r}") from error


def python_number(value):
    """Convert NumPy scalars and 0-d arrays to Python numbers, which JSON can store; return anything else unchanged."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value


def _plain(call, value, what, expected):
    """Return a plain ndarray, not a subclass, aligned and in native byte order."""
    if not isinstance(value, np.ndarray):
        raise DataError(f"{call}: {what} are a {type(value).__name__}, expected {expected}")
    if np.ma.isMaskedArray(value):
        if np.ma.is_masked(value):
            raise DataError(f"{call}: some of the {what} are masked; fill them first: {what}.filled(...)")
        value = value.data
    array = np.asarray(value)
    if array.dtype.hasobject or array.dtype.names:
        raise DataError(f"{call}: {what} are an array of {array.dtype}, expected {expected}")
    return np.require(array, array.dtype.newbyteorder("="), "A")


def _bytes(call, images, what):
    """Convert integers from 0 to 255 to uint8."""
    if images.dtype == np.uint8:
        return images
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    if low < 0 or high > 255:
        raise DataError(
            f"{call}: {what} are {images.dtype} and run from {low} to {high}, but 8-bit values run from 0 to 255"
            + ("; if they have 16 bits: (images >> 8).astype(np.uint8)" if low >= 0 and 255 < high < 1 << 16 else "")
        )
    return images.astype(np.uint8)


def _check_scale(call, images, what, scale):
    """Raise DataError for floats outside [-1, 1], or whose range is ambiguous."""
    if not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{call}: {what} contain NaN or infinity, but floats must lie in [-1, 1]")
    if low < -1 or high > 1:
        how = "pass uint8, or divide by 127.5 and subtract 1" if low >= 0 and high <= 255 else "rescale them"
        raise DataError(f"{call}: {what} run from {low:g} to {high:g}, but floats must lie in [-1, 1]; {how}")
    if low >= 0 and scale != "known":
        raise DataError(
            f"{call}: {what} are floats from {low:g} to {high:g}, none below 0, so their range may be [0, 1] or "
            f"[-1, 1]; say which: {TO_SCALE}"
        )


def how_to_number(labels: np.ndarray) -> str:
    """Advice, for an error message, on converting labels of another dtype to class indices."""
    if labels.dtype.kind in "US":
        return "; number words with classes, labels = np.unique(labels, return_inverse=True)"
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        return "; use labels.astype(int)"
    return ""


BRIGHTEST = 2  # if no value is negative and one exceeds this, floats are not taken to be in [-1, 1]


def scaled(images: np.ndarray) -> np.ndarray:
    """Map bytes 0..255 to float32 in [-1, 1], the range of a generator's tanh: x / 127.5 - 1."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise DataError(f"scaled: images are {images.dtype}, expected bytes (uint8, 0 to 255)")
    return images / np.float32(127.5) - np.float32(1)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Map floats in [-1, 1] back to bytes, rounded and clipped. The inverse of `scaled`.

    raises DataError for NaN, which no byte represents, and for values that look like 0 to 255, which clipping would
        turn white
    """
    images = np.asarray(images)
    if images.size and images.dtype.kind == "f" and images.min() >= 0 and images.max() > BRIGHTEST:
        raise DataError(
            f"to_uint8: images run from {images.min():g} to {images.max():g}, expected floats in [-1, 1]; "
            "convert floats in [0, 255] with np.rint(images).astype(np.uint8)"
        )
    return clipped(images)


def clipped(images: np.ndarray) -> np.ndarray:
    """`to_uint8` for a network's output, which may be too bright everywhere."""
    images = np.asarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"to_uint8: images are {images.dtype}, expected floats in [-1, 1]")
    if np.isnan(images).any():
        raise DataError("to_uint8: the images contain NaN, which no byte represents")
    return np.rint(np.clip((images + 1) * 127.5, 0, 255)).astype(np.uint8)


LUMA = (299, 587, 114)  # ITU-R BT.601, in thousandths
Size = int | tuple[int, int]  # the side of a square, or height and width


def sides(size: Size) -> tuple[int, int]:
    """The height and width of a size. Raises DataError unless both are whole numbers of at least one pixel."""
    both = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(both) != 2 or not all(isinstance(side, int | np.integer) and side >= 1 for side in both):
        raise DataError(f"size must be at least 1 pixel, or a pair (height, width) of such numbers, not {size}")
    return int(both[0]), int(both[1])


def check_format(size: Size | None, channels: int):
    """Raise DataError for an image side below one pixel, or unless channels is 1 or 3."""
    if size is not None:
        sides(size)
    if channels not in (1, 3):
        raise DataError(f"channels must be 1 (grey) or 3 (colour), not {channels}")


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Make images grey (channels 1, by BT.601 luma) or colour (3, by repeating grey).

    images: (N, H, W, 1) or (N, H, W, 3), uint8
    returns: (N, H, W, channels), uint8; the same array if nothing changes
    """
    check_format(None, channels)
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    red, green, blue = (images[..., i].astype(np.uint32) * share for i, share in enumerate(LUMA))
    return ((red + green + blue + 500) // 1000).astype(np.uint8)[..., None]


def resized(images: np.ndarray, size: Size) -> np.ndarray:
    """Resize with a Lanczos filter until the image just covers the size, and crop the longer side to its middle.

    images: (N, H, W, C), uint8, C = 1 or 3
    size: the side of a square, or (height, width)
    returns: (N, *size, C), uint8; the same array if nothing changes
    raises DataError for a size below 1, or if Pillow is missing
    """
    check_format(size, images.shape[3])
    if images.shape[1:3] == sides(size):
        return images
    image_module = pillow().Image
    out = np.empty((len(images), *sides(size), images.shape[3]), np.uint8)
    for image, place in zip(images, out, strict=True):
        picture = image_module.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        place[:] = np.asarray(fitted(picture, size)).reshape(place.shape)
    return out


def pillow() -> ModuleType:
    """Import Pillow. Raises DataError that says how to install it."""
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        message = "reading and resizing images needs Pillow: pip install 'minigan[train]'"
        raise DataError(message) from error
    return PIL


def fitted(picture, size: Size):
    """Resize a Pillow image until it just covers the size, and crop the longer side to its middle."""
    height, width = sides(size)
    if picture.size == (width, height):
        return picture
    module = pillow()
    return module.ImageOps.fit(picture, (width, height), method=module.Image.Resampling.LANCZOS)
