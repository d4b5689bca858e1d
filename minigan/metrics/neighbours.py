"""Measures based on nearest neighbours: precision and recall, and the real image closest to a generated one."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.distances import pair

BLOCK = 1 << 21  # distances at a time: 16 MiB, and as much again for their scale
ROUNDING = 1e-13  # squared distances below this part of the squared lengths are rounding errors of 0


class PrecisionRecall(NamedTuple):
    """precision: the share of generated images among the real ones; recall: the share of real ones among generated."""

    precision: float
    recall: float


def precision_recall(real: np.ndarray, made: np.ndarray, k: int = 3) -> PrecisionRecall:
    """The share of generated images that are similar to real ones, and vice versa.

    A sample covers every point that is as close to one of its members as that member's k-th nearest neighbour.
    real, made: features (N, D), one sample per row, more than k rows. Computed in float64
    source: Kynkaanniemi et al., arXiv:1904.06991, algorithm 1
    """
    if not hasattr(k, "__index__") or k < 1:
        raise ShapeError(f"precision_recall: k is {k}, expected a whole number of at least 1")
    real, made = pair("precision_recall", real, made, least=k + 1)
    return PrecisionRecall(_share_within(made, real, k), _share_within(real, made, k))


def _share_within(points, sample, k):
    """The share of points that a sample covers."""
    # Each member is its own nearest neighbour, and is excluded by its row, since rounding may change its distance of 0.
    radii = np.concatenate([_without_itself(block, rows, k) for rows, block in _blocks(sample, sample)])
    return float(np.mean(np.concatenate([(block <= radii).any(1) for _, block in _blocks(points, sample)])))


def _without_itself(block, rows, k):
    block[np.arange(len(block)), rows] = np.inf
    return np.partition(block, k - 1, axis=1)[:, k - 1]


def nearest(features: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest row of another set (M, D) for each row of features (N, D): (indices, distances), each (N,).

    The first of equally near rows is returned. The distance is Euclidean, computed in float64.
    """
    features, among = pair("nearest", features, among)
    found = [(block.argmin(1), block.min(1)) for _, block in _blocks(features, among)]
    indices, squares = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return indices, np.sqrt(squares)


def _blocks(first, second) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of the first set, and their squared distances to all rows of the second, some at a time."""
    middle = second.mean(0)  # centring makes the squares small, so their difference loses little precision
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
