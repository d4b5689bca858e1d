"""Convolution, its adjoint and its weight gradient: blocked im2col on the register tile.

Each task fills a buffer of its thread with a block of columns that fits the L2 cache and multiplies it at once, so
the whole column matrix never exists. Groups are runs of channels, done one after another.
"""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain, round_up
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run, scratch
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS
from minigan.kernels.cpu.window import gather_columns, scatter_columns

BLOCK = 1 << 16  # elements of a block of columns, 256 KiB of float32
LINE = 16  # elements between rows of columns: rows a power of two apart would share a cache set
TASKS = 16  # at least so many, where there is work for them


def conv2d(x, w, g):
    x, w = plain(x, w)
    y = np.empty(g.features, x.dtype)
    if not y.size or not w.size:
        return np.zeros_like(y)
    pixels, depth = g.N * g.OH * g.OW, g.KH * g.KW * (g.C // g.G)
    taps = taps_of(g, 1024)
    stride = taps * (g.C // g.G) + LINE
    block = round_up(min(max(BLOCK // stride, ROWS), -(-pixels // TASKS)), ROWS)
    panels = pack_weights(w, g)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)

    def convolve(task):
        columns = scratch("columns", block * stride, x.dtype)
        convolve_block(flat_x, panels, flat_y, g, taps, *task, columns, stride)

    run(convolve, blocks(pixels, block), 2 * pixels * depth * g.K / PEAK)
    return y


def taps_of(g, depth):
    """How many taps make up about this depth: whole rows of the kernel if they fit."""
    taps = max(depth // (g.C // g.G), 1)
    return min(taps // g.KW * g.KW or taps, g.KH * g.KW)


def pack_weights(w, g):
    """Each group's weights, (depth, K // G), as panels, one group after the other."""
    depth, filters = w.size // g.K, g.K // g.G
    size = packed_size(depth, filters, w.itemsize)
    panels = scratch("weights", g.G * size, w.dtype)
    flat = w.reshape(-1)

    def fill(task):
        group, (first, last) = task
        pack(flat, group * filters, g.K, 1, depth, first, last, panels[group * size :])

    parts = blocks(filters, WIDE_BYTES // w.itemsize)
    run(fill, [(group, part) for group in range(g.G) for part in parts], w.size * 0.5e-9)
    return panels


@kernel
def convolve_block(x, panels, y, g, taps, first, last, columns, stride):
    """Output pixels first to last, all K channels, taking `taps` taps of the kernel at a time."""
    channels, filters = g.C // g.G, g.K // g.G
    depth = g.KH * g.KW * channels
    size = packed_size(depth, filters, x.itemsize)
    for group in range(g.G):
        weights = panels[group * size : (group + 1) * size]
        for tap in range(0, g.KH * g.KW, taps):
            last_tap = min(tap + taps, g.KH * g.KW)
            gather_columns(x, g, group * channels, channels, tap, last_tap, first, last, columns, 0, stride)
            multiply(columns, 0, stride, 1, weights, depth, tap * channels, y, first * g.K + group * filters, g.K,
                     last - first, filters, (last_tap - tap) * channels, tap > 0)  # fmt: skip


def conv2d_weight(x, y, g):
    x, y = plain(x, y)
    pixels, all_taps, filters = g.N * g.OH * g.OW, g.KH * g.KW, g.K // g.G
    if not x.size or not y.size:
        return np.zeros(g.weight, x.dtype)
    taps = blocks(all_taps, taps_of(g, 256))
    stride = (taps[0][1] - taps[0][0]) * (g.C // g.G) + LINE
    block = max(BLOCK // stride, 64)
    # few parts of the kernel: cut the sum over pixels too, into a number of partial sums that follows from the shape
    cuts = min(-(-TASKS // 2 // (len(taps) * g.G)), -(-pixels // block))
    span = round_up(-(-pixels // cuts), block)
    spans = blocks(pixels, span)
    partial = np.empty((len(spans), *g.weight), x.dtype)
    flat_x, flat_y, to = x.reshape(-1), y.reshape(-1), partial.reshape(len(spans), -1)

    def contract(task):
        (number, (first, last)), group, (tap, last_tap) = task
        columns = scratch("columns", block * stride, x.dtype)
        panels = scratch("panels", packed_size(block, filters, x.itemsize), x.dtype)
        contract_block(flat_x, flat_y, to[number], g, group, tap, last_tap, first, last, block, columns, stride, panels)

    tasks = [(part, group, tap) for part in enumerate(spans) for group in range(g.G) for tap in taps]
    run(contract, tasks, 2 * pixels * partial[0].size / PEAK)
    return partial[0] if len(spans) == 1 else partial.sum(axis=0)


@kernel
def contract_block(x, y, w, g, group, tap, last_tap, first, last, block, columns, stride, panels):
    """Taps tap to last_tap of one group of w: the sum over output pixels first to last, `block` at a time."""
    channels, filters = g.C // g.G, g.K // g.G
    rows, to = (last_tap - tap) * channels, tap * channels * g.K + group * filters
    for start in range(first, last, block):
        stop = min(start + block, last)
        gather_columns(x, g, group * channels, channels, tap, last_tap, start, stop, columns, 0, stride)
        pack(y, start * g.K + group * filters, g.K, 1, stop - start, 0, filters, panels)
        multiply(columns, 0, 1, stride, panels, stop - start, 0, w, to, g.K,
                 rows, filters, stop - start, start > first)  # fmt: skip


def conv2d_transpose(y, w, g):
    y, w = plain(y, w)
    x = np.empty(g.image, y.dtype)
    if not x.size or not y.size:
        return np.zeros_like(x)
    channels, taps = g.C // g.G, g.KH * g.KW
    wide = WIDE_BYTES // y.itemsize
    # columns of a task: all of a thin group's, or one panel of channels at every tap
    parts = [(0, channels)] if channels < wide else blocks(channels, wide)
    stride = taps * (parts[0][1] - parts[0][0]) + LINE
    rows = max(BLOCK * 2 // (g.OW * stride), -(-2 * g.KH * g.DH // g.SH), 1)  # of features; their edges overlap
    image_rows = blocks(g.H, g.H if rows >= g.OH else rows * g.SH)
    size = (min(rows + -(-g.KH * g.DH // g.SH), g.OH)) * g.OW * stride
    sizes = packed_sizes(g, parts, y.itemsize)
    panels = scratch("weights", g.G * sum(sizes), y.dtype)
    offsets = np.cumsum([0, *sizes])
    flat_w, flat_y, flat_x = w.reshape(-1), y.reshape(-1), x.reshape(-1)

    def pack_part(task):
        group, number = task
        here = panels[group * offsets[-1] + offsets[number] :]
        pack_transposed(flat_w, g, group, *parts[number], here)

    def spread(task):
        n, rows, group, number = task
        columns = scratch("columns", size, y.dtype)
        here = panels[group * offsets[-1] + offsets[number] :]
        spread_block(flat_y, here, flat_x, g, n, *rows, group, *parts[number], columns, stride)

    each = [(group, number) for group in range(g.G) for number in range(len(parts))]
    run(pack_part, each, w.size * 1e-9)
    tasks = [(n, rows, *part) for n in range(g.N) for rows in image_rows for part in each]
    run(spread, tasks, 2 * y.size * channels * taps / PEAK)
    return x


def packed_sizes(g, parts, item):
    """Elements of each part's panels: a thin group's taps side by side, or each tap in panels of its own."""
    taps, filters = g.KH * g.KW, g.K // g.G
    if len(parts) == 1 and parts[0][1] * item < WIDE_BYTES:
        return [packed_size(filters, taps * parts[0][1], item)]
    return [taps * packed_size(filters, last - first, item) for first, last in parts]


@kernel
def pack_transposed(w, g, group, first, last, panels):
    """Channels first to last of one group at every tap, as panels of depth K // G."""
    channels, filters, taps = g.C // g.G, g.K // g.G, g.KH * g.KW
    if last - first == channels and channels * w.itemsize < WIDE_BYTES:
        pack(w, group * filters, 1, g.K, filters, 0, taps * channels, panels)
        return
    size = packed_size(filters, last - first, w.itemsize)
    for tap in range(taps):
        pack(
            w, (tap * channels + first) * g.K + group * filters, 1, g.K, filters, 0, last - first, panels[tap * size :]
        )


@kernel
def spread_block(y, panels, x, g, n, top, bottom, group, first, last, columns, stride):
    """Rows top to bottom of image n, channels first to last of one group: columns = y @ weights, then their sums."""
    channels, filters, taps = g.C // g.G, g.K // g.G, g.KH * g.KW
    first_row = min(max(-(((g.KH - 1) * g.DH - g.PT - top) // g.SH), 0), g.OH)
    last_row = max(min((bottom - 1 + g.PT) // g.SH + 1, g.OH), first_row)
    at = (n * g.OH + first_row) * g.OW * g.K + group * filters
    rows = (last_row - first_row) * g.OW
    sets, width = (1, taps * channels) if channels * y.itemsize < WIDE_BYTES else (taps, last - first)
    size = packed_size(filters, width, y.itemsize)
    for s in range(sets):
        multiply(y, at, g.K, 1, panels[s * size :], filters, 0, columns, s * width, stride, rows, width, filters, False)
    scatter_columns(columns, 0, stride, first_row, g, group * channels + first, last - first, n, top, bottom, x)
