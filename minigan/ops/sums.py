"""Sums, means and variances of arrays, for the operations: accumulated in float64 and rounded once."""

import math

import numpy as np

from minigan import kernels
from minigan.autograd.operands import FLOATS, Axis
from minigan.errors import ShapeError

ndarray = np.ndarray
SMALL = 1 << 12  # elements, for which a kernel's call would take longer than NumPy's


def axes_of(shape, axis) -> tuple[int, ...]:
    """The axes that `axis` names (an int, a tuple of ints, or None for all), sorted and not negative.

    raises ShapeError for an axis that does not exist or is named twice
    """
    if axis is None:
        return tuple(range(len(shape)))
    axes = (axis,) if hasattr(axis, "__index__") else tuple(axis)
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise ShapeError(f"axis {axis} is out of range for an array of shape {shape}")
    found = sorted({a % len(shape) for a in axes})
    if len(found) < len(axes):
        raise ShapeError(f"axis {axis} names an axis twice; the array's shape is {shape}")
    return tuple(found)


def kept_shape(shape, axis):
    """The shape with these axes reduced to 1."""
    axes = axes_of(shape, axis)
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def count_of(shape, axis):
    """The number of elements in each sum over `axis`."""
    return math.prod(shape[a] for a in axes_of(shape, axis))


def total(x, axis: Axis = None, keepdims: bool = False):
    """The sum over `axis`, in x's dtype if that is floating point, otherwise in the dtype that NumPy chooses."""
    if x.dtype.kind != "f":
        return x.sum(axis=axis, keepdims=keepdims)
    if axis is None and x.__class__ is ndarray and x.size <= SMALL and x.flags.forc:
        return x.sum(keepdims=keepdims)  # in pairs
    return _exact(x, axis, keepdims).astype(x.dtype)


def average(x, axis: Axis = None, keepdims: bool = False):
    """The mean over `axis`, NaN where there is nothing to average."""
    count = x.size if axis is None else count_of(x.shape, axis)
    exact = _exact(x, axis, keepdims) if x.dtype.kind == "f" else x.sum(axis=axis, keepdims=keepdims)
    mean = exact / count if count else exact * math.nan
    return mean.astype(x.dtype) if x.dtype.kind == "f" else mean


def variance(x, axis, ddof, keepdims):
    """The squared distances from the mean over `axis`, summed and divided by n - ddof."""
    axes = axes_of(x.shape, axis)
    floats = x if x.dtype.type in FLOATS else x.astype(np.float64)
    _, squares = kernels.of(floats).moments_over(floats, axes)
    found = squares / (count_of(x.shape, axis) - ddof)
    if keepdims:
        found = found.reshape(kept_shape(x.shape, axis))
    return found.astype(x.dtype) if x.dtype.kind == "f" else found


def _exact(x, axis, keepdims):
    """The sum in float64, or in x's dtype if that is wider."""
    if (x.__class__ is ndarray and x.size <= SMALL) or x.dtype.type not in FLOATS:
        return np.add.reduce(x, axis, np.promote_types(x.dtype, np.float64), None, keepdims)
    found = kernels.of(x).sum_over(x, axes_of(x.shape, axis))
    return found.reshape(kept_shape(x.shape, axis)) if keepdims else found
