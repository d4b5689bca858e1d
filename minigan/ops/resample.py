"""Resampling images, (N, H, W, C): pooling over windows, its adjoint, and resizing.

`max_pool2d` sends its gradient to the first largest pixel of a window, and padding is never the largest.

A pixel's place in its image is h * W + w. With the places of the largest pixels held fixed, pooling picks them out and
is linear; `max_unpool2d` is its adjoint, so each one's gradient is the other.

When images are resized, pixels are areas: pixel i of n covers (i, i + 1) / n, as in PyTorch's interpolate with
align_corners=False. In TensorFlow 1 they were points, pixel i of n at i / n, which only "bilinear-tf1" does.
"""

import functools

import numpy as np

from minigan import devices, kernels
from minigan.autograd import primitive
from minigan.autograd.operands import Padding, Pair, integers, operation, same_float
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import DtypeError, ShapeError, UnknownNameError
from minigan.kernels.geometry import ConvGeometry, Window, pair
from minigan.ops.elementwise import broadcast_to
from minigan.ops.reduce import mean
from minigan.ops.shape import reshape, take


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


@operation
def resize(x, size, *, mode: str = "nearest"):
    """Images in another size.

    size: (H, W) of the result, or an int for both
    mode: "nearest" repeats pixels, "bilinear" mixes the two nearest along each axis, "bilinear-tf1" does so with
        pixels as points, so that the first pixel stays in place: for networks trained with TensorFlow 1
    """
    if x.ndim != 4:
        raise ShapeError(f"resize: x has shape {x.shape}, but images are (N, H, W, C)")
    if not x.shape[1] or not x.shape[2]:
        raise ShapeError(f"resize: x has shape {x.shape}, images without pixels")
    size = pair("resize", "size", size)
    UnknownNameError.check("resizing mode", mode, _MODES)
    return _MODES[mode](x, size)


def _nearest(x, size):
    N, H, W, C = x.shape
    if size[0] % H == 0 and size[1] % W == 0:
        high, wide = size[0] // H, size[1] // W
        repeated = broadcast_to(reshape(x, shape=(N, H, 1, W, 1, C)), shape=(N, H, high, W, wide, C))
        return reshape(repeated, shape=(N, *size, C))
    rows, columns = (_nearest_places(old, new, _device_of(x)) for old, new in zip((H, W), size, strict=True))
    return x[:, rows[:, None], columns]


def _bilinear(x, size, places):
    same_float("resize", x=x)
    for axis, new in zip((1, 2), size, strict=True):
        below, above, share = _neighbours(x.shape[axis], new, places, x.dtype.type, _device_of(x))
        lower, upper = (take(x, index=(*[slice(None)] * axis, pixels)) for pixels in (below, above))
        share = share.reshape(-1, *[1] * (3 - axis))
        x = lower * (1 - share) + upper * share
    return x


def _as_areas(old, new):
    """The positions of the new pixels' centres among the centres of the old ones."""
    return np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)


def _as_points(old, new):
    """The positions of new pixels among old ones, in float32 as in TensorFlow's resize_bilinear."""
    return np.clip(np.arange(new, dtype=np.float32) * (np.float32(old) / np.float32(new)), 0, old - 1)


_MODES = {
    "nearest": _nearest,
    "bilinear": functools.partial(_bilinear, places=_as_areas),
    "bilinear-tf1": functools.partial(_bilinear, places=_as_points),
}


def _device_of(x):
    return x.device if isinstance(x, Tensor) else device_of(x)


@functools.lru_cache(64)
def _nearest_places(old, new, device):
    """The old pixel that each new one repeats. Cached: do not write to it."""
    return move(np.arange(new) * old // new, device)


@functools.lru_cache(64)
def _neighbours(old, new, places, dtype, device):
    """The two old pixels that each new one lies between, and the weight of the second. Cached: do not write to them.

    A new pixel at the centre of an old one takes that pixel twice: an infinite neighbour times 0 would be NaN.
    """
    centre = places(old, new)
    below = np.floor(centre).astype(int)
    above = np.minimum(below + 1, old - 1)
    share = centre - below
    above, share = np.where(share == 0, below, above), np.where(share == 0, 0.5, share)
    return tuple(move(array, device) for array in (below, above, share.astype(dtype)))
