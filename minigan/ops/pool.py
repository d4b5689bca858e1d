"""Pooling over windows of images, (N, H, W, C), and its adjoint, which puts the largest pixels back.

`max_pool2d` sends its gradient to the first largest pixel of a window, and padding is never the largest.

A pixel's place in its image is h * W + w. With the places of the largest pixels held fixed, pooling picks them out and
is linear; `max_unpool2d` is its adjoint, so each one's gradient is the other.
"""

import numpy as np

from minigan import devices, kernels
from minigan.autograd import primitive
from minigan.autograd.operands import Padding, Pair, integers, operation, same_float
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import DtypeError, ShapeError
from minigan.kernels.geometry import ConvGeometry, Window
from minigan.ops.reduce import mean


@operation
def max_pool2d(x, kernel_size, *, stride: Pair | None = None, padding: Padding = 0, dilation: Pair = 1):
    """The largest pixel of each window and channel.

    kernel_size, stride: an int or a pair; stride defaults to kernel_size
    returns: (N, OH, OW, C)
    """
    return _max_pool2d("max_pool2d", x, kernel_size, stride, padding, dilation)[0]


@operation
def max_pool2d_with_indices(x, kernel_size, *, stride: Pair | None = None, padding: Padding = 0, dilation: Pair = 1):
    """`max_pool2d`, and where in the image each largest pixel was.

    returns: (N, OH, OW, C) and its pixels' places h * W + w, the first in a window at ties, (N, OH, OW, C), int32
    """
    y, indices = _max_pool2d("max_pool2d_with_indices", x, kernel_size, stride, padding, dilation)
    indices = indices.copy()  # a caller may write to them, and the backward pass reads them
    return y, Tensor(indices) if isinstance(x, Tensor) else indices


def _max_pool2d(call, x, kernel_size, stride, padding, dilation):
    array = x.data if isinstance(x, Tensor) else x
    same_float(call, x=array)
    geometry = _geometry(call, array.shape, kernel_size, stride, padding, dilation)
    indices = kernels.of(array).max_pool_indices(array, geometry)
    if dilation not in (1, (1, 1)) and (indices < 0).any():
        raise ShapeError(f"{call}: with padding {padding!r} and dilation {dilation}, a window misses the image")
    return gather_pixels(x, indices=indices, geometry=geometry), indices


@operation
def max_unpool2d(
    y,
    indices,
    kernel_size,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    output_size: tuple[int, int] | None = None,
):
    """Each value put back where its window's largest pixel was, in an image of zeros: the adjoint of max pooling.

    y: (N, OH, OW, C)
    indices: their places, of `max_pool2d_with_indices` with the same windows, (N, OH, OW, C)
    output_size: the image's (H, W), where several sizes give (OH, OW); the smallest (with padding "same": OH and OW
        times the stride) by default. It has to be the size that was pooled, since places count its columns
    returns: (N, H, W, C). Values of overlapping windows that meet in one pixel add up, as they must in an adjoint;
        PyTorch, which leaves open which one stays, gives others there
    raises ShapeError where the shapes do not fit or a place is not in its window; a captured step takes places for as
        good as those of its first call, which was no captured one
    """
    array = y.data if isinstance(y, Tensor) else y
    same_float("max_unpool2d", y=array)
    indices = integers(indices)
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"max_unpool2d: indices are {indices.dtype}, but places are integers")
    if array.ndim != 4 or indices.shape != array.shape:
        raise ShapeError(
            f"max_unpool2d: y has shape {array.shape} and indices {indices.shape}; both are (N, OH, OW, C)"
        )
    stride = kernel_size if stride is None else stride
    window = Window("max_unpool2d", kernel_size, stride, dilation)
    size = window.image_size(array.shape[1:3], padding, output_size, None)
    image = (array.shape[0], *size, array.shape[3])
    geometry = _geometry("max_unpool2d", image, kernel_size, stride, padding, dilation)
    _check_places(indices, geometry)
    return scatter_pixels(y, indices=indices, geometry=geometry)


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


@operation
def avg_pool2d(x, kernel_size, *, stride: Pair | None = None, padding: Padding = 0, count_padding: bool = True):
    """The mean of each window and channel.

    count_padding: whether padding counts as pixels of value 0; if not, only pixels of the image are averaged
    returns: (N, OH, OW, C)
    """
    array = x.data if isinstance(x, Tensor) else x
    same_float("avg_pool2d", x=array)
    geometry = _geometry("avg_pool2d", array.shape, kernel_size, stride, padding, 1)
    sums = window_sum(x, geometry=geometry)
    if count_padding:
        return sums / (geometry.KH * geometry.KW)
    ones = np.ones_like(array, shape=(1, *array.shape[1:3], 1))
    counts = kernels.of(array).window_sum(ones, geometry._replace(N=1, C=1, K=1, G=1))
    return sums / counts


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


@operation
def global_avg_pool2d(x):
    """The mean over height and width: (N, H, W, C) to (N, C)."""
    return mean(x, axis=(1, 2))


def _check_places(indices, g):
    """Raise ShapeError for a place that its window does not read: kernels go there without looking."""
    if not indices.size or devices.capturing():
        return
    inside = (indices >= 0) & (indices < g.H * g.W)
    axes = (indices // g.W, g.OH, g.SH, g.PT, g.DH, g.KH, 1), (indices % g.W, g.OW, g.SW, g.PL, g.DW, g.KW, 2)
    for place, count, stride, before, dilation, kernel, axis in axes:
        shape = [1, 1, 1, 1]
        shape[axis] = count
        first = (np.arange(count, dtype=np.int32) * stride - before).reshape(shape)
        tap = place - move(first, device_of(indices))
        inside &= (tap >= 0) & (tap <= dilation * (kernel - 1)) & (tap % dilation == 0)
    if not inside.all():
        raise ShapeError(
            f"max_unpool2d: some indices are not in their windows of an image of {g.H} x {g.W}; they come from "
            "max_pool2d_with_indices with the same windows, and output_size= is the size of the image that it was given"
        )


def _geometry(call, shape, kernel_size, stride, padding, dilation):
    geometry = ConvGeometry.of_window(
        shape,
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
