"""The matrix product: small ones by NumPy, larger ones block by block on the register tile."""

import functools
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from minigan.kernels.cpu.activation import leaky_relu
from minigan.kernels.cpu.arrays import plain, round_up
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.tasks import Own, Tasks
from minigan.kernels.cpu.threads import share
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS

SMALL = 1 << 18  # multiplications; up to here OpenBLAS starts no threads, which would spin for the cores with ours
MOST_ROWS = 512  # of a block of the result
DEPTH = 512  # rows of a packed block: with 128 float32 columns it is 256 KiB, a quarter to half of an L2 cache


class Sizes(NamedTuple):
    """Of a product and of a block of it."""

    rows: int
    columns: int
    depth: int
    block_rows: int
    block_columns: int


@kernel
def finish_block(out, out_stride, rows, columns, finish):
    """Add the bias to a block and activate it, while it lies in the cache. finish: the bias, and then the slope."""
    (first, last), (left, right), slope = rows, columns, finish[-1]
    for i in range(first, last):
        row = out[i * out_stride + left : i * out_stride + right]
        for j in range(right - left):
            value = row[j] + finish[left + j]
            # 0 * -inf would be NaN; a NaN itself must pass
            below = slope * value if slope != 0 or np.isnan(value) else slope
            row[j] = value if value > 0 else below


@Tasks
def product_block(number, a, a_row, a_depth, b, b_depth, b_column, out, finish, panels, sizes):
    """One block of out (m, n). finish: nothing, or the bias and then the slope."""
    m, n, depth = sizes.rows, sizes.columns, sizes.depth
    across, down = divmod(number, -(-m // sizes.block_rows))  # blocks of the same columns in a row
    first, left = down * sizes.block_rows, across * sizes.block_columns
    last, right = min(first + sizes.block_rows, m), min(left + sizes.block_columns, n)
    for k in range(0, depth, DEPTH):  # b's part of the block is packed, DEPTH rows of depth at a time
        deep = min(DEPTH, depth - k)
        pack(b, k * b_depth + left * b_column, b_depth, b_column, deep, 0, right - left, panels)
        multiply(a, first * a_row + k * a_depth, a_row, a_depth, panels, deep, 0,
                 out, first * n + left, n, last - first, right - left, deep, k > 0)  # fmt: skip
    if finish.size:
        finish_block(out, n, (first, last), (left, right), finish)


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


def matmul(a, b, bias=None, slope=1.0):
    """leaky_relu(a @ b + bias, slope): (M, N) from (M, K), (K, N) and (N,)."""
    (m, depth), n = a.shape, b.shape[1]
    if m * n * depth > SMALL and min(m, n) > 1:
        return product(a, b, bias, slope)
    if m * n * depth <= SMALL:
        y = np.matmul(a, b)
    else:  # bound by memory, and nothing to fill a tile with
        with blas().limit(limits=1):
            y = np.matmul(a, b)
    if bias is not None:
        y += bias
    return y if slope == 1 else leaky_relu(y, slope)


def product(a, b, bias, slope):
    """`matmul` on the register tile."""
    (m, depth), n = a.shape, b.shape[1]
    down = -(-m // MOST_ROWS)
    rows = round_up(-(-m // down), ROWS)
    # enough columns to reuse what is packed, few enough to give several threads work
    wide = WIDE_BYTES // a.itemsize
    columns = min(4, max(1, n * down // (8 * wide))) * wide
    a, b = flat_with_strides(a), flat_with_strides(b)
    out = np.empty((m, n), a[0].dtype)
    finish = np.empty(0 if bias is None and slope == 1 else n + 1, out.dtype)
    finish[:-1], finish[-1:] = 0 if bias is None else bias, slope
    size = packed_size(min(DEPTH, depth), min(columns, n), out.itemsize)
    sizes = Sizes(m, n, depth, rows, columns)
    share(product_block, down * -(-n // columns), 2 * m * n * depth / PEAK, *a, *b, out, finish,
          Own("panels", size, out.dtype), sizes)  # fmt: skip
    return out
