"""Convolution, its adjoint and its weight gradient with few products: Winograd's minimal filtering, phase by phase.

With the transforms V = B x of tiles of images, U = G w of weights and Z = A' y of tiles of features (`transforms`),

    <y, conv2d(x, w)> = sum over tiles, points q, phases, c, k of V[q, tile, phase, c] U[q, phase, c, k] Z[q, tile, k]

which is linear in each of the three, just as the convolution is linear in x, w and y. Each of the three operations
leaves one transform out: it multiplies the other two, with one matrix product for each point, and applies the
transposed transform of the third to the result.

The work is done in slabs whose transforms fit the last-level cache. First all tasks together transform the images or
the features; then each task computes some channels of the result, after transforming its own part of the weights.
"""

import functools
from collections import namedtuple
from typing import NamedTuple

import numpy as np

from minigan.kernels.cpu.conv.im2col import begin
from minigan.kernels.cpu.conv.transforms import (
    ADD_POINTS_TO_IMAGE,
    DEPTH,
    FEATURES_TO_PLANES,
    FEATURES_TO_POINTS,
    FINISH_FEATURES,
    IMAGE_TO_PLANES,
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
from minigan.kernels.cpu.products import PEAK, multiply, packed_size
from minigan.kernels.cpu.runtime.compile import kernel
from minigan.kernels.cpu.runtime.threads import PerThread, Tasks, blocks, empty, plain, scratch, share

SUITED = "kernels of up to three times the stride, without dilation and groups"
SLAB = 16 << 20  # approximate bytes of transforms at a time
CHANNELS = 32  # channels of the result per task: at least one panel
CHAIN = 256  # products summed one after another; a sum of such sums rounds less
ROWS = 64  # tiles whose products stay in the L2 cache
LINE = 16  # elements between rows and planes, whole cache lines: a power of two apart they would share a cache set
TASKS = 16  # the least number of tasks, if there is enough work
PARTS = 4  # parts of images and channels into which the adjoint's result is divided


class Slab(NamedTuple):
    """Some images, or strips of them, that are transformed together."""

    start: int  # the first image
    images: int
    kinds: np.ndarray  # its Tiles, int64 (kinds, 9)
    rows: int  # rows per plane: the tiles of all kinds
    planes: int


def suits(g) -> bool:
    """Whether minimal filtering can do this convolution."""
    return (g.DH, g.DW, g.G) == (1, 1, 1) and max(-(-g.KH // g.SH), -(-g.KW // g.SW)) <= TAPS


@functools.lru_cache(maxsize=256)
def products(g, size: int) -> float:
    """The number of products of F(size x size), relative to the definition's, padding included."""

    def of_axis(outputs, kernel_size, stride):
        taps = [-(-(kernel_size - phase) // stride) for phase in range(min(stride, kernel_size))]
        return sum(tiles * sum(m + count - 1 for count in taps) for _, tiles, m in stretches(0, outputs, size))

    return of_axis(g.OH, g.KH, g.SH) * of_axis(g.OW, g.KW, g.SW) / (g.OH * g.KH * g.OW * g.KW)


def stretches(first, last, size):
    """Outputs first to last of an axis as tiles (start, count, outputs of each): of `size`, and one for the rest."""
    count, rest = divmod(last - first, size)
    return [s for s in ((first, count, size), (last - rest, 1, rest)) if s[1] and s[2]]


@functools.lru_cache(maxsize=256)
def slabs(g, size, bytes_of_tile):
    """The whole convolution, in pieces with about SLAB bytes of transforms."""
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
    return Slab(first_image, last_image - first_image, np.array(kinds, np.int64), rows, planes)


@kernel
def kind(table, number, first_image, last_image):
    """(the Tiles of a kind, the first and the last tile of some images)."""
    r = table[number * 9 : (number + 1) * 9]
    t = Tiles(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8])
    return t, first_image * t.rows * t.columns, last_image * t.rows * t.columns


ImagesToPoints = namedtuple("ImagesToPoints", "x g kinds codes start images each planes plane pitch between")


@Tasks
def all_images(number, job):
    """Transform `each` images; their numbers count from image `start`."""
    x, g, kinds, codes, start, images, each, planes, plane, pitch, between = job
    first_image, last_image = number * each, min((number + 1) * each, images)
    for number in range(len(kinds) // 9):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_images(x, g, t, codes, start, first, last, planes, plane, pitch, between)


FeaturesToPoints = namedtuple("FeaturesToPoints", "y g kinds codes start images each planes plane pitch panels between")


@Tasks
def all_features(number, job):
    y, g, kinds, codes, start, images, each, planes, plane, pitch, panels, between = job
    first_image, last_image = number * each, min((number + 1) * each, images)
    for number in range(len(kinds) // 9):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_features(y, g, t, codes, start, first, last, planes, plane, pitch, panels, between)


def codes_for(g, tile, dtype, *families):
    """The combinations of these families, for whole tiles and for the rest of each axis."""
    return combinations(families, (tile, g.OH % tile, g.OW % tile), g, dtype)


def phases_in(g):
    return min(g.SH, g.KH) * min(g.SW, g.KW)


def seconds(g, size):
    return 2 * products(g, size) * g.N * g.OH * g.OW * g.K * g.C * g.KH * g.KW / PEAK


def conv2d(x, w, g, bias=None, slope=1.0, *, tile):
    """y = A (V U); the last pass adds the bias and the activation."""
    x, w, bias = plain(x, w, np.zeros(g.K, x.dtype) if bias is None else bias)
    y = empty(g.features, x.dtype)
    depth, columns = phases_in(g) * g.C, min(CHANNELS, g.K)
    pitch, time = depth + LINE, seconds(g, tile)
    families = IMAGE_TO_POINTS, IMAGE_TO_PLANES, TAPS_TO_POINTS, POINTS_TO_FEATURES, FINISH_FEATURES
    codes = codes_for(g, tile, x.dtype, *families)
    for slab in slabs(g, tile, depth * x.itemsize):
        plane = slab.rows * pitch + LINE
        V = scratch("images", slab.planes * plane, x.dtype)
        between, taps = work_space(g, tile, x.dtype)
        U = PerThread("weights", slab.planes * packed_size(depth, columns, x.itemsize), x.dtype)
        M = PerThread("products", slab.planes * (ROWS * columns + LINE), x.dtype)
        each = -(-slab.images // TASKS)
        share(all_images, -(-slab.images // each), time, ImagesToPoints(
              x=x, g=g, kinds=slab.kinds, codes=codes, start=slab.start, images=slab.images, each=each,
              planes=V, plane=plane, pitch=pitch, between=between))  # fmt: skip
        share(make_features, -(-g.K // columns) * len(slab.kinds), time, PointsToFeatures(
              images=V, plane=plane, pitch=pitch, w=w, y=y, g=g, kinds=slab.kinds, codes=codes,
              start=slab.start, count=slab.images, columns=columns, bias=bias, slope=x.dtype.type(slope),
              weights=U, products=M, taps=taps, between=between))  # fmt: skip
    return y


PointsToFeatures = namedtuple("PointsToFeatures", (
    "images plane pitch w y g kinds codes start count columns bias slope weights products taps between"
))  # fmt: skip


@Tasks
def make_features(number, job):
    """Some channels of the features of `count` images starting at image `start`, in tiles of one kind."""
    (images, plane, pitch, w, y, g, kinds, codes, start, count, columns, bias, slope, weights, products, taps,
     between) = job  # fmt: skip
    part, of_kind = divmod(number, len(kinds) // 9)
    t, _, tiles = kind(kinds, of_kind, 0, count)
    first_k, last_k = part * columns, min((part + 1) * columns, g.K)
    columns = last_k - first_k
    depth, line = min(g.SH, g.KH) * min(g.SW, g.KW) * g.C, ROWS * columns + LINE
    size = packed_size(depth, columns, w.itemsize)
    transform_weights(w, g, t, codes, first_k, g.K, 1, g.C, columns, weights, size, taps, between)
    for block in range(0, tiles, ROWS):
        stop = min(block + ROWS, tiles)
        for q in range(t.NH * t.NW):
            here, deep = q * plane + (t.at + block) * pitch, phases_of(q, g, t) * g.C
            for k in range(0, deep, CHAIN):
                multiply(images, here + k, pitch, 1, weights[q * size :], depth, k, products, q * line, columns,
                         stop - block, columns, min(CHAIN, deep - k), k > 0)  # fmt: skip
        features_from_points(products, line, y, g, t, codes, start, block, stop, first_k, last_k, bias, slope, between)


def conv2d_transpose(y, w, g, bias=None, *, tile):
    """x = B' (Z U')."""
    y, w, bias = plain(y, w, np.empty(0, y.dtype) if bias is None else bias)
    x = empty(g.image, y.dtype)
    phases, pitch, channels, time = phases_in(g), g.K + LINE, min(CHANNELS, g.C), seconds(g, tile)
    families = FEATURES_TO_POINTS, FEATURES_TO_PLANES, TAPS_TO_POINTS, POINTS_TO_IMAGE, ADD_POINTS_TO_IMAGE
    codes = codes_for(g, tile, x.dtype, *families)
    for slab in slabs(g, tile, max(phases * CHANNELS, g.K) * x.itemsize):
        plane = slab.rows * pitch + LINE
        Z = scratch("features", slab.planes * plane, x.dtype)
        between, taps = work_space(g, tile, x.dtype)
        U = PerThread("weights", slab.planes * phases * packed_size(g.K, channels, x.itemsize), x.dtype)
        M = PerThread("products", slab.planes * (ROWS * phases * channels + LINE), x.dtype)
        each = -(-slab.images // TASKS)
        share(all_features, -(-slab.images // each), time, FeaturesToPoints(
              y=y, g=g, kinds=slab.kinds, codes=codes, start=slab.start, images=slab.images, each=each,
              planes=Z, plane=plane, pitch=pitch, panels=0, between=between))  # fmt: skip
        ranges = -(-g.C // channels)
        each = -(-slab.images // -(-PARTS // ranges))
        share(make_images, ranges * -(-slab.images // each), time, PointsToImages(
              features=Z, plane=plane, pitch=pitch, w=w, x=x, g=g, kinds=slab.kinds, codes=codes,
              start=slab.start, count=slab.images, each=each, channels=channels, bias=bias, weights=U,
              products=M, taps=taps, between=between))  # fmt: skip
    return x


PointsToImages = namedtuple("PointsToImages", (
    "features plane pitch w x g kinds codes start count each channels bias weights products taps between"
))  # fmt: skip


@Tasks
def make_images(number, job):
    """Some channels of `each` of the `count` images starting at image `start`."""
    (features, plane, pitch, w, x, g, kinds, codes, start, count, each, channels, bias, weights, products, taps,
     between) = job  # fmt: skip
    part, number = divmod(number, -(-g.C // channels))
    first_c, last_c = number * channels, min((number + 1) * channels, g.C)
    first_image, last_image = part * each, min((part + 1) * each, count)
    channels, phases = last_c - first_c, min(g.SH, g.KH) * min(g.SW, g.KW)
    size, line = phases * packed_size(g.K, channels, w.itemsize), ROWS * phases * channels + LINE
    for number in range(len(kinds) // 9):
        t, first, last = kind(kinds, number, first_image, last_image)
        transform_weights(w, g, t, codes, first_c * g.K, 1, g.K, g.K, channels, weights, size, taps, between)
        for block in range(first, last, ROWS):
            stop = min(block + ROWS, last)
            for q in range(t.NH * t.NW):
                here = q * plane + (t.at + block) * pitch
                for phase in range(phases_of(q, g, t)):
                    for k in range(0, g.K, CHAIN):
                        multiply(features, here + k, pitch, 1, weights[q * size :], phases * g.K, phase * g.K + k,
                                 products, q * line + phase * channels, phases * channels, stop - block, channels,
                                 min(CHAIN, g.K - k), k > 0)  # fmt: skip
            if number == 0 and t.top == 0:  # else another kind of tile or an earlier strip has initialised these images
                tiles = t.rows * t.columns
                for pixel in range((start + -(-block // tiles)) * g.H * g.W, (start + -(-stop // tiles)) * g.H * g.W):
                    begin(x, pixel * g.C + first_c, bias, first_c, channels)
            add_images_from_points(products, line, x, g, t, codes, start, block, stop, first_c, last_c, between)


def conv2d_weight(x, y, g, *, tile):
    """w = G' (V' Z)."""
    x, y = plain(x, y)
    w = np.zeros(g.weight, x.dtype)
    depth, time = phases_in(g) * g.C, seconds(g, tile)
    pitch, channels = depth + LINE, min(CHANNELS, g.C)
    enough = -(-g.C // channels) * -(-g.K // (2 * CHANNELS)) >= TASKS
    columns = min(2 * CHANNELS if enough else CHANNELS, g.K)
    families = IMAGE_TO_POINTS, IMAGE_TO_PLANES, FEATURES_TO_POINTS, FEATURES_TO_PLANES, POINTS_TO_TAPS
    codes = codes_for(g, tile, x.dtype, *families)
    for slab in slabs(g, tile, (depth + g.K) * x.itemsize):
        plane, panels = slab.rows * pitch + LINE, packed_size(slab.rows, g.K, x.itemsize) + LINE
        V = scratch("images", slab.planes * plane, x.dtype)
        Z = scratch("features", slab.planes * panels, x.dtype)
        between, taps = (
            PerThread("between", room(g, tile), x.dtype),
            PerThread("taps", g.KH * g.KW * channels * columns, x.dtype),
        )
        M = PerThread("products", slab.planes * (phases_in(g) * channels * columns + LINE), x.dtype)
        each = -(-slab.images // TASKS)
        share(all_images, -(-slab.images // each), time, ImagesToPoints(
              x=x, g=g, kinds=slab.kinds, codes=codes, start=slab.start, images=slab.images, each=each,
              planes=V, plane=plane, pitch=pitch, between=between))  # fmt: skip
        share(all_features, -(-slab.images // each), time, FeaturesToPoints(
              y=y, g=g, kinds=slab.kinds, codes=codes, start=slab.start, images=slab.images, each=each,
              planes=Z, plane=panels, pitch=0, panels=slab.rows, between=between))  # fmt: skip
        share(make_weights, -(-g.C // channels) * -(-g.K // columns), time, PointsToWeights(
              images=V, plane=plane, pitch=pitch, features=Z, panels=panels, rows=slab.rows, w=w, g=g,
              kinds=slab.kinds, codes=codes, count=slab.images, channels=channels, columns=columns,
              chain=32 * tile, products=M, taps=taps, between=between))  # fmt: skip
    return w


PointsToWeights = namedtuple("PointsToWeights", (
    "images plane pitch features panels rows w g kinds codes count channels columns chain products taps between"
))  # fmt: skip


@Tasks
def make_weights(number, job):
    """Some rows and columns of w: the sum over the tiles of `count` images.

    chain: the number of tiles that are summed one after another; a sum of such sums rounds less
    """
    (images, plane, pitch, features, panels, rows, w, g, kinds, codes, count, channels, columns, chain, products,
     taps, between) = job  # fmt: skip
    parts = -(-g.K // columns)
    first_c, last_c = number // parts * channels, min((number // parts + 1) * channels, g.C)
    first_k, last_k = number % parts * columns, min((number % parts + 1) * columns, g.K)
    channels, columns = last_c - first_c, last_k - first_k
    line = min(g.SH, g.KH) * min(g.SW, g.KW) * channels * columns + LINE
    for number in range(len(kinds) // 9):
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
    """A task's buffers: between the axes of a transform, and for some rows of weights."""
    return (
        PerThread("between", room(g, tile), dtype),
        PerThread("taps", g.KH * g.KW * DEPTH * CHANNELS, dtype),
    )
