"""The matrix product: small ones by NumPy, larger ones block by block on the register tile."""

import functools

import numpy as np
from threadpoolctl import ThreadpoolController

from minigan.kernels.cpu.activation import leaky_relu
from minigan.kernels.cpu.arrays import plain, round_up
from minigan.kernels.cpu.compile import kernel, task
from minigan.kernels.cpu.crew import ARGUMENTS, LINE_BYTES, WORDS, array_at, share
from minigan.kernels.cpu.threads import run_compiled, scratch
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS

SMALL = 1 << 18  # multiplications; up to here OpenBLAS starts no threads, which would spin for the cores with ours
MOST_ROWS = 512  # of a block of the result
DEPTH = 512  # rows of a packed block: with 128 float32 columns it is 256 KiB, a quarter to half of an L2 cache


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


# where a product's arguments are on the board
A, A_SIZE, A_ROW, A_DEPTH, B, B_SIZE, B_DEPTH, B_COLUMN, OUT, FINISH, FINISH_SIZE, PANELS, PANELS_SIZE = range(
    ARGUMENTS, ARGUMENTS + 13
)
M, N, K, BLOCK_ROWS, BLOCK_COLUMNS = range(ARGUMENTS + 13, ARGUMENTS + 18)


@kernel
def share_product(board, slots, function, a, a_row, a_depth, b, b_depth, b_column, out, finish, panels, sizes):
    """Put a product on the board and share it. panels: for all slots; sizes: m, n, depth and those of a block."""
    board[A], board[A_SIZE], board[A_ROW], board[A_DEPTH] = a.ctypes.data, a.size, a_row, a_depth
    board[B], board[B_SIZE], board[B_DEPTH], board[B_COLUMN] = b.ctypes.data, b.size, b_depth, b_column
    board[OUT], board[FINISH], board[FINISH_SIZE] = out.ctypes.data, finish.ctypes.data, finish.size
    board[PANELS], board[PANELS_SIZE] = panels.ctypes.data, panels.size // slots
    board[M], board[N], board[K], board[BLOCK_ROWS], board[BLOCK_COLUMNS] = sizes
    return share(board, function, -(-sizes[0] // sizes[3]) * -(-sizes[1] // sizes[4]), slots)


@functools.cache
def product_block(dtype):
    """The task of a product of arrays of this dtype: one function, since LLVM compiles what calls a tile with it."""

    def block(address, number, slot):
        """One block of the result, a task of the product on the board at an address."""
        board = array_at(address, WORDS, np.int64)
        m, n, depth = board[M], board[N], board[K]
        across, down = divmod(number, -(-m // board[BLOCK_ROWS]))  # blocks of the same columns in a row
        first, left = down * board[BLOCK_ROWS], across * board[BLOCK_COLUMNS]
        last, right = min(first + board[BLOCK_ROWS], m), min(left + board[BLOCK_COLUMNS], n)
        a, a_row, a_depth = array_at(board[A], board[A_SIZE], dtype), board[A_ROW], board[A_DEPTH]
        b, b_depth, b_column = array_at(board[B], board[B_SIZE], dtype), board[B_DEPTH], board[B_COLUMN]
        out, finish = array_at(board[OUT], m * n, dtype), array_at(board[FINISH], board[FINISH_SIZE], dtype)
        panels = array_at(board[PANELS] + slot * board[PANELS_SIZE] * out.itemsize, board[PANELS_SIZE], dtype)
        for k in range(0, depth, DEPTH):  # b's part of the block is packed, DEPTH rows of depth at a time
            deep = min(DEPTH, depth - k)
            pack(b, k * b_depth + left * b_column, b_depth, b_column, deep, 0, right - left, panels)
            multiply(a, first * a_row + k * a_depth, a_row, a_depth, panels, deep, 0,
                     out, first * n + left, n, last - first, right - left, deep, k > 0)  # fmt: skip
        if finish.size:
            finish_block(out, n, (first, last), (left, right), finish)

    return block


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
    function = task(product_block(out.dtype.type)).address
    size = round_up(packed_size(min(DEPTH, depth), min(columns, n), out.itemsize), LINE_BYTES // out.itemsize)

    def job(board, slots):
        panels = scratch("panels", slots * size, out.dtype)
        sizes = m, n, depth, rows, columns
        return share_product(board, slots, function, *a, *b, out.reshape(-1), finish, panels, sizes)

    run_compiled(job, down * -(-n // columns), 2 * m * n * depth / PEAK)
    return out
