"""Pooling windows of images: pool.cu."""

import numpy as np

from minigan.errors import ShapeError
from minigan.kernels.cuda.launch import LARGEST, contiguous, each, empty, run


def max_pool_indices(x, g):
    check_places("max_pool_indices", g)
    (x,) = contiguous(x)
    indices = empty(pooled(g), x, np.int32)
    return launched("max_pool_indices", g, indices, x)


def pool_gather(x, indices, g):
    check_places("pool_gather", g)
    (x,) = contiguous(x)
    return launched("pool_gather", g, empty(pooled(g), x), x, places(indices))


def pool_scatter(y, indices, g):
    check_places("pool_scatter", g)
    (y,) = contiguous(y)
    return launched("pool_scatter", g, empty(g.image, y), y, places(indices))


def window_sum(x, g):
    (x,) = contiguous(x)
    return launched("window_sum", g, empty(pooled(g), x), x)


def window_spread(y, g):
    (y,) = contiguous(y)
    return launched("window_spread", g, empty(g.image, y), y)


def launched(kernel, g, result, *arrays):
    """Run a kernel that computes the result from these arrays, one thread per element. Returns the result."""
    if result.size:
        run("pool.cu", kernel, each(result.size), *arrays, result, g)
    return result


def pooled(g):
    """Shape of a pooled array, (N, OH, OW, C)."""
    return g.N, g.OH, g.OW, g.C


def check_places(call, g):
    """Raise ShapeError if the position of a pixel, h * W + w, may not fit an int32 index."""
    if g.H * g.W > LARGEST:
        raise ShapeError(f"{call}: an image of {g.H} x {g.W} has more pixels than indices, of 32 bits, can tell apart")


def places(indices):
    """The indices in the form that kernels read: int32 in C order."""
    if indices.dtype == np.int32 and indices.flags.c_contiguous:
        return indices
    return indices.astype(np.int32, order="C")
