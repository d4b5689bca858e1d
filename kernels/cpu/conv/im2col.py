"""Convolution, its adjoint and its weight gradient by blocked im2col, for every geometry.

Each task fills its thread's buffer with a block of columns that fits the L2 cache and multiplies it at once, so the
whole matrix of columns never exists. Tasks are shares of the images, cut by shapes alone. Groups are runs of channels,
processed one after another.
"""

import functools
from collections import namedtuple

import numpy as np

from minigan.kernels.cpu.conv.columns import (
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
from minigan.kernels.cpu.elementwise import activate, leaky_relu
from minigan.kernels.cpu.products import PEAK, WIDE_BYTES, add_parts, multiply, pack, packed_size
from minigan.kernels.cpu.runtime.compile import kernel
from minigan.kernels.cpu.runtime.threads import PerThread, Tasks, blocks, empty, plain, round_up, scratch, share
from minigan.kernels.cpu.runtime.vectors import ROWS, clear_run, copy_run

BLOCK = 1 << 16  # elements per block of columns, 256 KiB of float32
LINE = 16  # elements between rows of columns: rows a power of two apart would share a cache set
PIXELS = 48 * 5  # maximal pixels per block; a multiple of any ROWS
DEPTH = 1024  # approximate elements per row of columns; whole rows of the kernel
TASKS = 32  # the least number of tasks, if there is enough work


def images_that_suit(g):
    """Tasks take a multiple of this number: small regions have few pixels per image, and tiles take ROWS at a time."""
    return min(-(-2 * PIXELS // (g.OH * g.OW)), ROWS)


def images_of_tasks(g, count):
    """All images as ranges (first, last) of `count` or a few more."""
    return blocks(g.N, round_up(count, images_that_suit(g)))


@functools.lru_cache(maxsize=256)
def shares(g, count, least=1):
    """About `count` tasks: ranges of images, `least` times those that suit or more, and strips of rows of few images.

    returns: the tasks, int64 (tasks, 4): first and last image, and where their regions begin and end in the other
        table; the regions, int64 (regions, 8)
    """
    images = images_of_tasks(g, max(-(-g.N // count), least * images_that_suit(g)))
    strips = blocks(g.OH, -(-g.OH // max(count // len(images), 1)))
    return tables(g, [(some, strip) for some in images for strip in strips])


def tables(g, tasks):
    """What `shares` returns, for tasks ((first image, last image), (top row, bottom row))."""
    rows, cut, places = [], [], {}  # equal numbers of images share their regions
    for (first, last), strip in tasks:
        images = last - first
        if (images, strip) not in places:
            start = len(cut)
            cut += regions(g, images, *strip)
            places[images, strip] = start, len(cut)
        rows.append((first, last, *places[images, strip]))
    return np.array(rows, np.int64), np.array(cut, np.int64)


def block_of(stride):
    """The number of rows of columns in a block; each pixel has one."""
    return min(max(BLOCK // stride // ROWS, 1) * ROWS, PIXELS)


def conv2d(x, w, g, bias=None, slope=1.0):
    x, w, bias = plain(x, w, np.empty(0, x.dtype) if bias is None else bias)
    y = empty(g.features, x.dtype)
    if not y.size or not w.size:
        y[...] = leaky_relu(bias, slope) if bias.size else 0
        return y
    depth, filters = w.size // g.K, g.K // g.G
    kernel_rows = min(max(DEPTH * g.KH // depth, 1), g.KH)
    stride = depth // g.KH * kernel_rows + LINE
    block = block_of(stride)
    # weights that exceed the L2 cache are read again for each block: more images make blocks with few pixels longer
    tasks, table = shares(g, TASKS, 1 if w.size < 2 * BLOCK else 4)
    share(convolve_share, len(tasks), 2 * y.size * depth / PEAK, Convolution(
          x=x, panels=pack_weights(w, g), bias=bias, slope=x.dtype.type(slope), y=y, g=g, tasks=tasks,
          table=table, kernel_rows=kernel_rows, block=block, stride=stride,
          columns=PerThread("columns", block * stride, x.dtype),
          results=PerThread("results", block * filters, x.dtype)))  # fmt: skip
    return y


def pack_weights(w, g):
    """Each group's weights, (depth, K // G), as panels, one group after another."""
    filters = g.K // g.G
    panels = scratch("weights", g.G * packed_size(w.size // g.K, filters, w.itemsize), w.dtype)
    share(pack_panel, g.G * -(-filters // (WIDE_BYTES // w.itemsize)), w.size * 0.2e-9, w, g, panels)
    return panels


@Tasks
def pack_panel(number, w, g, panels):
    depth, filters, wide = w.size // g.K, g.K // g.G, WIDE_BYTES // w.itemsize
    group, panel = divmod(number, -(-filters // wide))
    first, size = panel * wide, packed_size(depth, filters, w.itemsize)
    pack(w, group * filters, g.K, 1, depth, first, min(first + wide, filters), panels[group * size :])


@kernel
def share_at(tasks, number):
    """A task of `shares`: its first and last image, its first and last region."""
    row = tasks[4 * number : 4 * number + 4]
    return row[0], row[1], row[2], row[3]


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
    """Initialise a run of sums with its part of the bias, or with zeros if there is no bias."""
    if len(bias):
        copy_run(bias, bias_at, sums, at, count)
    else:
        clear_run(sums, at, count)


@kernel
def bend(out, at, line, rows, columns, slope):
    """Apply a leaky ReLU to `rows` rows, `line` elements apart, in place."""
    if line == columns:
        rows, columns = 1, rows * columns
    for row in range(rows):
        run = out[at + row * line : at + row * line + columns]
        activate(run, run, slope)


Convolution = namedtuple("Convolution", "x panels bias slope y g tasks table kernel_rows block stride columns results")


@Tasks
def convolve_share(number, job):
    """All K channels of a share's pixels, `block` of them and `kernel_rows` rows of the kernel at a time."""
    x, panels, bias, slope, y, g, tasks, table, kernel_rows, block, stride, columns, results = job
    first_image, last_image, first_region, last_region = share_at(tasks, number)
    channels, filters = g.C // g.G, g.K // g.G
    depth = g.KH * g.KW * channels
    size, biased = packed_size(depth, filters, x.itemsize), len(bias) > 0
    for group in range(g.G):
        weights = panels[group * size : (group + 1) * size]
        for place in range(first_region, last_region):
            region = region_at(table, place)
            pixels, height, width = counts(region, first_image, last_image)
            direct = in_one_piece(region, g)
            out, to, line = (y, group * filters, g.K) if direct else (results, 0, filters)
            for first in range(0, pixels, block):
                last = min(first + block, pixels)
                if direct:
                    to = (first_image * g.OH * g.OW + first) * g.K + group * filters
                if biased or not height:  # `not height`: the region reads only padding
                    for pixel in range(last - first):
                        begin(out, to + pixel * line, bias, group * filters, filters)
                for kh in range(region.first_kh, region.last_kh, kernel_rows):
                    part = part_of(region, kh, kh + kernel_rows, 0, g.KW)
                    gather_columns(x, g, group * channels, channels, first_image, part, first, last, columns, stride)
                    # whole kernel rows are adjacent in the panels too
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
    # a task's part of w stays in the L2 cache; if it is all of w, the sum over pixels is cut into partial sums too
    kernel_rows = min(max(2 * BLOCK // (g.KW * channels * filters), 1), g.KH)
    kernel_columns = min(max(2 * BLOCK // (channels * filters), 1), g.KW)
    parts = [(*a, *b) for a in blocks(g.KH, kernel_rows) for b in blocks(g.KW, kernel_columns)]
    spans, table = shares(g, max(min(TASKS // 2 // (len(parts) * g.G), pixels // 512), 1))
    rows_at_once = min(max(256 // (kernel_columns * channels), 1), kernel_rows)  # kernel rows, if used whole
    stride = rows_at_once * kernel_columns * channels + LINE
    block = max(block_of(stride), 64)
    w = np.empty(g.weight, x.dtype)
    partial = scratch("partial", len(spans) * w.size, w.dtype) if len(spans) > 1 else w
    share(contract_share, len(spans) * g.G * len(parts), 2 * pixels * w.size / PEAK, WeightGradient(
          x=x, y=y, partial=partial, g=g, parts=np.array(parts, np.int64), spans=spans, table=table,
          rows_at_once=rows_at_once, block=block, stride=stride,
          columns=PerThread("columns", block * stride, x.dtype),
          rows=PerThread("results", block * filters, x.dtype),
          panels=PerThread("panels", packed_size(block, filters, x.itemsize), x.dtype)))  # fmt: skip
    if len(spans) > 1:
        add_parts(partial, w)
    return w


WeightGradient = namedtuple("WeightGradient", (
    "x y partial g parts spans table rows_at_once block stride columns rows panels"
))  # fmt: skip


@Tasks
def contract_share(number, job):
    """One group's part of the kernel: the sum over a share's pixels, a block and some kernel rows at a time."""
    x, y, partial, g, parts, spans, table, rows_at_once, block, stride, columns, rows, panels = job
    span, part = divmod(number, g.G * (parts.size // 4))
    group, part = divmod(part, parts.size // 4)
    first_kh, last_kh, first_kw, last_kw = share_at(parts, part)  # a table of the same layout
    first_image, last_image, first_region, last_region = share_at(spans, span)
    size = g.KH * g.KW * (g.C // g.G) * g.K
    w = partial[span * size : (span + 1) * size]
    channels, filters = g.C // g.G, g.K // g.G
    for tap in range(first_kh * g.KW, last_kh * g.KW):
        if first_kw <= tap % g.KW < last_kw:
            for c in range(channels):
                clear_run(w, (tap * channels + c) * g.K + group * filters, filters)
    for place in range(first_region, last_region):
        region = part_of(region_at(table, place), first_kh, last_kh, first_kw, last_kw)
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
    x = empty(g.image, y.dtype)
    if not x.size or not y.size:
        x[...] = bias if bias.size else 0
        return x
    channels, filters, taps = g.C // g.G, g.K // g.G, g.KH * g.KW
    # a task owns a run of channels in some images: those of a thin group, whose taps share panels, or those of a panel
    wide = WIDE_BYTES // y.itemsize
    thin = int(channels < wide)
    parts = g.G * -(-channels // wide)
    tasks, table = image_shares(g, parts, thin)
    stride = (taps if thin else g.KW) * min(channels, wide) + LINE
    block = block_of(stride)
    room = packed_size(filters, taps * min(channels, wide), y.itemsize)
    panels = scratch("weights", parts * room, y.dtype)
    share(pack_transposed, parts * (1 if thin else taps), w.size * 0.2e-9, w, g, thin, panels, room)
    share(spread_share, parts * len(tasks), 2 * y.size * channels * taps / PEAK, Adjoint(
          y=y, weights=panels, room=room, bias=bias, x=x, g=g, tasks=tasks, table=table, thin=thin,
          block=block, stride=stride, columns=PerThread("columns", block * stride, y.dtype),
          rows=PerThread("results", block * (filters + LINE), y.dtype)))  # fmt: skip
    return x


@functools.lru_cache(maxsize=256)
def image_shares(g, parts, thin):
    """Like `shares`, for `parts` parts of whole images' channels; thin: not cut, because all taps share panels."""
    images = images_of_tasks(g, -(-g.N * parts // TASKS))
    if thin:
        return np.array([(*some, 0, 1) for some in images], np.int64), np.array([whole(g)], np.int64)
    return tables(g, [(some, (0, g.OH)) for some in images])


@kernel
def part_at(number, g, wide):
    """(group, its first and last channel) of a part of the image's channels."""
    channels = g.C // g.G
    group, panel = divmod(number, -(-channels // wide))
    return group, panel * wide, min((panel + 1) * wide, channels)


@Tasks
def pack_transposed(number, w, g, thin, panels, room):
    """A part of the channels as panels of depth K // G: shared by all taps if it is thin, else one tap in its own."""
    filters, taps = g.K // g.G, g.KH * g.KW
    part, tap = (number, 0) if thin else divmod(number, taps)
    group, first, last = part_at(part, g, WIDE_BYTES // w.itemsize)
    at = (tap * (g.C // g.G) + first) * g.K + group * filters
    to = part * room + tap * packed_size(filters, last - first, w.itemsize)
    pack(w, at, 1, g.K, filters, 0, (taps if thin else 1) * (last - first), panels[to:])


Adjoint = namedtuple("Adjoint", "y weights room bias x g tasks table thin block stride columns rows")


@Tasks
def spread_share(number, job):
    """Some channels of one group in some images: `block` pixels of features at a time, columns = y @ weights for a
    kernel row (for all of a thin group's), and each column to the pixel that it would be read from."""
    y, weights, room, bias, x, g, tasks, table, thin, block, stride, columns, rows = job
    part, images = divmod(number, tasks.size // 4)
    group, first_channel, last_channel = part_at(part, g, WIDE_BYTES // y.itemsize)
    first_image, last_image, first_region, last_region = share_at(tasks, images)
    panels = weights[part * room : (part + 1) * room]
    filters, channels = g.K // g.G, last_channel - first_channel
    channel = group * (g.C // g.G) + first_channel
    size, line = packed_size(filters, channels, y.itemsize), filters + LINE
    for pixel in range(first_image * g.H * g.W, last_image * g.H * g.W):
        begin(x, pixel * g.C + channel, bias, channel, channels)
    for place in range(first_region, last_region):
        region = region_at(table, place)
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
