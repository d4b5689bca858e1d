"""How a matrix product is split into blocks: the size of the tiles and the number of parts of the depth (tile.h)."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels import precision_now
from minigan.kernels.cuda.launch import THREADS, each, empty, run

FEW_COLUMNS = 8
ENOUGH_BLOCKS = 528  # four per multiprocessor of the largest GPUs
ENOUGH_LARGE_BLOCKS = ENOUGH_BLOCKS // 2  # each does the work of four medium ones
LONGEST = 1 << 30  # maximal depth of a part: kernels count along it in ints
SHORTEST = 256  # minimal depth of a part: below it, adding parts costs more than extra blocks save


class Shape(NamedTuple):
    """A block's tile of the result."""

    rows: int
    columns: int


SHAPES = {
    "large": Shape(128, 128),
    "medium": Shape(64, 64),
    "narrow": Shape(256, 4),
    "tf32": Shape(128, 64),
    "bf16": Shape(128, 64),
}
ON_TENSOR_CORES = ("tf32", "bf16")  # the shapes with rounded factors


class Plan(NamedTuple):
    """shape: a name in SHAPES, the suffix of the kernel's name; parts: parts of the depth, each with its own blocks."""

    shape: str
    parts: int

    def grid(self, rows: int, columns: int, products: int = 1) -> tuple[int, int]:
        """(blocks, threads) of a kernel that computes several products of one size."""
        return tiles(self.shape, rows, columns) * products * self.parts, THREADS


def tiles(shape: str, rows: int, columns: int) -> int:
    return -(-rows // SHAPES[shape].rows) * -(-columns // SHAPES[shape].columns)


@functools.lru_cache(maxsize=1024)
def plan(rows: int, columns: int, depth: int, products: int = 1, numbers: str | None = None) -> Plan:
    """The plan for several products (rows, depth) @ (depth, columns), a function of these arguments alone.

    numbers: one of ON_TENSOR_CORES or None; ignored if there are too few columns to fill tensor cores
    """
    if columns <= FEW_COLUMNS:
        shape = "narrow"
    elif numbers:
        shape = numbers
    elif columns > SHAPES["medium"].columns and tiles("large", rows, columns) * products >= ENOUGH_LARGE_BLOCKS:
        shape = "large"
    else:
        shape = "medium"
    blocks = tiles(shape, rows, columns) * products
    return Plan(shape, max(min(ENOUGH_BLOCKS // blocks, depth // SHORTEST), depth // LONGEST + 1))


def numbers_for(array) -> str | None:
    """One of ON_TENSOR_CORES if `kernels.precision` requests it and the array is float32, else None."""
    precision = precision_now()
    return precision if precision in ON_TENSOR_CORES and array.dtype == np.float32 else None


def in_parts(launch, how: Plan, shape, like, bias=None, slope=1.0):
    """Compute an array of this shape with a kernel that sums each part of the depth separately.

    launch(out, bias, biased, slope) runs the kernel, which writes the sums of each part to `out`. The bias has the size
    of the last axis. With one part the kernel adds the bias and activates; with several, `add_parts` does.
    """
    out = empty(shape, like)
    if how.parts == 1:
        launch(out, out if bias is None else bias, int(bias is not None), float(slope))
        return out
    sums = empty((how.parts, *shape), like)
    launch(sums, sums, 0, 1.0)
    finish(sums, out, how.parts, bias, slope)
    return out


def finish(sums, out, parts=1, bias=None, slope=1.0) -> None:
    """out = leaky_relu(sum of the parts + bias, slope); `out` may be the only part itself."""
    biased = int(bias is not None)
    bias = sums if bias is None else bias
    how = each(out.size)
    run("matmul.cu", "add_parts", how, sums, bias, out, parts, out.size, out.shape[-1], biased, float(slope))
