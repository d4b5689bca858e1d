"""How the tool puts things: tables, sizes, shapes."""

from collections.abc import Iterable, Sequence


def table(rows: Iterable[Sequence[str]], gap: str = "  ") -> str:
    """Rows of words with their columns aligned, the last one ragged."""
    rows = [tuple(map(str, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def text_of_bytes(count: int) -> str:
    """A number of bytes, as people say it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def text_of_shape(shape: Sequence[int]) -> str:
    """An image's (H, W, C) as 28 x 28, grey."""
    height, width, channels = shape
    return f"{height} x {width}, {({1: 'grey', 3: 'colour'}).get(channels, f'{channels} channels')}"
