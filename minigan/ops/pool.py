"""Pooling windows of images, (N, H, W, C).

`max_pool2d` sends its gradient to the first largest pixel of a window, and padding is never the largest.
"""

import numpy as np

from minigan import kernels
from minigan.autograd import primitive
from minigan.errors import ShapeError
from minigan.kernels.geometry import ConvGeometry
from minigan.ops.checks import same_float
from minigan.ops.reduce import mean
from minigan.tensor import Tensor


def max_pool2d(x, kernel_size, *, stride=None, padding=0, dilation=1):
    """The largest pixel of each window and channel.

    kernel_size, stride: an int or a pair; stride defaults to kernel_size
    returns: (N, OH, OW, C)
    """
    array = x.data if isinstance(x, Tensor) else x
    same_float("max_pool2d", x=array)
    geometry = _geometry("max_pool2d", array, kernel_size, stride, padding, dilation)
    indices = kernels.of(array).max_pool_indices(array, geometry)
    if dilation not in (1, (1, 1)) and (indices < 0).any():
        raise ShapeError(f"max_pool2d: with padding {padding!r} and dilation {dilation}, a window misses the image")
    return gather_pixels(x, indices=indices, geometry=geometry)


@primitive(saves="")
def gather_pixels(x, *, indices, geometry):
    """The pixel of each window that `indices` (N, OH, OW, C) names by its place h * W + w in the image."""
    return kernels.of(x).pool_gather(x, indices, geometry)


@gather_pixels.vjp(0)
def _(g, y, x, *, indices, geometry):
    return scatter_pixels(g, indices=indices, geometry=geometry)


@primitive(saves="")
def scatter_pixels(y, *, indices, geometry):
    """The adjoint of `gather_pixels`: each value added at its place in an image of zeros."""
    return kernels.of(y).pool_scatter(y, indices, geometry)


@scatter_pixels.vjp(0)
def _(g, x, y, *, indices, geometry):
    return gather_pixels(g, indices=indices, geometry=geometry)


def avg_pool2d(x, kernel_size, *, stride=None, padding=0, count_padding=True):
    """The mean of each window and channel.

    count_padding: whether padding counts as pixels of value 0; if not, only pixels of the image are averaged
    returns: (N, OH, OW, C)
    """
    array = x.data if isinstance(x, Tensor) else x
    same_float("avg_pool2d", x=array)
    geometry = _geometry("avg_pool2d", array, kernel_size, stride, padding, 1)
    sums = window_sum(x, geometry=geometry)
    if count_padding:
        return sums * (1 / (geometry.KH * geometry.KW))
    ones = np.ones_like(array, shape=(1, *array.shape[1:3], 1))
    counts = kernels.of(array).window_sum(ones, geometry._replace(N=1, C=1, K=1, G=1))
    return sums * (1 / counts)


@primitive(saves="")
def window_sum(x, *, geometry):
    """The sum of each window and channel."""
    return kernels.of(x).window_sum(x, geometry)


@window_sum.vjp(0)
def _(g, y, x, *, geometry):
    return window_spread(g, geometry=geometry)


@primitive(saves="")
def window_spread(y, *, geometry):
    """The adjoint of `window_sum`: each value added to all pixels of its window."""
    return kernels.of(y).window_spread(y, geometry)


@window_spread.vjp(0)
def _(g, x, y, *, geometry):
    return window_sum(g, geometry=geometry)


def global_avg_pool2d(x):
    """The mean over height and width: (N, H, W, C) to (N, C)."""
    return mean(x, axis=(1, 2))


def _geometry(call, x, kernel_size, stride, padding, dilation):
    geometry = ConvGeometry.of_window(
        x.shape,
        kernel_size=kernel_size,
        stride=kernel_size if stride is None else stride,
        padding=padding,
        dilation=dilation,
        call=call,
    )
    reach = (geometry.DH * (geometry.KH - 1), geometry.DW * (geometry.KW - 1))
    if max(geometry.PT, geometry.PB) > reach[0] or max(geometry.PL, geometry.PR) > reach[1]:
        raise ShapeError(
            f"{call}: padding {padding!r} reaches past the kernel {kernel_size}: some windows would hold padding only"
        )
    return geometry
