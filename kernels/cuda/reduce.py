"""Sums of columns: reduce.cu."""

import numpy as np

from minigan.kernels.cuda.columns import cut, cut_to_join
from minigan.kernels.cuda.launch import THREADS, contiguous, empty, run


def bias_sum(g):
    (g,) = contiguous(g)
    if not g.size:
        return zeros(g.shape[1], g)
    m, channels = g.shape
    how = cut(m, channels)
    partial = empty((how.runs, channels), g, np.float64)
    run("reduce.cu", "column_sums", (how.blocks, THREADS), g, partial, m, channels, how.width, how.run)
    return join_sums(partial, g)


def leaky_relu_vjp_sum(g, x, slope):
    g, x = contiguous(g, x)
    gx = empty(g.shape, g)
    if not g.size:
        return gx, zeros(g.shape[1], g)
    m, channels = g.shape
    how = cut(m, channels)
    partial = empty((how.runs, channels), g, np.float64)
    shape = m, channels, how.width, how.run
    run("reduce.cu", "leaky_relu_vjp_sums", (how.blocks, THREADS), g, x, gx, partial, float(slope), *shape)
    return gx, join_sums(partial, g)


def join_sums(partial, like):
    """The column sums of partial (runs, C), float64, in the dtype of `like`: (C,)."""
    runs, channels = partial.shape
    sums = empty(channels, like)
    width, blocks = cut_to_join(channels)
    run("reduce.cu", "join_sums", (blocks, THREADS), partial, sums, runs, channels, width, real=like.dtype)
    return sums


def zeros(shape, like):
    """Zeros of this shape, in the dtype and on the device of `like`."""
    sums = empty(shape, like)
    sums.fill(0)
    return sums
