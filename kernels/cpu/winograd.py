"""Convolution, its adjoint and its weight gradient with few products: Winograd's minimal filtering, phase by phase.

With the transforms V = B x of tiles of images, U = G w of weights and Z = A' y of tiles of features (`transforms`),

    <y, conv2d(x, w)> = sum over tiles, points q, phases, c, k of V[q, tile, phase, c] U[q, phase, c, k] Z[q, tile, k]

which is linear in each of the three, as the convolution is in x, w and y. Leaving one out gives the three operations:
matrix products, one for each point, between the transforms of two, and the third's transposed transform of the result.

The work goes in slabs whose transforms fit the last cache. First all tasks together make those of images or features;
then each makes some channels of the result, and for that its own part of the weights' transform.
"""

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain
from minigan.kernels.cpu.blocked import begin
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import get_threads, run, scratch
from minigan.kernels.cpu.tile import PEAK, multiply, packed_size
from minigan.kernels.cpu.transforms import (
    ADD_POINTS_TO_IMAGE,
    DEPTH,
    FEATURES_TO_POINTS,
    FINISH_FEATURES,
    IMAGE_TO_POINTS,
    POINTS_TO_FEATURES,
    POINTS_TO_IMAGE,
    POINTS_TO_TAPS,
    TAPS,
    TAPS_TO_POINTS,
    Tiles,
    add_images_from_points,
    add_weights_from_points,
    combinations,
    features_from_points,
    phases_of,
    points_of,
    room,
    transform_features,
    transform_images,
    transform_weights,
)

SUITED = "kernels of up to three times the stride, without dilation and groups"
SLAB = 8 << 20  # bytes of transforms, about
CHANNELS = 32  # of the result that a task makes: at least a panel's
ROWS = 64  # tiles whose products stay in the L2 cache
LINE = 16  # elements between rows and planes: a power of two apart they would share a cache set
TASKS = 8  # at least so many, where there is work for them


class Slab(NamedTuple):
    """Some images, or strips of them, whose transforms are made together."""

    first_image: int
    last_image: int
    kinds: np.ndarray  # its Tiles, int64 (kinds, 9)
    rows: int  # of a plane: the tiles of all kinds
    planes: int

    def shares(self, count):
        """The images, counted from the first, in about `count` parts."""
        images = self.last_image - self.first_image
        return blocks(images, -(-images // count))


def suits(g) -> bool:
    """Whether minimal filtering can do this convolution."""
    return (g.DH, g.DW, g.G) == (1, 1, 1) and max(-(-g.KH // g.SH), -(-g.KW // g.SW)) <= TAPS


@functools.lru_cache(maxsize=256)
def products(g, size: int) -> float:
    """The products of F(size x size) as a share of the convolution's own, those with padding included."""

    def of_axis(outputs, kernel_size, stride):
        taps = [-(-(kernel_size - phase) // stride) for phase in range(min(stride, kernel_size))]
        return sum(tiles * sum(m + count - 1 for count in taps) for _, tiles, m in stretches(0, outputs, size))

    return of_axis(g.OH, g.KH, g.SH) * of_axis(g.OW, g.KW, g.SW) / (g.OH * g.KH * g.OW * g.KW)


def stretches(first, last, size):
    """Outputs first to last of an axis in tiles, (start, how many, outputs of each): of `size`, and one of the rest."""
    count, rest = divmod(last - first, size)
    return [s for s in ((first, count, size), (last - rest, 1, rest)) if s[1] and s[2]]


@functools.lru_cache(maxsize=256)
def slabs(g, size, bytes_of_tile):
    """All of the work, in pieces with about SLAB bytes of transforms."""
    points_h, points_w = points_of(size, g.KH, g.SH), points_of(size, g.KW, g.SW)
    affordable = max(SLAB // (points_h * points_w * bytes_of_tile), 1)  # tiles
    down, across = -(-g.OH // size), -(-g.OW // size)
    parts = max(round(g.N * down * across / affordable), 1)
    images = max(-(-g.N // parts), 1)
    strips = blocks(g.OH, max(affordable // across, 1) * size) if images == 1 else [(0, g.OH)]
    return [slab(g, size, *some, *strip) for some in blocks(g.N, images) for strip in strips]


def slab(g, size, first_image, last_image, top, bottom):
    kinds, rows = [], 0
    for start, down, m_h in stretches(top, bottom, size):
        for left, across, m_w in stretches(0, g.OW, size):
            points = points_of(m_h, g.KH, g.SH), points_of(m_w, g.KW, g.SW)
            kinds.append(Tiles(m_h, m_w, *points, start, left, down, across, rows))
            rows += (last_image - first_image) * down * across
    planes = max(t.NH * t.NW for t in kinds)
    return Slab(first_image, last_image, np.array(kinds, np.int64), rows, planes)


@kernel
def kind(table, number, first_image, last_image):
    """(tiles of a kind, the first and last that some images have)."""
    r = table[number]
    t = Tiles(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8])
    return t, first_image * t.rows * t.columns, last_image * t.rows * t.columns


@kernel
def all_images(x, g, kinds, codes, start, first_image, last_image, planes, plane, pitch, between):
    for number in range(len(kinds)):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_images(x, g, t, codes, start, first, last, planes, plane, pitch, between)


@kernel
def all_features(y, g, kinds, codes, start, first_image, last_image, planes, plane, pitch, panels, between):
    for number in range(len(kinds)):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_features(y, g, t, codes, start, first, last, planes, plane, pitch, panels, between)


def codes_for(g, tile, dtype, *families):
    """What the transforms of these families call: for whole tiles, and for the rest of each axis."""
    return combinations(families, (tile, g.OH % tile, g.OW % tile), g, dtype)


def phases_in(g):
    return min(g.SH, g.KH) * min(g.SW, g.KW)


def seconds(g, size):
    return 2 * products(g, size) * g.N * g.OH * g.OW * g.K * g.C * g.KH * g.KW / PEAK


def conv2d(x, w, g, bias=None, slope=1.0, *, tile):
    """y = A (V U), bias and activation added in the last pass."""
    x, w, bias = plain(x, w, np.zeros(g.K, x.dtype) if bias is None else bias)
    y = np.empty(g.features, x.dtype)
    flat_x, flat_w, flat_y, slope = x.reshape(-1), w.reshape(-1), y.reshape(-1), x.dtype.type(slope)
    depth = phases_in(g) * g.C
    pitch, ranges = depth + LINE, blocks(g.K, CHANNELS)
    codes = codes_for(g, tile, x.dtype, IMAGE_TO_POINTS, TAPS_TO_POINTS, POINTS_TO_FEATURES, FINISH_FEATURES)
    for slab in slabs(g, tile, depth * x.itemsize):
        plane = slab.rows * pitch + LINE
        V = scratch("images", slab.planes * plane, x.dtype)

        def transform(images, slab=slab, V=V, plane=plane):
            between = scratch("between", room(g, tile), x.dtype)
            all_images(flat_x, g, slab.kinds, codes, slab.first_image, *images, V, plane, pitch, between)

        def make(task, slab=slab, V=V, plane=plane):
            images, columns = task
            size = columns[1] - columns[0]
            U = scratch("weights", slab.planes * packed_size(depth, size, x.itemsize), x.dtype)
            M = scratch("products", slab.planes * (ROWS * size + LINE), x.dtype)
            between, taps = work_space(g, tile, x.dtype)
            make_features(V, plane, pitch, flat_w, flat_y, g, slab.kinds, codes, slab.first_image, *images, *columns,
                          bias, slope, U, M, taps, between)  # fmt: skip

        run(transform, slab.shares(TASKS), seconds(g, tile))
        shares = slab.shares(-(-2 * get_threads() // len(ranges)))
        run(make, [(images, columns) for columns in ranges for images in shares], seconds(g, tile))
    return y


@kernel
def make_features(images, plane, pitch, w, y, g, kinds, codes, start, first_image, last_image, first_k, last_k,
                  bias, slope, weights, products, taps, between):  # fmt: skip
    """Features first_k to last_k of some images, which are counted from `start` on."""
    columns = last_k - first_k
    depth, line = min(g.SH, g.KH) * min(g.SW, g.KW) * g.C, ROWS * columns + LINE
    size = packed_size(depth, columns, w.itemsize)
    for number in range(len(kinds)):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_weights(w, g, t, codes, first_k, g.K, 1, g.C, columns, weights, size, taps, between)
        for block in range(first, last, ROWS):
            stop = min(block + ROWS, last)
            for q in range(t.NH * t.NW):
                multiply(images, q * plane + (t.at + block) * pitch, pitch, 1, weights[q * size :], depth, 0, products,
                         q * line, columns, stop - block, columns, phases_of(q, g, t) * g.C, False)  # fmt: skip
            features_from_points(
                products, line, y, g, t, codes, start, block, stop, first_k, last_k, bias, slope, between
            )


def conv2d_transpose(y, w, g, bias=None, *, tile):
    """x = B' (Z U')."""
    y, w, bias = plain(y, w, np.empty(0, y.dtype) if bias is None else bias)
    x = np.empty(g.image, y.dtype)
    flat_x, flat_w, flat_y = x.reshape(-1), w.reshape(-1), y.reshape(-1)
    phases, pitch, ranges = phases_in(g), g.K + LINE, blocks(g.C, CHANNELS)
    codes = codes_for(g, tile, x.dtype, FEATURES_TO_POINTS, TAPS_TO_POINTS, POINTS_TO_IMAGE, ADD_POINTS_TO_IMAGE)
    for slab in slabs(g, tile, max(phases * CHANNELS, g.K) * x.itemsize):
        plane = slab.rows * pitch + LINE
        Z = scratch("features", slab.planes * plane, x.dtype)

        def transform(images, slab=slab, Z=Z, plane=plane):
            between = scratch("between", room(g, tile), x.dtype)
            all_features(flat_y, g, slab.kinds, codes, slab.first_image, *images, Z, plane, pitch, 0, between)

        def make(task, slab=slab, Z=Z, plane=plane):
            images, channels = task
            size = channels[1] - channels[0]
            U = scratch("weights", slab.planes * phases * packed_size(g.K, size, x.itemsize), x.dtype)
            M = scratch("products", slab.planes * (ROWS * phases * size + LINE), x.dtype)
            between, taps = work_space(g, tile, x.dtype)
            make_images(Z, plane, pitch, flat_w, flat_x, g, slab.kinds, codes, slab.first_image, *images, *channels,
                        bias, U, M, taps, between)  # fmt: skip

        run(transform, slab.shares(TASKS), seconds(g, tile))
        shares = slab.shares(-(-2 * get_threads() // len(ranges)))
        run(make, [(images, channels) for channels in ranges for images in shares], seconds(g, tile))
    return x


@kernel
def make_images(features, plane, pitch, w, x, g, kinds, codes, start, first_image, last_image, first_c, last_c, bias,
                weights, products, taps, between):  # fmt: skip
    """Channels first_c to last_c of some images, which are counted from `start` on."""
    channels, phases = last_c - first_c, min(g.SH, g.KH) * min(g.SW, g.KW)
    size, line = phases * packed_size(g.K, channels, w.itemsize), ROWS * phases * channels + LINE
    for number in range(len(kinds)):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_weights(w, g, t, codes, first_c * g.K, 1, g.K, g.K, channels, weights, size, taps, between)
        for block in range(first, last, ROWS):
            stop = min(block + ROWS, last)
            for q in range(t.NH * t.NW):
                for phase in range(phases_of(q, g, t)):
                    multiply(features, q * plane + (t.at + block) * pitch, pitch, 1,
                             weights[q * size :], phases * g.K, phase * g.K, products, q * line + phase * channels,
                             phases * channels, stop - block, channels, g.K, False)  # fmt: skip
            if number == 0 and t.top == 0:  # else another kind of tile, or an earlier strip, has begun these images
                each = t.rows * t.columns
                for pixel in range((start + -(-block // each)) * g.H * g.W, (start + -(-stop // each)) * g.H * g.W):
                    begin(x, pixel * g.C + first_c, bias, first_c, channels)
            add_images_from_points(products, line, x, g, t, codes, start, block, stop, first_c, last_c, between)


def conv2d_weight(x, y, g, *, tile):
    """w = G' (V' Z)."""
    x, y = plain(x, y)
    w = np.zeros(g.weight, x.dtype)
    flat_x, flat_w, flat_y = x.reshape(-1), w.reshape(-1), y.reshape(-1)
    depth = phases_in(g) * g.C
    pitch = depth + LINE
    codes = codes_for(g, tile, x.dtype, IMAGE_TO_POINTS, FEATURES_TO_POINTS, POINTS_TO_TAPS)
    parts = [(channels, columns) for channels in blocks(g.C, CHANNELS) for columns in blocks(g.K, 2 * CHANNELS)]
    for slab in slabs(g, tile, (depth + g.K) * x.itemsize):
        plane, panels = slab.rows * pitch + LINE, packed_size(slab.rows, g.K, x.itemsize) + LINE
        V = scratch("images", slab.planes * plane, x.dtype)
        Z = scratch("features", slab.planes * panels, x.dtype)

        def transform(images, slab=slab, V=V, Z=Z, plane=plane, panels=panels):
            between = scratch("between", room(g, tile), x.dtype)
            all_images(flat_x, g, slab.kinds, codes, slab.first_image, *images, V, plane, pitch, between)
            all_features(flat_y, g, slab.kinds, codes, slab.first_image, *images, Z, panels, 0, slab.rows, between)

        def make(task, slab=slab, V=V, Z=Z, plane=plane, panels=panels):
            channels, columns = task
            size = (channels[1] - channels[0]) * (columns[1] - columns[0])
            M = scratch("products", slab.planes * (phases_in(g) * size + LINE), x.dtype)
            between, taps = scratch("between", room(g, tile), x.dtype), scratch("taps", g.KH * g.KW * size, x.dtype)
            images = slab.last_image - slab.first_image
            make_weights(V, plane, pitch, Z, panels, slab.rows, flat_w, g, slab.kinds, codes, images, *channels,
                         *columns, 32 * tile, M, taps, between)  # fmt: skip

        run(transform, slab.shares(TASKS), seconds(g, tile))
        run(make, parts, seconds(g, tile))
    return w


@kernel
def make_weights(images, plane, pitch, features, panels, rows, w, g, kinds, codes, count, first_c, last_c,
                 first_k, last_k, chain, products, taps, between):  # fmt: skip
    """Rows first_c to last_c and columns first_k to last_k of w: the sum over the tiles of `count` images.

    chain: how many tiles are summed one after the other; a sum of such sums rounds less
    """
    channels, columns = last_c - first_c, last_k - first_k
    line = min(g.SH, g.KH) * min(g.SW, g.KW) * channels * columns + LINE
    for number in range(len(kinds)):
        t, _, tiles = kind(kinds, number, 0, count)
        for q in range(t.NH * t.NW):
            for phase in range(phases_of(q, g, t)):
                for first in range(0, tiles, chain):
                    here = q * plane + (t.at + first) * pitch + phase * g.C + first_c
                    multiply(images, here, 1, pitch, features[q * panels + rows * first_k :], rows, t.at + first,
                             products, q * line + phase * channels * columns, columns, channels, columns,
                             min(chain, tiles - first), first > 0)  # fmt: skip
        add_weights_from_points(products, line, w, g, t, codes, first_c, last_c, first_k, last_k, taps, between)


def work_space(g, tile, dtype):
    """Buffers of a task: between the axes of a transform, and for some rows of weights."""
    return (
        scratch("between", room(g, tile), dtype),
        scratch("taps", g.KH * g.KW * DEPTH * CHANNELS, dtype),
    )
