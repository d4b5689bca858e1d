"""Convolution, its adjoint and its weight gradient without columns: the image is read in place.

A task pads some images in its thread's buffer. There every window is whole, and the register tile finds its rows by a
table of offsets: of output pixels for a convolution, of elements of the kernel for its weight gradient. This pays
when im2col would spend more time copying than multiplying, because there are few channels.
"""

import functools
from collections import namedtuple

import numpy as np

from minigan.kernels.cpu.conv.im2col import pack_weights
from minigan.kernels.cpu.products import PEAK, WIDE_BYTES, add_parts, multiply, multiply_gathered, pack, packed_size
from minigan.kernels.cpu.runtime.compile import kernel, outlined
from minigan.kernels.cpu.runtime.threads import PerThread, Tasks, empty, plain, round_up, scratch, share
from minigan.kernels.cpu.runtime.vectors import clear_run, copy_run

SUITED = "kernels without dilation along the width and without groups"
LINE = 16  # elements between rows of columns: rows a power of two apart would share a cache set
TASKS = 64  # the least number of tasks, if there are enough images
SUMS = 16  # tasks per weight gradient: each needs sums as large as the weights
ROWS = 256  # approximate number of output pixels whose features fit in the L2 cache


def suits(g) -> bool:
    return g.DW == g.G == 1


def _padded(g):
    """(rows, pixels of a row) of an image with its padding."""
    return g.H + g.PT + g.PB, g.W + g.PL + g.PR


@functools.lru_cache(maxsize=32)
def places(rows, row_step, columns, column_step, channels):
    """The offsets of rows x columns x channels in a flat image, in order, int64."""
    pixels = np.arange(rows)[:, None] * row_step + np.arange(columns) * column_step
    return (pixels[:, :, None] + np.arange(channels)).reshape(-1)


def windows(g):
    """The offset of each output pixel's window in a padded image, (OH * OW,)."""
    _, width = _padded(g)
    return places(g.OH, g.SH * width * g.C, g.OW, g.SW * g.C, 1)


def elements(g):
    """The offset of each element of the kernel in a padded image, (KH * KW * C,)."""
    _, width = _padded(g)
    return places(g.KH, g.DH * width * g.C, g.KW, g.C, g.C)


@outlined
def place_image(x, g, image, height, width, to, inwards):
    """Copy an image of x (flat) into the middle of a padded one, or back."""
    for h in range(g.H):
        here, there = (image * g.H + h) * g.W * g.C, ((g.PT + h) * width + g.PL) * g.C
        if inwards:
            copy_run(x, here, to, there, g.W * g.C)
        else:
            copy_run(to, there, x, here, g.W * g.C)


def conv2d(x, w, g, bias=None, slope=1.0):
    x, w = plain(x, w)
    y, shifts = empty(g.features, x.dtype), np.zeros(round_up(g.K, WIDE_BYTES // x.itemsize), x.dtype)
    if bias is not None:
        shifts[: g.K] = bias
    height, width = _padded(g)
    each, padded = images_of_task(g), PerThread("padded", height * width * g.C, x.dtype)
    share(convolve_images, -(-g.N // each), 2 * y.size * g.KH * g.KW * g.C / PEAK, Convolution(
          x=x, panels=pack_weights(w, g), bias=shifts, slope=x.dtype.type(slope), y=y, g=g, each=each,
          height=height, width=width, table=windows(g), padded=padded))  # fmt: skip
    return y


Convolution = namedtuple("Convolution", "x panels bias slope y g each height width table padded")


@Tasks
def convolve_images(number, job):
    """All features of `each` images, some of their pixels at a time."""
    x, panels, bias, slope, y, g, each, height, width, table, padded = job
    clear_run(padded, 0, height * width * g.C)
    pixels = g.OH * g.OW
    for image in range(number * each, min((number + 1) * each, g.N)):
        place_image(x, g, image, height, width, padded, True)
        for first in range(0, pixels, ROWS):
            multiply_gathered(padded, 0, table, first, min(ROWS, pixels - first), 1, g.KH, g.DH * width * g.C,
                              g.KW * g.C, panels, 0, 0, y, (image * pixels + first) * g.K, g.K, g.K, False,
                              bias, slope)  # fmt: skip


def conv2d_weight(x, y, g):
    x, y = plain(x, y)
    height, width = _padded(g)
    wide = WIDE_BYTES // x.itemsize
    line = round_up(g.K, wide)  # the tile reads whole panels of y
    if line != g.K:
        y = np.concatenate([y, np.zeros((*y.shape[:3], line - g.K), y.dtype)], axis=-1)
    w = np.empty(g.weight, x.dtype)
    each = max(-(-g.N // SUMS), 1)
    tasks = -(-g.N // each)
    partial = scratch("partial", tasks * w.size, w.dtype)
    share(contract_images, tasks, 2 * g.N * g.OH * g.OW * w.size / PEAK, WeightGradient(
          x=x, y=y, line=line, partial=partial, g=g, each=each, height=height, width=width,
          table=elements(g), padded=PerThread("padded", height * width * g.C, x.dtype)))  # fmt: skip
    add_parts(partial, w)
    return w


WeightGradient = namedtuple("WeightGradient", "x y line partial g each height width table padded")


@Tasks
def contract_images(number, job):
    """The sum over the pixels of `each` images."""
    x, y, line, partial, g, each, height, width, table, padded = job
    w = partial[number * len(table) * g.K : (number + 1) * len(table) * g.K]
    clear_run(w, 0, len(w))
    clear_run(padded, 0, height * width * g.C)
    for image in range(number * each, min((number + 1) * each, g.N)):
        place_image(x, g, image, height, width, padded, True)
        multiply_gathered(padded, 0, table, 0, len(table), g.SW * g.C, g.OH, g.SH * width * g.C, g.OW,
                          y, image * g.OH * g.OW * line, line, w, 0, g.K, g.K, True,
                          w, w.dtype.type(1))  # fmt: skip


def conv2d_transpose(y, w, g, bias=None):
    y, w, bias = plain(y, w, np.empty(0, y.dtype) if bias is None else bias)
    x = empty(g.image, y.dtype)
    height, width = _padded(g)
    taps, each = g.KH * g.KW, images_of_task(g)
    tasks, time = -(-g.N // each), 2 * y.size * taps * g.C / PEAK
    padded = PerThread("padded", height * width * g.C, y.dtype)
    # if channels are few, the products of all taps fill a tile together; else those of each tap do
    if g.C * y.itemsize < WIDE_BYTES:
        panels, stride = scratch("weights", packed_size(g.K, taps * g.C, w.itemsize), w.dtype), taps * g.C + LINE
        share(pack_taps, 1, 0, w, g, panels)
        share(spread_thin_images, tasks, time, ThinAdjoint(
              y=y, panels=panels, bias=bias, x=x, g=g, each=each, height=height, width=width,
              stride=stride, padded=padded, columns=PerThread("columns", g.OH * g.OW * stride, y.dtype)))  # fmt: skip
    else:
        panels = scratch("weights", taps * packed_size(g.K, g.C, w.itemsize), w.dtype)
        share(pack_tap, taps, w.size * 0.2e-9, w, g, panels)
        share(spread_images, tasks, time, Adjoint(
              y=y, panels=panels, bias=bias, x=x, g=g, each=each, height=height, width=width,
              padded=padded))  # fmt: skip
    return x


def images_of_task(g):
    return max(-(-g.N // TASKS), 1)


@Tasks
def pack_taps(number, w, g, panels):
    pack(w, 0, 1, g.K, g.K, 0, g.KH * g.KW * g.C, panels)


@Tasks
def pack_tap(tap, w, g, panels):
    pack(w, tap * g.C * g.K, 1, g.K, g.K, 0, g.C, panels[tap * packed_size(g.K, g.C, w.itemsize) :])


@kernel
def begin_image(padded, pixels, bias, channels):
    if len(bias):
        for pixel in range(pixels):
            copy_run(bias, 0, padded, pixel * channels, channels)
    else:
        clear_run(padded, 0, pixels * channels)


Adjoint = namedtuple("Adjoint", "y panels bias x g each height width padded")


@Tasks
def spread_images(number, job):
    """`each` images: the products of each tap with a row of features are added to the pixels that the tap meets."""
    y, panels, bias, x, g, each, height, width, padded = job
    size = packed_size(g.K, g.C, y.itemsize)
    for image in range(number * each, min((number + 1) * each, g.N)):
        begin_image(padded, height * width, bias, g.C)
        for tap in range(g.KH * g.KW):
            for oh in range(g.OH):
                at = ((oh * g.SH + tap // g.KW * g.DH) * width + tap % g.KW) * g.C
                multiply(y, (image * g.OH + oh) * g.OW * g.K, g.K, 1, panels[tap * size :], g.K, 0,
                         padded, at, g.SW * g.C, g.OW, g.C, g.K, True)  # fmt: skip
        place_image(x, g, image, height, width, padded, False)


ThinAdjoint = namedtuple("ThinAdjoint", "y panels bias x g each height width stride padded columns")


@Tasks
def spread_thin_images(number, job):
    """`each` images: all taps times all features at once, then each product is added to its tap's pixel."""
    y, panels, bias, x, g, each, height, width, stride, padded, columns = job
    for image in range(number * each, min((number + 1) * each, g.N)):
        begin_image(padded, height * width, bias, g.C)
        multiply(y, image * g.OH * g.OW * g.K, g.K, 1, panels, g.K, 0,
                 columns, 0, stride, g.OH * g.OW, g.KH * g.KW * g.C, g.K, False)  # fmt: skip
        for oh in range(g.OH):
            for kh in range(g.KH):
                row = (oh * g.SH + kh * g.DH) * width * g.C
                for element in range(g.KW * g.C):  # (kw, c)
                    source = oh * g.OW * stride + kh * g.KW * g.C + element
                    for ow in range(g.OW):
                        padded[row + element + ow * g.SW * g.C] += columns[source + ow * stride]
        place_image(x, g, image, height, width, padded, False)
