"""Pictures for the page: images and curves side by side, in few colours to keep the files small."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from docs.build.charts import INK, STYLE
from minigan.data.arrays import pillow
from minigan.training.grids import grid

COLOURS = ("#c2452d", "#4a6785", "#d9a441", "#6b8f5e")
SHADES = 48  # colours in the palette of a picture
MARGIN = 5  # white pixels around it
DPI = 110
COLUMNS = 6  # samples per row of a sheet by default


def sheet(images: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Images (N, H, W, C), uint8, as rows of one picture."""
    return grid(images, columns)


def panels(
    path: Path,
    shown: list[tuple[str, np.ndarray]],
    curves: list[tuple[str, dict[str, tuple]]] = (),
    *,
    height: float = 2.3,
    bounds: tuple[float, float] | None = None,
) -> None:
    """Write a picture with a row of images above a row of curves.

    shown: (title, image); float images are scaled by their largest magnitude, with a symmetric scale if they have
        negative values beyond rounding
    curves: (title, {label: (x, y)}), one panel each
    height: of the row of images, in inches; the picture is 7.6 inches wide
    bounds: limits of the curves' y axes
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    heights = [height] * bool(shown) + [2.2] * bool(curves)
    with rc_context({**STYLE, "axes.titlesize": 9}):
        figure = Figure(figsize=(7.6, sum(heights)), dpi=DPI, layout="constrained")
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        if shown:
            for place, (title, image) in enumerate(shown, 1):
                _image(parts[0].add_subplot(1, len(shown), place), title, image)
        for place, (title, lines) in enumerate(curves, 1):
            axes = parts[-1].add_subplot(1, len(curves), place)
            _curves(axes, title, lines, bounds)
            beside = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(lines)} if len(curves) == 1 else {}
            axes.legend(fontsize=7.5, handlelength=1.2, **beside)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(small(buffer.getvalue()))


def _image(axes, title, image):
    image = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.dtype == np.uint8:
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        most = max(float(np.abs(image).max()), 1e-12)
        low = -most if image.min() < -1e-6 * most else 0
        axes.imshow(image, cmap="RdBu_r" if low else "gray", vmin=low, vmax=most, interpolation="nearest")
    axes.set_title(title, loc="center", fontsize=8.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _curves(axes, title, lines, bounds):
    for colour, (label, (x, y)) in zip(COLOURS, lines.items(), strict=False):
        axes.plot(x, y, color=colour, linewidth=1.4, label=label)
    axes.axhline(0, color=INK, linewidth=0.5)
    if bounds:
        axes.set_ylim(*bounds)
    axes.set_title(title)


def small(png: bytes) -> bytes:
    """The picture reduced to SHADES colours and cropped to its content plus a MARGIN."""
    picture = pillow().Image.open(io.BytesIO(png)).convert("RGB")
    inside = pillow().ImageOps.invert(picture).getbbox()
    picture = pillow().ImageOps.expand(picture.crop(inside), MARGIN, "white").quantize(SHADES, dither=0)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
