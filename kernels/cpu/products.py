"""Matrix products: small ones by NumPy, larger ones block by block on the register tile (`tile.py`).

The right operand is packed: laid out as panels as wide as the tile, through which `multiply` walks.
"""

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels.cpu.elementwise import leaky_relu
from minigan.kernels.cpu.runtime.compile import kernel, outlined
from minigan.kernels.cpu.runtime.threads import (
    DTYPES,
    PerThread,
    Tasks,
    empty,
    misfit,
    ndarray,
    plain,
    round_up,
    scratch,
    share,
)
from minigan.kernels.cpu.runtime.vectors import BITS, ROWS, add_run, clear_run, copy_run, transpose_square
from minigan.kernels.cpu.tile import single_gathering, single_tile, thin_gathering, thin_tile, wide_gathering, wide_tile

SMALL = 1 << 18  # multiplications; up to here OpenBLAS starts no threads that would compete with ours for cores
MOST_ROWS = 512  # rows per block of the result
TASKS = 16  # the least number of tasks, if there is enough work
COLUMNS, SHORT = 1024, 64  # columns per task that adds up rows, and rows per short sum
BLOCK = 1 << 14  # elements read per task
WRITTEN = 0.2e-9  # least number of seconds per element of a result
DEPTH = 512  # rows of a packed block: with 128 float32 columns it is 256 KiB, a quarter to half of an L2 cache
PEAK = 1e11  # approximate floating point operations per second and thread
SINGLE_BYTES, WIDE_BYTES = BITS // 8, BITS // 4  # a panel's row, in bytes: half a vector, one, or two


# ------------------------------------------------------------------------------------------ packed panels


@kernel
def panel_width(columns, item):
    """The width of the narrowest panel for `columns` columns of `item` bytes each; at most the wide tile's."""
    if columns * item > SINGLE_BYTES:
        return WIDE_BYTES // item
    if columns * item * 2 > SINGLE_BYTES:
        return SINGLE_BYTES // item
    return SINGLE_BYTES // item // 2


@kernel
def packed_size(depth, columns, item):
    """The number of elements of `columns` columns laid out as panels."""
    wide = WIDE_BYTES // item
    rest = columns % wide
    return depth * (columns - rest + (panel_width(rest, item) if rest else 0))


@outlined
def pack(source, at, row_stride, column_stride, depth, first, last, panels):
    """Lay out columns first to last of a matrix of `depth` rows as panels; first is a multiple of the tile's width.

    A panel is a contiguous (depth, width) array, padded with zeros; panel j starts at depth * j * wide. All panels but
    the last are wide; the last is as narrow as its columns allow.
    """
    wide = WIDE_BYTES // panels.itemsize
    for start in range(first, last, wide):
        width = panel_width(last - start, panels.itemsize)
        here = panels[depth * start : depth * (start + width)]
        columns = min(width, last - start)
        origin = at + start * column_stride
        if column_stride == 1:
            for k in range(depth):
                copy_run(source, origin + k * row_stride, here, k * width, columns)
                if columns < width:
                    clear_run(here, k * width + columns, width - columns)
        else:
            pack_columns(source, origin, row_stride, column_stride, depth, columns, here, width)


@kernel
def pack_columns(source, origin, row_stride, column_stride, depth, columns, panel, width):
    """Fill one panel from columns that are not adjacent: square by square, if each column is contiguous."""
    side = SINGLE_BYTES // panel.itemsize
    whole_rows = depth // side * side if row_stride == 1 else 0
    whole_columns = columns // side * side
    for j in range(0, whole_columns, side):
        for k in range(0, whole_rows, side):
            transpose_square(source, origin + k + j * column_stride, column_stride, panel, k * width + j, width)
    for j in range(columns):
        column = origin + j * column_stride
        for k in range(whole_rows if j < whole_columns else 0, depth):
            panel[k * width + j] = source[column + k * row_stride]
    for j in range(columns, width):
        for k in range(depth):
            panel[k * width + j] = 0


@outlined
def multiply(left, left_at, row_stride, depth_stride, panels, panel_depth, from_depth, out, out_at, out_stride,
             rows, columns, depth, accumulate):  # fmt: skip
    """out[:rows, :columns] (+)= left @ right, right's rows from_depth to from_depth + depth of packed panels.

    left, out: flat arrays; element (i, k) of left is at left_at + i * row_stride + k * depth_stride, element (i, j)
    of out at out_at + i * out_stride + j. panel_depth: the depth the panels were packed with.
    """
    wide = WIDE_BYTES // panels.itemsize
    for i in range(0, rows, ROWS):  # rows of left stay in the L1 cache, all panels in the L2 cache
        here = left_at + i * row_stride
        for start in range(0, columns, wide):
            width, to = panel_width(columns - start, panels.itemsize), out_at + i * out_stride + start
            panel_at = panel_depth * start + from_depth * width
            if width == wide:
                wide_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                          depth, rows - i, columns - start, accumulate)  # fmt: skip
            elif width * 2 == wide:
                single_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                            depth, rows - i, columns - start, accumulate)  # fmt: skip
            else:
                thin_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                          depth, rows - i, columns - start, accumulate)  # fmt: skip


@outlined
def multiply_gathered(left, left_at, table, first_row, rows, depth_stride, pieces, piece_stride, length,
                      right, right_at, right_stride, out, out_at, out_stride, columns, accumulate, bias,
                      slope):  # fmt: skip
    """Like multiply, but left row i begins at left_at + table[first_row + i] and has `pieces` pieces of `length`.

    right_stride: distance between rows of an unpacked right operand, whole panels wide; 0 for packed panels
    bias, slope: unless it accumulates, out = leaky_relu(left @ right + bias, slope); bias is whole panels wide
    """
    wide = WIDE_BYTES // right.itemsize
    for i in range(0, rows, ROWS):
        for start in range(0, columns, wide):
            width = panel_width(columns - start, right.itemsize)
            stride = right_stride if right_stride else width
            panel_at = right_at + (start if right_stride else pieces * length * start)
            to, down, across = out_at + i * out_stride + start, rows - i, columns - start
            if width == wide:
                wide_gathering(left, left_at, table, first_row + i, depth_stride, pieces, piece_stride, length,
                               right, panel_at, stride, out, to, out_stride, down, across, accumulate,
                               bias, start, slope)  # fmt: skip
            elif width * 2 == wide:
                single_gathering(left, left_at, table, first_row + i, depth_stride, pieces, piece_stride, length,
                                 right, panel_at, stride, out, to, out_stride, down, across, accumulate,
                                 bias, start, slope)  # fmt: skip
            else:
                thin_gathering(left, left_at, table, first_row + i, depth_stride, pieces, piece_stride, length,
                               right, panel_at, stride, out, to, out_stride, down, across, accumulate,
                               bias, start, slope)  # fmt: skip


# ------------------------------------------------------------------------------------------ products


class Sizes(NamedTuple):
    """The sizes of a product, and of the block that a task computes."""

    rows: int
    columns: int
    depth: int
    block_rows: int
    block_columns: int
    block_depth: int


@kernel
def finish_block(out, out_stride, rows, columns, bias, slope):
    """Add the bias, if there is one, to a block and activate it, while it is in the cache."""
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
    """Add the bias to all rows and activate them."""
    finish_block(out, columns, (0, out.size // columns), (0, columns), bias, slope)


@Tasks
def product_block(number, a, a_row, a_depth, b, b_depth, b_column, out, bias, slope, panels, sizes):
    """One block of out, (parts of the depth, m, n), with bias (n or 0) and activation."""
    m, n = sizes.rows, sizes.columns
    number, down = divmod(number, -(-m // sizes.block_rows))  # blocks of the same columns are consecutive
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
    """Some rows of y = a @ x, for a (M, K)."""
    depth, each = x.size, rows_of_task(x.size)
    for i in range(number * each, min((number + 1) * each, y.size)):
        row, total = a[i * depth : (i + 1) * depth], y.dtype.type(0)
        for k in range(depth):
            total += row[k] * x[k]
        y[i] = total


@Tasks
def vector_by_rows(number, x, a, y, sums):
    """Some columns of y = x @ a, for a (K, N): sums of short sums, which round less."""
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
    """out = the sum of the parts, each of the size of `out`, in order."""
    share(add_block, -(-out.size // BLOCK), parts.size * 0.2e-9, parts, out)


@Tasks
def add_block(number, parts, out):
    first, last = number * BLOCK, min((number + 1) * BLOCK, out.size)
    clear_run(out, first, last - first)
    for start in range(0, parts.size, out.size):
        add_run(parts, start + first, out, first, last - first)


def flat_with_strides(array):
    """(flat array, row stride, column stride) of a matrix in C or Fortran order, or of a copy of any other matrix."""
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
            plain(a, b)  # raises DtypeError
        if min(m, n) > 1:
            return product(a, b, bias, slope)
        y = (by_vector(a, b) if n == 1 else by_vector(b.T, a.T)).reshape(m, n)
    else:
        y = a.dot(b) if a.size != 1 != b.size else np.matmul(a, b)  # times a 1 x 1 matrix of 0, dot loses NaN
    if bias is not None:
        y += bias
    return y if slope == 1 else leaky_relu(y, slope)


def by_vector(a, x):
    """a @ x for a vector x, which would not fill a tile. Reads a once, in memory order."""
    (a, _, column), (x,) = flat_with_strides(a), plain(x)
    if column == 1:
        y = np.empty(len(a), a.dtype)
        share(rows_by_vector, -(-y.size // rows_of_task(x.size)), a.size * 0.2e-9, a, x, y)
    else:
        y = np.empty(a.shape[1], a.dtype)
        share(vector_by_rows, -(-y.size // COLUMNS), a.size * 0.2e-9, x, a, y, PerThread("sums", COLUMNS, y.dtype))
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
    columns = 4 * wide * max(DEPTH // max(depth, 1), 1)  # as many as fit in the L2 cache
    if depth <= DEPTH:  # each block of rows packs all columns again
        down = min(down, max(-(-TASKS // -(-n // columns)), -(-m // (8 * MOST_ROWS))))
    # if there are few blocks, cut long sums into parts; else give blocks fewer columns, so that all threads have work
    parts = min(-(-TASKS // (down * -(-n // columns))), max(depth // (4 * DEPTH), 1))
    if parts == 1:
        columns = min(columns, max(1, n * down // (8 * wide)) * wide)
    across, rows, deep = -(-n // columns), round_up(-(-m // down), ROWS), round_up(-(-depth // parts), DEPTH)
    down, parts = -(-m // rows), -(-depth // deep)
    panels = PerThread("panels", packed_size(min(DEPTH, depth), min(columns, n), dtype.itemsize), dtype)
    seconds = m * n * max(2 * depth / PEAK, WRITTEN)
    return Sizes(m, n, depth, rows, columns, deep), parts * down * across, parts, panels, seconds
