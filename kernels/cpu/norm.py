"""Batch normalisation and sums over columns.

Rows are taken in blocks small enough for the L1 cache, summed in the arrays' own dtype; the blocks' sums are combined
in float64, in order. So the error does not grow with the number of rows, nor the result change with the threads.
"""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run

TASK = 1 << 16  # elements of a task
CACHED = 1 << 12  # elements of a block, unless ROWS rows are fewer
ROWS, FEW_ROWS = 64, 8  # of a block, where columns are few and where they are many


def reduce_rows(function, arrays, results, *others):
    """Call function(*row ranges of the arrays, *others, out) for ranges of rows; out: (ranges, results, C) float64."""
    m, channels = arrays[0].shape
    ranges = blocks(m, max(TASK // max(channels, 1), 1))
    partial = np.zeros((len(ranges), results, channels))

    def reduce(task):
        number, rows = task
        function(*(array[slice(*rows)] for array in arrays), *others, partial[number])

    run(reduce, enumerate(ranges), arrays[0].size * len(arrays) * 0.3e-9)
    return ranges, partial


def map_rows(function, arrays, out, *others):
    """Call function(*row ranges of the arrays, same range of out, *others) in parallel."""
    ranges = blocks(len(out), max(TASK // max(out.shape[1], 1), 1))

    def fill(rows):
        function(*(array[slice(*rows)] for array in arrays), out[slice(*rows)], *others)

    run(fill, ranges, out.size * (len(arrays) + 1) * 0.3e-9)


def batch_norm(x, scale, shift, eps, slope=1.0):
    x, scale, shift = plain(x, scale, shift)
    ranges, partial = reduce_rows(moments, [x], 2)
    # Chan, Golub & LeVeque 1983: means and sums of squared deviations of the parts give those of the whole
    counts = np.array([last - first for first, last in ranges], float)[:, None]
    means, squares = partial[:, 0], partial[:, 1]
    mean = (counts * means).sum(axis=0) / len(x)
    variance = (squares + counts * np.square(means - mean)).sum(axis=0) / len(x)
    inverse = 1 / np.sqrt(variance + eps)
    y = np.empty_like(x)
    mean, inverse = mean.astype(x.dtype), inverse.astype(x.dtype)
    map_rows(normalise, [x], y, mean, inverse * scale, shift, x.dtype.type(slope))
    return y, mean, inverse


def batch_norm_vjp(g, x, scale, mean, inverse_deviation, y, slope=1.0):
    g, x, scale, mean, inverse_deviation, y = plain(g, x, scale, mean, inverse_deviation, y)
    slope = x.dtype.type(slope)
    y = g if slope == 1 else y  # which then is not looked at: nothing else has to come into the cache
    _, partial = reduce_rows(gradient_sums, [g, x, y], 2, mean, slope)
    gshift, products = partial.sum(axis=0)
    gscale = products * inverse_deviation
    gx = np.empty_like(x)
    # gx = scale * inverse * (g - gshift / M - normal * gscale / M), normal = (x - mean) * inverse
    factor = scale * inverse_deviation
    incline = (factor * inverse_deviation * (gscale / len(x))).astype(x.dtype)
    constant = (factor * (gshift / len(x))).astype(x.dtype)
    map_rows(normalise_vjp, [g, x, y], gx, mean, factor, incline, constant, slope)
    return gx, gscale.astype(x.dtype), gshift.astype(x.dtype)


def bias_sum(g):
    (g,) = plain(g)
    _, partial = reduce_rows(column_sums, [g], 1)
    return partial[:, 0].sum(axis=0).astype(g.dtype)


@kernel
def block_rows(channels):
    return max(min(CACHED // channels, ROWS), FEW_ROWS)


@kernel
def add_columns(x, first, last, total):
    """total (C,) = sums of rows first to last."""
    total[:] = 0
    for i in range(first, last):
        for c in range(total.size):
            total[c] += x[i, c]


@kernel
def column_sums(x, out):
    m, channels = x.shape
    total = np.empty(channels, x.dtype)
    block = block_rows(channels)
    for first in range(0, m, block):
        add_columns(x, first, min(first + block, m), total)
        for c in range(channels):
            out[0, c] += total[c]


@kernel
def moments(x, out):
    """out[0], out[1] (C,) = mean and sum of squared deviations from it, over the rows of x."""
    m, channels = x.shape
    total, mean = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    block = block_rows(channels)
    for first in range(0, m, block):
        last = min(first + block, m)
        count = last - first
        add_columns(x, first, last, total)
        for c in range(channels):
            mean[c] = total[c] / count
            total[c] = 0
        for i in range(first, last):
            for c in range(channels):
                deviation = x[i, c] - mean[c]
                total[c] += deviation * deviation
        for c in range(channels):  # join this block to those before it
            distance = mean[c] - out[0, c]
            out[0, c] += distance * count / last
            out[1, c] += total[c] + distance * distance * first * count / last


@kernel
def normalise(x, y, mean, factor, shift, slope):
    m, channels = x.shape
    for i in range(m):
        for c in range(channels):
            value = (x[i, c] - mean[c]) * factor[c] + shift[c]
            # 0 * -inf would be NaN; a NaN itself must pass
            below = slope * value if slope != 0 or np.isnan(value) else slope
            y[i, c] = value if value > 0 else below


@kernel
def gradient_sums(g, x, y, mean, slope, out):
    """out[0], out[1] (C,) += sums over rows of h and of h * (x - mean), h being g before the activation."""
    m, channels = x.shape
    total, products = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    block = block_rows(channels)
    for first in range(0, m, block):
        total[:] = 0
        products[:] = 0
        for i in range(first, min(first + block, m)):
            for c in range(channels):
                h = g[i, c] if y[i, c] > 0 else g[i, c] * slope
                total[c] += h
                products[c] += h * (x[i, c] - mean[c])
        for c in range(channels):
            out[0, c] += total[c]
            out[1, c] += products[c]


@kernel
def normalise_vjp(g, x, y, gx, mean, factor, incline, constant, slope):
    m, channels = x.shape
    for i in range(m):
        for c in range(channels):
            h = g[i, c] if y[i, c] > 0 else g[i, c] * slope
            gx[i, c] = factor[c] * h - incline[c] * (x[i, c] - mean[c]) - constant[c]
