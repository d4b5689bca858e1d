"""Resizing images, (N, H, W, C). Pixels are areas: pixel i of n covers (i, i + 1) / n, as in PyTorch's interpolate
with align_corners=False. In TensorFlow 1 they were points, pixel i of n at i / n, which only "bilinear-tf1" does."""

import functools

import numpy as np

from minigan.autograd.operands import operation, same_float
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import ShapeError, UnknownNameError
from minigan.kernels.geometry import pair
from minigan.ops.elementwise import broadcast_to
from minigan.ops.shape import reshape, take


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
