"""Minimal filtering's transforms: images, features and weights to points, and points back to them.

Along each axis a convolution of stride s is min(s, k) phases, convolutions of stride 1 with every s-th tap. For tiles
of m outputs `toom_cook` gives a phase n = m + taps - 1 points. Transforms are stored in planes, one for each pair of
points q = qh * NW + qw; a row of a plane belongs to a tile and holds (phase along H, phase along W, channel) of the
phases that have the point. Each transform is applied along one axis after the other; `between`, a buffer in the L1
cache, holds the result of the first.
"""

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels.cpu.conv.combine import combination, combine, combine_activated
from minigan.kernels.cpu.conv.toom_cook import matrices
from minigan.kernels.cpu.products import WIDE_BYTES, pack, panel_width
from minigan.kernels.cpu.runtime.compile import kernel, outlined
from minigan.kernels.cpu.runtime.vectors import BITS, add_run

OUTPUTS, TAPS = 4, 3  # maximal, per tile and per phase along one axis
RUN = 64  # channels transformed at once
LINE_BITS = 512  # bits per cache line
DEPTH, PIECE = 16, 128  # rows of weights, and elements per row, transformed at once

NUMBERS = (OUTPUTS + 1) * 16  # of a family's matrices: 16 * outputs + 4 * longest taps + taps

# Families of combinations: which of the matrices A, G and B, transposed or not, and how the results are stored.
# The constants are the positions in the table of all addresses where each family's begin.
FAMILIES = (
    ("B", "store"),
    ("B", "stream"),
    ("B'", "store"),
    ("B'", "add"),
    ("A", "store"),
    ("A", "activate"),
    ("A'", "store"),
    ("A'", "stream"),
    ("G", "store"),
    ("G'", "store"),
)
(IMAGE_TO_POINTS, IMAGE_TO_PLANES, POINTS_TO_IMAGE, ADD_POINTS_TO_IMAGE, POINTS_TO_FEATURES, FINISH_FEATURES,
 FEATURES_TO_POINTS, FEATURES_TO_PLANES, TAPS_TO_POINTS,
 POINTS_TO_TAPS) = range(0, len(FAMILIES) * NUMBERS, NUMBERS)  # fmt: skip


@functools.lru_cache(maxsize=256)
def combinations(families, sizes, g, dtype):
    """The addresses of the combinations of these families, int64, for tiles of these sizes."""
    codes = np.zeros(len(FAMILIES) * NUMBERS, np.int64)
    for outputs in {size for size in sizes if size}:
        for kernel_size, stride in ((g.KH, g.SH), (g.KW, g.SW)):
            longest = taps_of(kernel_size, stride, 0)
            for taps in {taps_of(kernel_size, stride, phase) for phase in range(min(stride, kernel_size))}:
                found = dict(zip("AGB", matrices(outputs, taps, longest), strict=True))
                for family in families:
                    name, ending = FAMILIES[family // NUMBERS]
                    if ending == "stream" and not streams(g.C if name == "B" else g.K, dtype):
                        ending = "store"
                    matrix = found[name[0]].T if name.endswith("'") else found[name]
                    codes[family + outputs * 16 + longest * 4 + taps] = combination(matrix, ending, dtype)
    return codes


def streams(channels, dtype):
    """Whether a transform bypasses the caches when it is written, in whole cache lines.

    All threads read what one has written, and the next transform is written to the same place. If cores have separate
    caches, writing lines that others hold takes far longer than writing to memory.
    """
    return BITS == LINE_BITS and channels * np.dtype(dtype).itemsize * 8 % LINE_BITS == 0


class Tiles(NamedTuple):
    """Tiles of one size in each of some images: rows x columns of them, starting at output row `top` and column `left`.

    MH MW: outputs of a tile along each axis; NH NW: points; at: the row of a plane where their transforms begin
    """

    MH: int
    MW: int
    NH: int
    NW: int
    top: int
    left: int
    rows: int
    columns: int
    at: int


@kernel
def taps_of(kernel_size, stride, phase):
    """Taps phase, phase + stride, ... of a kernel."""
    return (kernel_size - phase + stride - 1) // stride


@kernel
def filter_of(outputs, kernel_size, stride, phase):
    """(number of its matrices, points) of a phase of an axis."""
    taps = taps_of(kernel_size, stride, phase)
    return outputs * 16 + taps_of(kernel_size, stride, 0) * 4 + taps, outputs + taps - 1


@kernel
def points_of(outputs, kernel_size, stride):
    """Points of an axis: those of its first phase, which has the most taps."""
    return outputs + taps_of(kernel_size, stride, 0) - 1


@kernel
def phases_at(point, outputs, kernel_size, stride):
    """The number of phases that have a point of an axis: those before the first with too few taps."""
    phases = 0
    while phases < min(stride, kernel_size) and point < outputs + taps_of(kernel_size, stride, phases) - 1:
        phases += 1
    return phases


@kernel
def points_alike(first, points, outputs, kernel_size, stride):
    """(the number of phases that have point `first`, the next point, up to `points`, with another number)."""
    phases, last = phases_at(first, outputs, kernel_size, stride), first + 1
    while last < points and phases_at(last, outputs, kernel_size, stride) == phases:
        last += 1
    return phases, last


@kernel
def phases_of(q, g, t):
    """The number of pairs of phases that have a pair of points."""
    return phases_at(q // t.NW, t.MH, g.KH, g.SH) * phases_at(q % t.NW, t.MW, g.KW, g.SW)


@kernel
def place_of(tile, t):
    """(image, first output row, first output column) of a tile."""
    row = tile // t.columns
    return row // t.rows, t.top + row % t.rows * t.MH, t.left + tile % t.columns * t.MW


@kernel
def bounds(start, stride, count, size):
    """Which of start, start + stride, ... (`count` of them) lie in 0 <= ... < size, as a range of their numbers."""
    low = min(max(-(start // stride), 0), count)
    return low, max(min((size - 1 - start) // stride + 1, count), low)


@functools.lru_cache(maxsize=256)
def room(g, size):
    """The most elements that a transform needs between its two axes, for tiles of `size` outputs along each."""
    height, phases, points = (size - 1) * g.SH + g.KH, min(g.SW, g.KW), points_of(size, g.KW, g.SW)
    return max(height * phases * points * RUN, g.KH * phases * points * PIECE, (size + TAPS) ** 2 * max(RUN, PIECE))


@outlined
def transform_images(x, g, t, codes, first_image, first, last, planes, plane, pitch, between):
    """V of tiles first to last, counted from first_image."""
    height, phases_h, phases_w = (t.MH - 1) * g.SH + g.KH, min(g.SH, g.KH), min(g.SW, g.KW)
    line = phases_w * t.NW * RUN  # of `between`: (row, phase along W, point along W, channel)
    for tile in range(first, last):
        image, oh, ow = place_of(tile, t)
        top, left = oh * g.SH - g.PT, ow * g.SW - g.PL
        first_h, last_h = max(0, -top), min(height, g.H - top)
        pixel = ((first_image + image) * g.H + top + first_h) * g.W + left
        for c in range(0, g.C, RUN):
            count = min(RUN, g.C - c)
            for phase in range(phases_w):
                which, points = filter_of(t.MW, g.KW, g.SW, phase)
                low, high = bounds(left + phase, g.SW, points, g.W)
                here, to = (pixel + phase) * g.C + c, first_h * line + phase * t.NW * RUN
                combine(codes[IMAGE_TO_POINTS + which], x, here, g.SW * g.C, g.W * g.C, low, high,
                        between, to, RUN, line, count, last_h - first_h)  # fmt: skip
            for phase in range(phases_h):
                which, points = filter_of(t.MH, g.KH, g.SH, phase)
                low, high = bounds(top + phase, g.SH, points, g.H)
                q = 0
                while q < t.NW:
                    phases, next_q = points_alike(q, t.NW, t.MW, g.KW, g.SW)
                    for other in range(phases):
                        to = q * plane + (t.at + tile) * pitch + (phase * phases + other) * g.C + c
                        here = phase * line + (other * t.NW + q) * RUN
                        combine(codes[IMAGE_TO_PLANES + which], between, here, g.SH * line, RUN, low, high,
                                planes, to, t.NW * plane, plane, count, next_q - q)  # fmt: skip
                    q = next_q


@outlined
def transform_features(y, g, t, codes, first_image, first, last, planes, plane, pitch, panels, between):
    """Z of tiles first to last, counted from first_image: in rows, or in panels of `panels` rows (0: no panels)."""
    (which_h, _), (which_w, _) = filter_of(t.MH, g.KH, g.SH, 0), filter_of(t.MW, g.KW, g.SW, 0)
    wide = WIDE_BYTES // y.itemsize
    run = min(RUN, wide) if panels else RUN
    for tile in range(first, last):
        image, oh, ow = place_of(tile, t)
        pixel = ((first_image + image) * g.OH + oh) * g.OW + ow
        for k in range(0, g.K, run):
            count = min(run, g.K - k)
            if panels:
                start = k // wide * wide
                to = panels * start + (t.at + tile) * panel_width(g.K - start, y.itemsize) + k - start
            else:
                to = (t.at + tile) * pitch + k
            combine(codes[FEATURES_TO_POINTS + which_w], y, pixel * g.K + k, g.K, g.OW * g.K, 0, t.MW,
                    between, 0, RUN, t.NW * RUN, count, t.MH)  # fmt: skip
            combine(codes[FEATURES_TO_PLANES + which_h], between, 0, t.NW * RUN, RUN, 0, t.MH,
                    planes, to, t.NW * plane, plane, count, t.NW)  # fmt: skip


@outlined
def transform_weights(w, g, t, codes, at, row_stride, column_stride, depth, columns, planes, plane, taps, between):
    """U of some columns, in panels of (phases, depth) rows.

    w: element (row, column) of a tap's matrix lies at + row * row_stride + column * column_stride after its beginning
    """
    phases_h, phases_w = min(g.SH, g.KH), min(g.SW, g.KW)
    line = phases_w * t.NW * PIECE  # of `between`: (kh, phase along W, point along W, element)
    for start in range(0, columns, WIDE_BYTES // w.itemsize):
        width = panel_width(columns - start, w.itemsize)
        panel = phases_h * phases_w * depth * start
        for first in range(0, depth, DEPTH):
            rows = min(DEPTH, depth - first)
            size = rows * width
            for tap in range(g.KH * g.KW):
                here = tap * g.C * g.K + at + first * row_stride + start * column_stride
                pack(w, here, row_stride, column_stride, rows, 0, min(width, columns - start), taps[tap * size :])
            for piece in range(0, size, PIECE):
                count = min(PIECE, size - piece)
                for phase in range(phases_w):
                    which, number = filter_of(t.MW, g.KW, g.SW, phase)
                    combine(codes[TAPS_TO_POINTS + which], taps, phase * size + piece, g.SW * size, g.KW * size,
                            0, number, between, phase * t.NW * PIECE, PIECE, line, count, g.KH)  # fmt: skip
                for phase in range(phases_h):
                    which, number = filter_of(t.MH, g.KH, g.SH, phase)
                    q = 0
                    while q < t.NW:
                        phases, next_q = points_alike(q, t.NW, t.MW, g.KW, g.SW)
                        for other in range(phases):
                            to = q * plane + panel + ((phase * phases + other) * depth + first) * width + piece
                            combine(codes[TAPS_TO_POINTS + which], between, phase * line + (other * t.NW + q) * PIECE,
                                    g.SH * line, PIECE, 0, number, planes, to, t.NW * plane, plane, count,
                                    next_q - q)  # fmt: skip
                        q = next_q


@outlined
def features_from_points(
    planes, plane, y, g, t, codes, first_image, first, last, first_k, last_k, bias, slope, between
):
    """Features first_k to last_k of tiles first to last, y = leaky_relu(A M + bias, slope)."""
    (which_h, _), (which_w, _) = filter_of(t.MH, g.KH, g.SH, 0), filter_of(t.MW, g.KW, g.SW, 0)
    for tile in range(first, last):
        image, oh, ow = place_of(tile, t)
        pixel = ((first_image + image) * g.OH + oh) * g.OW + ow
        for k in range(first_k, last_k, RUN):
            count, here = min(RUN, last_k - k), (tile - first) * (last_k - first_k) + k - first_k
            combine(codes[POINTS_TO_FEATURES + which_w], planes, here, plane, t.NW * plane, 0, t.NW,
                    between, 0, RUN, t.MW * RUN, count, t.NH)  # fmt: skip
            combine_activated(codes[FINISH_FEATURES + which_h], between, 0, t.MW * RUN, RUN, bias, k, slope,
                              y, pixel * g.K + k, g.OW * g.K, g.K, count, t.MW)  # fmt: skip


@outlined
def add_images_from_points(planes, plane, x, g, t, codes, first_image, first, last, first_c, last_c, between):
    """Channels first_c to last_c of tiles first to last, x += B' M: neighbours overlap."""
    phases_h, phases_w, channels = min(g.SH, g.KH), min(g.SW, g.KW), last_c - first_c
    for tile in range(first, last):
        image, oh, ow = place_of(tile, t)
        top, left = oh * g.SH - g.PT, ow * g.SW - g.PL
        for c in range(0, channels, RUN):
            count = min(RUN, channels - c)
            for phase in range(phases_h):
                which_h, rows = filter_of(t.MH, g.KH, g.SH, phase)
                first_row, last_row = bounds(top + phase, g.SH, rows, g.H)
                for other in range(phases_w):
                    which_w, number = filter_of(t.MW, g.KW, g.SW, other)
                    low, high = bounds(left + other, g.SW, number, g.W)
                    q = 0
                    while q < number:
                        phases, next_q = points_alike(q, number, t.MW, g.KW, g.SW)
                        here = (
                            q * plane + ((tile - first) * phases_h * phases_w + phase * phases + other) * channels + c
                        )
                        combine(codes[POINTS_TO_IMAGE + which_h], planes, here, t.NW * plane, plane, 0, rows,
                                between, q * RUN, number * RUN, RUN, count, next_q - q)  # fmt: skip
                        q = next_q
                    pixel = ((first_image + image) * g.H + top + phase + first_row * g.SH) * g.W + left + other
                    combine(codes[ADD_POINTS_TO_IMAGE + which_w], between, first_row * number * RUN, RUN, number * RUN,
                            low, high, x, pixel * g.C + first_c + c, g.SW * g.C, g.SH * g.W * g.C, count,
                            last_row - first_row)  # fmt: skip


@outlined
def add_weights_from_points(planes, plane, w, g, t, codes, first_c, last_c, first_k, last_k, taps, between):
    """Rows first_c to last_c and columns first_k to last_k of every tap, w += G' M."""
    phases_h, phases_w, columns = min(g.SH, g.KH), min(g.SW, g.KW), last_k - first_k
    size = (last_c - first_c) * columns
    for piece in range(0, size, PIECE):
        count = min(PIECE, size - piece)
        for phase in range(phases_h):
            which_h, points = filter_of(t.MH, g.KH, g.SH, phase)
            for other in range(phases_w):
                which, number = filter_of(t.MW, g.KW, g.SW, other)
                q = 0
                while q < number:
                    phases, next_q = points_alike(q, number, t.MW, g.KW, g.SW)
                    here = q * plane + (phase * phases + other) * size + piece
                    combine(codes[POINTS_TO_TAPS + which_h], planes, here, t.NW * plane, plane, 0, points,
                            between, q * PIECE, number * PIECE, PIECE, count, next_q - q)  # fmt: skip
                    q = next_q
                to = (phase * g.KW + other) * size + piece
                combine(codes[POINTS_TO_TAPS + which], between, 0, PIECE, number * PIECE, 0, number,
                        taps, to, g.SW * size, g.SH * g.KW * size, count,
                        points - t.MH + 1)  # fmt: skip
    for tap in range(g.KH * g.KW):
        for c in range(last_c - first_c):
            add_run(taps, tap * size + c * columns, w, (tap * g.C + first_c + c) * g.K + first_k, columns)
