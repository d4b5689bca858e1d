"""Draw the results of inspecting a network, as PNG bytes: rows of images with labels beside and above them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from minigan.data import to_uint8
from minigan.data.arrays import with_channels
from minigan.inside.feature_views import Views
from minigan.training.grids import GAP, LONGEST, SHADE, drawing, grid, png_of, printable

DPI = 160
TALL, WIDE = 1200, 1100  # approximate pixels of the whole picture, at most
SMALL = 28  # smaller images are enlarged to about this many pixels before they are put in a grid
INK, FONT = "#1d1c1a", 8
LINE, LETTER = 0.17, 0.071  # inches: the height of a line of text, and the most an average letter of the title takes
GREY = 127.5  # the pixel value that stands for 0


def rows(
    images: np.ndarray,
    beside: Sequence[str] = (),
    above: Sequence[str] = (),
    title: str = "",
    together: int | None = None,
) -> bytes:
    """Draw rows of images with a label for each row and each column.

    images: (rows, columns, H, W, 1 or 3), uint8
    beside, above: a label for each row, for each column; or none
    title: text above the picture, wrapped to its width
    together: the number of rows in a block, which is followed by space; all by default
    """
    from matplotlib.figure import Figure

    beside, above = ([printable(word, LONGEST) for word in words] for words in (beside, above))
    images = images.repeat(_factor(images.shape[2:4]), 2).repeat(_factor(images.shape[2:4]), 3)
    height, width = images.shape[2:4]
    picture, tops = _blocks(images, together or len(images))
    factor = max(1, round(min(TALL / picture.shape[0], WIDE / picture.shape[1])))
    picture = picture.repeat(factor, 0).repeat(factor, 1)
    pixels = np.array(picture.shape[1::-1]) / DPI
    left = 0.1 + 0.075 * max(map(len, beside), default=0)
    lines = textwrap.wrap(printable(title), int((pixels[0] + left) / LETTER))
    size = pixels + np.array([left + 0.1, 0.2 + LINE * (bool(above) + (len(lines) + 0.4 if lines else 0))])
    with drawing():
        figure = Figure(figsize=tuple(size), dpi=DPI)
        axes = figure.add_axes((left / size[0], 0.1 / size[1], *(pixels / size)))
        axes.imshow(with_channels(picture[None], 3)[0], interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        for top, word in zip(tops, beside, strict=False):
            axes.text(-8, (top + height / 2) * factor, word, ha="right", va="center", fontsize=FONT, color=INK)
        for number, word in enumerate(above):
            middle = (GAP + number * (width + GAP) + width / 2) * factor
            axes.text(middle, -8, word, ha="center", va="bottom", fontsize=FONT, color=INK)
        figure.text(0.1 / size[0], 1 - 0.1 / size[1], "\n".join(lines), va="top", fontsize=FONT + 1, color=INK)
        return png_of(figure)


def _factor(size):
    """The factor by which very small images are enlarged before they are put in a grid."""
    return max(1, round(SMALL / max(size)))


def _blocks(images, together):
    """Join images (rows, columns, H, W, C) to one picture with white between blocks; also return each row's top."""
    height, parts, tops, at = images.shape[2], [], [], 0
    for first in range(0, len(images), together):
        block = images[first : first + together]
        parts.append(grid(block.reshape(-1, *block.shape[2:]), block.shape[1]))
        tops += [at + GAP + number * (height + GAP) for number in range(len(block))]
        space = np.full((2 * GAP, *parts[0].shape[1:]), 255, np.uint8)
        parts.append(space)
        at += parts[-2].shape[0] + len(space)
    return np.concatenate(parts[:-1]), tops


def views_of(found: Views, images: np.ndarray, title: str = "", kind: str = "map") -> bytes:
    """Draw two rows for each feature map: the images that activate it most, and below each its view, where grey is 0.

    images: the images that were searched, (N, H, W, 1 or 3), uint8
    kind: the label of a feature map, before its number
    Both are cropped to the activation's receptive field.
    """
    tall, broad = (int((found.boxes[..., i + 1] - found.boxes[..., i]).max()) for i in (0, 2))
    cells = np.full((2 * len(found.maps), found.rows.shape[1], tall, broad, images.shape[3]), SHADE, np.uint8)
    for place in np.ndindex(found.rows.shape):
        top, bottom, left, right = found.boxes[place]
        view = found.views[place]
        shown = images[found.rows[place]], signed(view[None])[0]
        for line, whole in enumerate(shown):
            # If the receptive field extends beyond the top or left of the image, that part of the cell stays dark.
            down = tall - (bottom - top) if top == 0 else 0
            along = broad - (right - left) if left == 0 else 0
            part = whole[top:bottom, left:right]
            cells[2 * place[0] + line, place[1], down : down + len(part), along : along + part.shape[1]] = part
    beside = [word for number in found.maps for word in (f"{kind} {number}", "view")]
    return rows(cells, beside, title=title, together=2)


def signed(values: np.ndarray) -> np.ndarray:
    """Convert signed values (N, ...) to uint8, scaling each image by its largest magnitude; 0 is grey."""
    most = np.abs(values).max(tuple(range(1, values.ndim)), keepdims=True)
    return np.rint(GREY + GREY * values / np.where(most > 0, most, 1)).astype(np.uint8)


def heat(saliency: np.ndarray, channels: int) -> np.ndarray:
    """Convert saliency (N, H, W) to images, scaling each by its largest value."""
    most = saliency.max((1, 2), keepdims=True)
    shades = to_uint8(2 * saliency / np.where(most > 0, most, 1) - 1)
    return with_channels(shades[..., None], channels)
