"""Convolution, its adjoint and its weight gradient by blocked im2col, for every geometry.

Each task fills a buffer of its thread with a block of columns that fits the L2 cache and multiplies it at once, so
the whole column matrix never exists. Tasks are shares of the images; what they do follows from shapes alone. Groups
are runs of channels, done one after another.
"""

import numpy as np

from minigan.kernels.cpu.activation import activate, leaky_relu
from minigan.kernels.cpu.arrays import blocks, plain, round_up
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run, scratch
from minigan.kernels.cpu.tile import PEAK, WIDE_BYTES, multiply, pack, packed_size
from minigan.kernels.cpu.vectors import ROWS, clear_run, copy_run
from minigan.kernels.cpu.window import (
    Region,
    gather_columns,
    gather_pixels,
    in_one_piece,
    place_pixels,
    region_at,
    regions,
    scatter_columns,
    whole,
)

BLOCK = 1 << 16  # elements of a block of columns, 256 KiB of float32
LINE = 16  # elements between rows of columns: rows a power of two apart would share a cache set
PIXELS = 48 * 5  # at most, in a block, whatever ROWS is
DEPTH = 1024  # elements of a row of columns, about: whole rows of the kernel
TASKS = 16  # at least so many, where there is work for them


def shares(g, count, least=ROWS):
    """About `count` tasks (first image, last image, regions): images `least` at a time or more, and strips of rows
    where images are few."""
    images = blocks(g.N, round_up(max(-(-g.N // count), min(least, g.N)), ROWS))
    strips = blocks(g.OH, -(-g.OH // max(count // len(images), 1)))
    return [(first, last, regions(g, last - first, *strip)) for first, last in images for strip in strips]


def block_of(stride):
    """How many rows of columns, one for each pixel, a block has."""
    return min(max(BLOCK // stride // ROWS, 1) * ROWS, PIXELS)


def conv2d(x, w, g, bias=None, slope=1.0):
    x, w, bias = plain(x, w, np.empty(0, x.dtype) if bias is None else bias)
    y = np.empty(g.features, x.dtype)
    if not y.size or not w.size:
        y[...] = leaky_relu(bias, slope) if bias.size else 0
        return y
    depth, filters = w.size // g.K, g.K // g.G
    kernel_rows = min(max(DEPTH * g.KH // depth, 1), g.KH)
    stride = depth // g.KH * kernel_rows + LINE
    block = block_of(stride)
    panels = pack_weights(w, g)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)

    def convolve(task):
        columns = scratch("columns", block * stride, x.dtype)
        results = scratch("results", block * filters, x.dtype)
        convolve_share(
            flat_x, panels, bias, x.dtype.type(slope), flat_y, g, *task, kernel_rows, block, columns, stride, results
        )

    # weights beyond the L2 cache come from the next one for each block: more images make blocks of few pixels longer
    run(convolve, shares(g, TASKS, ROWS if w.size < 2 * BLOCK else 4 * ROWS), 2 * y.size * depth / PEAK)
    return y


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
    run(fill, [(group, part) for group in range(g.G) for part in parts], w.size * 0.2e-9)
    return panels


@kernel
def part_of(region, first_kh, last_kh, first_kw, last_kw):
    """The region with only those of its taps that lie in a part of the kernel."""
    return Region(region.top, region.bottom, region.left, region.right,
                  max(region.first_kh, first_kh), min(region.last_kh, last_kh),
                  max(region.first_kw, first_kw), min(region.last_kw, last_kw))  # fmt: skip


@kernel
def counts(region, first_image, last_image):
    """(pixels, kernel rows, kernel columns) of a region of some images."""
    pixels = (last_image - first_image) * (region.bottom - region.top) * (region.right - region.left)
    return pixels, region.last_kh - region.first_kh, region.last_kw - region.first_kw


@kernel
def begin(sums, at, bias, bias_at, count):
    """Let a run of sums begin from its part of the bias, or from zero where there is none."""
    if len(bias):
        copy_run(bias, bias_at, sums, at, count)
    else:
        clear_run(sums, at, count)


@kernel
def bend(out, at, line, rows, columns, slope):
    """A leaky ReLU of `rows` rows, `line` elements apart, where they lie."""
    if line == columns:
        rows, columns = 1, rows * columns
    for row in range(rows):
        run = out[at + row * line : at + row * line + columns]
        activate(run, run, slope)


@kernel
def convolve_share(
    x, panels, bias, slope, y, g, first_image, last_image, table, kernel_rows, block, columns, stride, results
):
    """All K channels of a share's pixels, `block` of them and `kernel_rows` rows of the kernel at a time."""
    channels, filters = g.C // g.G, g.K // g.G
    depth = g.KH * g.KW * channels
    size, biased = packed_size(depth, filters, x.itemsize), len(bias) > 0
    for group in range(g.G):
        weights = panels[group * size : (group + 1) * size]
        for number in range(len(table)):
            region = region_at(table, number)
            pixels, height, width = counts(region, first_image, last_image)
            direct = in_one_piece(region, g)
            out, to, line = (y, group * filters, g.K) if direct else (results, 0, filters)
            for first in range(0, pixels, block):
                last = min(first + block, pixels)
                if direct:
                    to = (first_image * g.OH * g.OW + first) * g.K + group * filters
                if biased or not height:  # or nothing but padding
                    for pixel in range(last - first):
                        begin(out, to + pixel * line, bias, group * filters, filters)
                for kh in range(region.first_kh, region.last_kh, kernel_rows):
                    part = part_of(region, kh, kh + kernel_rows, 0, g.KW)
                    gather_columns(x, g, group * channels, channels, first_image, part, first, last, columns, stride)
                    # kernel rows that are used whole follow each other in the panels too
                    step = part.last_kh - part.first_kh if width == g.KW else 1
                    for row in range(0, part.last_kh - part.first_kh, step):
                        from_depth = ((kh + row) * g.KW + part.first_kw) * channels
                        multiply(columns, row * width * channels, stride, 1, weights, depth, from_depth,
                                 out, to, line, last - first, filters, step * width * channels,
                                 biased or kh + row > region.first_kh)  # fmt: skip
                if slope != 1:
                    bend(out, to, line, last - first, filters, slope)
                if not direct:
                    place_pixels(results, filters, g, group * filters, filters, first_image, region, first, last, y)


def conv2d_weight(x, y, g):
    x, y = plain(x, y)
    pixels, channels, filters = g.N * g.OH * g.OW, g.C // g.G, g.K // g.G
    if not x.size or not y.size:
        return np.zeros(g.weight, x.dtype)
    # a task's part of w stays in the L2 cache; where it is all of w, the sum over pixels is cut too, into partial sums
    kernel_rows = min(max(2 * BLOCK // (g.KW * channels * filters), 1), g.KH)
    kernel_columns = min(max(2 * BLOCK // (channels * filters), 1), g.KW)
    parts = [(*a, *b) for a in blocks(g.KH, kernel_rows) for b in blocks(g.KW, kernel_columns)]
    spans = shares(g, max(min(TASKS // 2 // (len(parts) * g.G), pixels // 512), 1))
    rows_at_once = min(max(256 // (kernel_columns * channels), 1), kernel_rows)  # of the kernel, if used whole
    stride = rows_at_once * kernel_columns * channels + LINE
    block = max(block_of(stride), 64)
    w = np.empty(g.weight, x.dtype)
    partial = scratch("partial", len(spans) * w.size, w.dtype).reshape(len(spans), w.size)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)

    def contract(task):
        number, group, part = task
        columns = scratch("columns", block * stride, x.dtype)
        rows = scratch("results", block * filters, x.dtype)
        panels = scratch("panels", packed_size(block, filters, x.itemsize), x.dtype)
        contract_share(flat_x, flat_y, partial[number], g, group, part, *spans[number], rows_at_once,
                       block, columns, stride, rows, panels)  # fmt: skip

    def add_up(piece):
        np.add.reduce(partial[:, slice(*piece)], axis=0, out=w.reshape(-1)[slice(*piece)])

    tasks = [(number, group, part) for number in range(len(spans)) for group in range(g.G) for part in parts]
    run(contract, tasks, 2 * pixels * w.size / PEAK)
    run(add_up, blocks(w.size, BLOCK), partial.size * 0.3e-9)
    return w


@kernel
def contract_share(x, y, w, g, group, part, first_image, last_image, table, rows_at_once, block, columns, stride,
                   rows, panels):  # fmt: skip
    """One group's part of the kernel: the sum over a share's pixels, a block and some kernel rows at a time."""
    channels, filters = g.C // g.G, g.K // g.G
    first_kh, last_kh, first_kw, last_kw = part
    for tap in range(first_kh * g.KW, last_kh * g.KW):
        if first_kw <= tap % g.KW < last_kw:
            for c in range(channels):
                clear_run(w, (tap * channels + c) * g.K + group * filters, filters)
    for number in range(len(table)):
        region = part_of(region_at(table, number), first_kh, last_kh, first_kw, last_kw)
        pixels, height, width = counts(region, first_image, last_image)
        if height <= 0 or width <= 0:
            continue
        for first in range(0, pixels, block):
            last = min(first + block, pixels)
            if in_one_piece(region, g):
                at = (first_image * g.OH * g.OW + first) * g.K + group * filters
                pack(y, at, g.K, 1, last - first, 0, filters, panels)
            else:
                gather_pixels(y, g, group * filters, filters, first_image, region, first, last, rows, filters)
                pack(rows, 0, filters, 1, last - first, 0, filters, panels)
            step = rows_at_once if width == g.KW else 1
            for kh in range(region.first_kh, region.last_kh, step):
                some = part_of(region, kh, kh + step, 0, g.KW)
                gather_columns(x, g, group * channels, channels, first_image, some, first, last, columns, stride)
                to = (kh * g.KW + some.first_kw) * channels * g.K + group * filters
                multiply(columns, 0, 1, stride, panels, last - first, 0, w, to, g.K,
                         (some.last_kh - kh) * width * channels, filters, last - first, True)  # fmt: skip


def conv2d_transpose(y, w, g, bias=None):
    y, w, bias = plain(y, w, np.empty(0, y.dtype) if bias is None else bias)
    x = np.empty(g.image, y.dtype)
    if not x.size or not y.size:
        x[...] = bias if bias.size else 0
        return x
    channels, filters, taps = g.C // g.G, g.K // g.G, g.KH * g.KW
    thin = channels * y.itemsize < WIDE_BYTES
    # a task owns a run of channels in some images: all of a thin group's, whose taps share panels, or one panel's
    parts = [(0, channels)] if thin else blocks(channels, WIDE_BYTES // y.itemsize)
    each = [(group, number) for group in range(g.G) for number in range(len(parts))]
    images = blocks(g.N, round_up(-(-g.N * len(each) // TASKS), ROWS))
    stride = (taps if thin else g.KW) * parts[0][1] + LINE
    block = block_of(stride)
    room = packed_size(filters, taps * parts[0][1], y.itemsize)
    panels = scratch("weights", len(each) * room, y.dtype)
    flat_w, flat_y, flat_x = w.reshape(-1), y.reshape(-1), x.reshape(-1)

    def panels_of(group, number):
        start = (group * len(parts) + number) * room
        return panels[start : start + room]

    def fill(part):
        group, number = part
        pack_transposed(flat_w, g, group, *parts[number], thin, panels_of(*part))

    def spread(task):
        (first, last), (group, number) = task
        columns = scratch("columns", block * stride, y.dtype)
        rows = scratch("results", block * (filters + LINE), y.dtype)
        table = np.array([whole(g)]) if thin else regions(g, last - first, 0, g.OH)
        spread_share(flat_y, panels_of(group, number), bias, flat_x, g, first, last, table, group, *parts[number],
                     thin, block, columns, stride, rows)  # fmt: skip

    run(fill, each, w.size * 0.2e-9)
    run(spread, [(some, part) for part in each for some in images], 2 * y.size * channels * taps / PEAK)
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
def spread_share(y, panels, bias, x, g, first_image, last_image, table, group, first_channel, last_channel, thin, block,
                 columns, stride, rows):  # fmt: skip
    """Some channels of one group in some images: `block` pixels of features at a time, columns = y @ weights for a
    kernel row (for all of a thin group's), and each column to the pixel that it would be read from."""
    filters, channels = g.K // g.G, last_channel - first_channel
    channel = group * (g.C // g.G) + first_channel
    size, line = packed_size(filters, channels, y.itemsize), filters + LINE
    for pixel in range(first_image * g.H * g.W, last_image * g.H * g.W):
        begin(x, pixel * g.C + channel, bias, channel, channels)
    for number in range(len(table)):
        region = region_at(table, number)
        pixels, height, width = counts(region, first_image, last_image)
        for first in range(0, pixels, block):
            last = min(first + block, pixels)
            gather_pixels(y, g, group * filters, filters, first_image, region, first, last, rows, line)
            if thin:
                multiply(rows, 0, line, 1, panels, filters, 0, columns, 0, stride,
                         last - first, height * width * channels, filters, False)  # fmt: skip
                scatter_columns(columns, stride, g, channel, channels, first_image, region, first, last, x)
                continue
            for kh in range(region.first_kh, region.last_kh):
                row = part_of(region, kh, kh + 1, 0, g.KW)
                for kw in range(width):
                    here = panels[(kh * g.KW + row.first_kw + kw) * size :]
                    multiply(rows, 0, line, 1, here, filters, 0, columns, kw * channels, stride,
                             last - first, channels, filters, False)  # fmt: skip
                scatter_columns(columns, stride, g, channel, channels, first_image, row, first, last, x)
