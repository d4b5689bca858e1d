"""Arrays of images and labels: which are accepted, their scale, size and channels."""

from __future__ import annotations

import operator
from types import ModuleType

import numpy as np

from minigan.errors import DataError

MOST_CLASSES = 1 << 16  # labels are numbers of classes; a larger one is an identifier of something else
GREY_OR_COLOUR = (1, 3)  # channels
TO_SCALE = "images * 2 - 1 where 0 is black, mg.data.to_uint8(images) where -1 would be"
TO_BYTES = (
    "mg.data.to_uint8(images) makes it of floats in [-1, 1], mg.data.to_uint8(images * 2 - 1) of floats of 0 to 1, "
    "np.rint(images).astype(np.uint8) of floats of 0 to 255"
)


def images_from(call: str, given, *, what: str = "images", floats: bool = True, scale: str = "said") -> np.ndarray:
    """An array of images as minigan computes with it: a plain ndarray (N, H, W, C), aligned, in native byte order.

    call, what: how errors call the function and its argument
    floats: whether floats are taken besides 8-bit values
    scale: "said" takes floats in [-1, 1] of which one at least is below 0, "known" takes all in [-1, 1], "any" all
    returns: uint8, or floats. Integers of other dtypes become uint8 where all are from 0 to 255

    Nothing tells floats of 0 to 1, which other libraries use, from bright images in [-1, 1]. So images whose floats
    are all at least 0 are refused, with both ways to say which they are.
    raises DataError for everything else
    """
    images = _plain(call, given, what, "an array (N, H, W, C)")
    if images.ndim != 4:
        grey = "; grey images have C = 1: images[..., None]" if images.ndim == 3 else ""
        raise DataError(f"{call}: {what} have shape {images.shape}, but it takes (N, H, W, C){grey}")
    if images.dtype.kind in "iu":
        return _bytes(call, images, what)
    if images.dtype.kind != "f" or not floats:
        accepted = "uint8, or floats in [-1, 1]" if floats else "uint8"
        how = f"; {TO_BYTES}" if images.dtype.kind == "f" else ""
        how = "; multiply by 255: images.astype(np.uint8) * 255" if images.dtype == bool else how
        raise DataError(f"{call}: {what} are {images.dtype}, but it takes {accepted}{how}")
    if scale != "any":
        _check_scale(call, images, what, scale)
    return images


def check_channels(call: str, images: np.ndarray, what: str = "images") -> None:
    """Raise DataError for images that are neither grey nor in colour, with what to do about it."""
    channels = images.shape[3]
    if channels in GREY_OR_COLOUR:
        return
    how = {
        2: "grey with alpha becomes grey by images[..., :1]",
        4: "RGBA becomes colour by images[..., :3]",
    }.get(channels, "choose the channels to train on")
    if channels > 4 and images.shape[2] in GREY_OR_COLOUR:
        how = "images come first here: images.transpose(3, 0, 1, 2)"
    if images.shape[1] in (*GREY_OR_COLOUR, 4) and channels > 4:
        how = "channels come last here: images.transpose(0, 2, 3, 1)"
    raise DataError(
        f"{call}: {what} have shape {images.shape}, so {channels} channels each, but they are (N, H, W, C), grey "
        f"(C = 1) or coloured (3); {how}"
    )


def labels_from(call: str, given, count: int, classes: int | None = None, what: str = "labels") -> np.ndarray:
    """Labels as minigan computes with them: (count,), int64, from 0 on. Lists and booleans are taken too.

    classes: how many there are; None allows up to 65,536
    raises DataError for anything that is not one whole number for each image, or for a class that is not there
    """
    expected = f"whole numbers from 0 on, one for each of {count} images"
    if isinstance(given, list | tuple | range):
        try:
            given = np.array(given)
        except (ValueError, OverflowError) as error:
            raise DataError(f"{call}: {what} are a list that is no array, but they are {expected}") from error
    labels = _plain(call, given, what, expected)
    if labels.dtype.kind not in "iub" and labels.size:
        raise DataError(f"{call}: {what} are {labels.dtype}, but they are {expected}{how_to_number(labels)}")
    if labels.shape != (count,):
        how = "; one-hot rows become numbers by labels.argmax(1)" if labels.ndim == 2 and labels.shape[1] > 1 else ""
        how = "; labels.ravel() does it" if labels.shape == (count, 1) else how
        raise DataError(f"{call}: {what} have shape {labels.shape}, but they are {expected}{how}")
    low, high = (int(labels.min()), int(labels.max())) if count else (0, -1)
    if low < 0:
        raise DataError(f"{call}: {what} go down to {low}, but they are {expected}")
    if high >= (MOST_CLASSES if classes is None else classes):
        if classes is not None:
            last = f", 0 to {classes - 1}" if classes else ""
            raise DataError(f"{call}: {what} go up to {high}, but there are {classes} classes{last}")
        raise DataError(
            f"{call}: {what} go up to {high}, but there are at most {MOST_CLASSES:,} classes, numbered from 0; "
            "np.unique(labels, return_inverse=True)[1] numbers them"
        )
    return labels.astype(np.int64)


def whole(call: str, what: str, given) -> int:
    """A whole number, NumPy's too, as an int. Raises DataError for anything else; bounds are the caller's."""
    try:
        return operator.index(given)
    except TypeError as error:
        raise DataError(f"{call}: {what} must be a whole number, not {given!r}") from error


def python_number(value):
    """NumPy's numbers, also as arrays without axes, as Python's, which JSON keeps; anything else as it is."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value


def _plain(call, given, what, expected):
    """The array itself, without subclass, aligned and in native byte order."""
    if not isinstance(given, np.ndarray):
        raise DataError(f"{call}: {what} are a {type(given).__name__}, but it takes {expected}")
    if np.ma.isMaskedArray(given):
        if np.ma.is_masked(given):
            raise DataError(f"{call}: some of the {what} are masked; fill them first: {what}.filled(...)")
        given = given.data
    array = np.asarray(given)
    if array.dtype.hasobject or array.dtype.names:
        raise DataError(f"{call}: {what} are an array of {array.dtype}, but it takes {expected}")
    return np.require(array, array.dtype.newbyteorder("="), "A")


def _bytes(call, images, what):
    """Integers as uint8, by their values."""
    if images.dtype == np.uint8:
        return images
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    if low < 0 or high > 255:
        raise DataError(
            f"{call}: {what} are {images.dtype} and run from {low} to {high}, but 8-bit values run from 0 to 255"
            + ("; of 16 bits: (images >> 8).astype(np.uint8)" if low >= 0 and 255 < high < 1 << 16 else "")
        )
    return images.astype(np.uint8)


def _check_scale(call, images, what, scale):
    """Raise DataError for floats that are not surely in [-1, 1]."""
    if not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{call}: {what} hold NaN or infinity, but floats must lie in [-1, 1]")
    if low < -1 or high > 1:
        how = "pass uint8, or divide by 127.5 and subtract 1" if low >= 0 and high <= 255 else "rescale them"
        raise DataError(f"{call}: {what} run from {low:g} to {high:g}, but floats must lie in [-1, 1]; {how}")
    if low >= 0 and scale != "known":
        raise DataError(
            f"{call}: {what} are floats from {low:g} to {high:g}, none below 0, which may be of 0 to 1 or of -1 to 1; "
            f"say which: {TO_SCALE}"
        )


def how_to_number(labels: np.ndarray) -> str:
    """How labels of another dtype become numbers of classes."""
    if labels.dtype.kind in "US":
        return "; number words by classes, labels = np.unique(labels, return_inverse=True)"
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        return "; labels.astype(int) makes them so"
    return ""


BRIGHTEST = 2  # that floats in [-1, 1] are taken to overshoot, where none is below 0


def scaled(images: np.ndarray) -> np.ndarray:
    """Take bytes 0..255 to float32 in [-1, 1], the range of a generator's tanh: x / 127.5 - 1."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise DataError(f"scaled: images are {images.dtype}, but bytes (uint8, 0 to 255) are what it takes")
    return images / np.float32(127.5) - np.float32(1)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Take floats in [-1, 1] back to bytes, rounded; what lies outside is clipped. The inverse of `scaled`.

    raises DataError where a value is not a number, since no byte stands for it, or where the values look like 0 to 255,
        of which clipping would leave nothing but white
    """
    images = np.asarray(images)
    if images.size and images.dtype.kind == "f" and images.min() >= 0 and images.max() > BRIGHTEST:
        raise DataError(
            f"to_uint8: images run from {images.min():g} to {images.max():g}, but floats in [-1, 1] are what it takes; "
            "of 0 to 255: np.rint(images).astype(np.uint8)"
        )
    return clipped(images)


def clipped(images: np.ndarray) -> np.ndarray:
    """`to_uint8` of what a network makes, which may be too bright everywhere."""
    images = np.asarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"to_uint8: images are {images.dtype}, but floats in [-1, 1] are what it takes")
    if np.isnan(images).any():
        raise DataError("to_uint8: the images hold NaN; no byte stands for it")
    return np.rint(np.clip((images + 1) * 127.5, 0, 255)).astype(np.uint8)


LUMA = (299, 587, 114)  # ITU-R BT.601, in thousandths
Size = int | tuple[int, int]  # the side of a square, or height and width


def sides(size: Size) -> tuple[int, int]:
    """Height and width of a size. Raises DataError unless both are whole numbers of at least one pixel."""
    both = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(both) != 2 or not all(isinstance(side, int | np.integer) and side >= 1 for side in both):
        raise DataError(f"size must be at least 1 pixel, or a pair (height, width) of such numbers, not {size}")
    return int(both[0]), int(both[1])


def check_format(size: Size | None, channels: int):
    """Raise DataError for an image side below one pixel, or for channels that are neither grey nor colour."""
    if size is not None:
        sides(size)
    if channels not in (1, 3):
        raise DataError(f"channels must be 1 (grey) or 3 (colour), not {channels}")


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Make images grey (channels 1, by BT.601 luma) or colour (3, by repeating grey).

    images: (N, H, W, 1) or (N, H, W, 3), uint8
    returns: (N, H, W, channels), uint8; the same array where nothing changes
    """
    check_format(None, channels)
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    red, green, blue = (images[..., i].astype(np.uint32) * share for i, share in enumerate(LUMA))
    return ((red + green + blue + 500) // 1000).astype(np.uint8)[..., None]


def resized(images: np.ndarray, size: Size) -> np.ndarray:
    """Resize with a Lanczos filter until the image just covers the size, and keep the middle of what is too long.

    images: (N, H, W, C), uint8, C = 1 or 3
    size: the side of a square, or (height, width)
    returns: (N, *size, C), uint8; the same array where nothing changes
    raises DataError for a size below 1, or where Pillow is missing
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
    """Import Pillow, or say how to get it."""
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        message = "reading and resizing images needs Pillow: pip install 'minigan[train]'"
        raise DataError(message) from error
    return PIL


def fitted(picture, size: Size):
    """Resize until the size is just covered, and crop the middle of the side that is too long."""
    height, width = sides(size)
    if picture.size == (width, height):
        return picture
    module = pillow()
    return module.ImageOps.fit(picture, (width, height), method=module.Image.Resampling.LANCZOS)
