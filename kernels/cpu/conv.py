"""Convolution, its adjoint and its weight gradient: blocked im2col on the register tile.

Each task fills a buffer of its thread with a block of columns that fits the L2 cache and multiplies it at once, so
the whole column matrix never exists. Groups are runs of channels, done one after another.
"""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain, round_up
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run, scratch
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS, clear_run
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
    pixels, all_taps, channels, filters = g.N * g.OH * g.OW, g.KH * g.KW, g.C // g.G, g.K // g.G
    if not x.size or not y.size:
        return np.zeros(g.weight, x.dtype)
    # a task's part of w stays in the L2 cache; where it is all of w, the sum over pixels is cut too, into partial sums
    parts = blocks(all_taps, max(2 * BLOCK // (channels * filters), 1))
    cuts = min(-(-TASKS // 2 // (len(parts) * g.G)), -(-pixels // 1024))
    spans = blocks(pixels, -(-pixels // cuts))
    taps = min(taps_of(g, 256), parts[0][1])
    stride = taps * channels + LINE
    block = min(max(BLOCK // stride, 64), 256)
    w = np.empty(g.weight, x.dtype)
    partial = scratch("partial", len(spans) * w.size, w.dtype) if len(spans) > 1 else w
    partial = partial.reshape(len(spans), w.size)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)

    def contract(task):
        (number, (first, last)), group, part = task
        columns = scratch("columns", block * stride, x.dtype)
        panels = scratch("panels", packed_size(block, filters, x.itemsize), x.dtype)
        to = partial[number]
        contract_block(flat_x, flat_y, to, g, group, taps, *part, first, last, block, columns, stride, panels)

    def add_up(piece):
        np.add.reduce(partial[:, slice(*piece)], axis=0, out=w.reshape(-1)[slice(*piece)])

    tasks = [(span, group, part) for span in enumerate(spans) for group in range(g.G) for part in parts]
    run(contract, tasks, 2 * pixels * w.size / PEAK)
    if len(spans) > 1:
        run(add_up, blocks(w.size, BLOCK), partial.size * 0.3e-9)
    return w


@kernel
def contract_block(x, y, w, g, group, taps, first_tap, last_tap, first, last, block, columns, stride, panels):
    """Taps first_tap to last_tap of one group of w: the sum over output pixels first to last, `block` at a time."""
    channels, filters = g.C // g.G, g.K // g.G
    for start in range(first, last, block):
        stop = min(start + block, last)
        pack(y, start * g.K + group * filters, g.K, 1, stop - start, 0, filters, panels)
        for tap in range(first_tap, last_tap, taps):
            until = min(tap + taps, last_tap)
            gather_columns(x, g, group * channels, channels, tap, until, start, stop, columns, 0, stride)
            multiply(columns, 0, 1, stride, panels, stop - start, 0, w, tap * channels * g.K + group * filters, g.K,
                     (until - tap) * channels, filters, stop - start, start > first)  # fmt: skip


def conv2d_transpose(y, w, g):
    y, w = plain(y, w)
    x = np.empty(g.image, y.dtype)
    if not x.size or not y.size:
        return np.zeros_like(x)
    channels, taps = g.C // g.G, g.KH * g.KW
    thin = channels * y.itemsize < WIDE_BYTES
    # a task owns a run of channels in some images: all of a thin group's, whose taps share panels, or one panel's
    parts = [(0, channels)] if thin else blocks(channels, WIDE_BYTES // y.itemsize)
    each = [(group, number) for group in range(g.G) for number in range(len(parts))]
    images = blocks(g.N, -(-g.N * len(each) // TASKS))
    width = (taps if thin else g.KW) * parts[0][1]
    stride = width + LINE
    rows = max(min(BLOCK // stride, 256) // g.OW, 1)
    room = packed_size(g.K // g.G, taps * parts[0][1], y.itemsize)
    panels = scratch("weights", len(each) * room, y.dtype)
    flat_w, flat_y, flat_x = w.reshape(-1), y.reshape(-1), x.reshape(-1)

    def panels_of(group, number):
        start = (group * len(parts) + number) * room
        return panels[start : start + room]

    def fill(part):
        group, number = part
        pack_transposed(flat_w, g, group, *parts[number], thin, panels_of(*part))

    def spread(task):
        (first, last), part = task
        columns = scratch("columns", rows * g.OW * stride, y.dtype)
        here = panels_of(*part)
        spread_block(flat_y, here, flat_x, g, first, last, part[0], *parts[part[1]], thin, rows, columns, stride)

    run(fill, each, w.size * 0.5e-9)
    run(spread, [(some, part) for some in images for part in each], 2 * y.size * channels * taps / PEAK)
    return x


@kernel
def pack_transposed(w, g, group, first, last, thin, panels):
    """Channels first to last of one group at every tap, as panels of depth K // G: one for each tap, or shared."""
    channels, filters, taps = g.C // g.G, g.K // g.G, g.KH * g.KW
    if thin:
        pack(w, group * filters, 1, g.K, filters, 0, taps * channels, panels)
        return
    size = packed_size(filters, last - first, w.itemsize)
    for tap in range(taps):
        at = (tap * channels + first) * g.K + group * filters
        pack(w, at, 1, g.K, filters, 0, last - first, panels[tap * size :])


@kernel
def spread_block(y, panels, x, g, first_image, last_image, group, first, last, thin, rows, columns, stride):
    """Channels first to last of one group in some images: `rows` rows of features at a time, columns = y @ weights
    for a kernel row (for all of a thin group's) and each column to the pixel it would be read from."""
    filters, channels = g.K // g.G, last - first
    channel = group * (g.C // g.G) + first
    size = packed_size(filters, channels, y.itemsize)
    for pixel in range(first_image * g.H * g.W, last_image * g.H * g.W):
        clear_run(x, pixel * g.C + channel, channels)
    for top in range(first_image * g.OH, last_image * g.OH, rows):
        bottom = min(top + rows, last_image * g.OH)
        at, pixels = top * g.OW * g.K + group * filters, (bottom - top) * g.OW
        if thin:
            width = g.KH * g.KW * channels
            multiply(y, at, g.K, 1, panels, filters, 0, columns, 0, stride, pixels, width, filters, False)
            scatter_columns(columns, 0, stride, g, channel, channels, 0, g.KH, top, bottom, x)
            continue
        for kh in range(g.KH):
            for kw in range(g.KW):
                here = panels[(kh * g.KW + kw) * size :]
                multiply(
                    y, at, g.K, 1, here, filters, 0, columns, kw * channels, stride, pixels, channels, filters, False
                )
            scatter_columns(columns, 0, stride, g, channel, channels, kh, kh + 1, top, bottom, x)
