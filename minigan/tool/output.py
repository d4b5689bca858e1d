"""Tables, and the lists of models and datasets."""

from collections.abc import Iterable, Sequence

import minigan.data
import minigan.models


def table(rows: Iterable[Sequence[str]], gap: str = "  ") -> str:
    """Format rows of words as aligned columns."""
    rows = [tuple(map(str, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def text_of_bytes(count: int) -> str:
    """Format a number of bytes with a unit, as in "1.2 GB"."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def text_of_shape(shape: Sequence[int]) -> str:
    """Format an image's (H, W, C) as in "28 x 28, grey"."""
    height, width, channels = shape
    return f"{height} x {width}, {({1: 'grey', 3: 'colour'}).get(channels, f'{channels} channels')}"


def models() -> str:
    """List the models, one per line: name, kind, summary."""
    kinds = minigan.models.kind_of
    return table((name, kinds(name), what) for name, what in minigan.models.available().items())


def data() -> str:
    """List the datasets, one per line: name, number of images, shape, place, description."""
    rows = []
    for listing in minigan.data.available():
        if listing.shape is None:
            rows.append((listing.name, "any", "any", "yours", listing.description))
            continue
        count = "any" if listing.count is None else f"{listing.count:,}"
        place = "drawn" if not listing.place else "downloaded" if listing.cached else "on the network"
        rows.append((listing.name, count, text_of_shape(listing.shape), place, listing.description))
    heading = ("name", "images", "shape", "where", "what")
    return (
        f"{table([heading, *rows])}\n\ndownloads go to {minigan.data.cache_folder()} (set MINIGAN_DATA to change that)"
    )
