"""The matrix product: small ones by NumPy, larger ones block by block on the register tile."""

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels.cpu.activation import leaky_relu
from minigan.kernels.cpu.arrays import DTYPES, empty, misfit, ndarray, plain, round_up
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.tasks import Own, Tasks
from minigan.kernels.cpu.threads import scratch, share
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS, add_run, clear_run

SMALL = 1 << 18  # multiplications; up to here OpenBLAS starts no threads, which would spin for the cores with ours
MOST_ROWS = 512  # of a block of the result
TASKS = 16  # the least number of tasks, where there is enough work
COLUMNS, SHORT = 1024, 64  # of a task that adds rows up, and rows of a short sum
BLOCK = 1 << 14  # elements that a task reads
WRITTEN = 0.2e-9  # seconds for an element of a result, at least
DEPTH = 512  # rows of a packed block: with 128 float32 columns it is 256 KiB, a quarter to half of an L2 cache


class Sizes(NamedTuple):
    """Of a product, and of a task's block of it."""

    rows: int
    columns: int
    depth: int
    block_rows: int
    block_columns: int
    block_depth: int


@kernel
def finish_block(out, out_stride, rows, columns, bias, slope):
    """Add the bias, if there is one, to a block and activate it, while it lies in the cache."""
    (first, last), (left, right) = rows, columns
    for i in range(first, last):
        row = out[i * out_stride + left : i * out_stride + right]
        if bias.size:
            add_run(bias, left, out, i * out_stride + left, right - left)
        for j in range(right - left):
            value = row[j]
            # 0 * -inf would be NaN; a NaN itself must pass
            below = slope * value if slope != 0 or np.isnan(value) else slope
            row[j] = value if value > 0 else below


@Tasks
def finish_rows(number, out, columns, bias, slope):
    """A bias and an activation of all rows."""
    finish_block(out, columns, (0, out.size // columns), (0, columns), bias, slope)


@Tasks
def product_block(number, a, a_row, a_depth, b, b_depth, b_column, out, bias, slope, panels, sizes):
    """One block of out, (parts of the depth, m, n), with bias (n or 0) and activation."""
    m, n = sizes.rows, sizes.columns
    number, down = divmod(number, -(-m // sizes.block_rows))  # blocks of the same columns in a row
    part, across = divmod(number, -(-n // sizes.block_columns))
    first, left, start = down * sizes.block_rows, across * sizes.block_columns, part * sizes.block_depth
    last, right = min(first + sizes.block_rows, m), min(left + sizes.block_columns, n)
    stop = min(start + sizes.block_depth, sizes.depth)
    for k in range(start, stop, DEPTH):  # b's part of the block is packed, DEPTH rows of depth at a time
        deep = min(DEPTH, stop - k)
        pack(b, k * b_depth + left * b_column, b_depth, b_column, deep, 0, right - left, panels)
        multiply(a, first * a_row + k * a_depth, a_row, a_depth, panels, deep, 0,
                 out, (part * m + first) * n + left, n, last - first, right - left, deep, k > start)  # fmt: skip
    if bias.size or slope != 1:
        finish_block(out, n, (first, last), (left, right), bias, slope)


@Tasks
def rows_by_vector(number, a, x, y):
    """Some of y = a @ x, for a (M, K)."""
    depth, each = x.size, rows_of_task(x.size)
    for i in range(number * each, min((number + 1) * each, y.size)):
        row, total = a[i * depth : (i + 1) * depth], y.dtype.type(0)
        for k in range(depth):
            total += row[k] * x[k]
        y[i] = total


@Tasks
def vector_by_rows(number, x, a, y, sums):
    """Some of y = x @ a, for a (K, N): sums of short sums, which round less."""
    n, left = y.size, number * COLUMNS
    right = min(left + COLUMNS, n)
    out, sums = y[left:right], sums[: right - left]
    clear_run(out, 0, out.size)
    for first in range(0, x.size, SHORT):
        clear_run(sums, 0, sums.size)
        for i in range(first, min(first + SHORT, x.size)):
            row, factor = a[i * n + left : i * n + right], x[i]
            for j in range(row.size):
                sums[j] += factor * row[j]
        for j in range(sums.size):
            out[j] += sums[j]


@kernel
def rows_of_task(depth):
    return max(BLOCK // max(depth, 1), 1)


def add_parts(parts, out):
    """out = the sum of the parts, each as large as it, in order."""
    share(add_block, -(-out.size // BLOCK), parts.size * 0.2e-9, parts, out)


@Tasks
def add_block(number, parts, out):
    first, last = number * BLOCK, min((number + 1) * BLOCK, out.size)
    clear_run(out, first, last - first)
    for start in range(0, parts.size, out.size):
        add_run(parts, start + first, out, first, last - first)


def flat_with_strides(array):
    """(array as it lies, row stride, column stride) of a matrix in C or Fortran order; of a copy of any other."""
    if array.__class__ is not ndarray or not array.flags.carray:
        turned = array.T
        if turned.__class__ is ndarray and turned.flags.carray:
            return turned, 1, array.shape[0]
        (array,) = plain(array)
    return array, array.shape[1], 1


def matmul(a, b, bias=None, slope=1.0):
    """leaky_relu(a @ b + bias, slope): (M, N) from (M, K), (K, N) and (N,)."""
    (m, depth), (rows, n) = a.shape, b.shape
    if m * n * depth > SMALL:
        if rows != depth or (bias is not None and bias.shape != (n,)):
            misfit("matmul", *(array for array in (a, b, bias) if array is not None))
        if a.dtype != b.dtype or a.dtype not in NOTHING:
            plain(a, b)  # says what kernels take
        if min(m, n) > 1:
            return product(a, b, bias, slope)
        y = (by_vector(a, b) if n == 1 else by_vector(b.T, a.T)).reshape(m, n)
    else:
        y = a.dot(b) if a.size != 1 != b.size else np.matmul(a, b)  # times a 1 x 1 matrix of 0, dot loses NaN
    if bias is not None:
        y += bias
    return y if slope == 1 else leaky_relu(y, slope)


def by_vector(a, x):
    """a @ x for a vector, which fills no tile: a is read once, as it lies."""
    (a, _, column), (x,) = flat_with_strides(a), plain(x)
    if column == 1:
        y = np.empty(len(a), a.dtype)
        share(rows_by_vector, -(-y.size // rows_of_task(x.size)), a.size * 0.2e-9, a, x, y)
    else:
        y = np.empty(a.shape[1], a.dtype)
        share(vector_by_rows, -(-y.size // COLUMNS), a.size * 0.2e-9, x, a, y, Own("sums", COLUMNS, y.dtype))
    return y


def product(a, b, bias, slope):
    """`matmul` on the register tile."""
    (m, depth), n, dtype = a.shape, b.shape[1], a.dtype
    sizes, tasks, parts, panels, seconds = plan(m, n, depth, dtype)
    out, slope = empty((m, n), dtype), dtype.type(slope)
    bias = NOTHING[dtype] if bias is None else plain(bias)[0]
    operands = *flat_with_strides(a), *flat_with_strides(b)
    if parts == 1:
        share(product_block, tasks, seconds, *operands, out, bias, slope, panels, sizes)
        return out
    sums = scratch("partial", parts * out.size, dtype)
    share(product_block, tasks, seconds, *operands, sums, NOTHING[dtype], dtype.type(1), panels, sizes)
    add_parts(sums, out)
    if bias.size or slope != 1:
        share(finish_rows, 1, 0, out, n, bias, slope)
    return out


NOTHING = {dtype: np.empty(0, dtype) for dtype in DTYPES}


@functools.lru_cache(maxsize=1024)
def plan(m, n, depth, dtype):
    """(Sizes, tasks, parts of the depth, a task's own panels, seconds) of a product."""
    wide, down = WIDE_BYTES // dtype.itemsize, -(-m // MOST_ROWS)
    columns = 4 * wide * max(DEPTH // max(depth, 1), 1)  # as many as the L2 cache has room for
    if depth <= DEPTH:  # each block of rows packs all of its columns again
        down = min(down, max(-(-TASKS // -(-n // columns)), -(-m // (8 * MOST_ROWS))))
    # long sums are in parts where there are few blocks, else fewer columns give several threads work
    parts = min(-(-TASKS // (down * -(-n // columns))), max(depth // (4 * DEPTH), 1))
    if parts == 1:
        columns = min(columns, max(1, n * down // (8 * wide)) * wide)
    across, rows, deep = -(-n // columns), round_up(-(-m // down), ROWS), round_up(-(-depth // parts), DEPTH)
    down, parts = -(-m // rows), -(-depth // deep)
    panels = Own("panels", packed_size(min(DEPTH, depth), min(columns, n), dtype.itemsize), dtype)
    seconds = m * n * max(2 * depth / PEAK, WRITTEN)
    return Sizes(m, n, depth, rows, columns, deep), parts * down * across, parts, panels, seconds
