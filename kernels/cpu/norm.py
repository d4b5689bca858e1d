"""Batch normalisation, and the gradient of a bias behind a leaky ReLU.

A task is a range of rows, processed in blocks that fit the L1 cache and summed in the arrays' own dtype; the sums of
blocks and of tasks are joined in float64, in order. So the error does not grow with the number of rows, and the result
does not depend on the number of threads. Several short rows form one line: values that belong to a column are repeated
along it, so that loops are long even with few channels.
"""

import math

import numpy as np

from minigan.kernels.cpu.reduce import LINES, TASK, WIDTH, cut_of, fold, moments_of
from minigan.kernels.cpu.runtime.compile import kernel
from minigan.kernels.cpu.runtime.threads import PerThread, Tasks, empty, misfit, plain, share
from minigan.kernels.cpu.runtime.vectors import clear_run

JOINED = 512  # channels per task that joins the results of other tasks


@kernel
def rows_of_task(channels):
    return max(TASK // channels, 1)


@kernel
def line_of(channels):
    """The number of elements in a line: 1, 2, 4, ... whole rows, as many as fit."""
    size = channels
    while 2 * size <= WIDTH:
        size *= 2
    return size


def share_rows(kernel, x, arrays, *arguments):
    """Run a kernel's tasks, ranges of the rows of x. arrays: number of arrays of that size read or written"""
    tasks = -(-len(x) // rows_of_task(x.shape[1]))
    share(kernel, tasks, x.size * arrays * 0.2e-9, *arguments)


def share_channels(kernel, partial, *arguments):
    """Run a kernel's tasks, ranges of the channels of `partial`, (tasks, count, C)."""
    share(kernel, -(-partial.shape[2] // JOINED), partial.size * 1e-9, partial, *arguments)


def sums_of(x, count):
    """(an array for `count` results per task and channel, (tasks, count, C) float64; two lines for sums)."""
    m, channels = x.shape
    tasks, width = -(-m // rows_of_task(channels)), line_of(channels)
    return np.empty((tasks, count, channels)), PerThread("sums", width, x.dtype), PerThread("more sums", width, x.dtype)


def batch_norm(x, scale, shift, eps, slope=1.0):
    x, scale, shift = plain(x, scale, shift)
    m, channels = x.shape
    if not scale.shape == shift.shape == (channels,):
        misfit("batch_norm", x, scale, shift)
    if not x.size:
        return x.copy(), np.full_like(scale, np.nan), np.full_like(scale, np.nan)
    y, mean, inverse = empty(x.shape, x.dtype), np.empty_like(scale), np.empty_like(scale)
    cut, *tasks = cut_of(1, m, channels)
    (partial,) = moments_of(x, cut, *tasks)
    share_channels(join_moments, partial, m, cut.part, np.float64(eps), mean, inverse)
    share_rows(normalise, x, 2, x, lines(mean, inverse * scale, shift), channels, x.dtype.type(slope), y)
    return y, mean, inverse


def batch_norm_vjp(g, x, scale, shift, mean, inverse_deviation, slope=1.0):
    g, x, scale, shift, mean, inverse_deviation = plain(g, x, scale, shift, mean, inverse_deviation)
    m, channels = x.shape
    if g.shape != x.shape or not scale.shape == shift.shape == mean.shape == inverse_deviation.shape == (channels,):
        misfit("batch_norm_vjp", g, x, scale, shift, mean, inverse_deviation)
    if not x.size:
        return g.copy(), np.zeros_like(scale), np.zeros_like(scale)
    gx, gscale, gshift = empty(x.shape, x.dtype), np.empty_like(scale), np.empty_like(scale)
    incline, constant = np.empty_like(scale), np.empty_like(scale)
    line, slope = lines(mean, inverse_deviation * scale, shift), x.dtype.type(slope)
    partial, *sums = sums_of(x, 2)
    share_rows(gradient_sums, x, 2, g, x, line, channels, slope, partial, *sums)
    share_channels(join_gradients, partial, m, scale, inverse_deviation, gscale, gshift, incline, constant)
    share_rows(normalise_vjp, x, 3, g, x, line, lines(incline, constant), channels, slope, gx)
    return gx, gscale, gshift


def leaky_relu_vjp_sum(g, x, slope):
    g, x = plain(g, x)
    if g.shape != x.shape:
        misfit("leaky_relu_vjp_sum", g, x)
    if not x.size:
        return g.copy(), np.zeros(x.shape[1], x.dtype)
    gx = empty(x.shape, x.dtype)
    partial, sums, _ = sums_of(g, 1)
    share_rows(activate_vjp_sums, x, 3, g, x, x.shape[1], x.dtype.type(slope), gx, partial, sums)
    return gx, total(partial, g.dtype)


def total(partial, dtype):
    """The sum of the tasks' results, (tasks, 1, C): (C,)."""
    sums = partial[0] if len(partial) == 1 else partial.sum(axis=0)
    return sums[0].astype(dtype)


def lines(*columns):
    """Arrays (C,) of values for each column, each repeated along a line."""
    channels = len(columns[0])
    repeated = np.empty((len(columns), line_of(channels) // channels, channels), columns[0].dtype)
    for line, column in zip(repeated, columns, strict=True):
        line[:] = column
    return repeated


# ------------------------------------------------------------------------------------------ sums


@kernel
def range_of(number, x, channels):
    """The first and the last element of a task."""
    size = rows_of_task(channels) * channels
    return number * size, min((number + 1) * size, x.size)


@kernel
def place_of(number, partial, count, channels):
    """The slice for a task's results, filled with zeros."""
    here = partial[number * count * channels : (number + 1) * count * channels]
    clear_run(here, 0, here.size)
    return here


@Tasks
def activate_vjp_sums(number, g, x, channels, slope, gx, partial, sums):
    """Some rows of leaky_relu_vjp, and the sums of their columns."""
    out, width = place_of(number, partial, 1, channels), line_of(channels)
    sums = sums[:width]
    first, last = range_of(number, x, channels)
    for start in range(first, last, LINES * width):
        clear_run(sums, 0, width)
        for at in range(start, min(start + LINES * width, last), width):
            line, gradient = x[at : min(at + width, last)], g[at : min(at + width, last)]
            result = gx[at : at + line.size]
            for i in range(line.size):
                below = gradient[i] * slope if slope != 0 else slope  # 0 * inf would be NaN
                below = line[i] if np.isnan(line[i]) else below
                h = gradient[i] if line[i] > 0 else below
                result[i] = h
                sums[i] += h
        fold(sums, channels)
        for c in range(channels):
            out[c] += sums[c]


@Tasks
def join_moments(number, partial, rows, size, eps, mean, inverse):
    """The mean and inverse deviation of all rows, for some channels, from the moments of parts of `size` rows."""
    channels = mean.size
    tasks = partial.size // (2 * channels)
    for c in range(number * JOINED, min((number + 1) * JOINED, channels)):
        total = squares = 0.0
        for task in range(tasks):
            total += partial[2 * task * channels + c] * min(size, rows - task * size)
        average = total / rows
        for task in range(tasks):
            distance = partial[2 * task * channels + c] - average
            squares += partial[(2 * task + 1) * channels + c] + distance * distance * min(size, rows - task * size)
        mean[c] = average
        inverse[c] = 1 / math.sqrt(squares / rows + eps)


@Tasks
def gradient_sums(number, g, x, lines, channels, slope, partial, sums, products):
    """The sums of h and of h * (x - mean) for each channel, where h is the gradient before the activation."""
    out, width = place_of(number, partial, 2, channels), line_of(channels)
    mean, factor, shift = lines[:width], lines[width : 2 * width], lines[2 * width :]
    sums, products = sums[:width], products[:width]
    first, last = range_of(number, x, channels)
    for start in range(first, last, LINES * width):
        clear_run(sums, 0, width)
        clear_run(products, 0, width)
        for at in range(start, min(start + LINES * width, last), width):
            line, gradient = x[at : min(at + width, last)], g[at : min(at + width, last)]
            for i in range(line.size):
                deviation = line[i] - mean[i]
                below = gradient[i] * slope if slope != 0 else slope
                h = gradient[i] if deviation * factor[i] + shift[i] > 0 else below
                sums[i] += h
                products[i] += h * deviation
        fold(sums, channels)
        fold(products, channels)
        for c in range(channels):
            out[c] += sums[c]
            out[channels + c] += products[c]


@Tasks
def join_gradients(number, partial, rows, scale, inverse, gscale, gshift, incline, constant):
    """The gradients of scale and shift, and what is subtracted from those of x: incline * (x - mean) + constant.

    gx = scale * inverse * (h - gshift / M - normal * gscale / M), normal = (x - mean) * inverse
    """
    channels = scale.size
    for c in range(number * JOINED, min((number + 1) * JOINED, channels)):
        total = products = 0.0
        for start in range(0, partial.size, 2 * channels):
            total += partial[start + c]
            products += partial[start + channels + c]
        factor, products = np.float64(scale[c]) * inverse[c], products * inverse[c]
        gscale[c] = products
        gshift[c] = total
        incline[c] = factor * inverse[c] * products / rows
        constant[c] = factor * total / rows


# ------------------------------------------------------------------------------------------ rows


@Tasks
def normalise(number, x, lines, channels, slope, y):
    width = line_of(channels)
    mean, factor, shift = lines[:width], lines[width : 2 * width], lines[2 * width :]
    first, last = range_of(number, x, channels)
    for at in range(first, last, width):
        line, out = x[at : min(at + width, last)], y[at : min(at + width, last)]
        for i in range(line.size):
            value = (line[i] - mean[i]) * factor[i] + shift[i]
            # 0 * -inf would be NaN; a NaN itself must pass
            below = slope * value if slope != 0 or np.isnan(value) else slope
            out[i] = value if value > 0 else below


@Tasks
def normalise_vjp(number, g, x, lines, more_lines, channels, slope, gx):
    width = line_of(channels)
    mean, factor, shift = lines[:width], lines[width : 2 * width], lines[2 * width :]
    incline, constant = more_lines[:width], more_lines[width:]
    first, last = range_of(number, x, channels)
    for at in range(first, last, width):
        line, gradient = x[at : min(at + width, last)], g[at : min(at + width, last)]
        out = gx[at : at + line.size]
        for i in range(line.size):
            deviation = line[i] - mean[i]
            below = gradient[i] * slope if slope != 0 else slope
            h = gradient[i] if deviation * factor[i] + shift[i] > 0 else below
            out[i] = factor[i] * h - incline[i] * deviation - constant[i]
