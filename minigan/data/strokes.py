"""How the ten digits are written: each form is a list of strokes through named places.

A stroke is written "x y, x y, ...": the points it runs through as a Catmull-Rom spline, in hundredths of the
digit's box, x to the right and y down. A corner is where one stroke ends and the next begins.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

POINTS = 112  # sampled along each form: under 0.9 of a pixel apart in a 28 x 28 image, so the edges look smooth

Stroke = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Form:
    """One way to write a digit.

    digit: what it reads as
    share: how often this form is used among the forms of its digit
    width: of its box, as a part of the box's height
    lines: the strokes as text, each through two points or more
    """

    digit: int
    share: float
    width: float
    lines: tuple[str, ...]

    @cached_property
    def strokes(self) -> tuple[Stroke, ...]:
        """The points of each stroke, in units of the box."""
        return tuple(
            tuple(tuple(int(number) / 100 for number in point.split()) for point in line.split(","))
            for line in self.lines
        )

    @cached_property
    def places(self) -> np.ndarray:
        """The distinct control points, (P, 2). Strokes that meet share theirs, so wobble keeps them joined."""
        return np.array(sorted({point for stroke in self.strokes for point in stroke}))

    @cached_property
    def weights(self) -> np.ndarray:
        """The matrix (POINTS, P) that takes control points to points along the strokes."""
        index = {tuple(place): i for i, place in enumerate(self.places)}
        lengths = [_length(stroke) for stroke in self.strokes]
        counts = _shares(lengths, POINTS)
        rows = np.zeros((POINTS, len(index)))
        start = 0
        for stroke, count in zip(self.strokes, counts, strict=True):
            spline = _spline(stroke, count)
            for column, point in enumerate(stroke):
                rows[start : start + count, index[point]] += spline[:, column]
            start += count
        return rows


def _length(stroke: Stroke) -> float:
    return float(np.sqrt((np.diff(np.array(stroke), axis=0) ** 2).sum(axis=1)).sum())


def _shares(lengths: list[float], total: int) -> list[int]:
    """Part `total` points among strokes by length, at least two each."""
    edges = np.rint(np.cumsum([0.0, *lengths]) / sum(lengths) * total).astype(int)
    return [int(count) for count in np.diff(edges)]


def _spline(stroke: Stroke, count: int) -> np.ndarray:
    """The matrix (count, points) of a Catmull-Rom spline sampled evenly along the stroke's chords."""
    knots = np.array(stroke)
    along = np.concatenate([[0.0], np.cumsum(np.sqrt((np.diff(knots, axis=0) ** 2).sum(axis=1)))])
    where = np.linspace(0, along[-1], count)
    span = np.clip(np.searchsorted(along, where, side="right") - 1, 0, len(knots) - 2)
    t = (where - along[span]) / (along[span + 1] - along[span])
    cubic = (
        0.5 * (-t + 2 * t * t - t * t * t),
        0.5 * (2 - 5 * t * t + 3 * t * t * t),
        0.5 * (t + 4 * t * t - 3 * t * t * t),
        0.5 * (-t * t + t * t * t),
    )
    closed = stroke[0] == stroke[-1]
    last = len(knots) - 1
    rows = np.zeros((count, len(knots)))
    for offset, weight in zip((-1, 0, 1, 2), cubic, strict=True):
        knot = span + offset
        # Past its ends a closed stroke goes round; an open one leans on its end points.
        knot = np.where(knot < 0, last - 1, np.where(knot > last, 1, knot)) if closed else np.clip(knot, 0, last)
        np.add.at(rows, (np.arange(count), knot), weight)
    return rows


FORMS = (
    Form(0, 1.0, 0.68, ("50 0, 14 17, 0 50, 14 84, 50 100, 86 83, 100 50, 86 16, 50 0",)),
    Form(1, 0.55, 0.2, ("50 0, 50 34, 50 67, 50 100",)),
    Form(1, 0.3, 0.34, ("0 25, 35 14, 70 0", "70 0, 70 50, 70 100")),
    Form(1, 0.15, 0.46, ("10 24, 32 13, 52 0", "52 0, 52 50, 52 100", "0 100, 52 100, 100 100")),
    Form(2, 0.6, 0.66, ("3 24, 17 6, 46 0, 80 10, 88 33, 64 62, 0 100", "0 100, 50 99, 100 97")),
    Form(2, 0.4, 0.72, ("6 20, 22 4, 50 0, 78 12, 82 36, 58 66, 20 94, 3 90, 12 78, 40 84, 70 98, 100 90",)),
    Form(3, 0.7, 0.62, ("4 13, 28 1, 60 1, 86 13, 84 34, 36 47", "36 47, 84 54, 100 74, 80 94, 42 100, 0 88")),
    Form(3, 0.3, 0.62, ("5 2, 50 1, 92 1", "92 1, 62 22, 40 42", "40 42, 80 48, 100 70, 80 93, 40 100, 0 88")),
    Form(4, 0.6, 0.66, ("16 0, 10 28, 2 56", "2 56, 50 55, 100 52", "80 4, 76 50, 72 100")),
    Form(4, 0.4, 0.7, ("72 0, 36 36, 0 68", "0 68, 50 68, 100 66", "72 0, 72 50, 72 100")),
    Form(
        5,
        1.0,
        0.64,
        ("94 0, 54 1, 16 2", "16 2, 12 22, 8 44", "8 44, 46 36, 84 46, 98 70, 78 94, 38 100, 0 89"),
    ),
    Form(6, 1.0, 0.6, ("82 0, 42 18, 12 46, 2 74, 22 95, 56 100, 90 88, 96 68, 72 53, 38 56, 6 76",)),
    Form(7, 0.7, 0.62, ("0 5, 50 3, 100 0", "100 0, 66 44, 46 72, 36 100")),
    Form(7, 0.3, 0.62, ("0 4, 50 3, 100 0", "100 0, 68 44, 50 72, 40 100", "28 52, 60 50, 94 48")),
    Form(
        8,
        1.0,
        0.6,
        ("88 16, 52 0, 14 14, 20 36, 54 50, 92 68, 92 88, 50 100, 8 88, 8 68, 50 49, 84 34, 88 16",),
    ),
    Form(9, 0.6, 0.6, ("94 26, 82 6, 48 0, 12 10, 2 30, 22 48, 56 48, 94 26", "94 26, 90 60, 80 100")),
    Form(
        9,
        0.4,
        0.62,
        ("94 24, 80 5, 46 0, 12 11, 2 31, 24 48, 58 47, 94 24", "94 24, 96 50, 90 78, 64 98, 20 94"),
    ),
)
