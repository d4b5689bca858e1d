"""What was found, as lines of text: a column of words, columns of figures, and remarks."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    """A line for each row: what it is, of generated images, of test images, a remark; the figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows]
