"""How a product of matrices is split into blocks: which tile, and how many parts of the depth (tile.h)."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels import precision_now
from minigan.kernels.cuda.launch import THREADS, each, empty, run

FEW_COLUMNS = 8
ENOUGH_BLOCKS = 528  # four for each multiprocessor of the largest GPUs
ENOUGH_LARGE_BLOCKS = ENOUGH_BLOCKS // 2  # each of which has the work of four others
LONGEST = 1 << 30  # depth of a part: a kernel counts along it in ints
SHORTEST = 256  # depth of a part: below, adding the parts costs more than the blocks save


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
ON_TENSOR_CORES = ("tf32", "bf16")  # of the shapes; their factors are rounded so


class Plan(NamedTuple):
    """shape: a name in SHAPES, and the end of a kernel's; parts: of the depth, each summed by blocks of its own."""

    shape: str
    parts: int

    def grid(self, rows: int, columns: int, products: int = 1) -> tuple[int, int]:
        """(blocks, threads) of a kernel that computes several products of one size."""
        return tiles(self.shape, rows, columns) * products * self.parts, THREADS


def tiles(shape: str, rows: int, columns: int) -> int:
    return -(-rows // SHAPES[shape].rows) * -(-columns // SHAPES[shape].columns)


@functools.lru_cache(maxsize=1024)
def plan(rows: int, columns: int, depth: int, products: int = 1, numbers: str | None = None) -> Plan:
    """The plan for a number of products (rows, depth) @ (depth, columns). It depends on nothing else.

    numbers: one of ON_TENSOR_CORES, to which factors are rounded where there are columns enough to fill these; or None
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
    """One of ON_TENSOR_CORES, where `kernels.precision` asks for it and the array is float32; else None."""
    precision = precision_now()
    return precision if precision in ON_TENSOR_CORES and array.dtype == np.float32 else None


def in_parts(launch, how: Plan, shape, like, bias=None, slope=1.0):
    """An array of this shape from a kernel that sums parts of the depth.

    launch(out, bias, biased, slope) runs the kernel; its `out` has the sums of each part. The last axis of the shape is
    the bias's. The last pass adds it and activates: the kernel itself where there is one part, else `add_parts`.
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
    """out = leaky_relu(the sum of the parts + bias, slope); out may be the only part."""
    biased = int(bias is not None)
    bias = sums if bias is None else bias
    how = each(out.size)
    run("matmul.cu", "add_parts", how, sums, bias, out, parts, out.size, out.shape[-1], biased, float(slope))
