"""Measures by nearest neighbours: precision and recall, and which real image a generated one is most like."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.distances import pair

BLOCK = 1 << 21  # distances at a time: 16 MiB, and as much for what they are compared with
ROUNDING = 1e-13  # what of two squared lengths may be left as that of a difference which is nothing


class PrecisionRecall(NamedTuple):
    """precision: the share of generated images that lie among the real ones; recall: of real ones among generated."""

    precision: float
    recall: float


def precision_recall(real: np.ndarray, made: np.ndarray, k: int = 3) -> PrecisionRecall:
    """How many generated images are like real ones, and how many real ones are like generated.

    A sample stands for all that is no further from one of its members than that one's k-th nearest neighbour in it.
    real, made: features (N, D), each sample a row, more than k of them. Computed in float64
    source: Kynkaanniemi et al., arXiv:1904.06991, algorithm 1
    """
    if not hasattr(k, "__index__") or k < 1:
        raise ShapeError(f"precision_recall: k is {k}, but it is a whole number, and the nearest neighbour is number 1")
    real, made = pair("precision_recall", real, made, least=k + 1)
    return PrecisionRecall(_share_within(made, real, k), _share_within(real, made, k))


def _share_within(points, sample, k):
    """The share of points that lie within what a sample stands for."""
    # each is its own nearest neighbour, at a distance that rounding must not make another
    radii = np.concatenate([_without_itself(block, rows, k) for rows, block in _blocks(sample, sample)])
    return float(np.mean(np.concatenate([(block <= radii).any(1) for _, block in _blocks(points, sample)])))


def _without_itself(block, rows, k):
    block[np.arange(len(block)), rows] = np.inf
    return np.partition(block, k - 1, axis=1)[:, k - 1]


def nearest(features: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of features (N, D) the row of another set (M, D) that is nearest: (indices, distances), each (N,).

    Of several equally near the first. The distance is Euclidean, computed in float64.
    """
    features, among = pair("nearest", features, among)
    found = [(block.argmin(1), block.min(1)) for _, block in _blocks(features, among)]
    indices, squares = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return indices, np.sqrt(squares)


def _blocks(first, second) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of the first set, and their squared distances to all rows of the second, some at a time."""
    middle = second.mean(0)  # around it the squares are small, and little is lost in their difference
    first, second = first - middle, second - middle
    lengths = np.einsum("ij,ij->i", second, second)
    size = max(1, BLOCK // len(second))
    for start in range(0, len(first), size):
        part = first[start : start + size]
        scale = np.einsum("ij,ij->i", part, part)[:, None] + lengths
        squares = part @ second.T
        squares *= -2
        squares += scale
        scale *= ROUNDING
        squares[squares < scale] = 0
        yield np.arange(start, start + len(part)), squares
