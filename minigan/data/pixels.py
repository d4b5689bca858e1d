"""Resizing and cropping images, with Pillow; changing between grey and colour."""

from types import ModuleType

import numpy as np

from minigan.errors import DataError

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
