"""Pooling: windows that slide over each channel separately.

Pixels are runs of channels in flat arrays. A task owns what it writes: rows of outputs, images, or rows of images.
"""

import numpy as np

from minigan.kernels.cpu.conv.columns import add_pixels
from minigan.kernels.cpu.runtime.compile import kernel
from minigan.kernels.cpu.runtime.threads import PerThread, Tasks, empty, misfit, plain, share
from minigan.kernels.cpu.runtime.vectors import clear_run

BLOCK = 1 << 15  # elements per task


def share_rows(tasks, rows, length, *arguments):
    """Run a kernel's tasks, some rows each. length: roughly how many elements a row reads"""
    size = max(BLOCK // max(length, 1), 1)
    share(tasks, -(-rows // size), rows * length * 1e-9, rows, size, *arguments)


@kernel
def rows_of(number, rows, size):
    """The range of rows of a task."""
    return range(number * size, min((number + 1) * size, rows))


@kernel
def image_of(x, n, g):
    """An image as a flat array."""
    return x[n * g.H * g.W * g.C : (n + 1) * g.H * g.W * g.C]


@kernel
def windows_inside(kw, g):
    """(left, first, last): tap kw of windows first to last of a row reads pixel ow * SW + left, inside the image."""
    left = kw * g.DW - g.PL
    return left, max(-(left // g.SW), 0), min((g.W - 1 - left) // g.SW + 1, g.OW)


def max_pool_indices(x, g):
    (x,) = plain(x)
    if x.shape != g.image:
        misfit("max_pool_indices", x)
    indices = np.empty((g.N, g.OH, g.OW, g.C), np.int32)
    share_rows(find_maxima, g.N * g.OH, g.OW * g.KH * g.KW * g.C, x, indices, g, PerThread("best", g.C, x.dtype))
    return indices


def pool_gather(x, indices, g):
    (x,) = plain(x)
    if x.shape != g.image or indices.shape != (g.N, g.OH, g.OW, g.C):
        misfit("pool_gather", x, indices)
    y = empty(indices.shape, x.dtype)
    share_rows(gather, g.N * g.OH, g.OW * g.C, x, plain_indices(indices), y, g)
    return y


def pool_scatter(y, indices, g):
    (y,) = plain(y)
    if not y.shape == indices.shape == (g.N, g.OH, g.OW, g.C):
        misfit("pool_scatter", y, indices)
    x = empty(g.image, y.dtype)
    share_rows(scatter, g.N, g.OH * g.OW * g.C, y, plain_indices(indices), x, g)
    return x


def plain_indices(indices):
    return np.require(indices, np.int32, ["C", "A", "W"])


def window_sum(x, g):
    (x,) = plain(x)
    if x.shape != g.image:
        misfit("window_sum", x)
    y = empty((g.N, g.OH, g.OW, g.C), x.dtype)
    share_rows(sum_windows, g.N * g.OH, g.OW * g.KH * g.KW * g.C, x, y, g)
    return y


def window_spread(y, g):
    (y,) = plain(y)
    if y.shape != (g.N, g.OH, g.OW, g.C):
        misfit("window_spread", y)
    x = empty(g.image, y.dtype)
    share_rows(spread_windows, g.N * g.H, y[:1].size * g.KH * g.KW // g.H, y, x, g)
    return x


@Tasks
def find_maxima(number, rows, size, x, indices, g, best):
    x, indices = x.reshape(g.N * g.H * g.W, g.C), indices.reshape(rows * g.OW, g.C)
    for row in rows_of(number, rows, size):
        n, oh = row // g.OH, row % g.OH
        for ow in range(g.OW):
            found = indices[row * g.OW + ow]
            found[:] = -1
            for kh in range(g.KH):
                h = oh * g.SH - g.PT + kh * g.DH
                if h < 0 or h >= g.H:
                    continue
                for kw in range(g.KW):
                    w = ow * g.SW - g.PL + kw * g.DW
                    if w < 0 or w >= g.W:
                        continue
                    here = np.int32(h * g.W + w)
                    pixel = n * g.H * g.W + here
                    for c in range(g.C):
                        value, most, place = x[pixel, c], best[c], found[c]
                        greater = (not value <= most and most == most) or place < 0  # NaN counts as the greatest
                        best[c] = value if greater else most
                        found[c] = here if greater else place


@Tasks
def gather(number, rows, size, x, indices, y, g):
    indices, y = indices.reshape(rows * g.OW, g.C), y.reshape(rows * g.OW, g.C)
    for row in rows_of(number, rows, size):
        image = image_of(x, row // g.OH, g)
        for pixel in range(row * g.OW, (row + 1) * g.OW):
            for c in range(g.C):
                place = indices[pixel, c]
                y[pixel, c] = image[place * g.C + c] if place >= 0 else 0


@Tasks
def scatter(number, images, size, y, indices, x, g):
    pixels = g.OH * g.OW
    indices, y = indices.reshape(images * pixels, g.C), y.reshape(images * pixels, g.C)
    for n in rows_of(number, images, size):
        image = image_of(x, n, g)
        clear_run(image, 0, image.size)
        for pixel in range(n * pixels, (n + 1) * pixels):
            for c in range(g.C):
                place = indices[pixel, c]
                if place >= 0:
                    image[place * g.C + c] += y[pixel, c]


@Tasks
def sum_windows(number, rows, size, x, y, g):
    for row in rows_of(number, rows, size):
        n, oh = row // g.OH, row % g.OH
        clear_run(y, row * g.OW * g.C, g.OW * g.C)
        for kh in range(g.KH):
            h = oh * g.SH - g.PT + kh * g.DH
            if h < 0 or h >= g.H:
                continue
            for kw in range(g.KW):
                left, first, last = windows_inside(kw, g)
                source = ((n * g.H + h) * g.W + left + first * g.SW) * g.C
                add_pixels(x, source, g.SW * g.C, y, (row * g.OW + first) * g.C, g.C, g.C, last - first)


@Tasks
def spread_windows(number, rows, size, y, x, g):
    """A gather: each pixel in the task's rows of the image sums the windows that cover it."""
    for row in rows_of(number, rows, size):
        n, h = row // g.H, row % g.H
        clear_run(x, row * g.W * g.C, g.W * g.C)
        for kh in range(g.KH):
            top = h + g.PT - kh * g.DH
            if top < 0 or top % g.SH or top // g.SH >= g.OH:
                continue
            for kw in range(g.KW):
                left, first, last = windows_inside(kw, g)
                source = ((n * g.OH + top // g.SH) * g.OW + first) * g.C
                add_pixels(y, source, g.C, x, (row * g.W + left + first * g.SW) * g.C, g.SW * g.C, g.C, last - first)
