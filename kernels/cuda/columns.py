"""How the kernels of columns.h cut a matrix. Only its shape decides, so sums have the same order on every device."""

from typing import NamedTuple

from minigan.kernels.cuda.launch import THREADS

WIDEST = 128  # columns per tile: whole cache lines, and at least two rows at a time
LEAST = 8  # rows per thread, if there are enough: two rounds of four simultaneous loads
MOST = 2048  # blocks: a few more than can run at the same time
JOINED = 8  # columns per tile of the partial sums: they have few rows, all read by one block


class Cut(NamedTuple):
    """A matrix cut into tiles of columns and runs of rows, with one block for each pair."""

    width: int  # columns per tile
    run: int  # rows per run
    runs: int
    blocks: int


def cut(rows: int, channels: int) -> Cut:
    """Choose the Cut of a matrix of this shape, which is not empty."""
    tiles = -(-channels // WIDEST)
    width = -(-channels // tiles)
    step = THREADS // width
    wanted = min(-(-rows // (LEAST * step)), max(MOST // tiles, 1))
    run = -(-rows // (wanted * step)) * step
    runs = -(-rows // run)
    return Cut(width, run, runs, runs * tiles)


def cut_to_join(channels: int) -> tuple[int, int]:
    """(width of a tile, blocks) for joining partial sums: each block reads all rows of its tile."""
    width = min(channels, JOINED)
    return width, -(-channels // width)
