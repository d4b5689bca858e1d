"""Batch normalisation and the leaky ReLU that follows it: norm.cu."""

import numpy as np

from minigan.kernels.cuda.columns import cut, cut_to_join
from minigan.kernels.cuda.launch import THREADS, contiguous, empty, run
from minigan.kernels.cuda.reduce import zeros


def batch_norm(x, scale, shift, eps, slope=1.0):
    x, scale, shift = contiguous(x, scale, shift)
    y, mean, inverse = empty(x.shape, x), empty(scale.shape, x), empty(scale.shape, x)
    if not x.size:
        mean.fill(np.nan)
        inverse.fill(np.nan)
        return y, mean, inverse
    (m, channels), how = x.shape, cut(*x.shape)
    shape, size = (how.blocks, THREADS), (m, channels, how.width, how.run)
    moments = empty((2, how.runs, channels), x, np.float64)
    run("norm.cu", "run_moments", shape, x, moments, *size, how.runs)
    line = empty((2, channels), x, np.float64)
    width, blocks = cut_to_join(channels)
    joined = scale, mean, inverse, line, float(eps), m, channels, width, how.run, how.runs
    run("norm.cu", "join_moments", (blocks, THREADS), moments, *joined, real=x.dtype)
    run("norm.cu", "normalise", shape, x, line, shift, y, float(slope), *size)
    return y, mean, inverse


def batch_norm_vjp(g, x, scale, shift, mean, inverse_deviation, slope=1.0):
    g, x, *columns = contiguous(g, x, scale, shift, mean, inverse_deviation)
    gx = empty(x.shape, x)
    if not x.size:
        return gx, zeros(scale.shape, x), zeros(scale.shape, x)
    gscale, gshift = empty(scale.shape, x), empty(scale.shape, x)
    (m, channels), how = x.shape, cut(*x.shape)
    shape, size = (how.blocks, THREADS), (m, channels, how.width, how.run)
    sums = empty((2, how.runs, channels), x, np.float64)
    run("norm.cu", "run_gradients", shape, g, x, *columns, sums, float(slope), *size, how.runs)
    means = empty((2, channels), x, np.float64)
    width, blocks = cut_to_join(channels)
    joined = gscale, gshift, means, m, channels, width, how.runs
    run("norm.cu", "join_gradients", (blocks, THREADS), sums, *joined, real=x.dtype)
    run("norm.cu", "normalise_vjp", shape, g, x, *columns, means, gx, float(slope), *size)
    return gx, gscale, gshift
