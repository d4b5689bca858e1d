"""The matrix product: small ones by NumPy, larger ones block by block on the register tile."""

import functools

import numpy as np
from threadpoolctl import ThreadpoolController

from minigan.kernels.cpu.arrays import blocks, plain, round_up
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run, scratch
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS

SMALL = 1 << 18  # multiplications; up to here OpenBLAS starts no threads, which would spin for the cores with ours
DEPTH = 512  # rows of a packed block: with 128 float32 columns it is 256 KiB, a quarter to half of an L2 cache


@kernel
def multiply_block(a, a_row, a_depth, b, b_depth, b_column, out, out_stride, rows, columns, depth, chunk, panels):
    """out[rows, columns] = a @ b for one block, packing b's part of it, `chunk` rows of depth at a time."""
    (first, last), (left, right) = rows, columns
    for k in range(0, depth, chunk):
        deep = min(chunk, depth - k)
        pack(b, k * b_depth + left * b_column, b_depth, b_column, deep, 0, right - left, panels)
        multiply(a, first * a_row + k * a_depth, a_row, a_depth, panels, deep, 0,
                 out, first * out_stride + left, out_stride, last - first, right - left, deep, k > 0)  # fmt: skip


def flat_with_strides(array):
    """(flat, row stride, column stride) of a matrix in C or Fortran order, as it lies; of a copy of any other."""
    if array.T.flags.carray and not array.flags.carray:
        return array.T.reshape(-1), 1, array.shape[0]
    (array,) = plain(array)
    return array.reshape(-1), array.shape[1], 1


@functools.cache
def blas():
    """NumPy's BLAS, whose own threads would spin for the cores that ours need."""
    return ThreadpoolController().select(user_api="blas")


def matmul(a, b):
    (m, depth), n = a.shape, b.shape[1]
    if m * n * depth <= SMALL:
        return np.matmul(a, b)
    if m == 1 or n == 1:  # bound by memory, and nothing to fill a tile with
        with blas().limit(limits=1):
            return np.matmul(a, b)
    wide = WIDE_BYTES // a.itemsize
    rows = blocks(m, round_up(min(m, 512), ROWS))
    # enough columns to reuse what is packed, few enough to give several threads work
    columns = blocks(n, min(4, max(1, n * len(rows) // (8 * wide))) * wide)
    a, b = flat_with_strides(a), flat_with_strides(b)
    out = np.empty((m, n), a[0].dtype)
    flat = out.reshape(-1)
    size = packed_size(DEPTH, max(last - first for first, last in columns), out.itemsize)

    def block(task):
        panels = scratch("panels", size, out.dtype)
        multiply_block(*a, *b, flat, n, *task, depth, DEPTH, panels)

    run(block, [(r, c) for r in rows for c in columns], 2 * m * n * depth / PEAK)
    return out
