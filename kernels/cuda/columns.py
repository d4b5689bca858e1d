"""How the kernels of columns.h cut a matrix: by its shape alone, so that a sum has one order on every device."""

from typing import NamedTuple

from minigan.kernels.cuda.launch import THREADS

WIDEST = 128  # columns of a tile: whole cache lines, and at least two rows at once
LEAST = 8  # rows that a thread reads, if there are enough: two rounds of four loads at once
MOST = 2048  # blocks: some more than can run at a time
JOINED = 8  # columns of a tile of the partial sums, which are few rows and all read by one block


class Cut(NamedTuple):
    """A matrix in tiles of columns and runs of rows, a block for each."""

    width: int  # of a tile
    run: int  # rows of a run
    runs: int
    blocks: int


def cut(rows: int, channels: int) -> Cut:
    """How a matrix of this shape, not empty, is read."""
    tiles = -(-channels // WIDEST)
    width = -(-channels // tiles)
    step = THREADS // width
    wanted = min(-(-rows // (LEAST * step)), max(MOST // tiles, 1))
    run = -(-rows // (wanted * step)) * step
    runs = -(-rows // run)
    return Cut(width, run, runs, runs * tiles)


def cut_to_join(channels: int) -> tuple[int, int]:
    """(width of a tile, blocks) for partial sums, of which a block has all rows."""
    width = min(channels, JOINED)
    return width, -(-channels // width)
