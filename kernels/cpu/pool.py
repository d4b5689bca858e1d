"""Pooling: windows that slide over each channel by itself. A task owns whole images, or rows of outputs."""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run

BLOCK = 1 << 16  # elements of a task


def run_rows(function, rows, length, *arguments):
    """Call function(first, last, *arguments) for ranges of rows, each row of about `length` elements of work."""
    run(
        lambda block: function(*block, *arguments),
        blocks(rows, max(BLOCK // max(length, 1), 1)),
        rows * length * 1e-9,
    )


def max_pool_indices(x, g):
    (x,) = plain(x)
    indices = np.empty((g.N, g.OH, g.OW, g.C), np.int32)
    run_rows(find_maxima, g.N * g.OH, g.OW * g.KH * g.KW * g.C, x, indices, g)
    return indices


def pool_gather(x, indices, g):
    (x,) = plain(x)
    y = np.empty(indices.shape, x.dtype)
    image, features = flat_shapes(g)
    run_rows(gather, g.N, indices[:1].size, x.reshape(image), places(indices, g), y.reshape(features))
    return y


def pool_scatter(y, indices, g):
    (y,) = plain(y)
    x = np.zeros(g.image, y.dtype)
    image, features = flat_shapes(g)
    run_rows(scatter, g.N, indices[:1].size, y.reshape(features), places(indices, g), x.reshape(image))
    return x


def flat_shapes(g):
    return (g.N, g.H * g.W, g.C), (g.N, g.OH * g.OW, g.C)


def places(indices, g):
    return np.require(indices, np.int32, ["C", "A", "W"]).reshape(flat_shapes(g)[1])


def window_sum(x, g):
    (x,) = plain(x)
    y = np.empty((g.N, g.OH, g.OW, g.C), x.dtype)
    run_rows(sum_windows, g.N * g.OH, g.OW * g.KH * g.KW * g.C, x, y, g)
    return y


def window_spread(y, g):
    (y,) = plain(y)
    x = np.empty(g.image, y.dtype)
    run_rows(spread_windows, g.N * g.H, g.W * g.C, y, x, g)
    return x


@kernel
def find_maxima(first, last, x, indices, g):
    best = np.empty(g.C, x.dtype)
    for row in range(first, last):
        n, oh = row // g.OH, row % g.OH
        for ow in range(g.OW):
            found = indices[n, oh, ow]
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
                    for c in range(g.C):
                        value = x[n, h, w, c]
                        greater = value > best[c] or (np.isnan(value) and not np.isnan(best[c]))
                        if greater or found[c] < 0:
                            best[c] = value
                            found[c] = here


@kernel
def gather(first, last, x, indices, y):
    for n in range(first, last):
        for pixel in range(y.shape[1]):
            for c in range(y.shape[2]):
                place = indices[n, pixel, c]
                y[n, pixel, c] = x[n, place, c] if place >= 0 else 0


@kernel
def scatter(first, last, y, indices, x):
    for n in range(first, last):
        for pixel in range(y.shape[1]):
            for c in range(y.shape[2]):
                place = indices[n, pixel, c]
                if place >= 0:
                    x[n, place, c] += y[n, pixel, c]


@kernel
def sum_windows(first, last, x, y, g):
    for row in range(first, last):
        n, oh = row // g.OH, row % g.OH
        for ow in range(g.OW):
            total = y[n, oh, ow]
            total[:] = 0
            for kh in range(g.KH):
                h = oh * g.SH - g.PT + kh * g.DH
                if h < 0 or h >= g.H:
                    continue
                for kw in range(g.KW):
                    w = ow * g.SW - g.PL + kw * g.DW
                    if 0 <= w < g.W:
                        for c in range(g.C):
                            total[c] += x[n, h, w, c]


@kernel
def spread_windows(first, last, y, x, g):
    """As a gather: a task owns rows of the image, and each pixel sums the windows that cover it."""
    for row in range(first, last):
        n, h = row // g.H, row % g.H
        here = x[n, h]
        here[:] = 0
        for kh in range(g.KH):
            top = h + g.PT - kh * g.DH
            if top < 0 or top % g.SH or top // g.SH >= g.OH:
                continue
            for kw in range(g.KW):
                for ow in range(g.OW):
                    w = ow * g.SW - g.PL + kw * g.DW
                    if 0 <= w < g.W:
                        for c in range(g.C):
                            here[w, c] += y[n, top // g.SH, ow, c]
