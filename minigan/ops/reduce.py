"""Reductions over axes, and functions that are normalised by a reduction.

axis: an int, a tuple of them, or None for all. `var` divides by n - ddof, and ddof is 0 as in NumPy (PyTorch: 1).
`max` and `min` share the gradient equally among ties, as PyTorch's amax.
"""

import numpy as np

from minigan.autograd import nondifferentiable, primitive
from minigan.autograd.operands import Axis, floating
from minigan.errors import ShapeError
from minigan.ops.elementwise import broadcast_to, equal, exp, isnan, logical_or, where
from minigan.ops.shape import reshape
from minigan.ops.sums import average, axes_of, count_of, kept_shape, total, variance


@primitive(saves="")
def sum(x, *, axis: Axis = None, keepdims: bool = False):
    """The sum over `axis`."""
    return total(x, axis, keepdims)


@sum.vjp(0)
def _(g, y, x, *, axis=None, keepdims=False):
    return broadcast_to(_restore(g, x, axis, keepdims), shape=x.shape)


def _restore(reduced, x, axis, keepdims):
    """A reduced array with its lost axes restored as length 1."""
    return reduced if keepdims else reshape(reduced, shape=kept_shape(x.shape, axis))


@primitive(saves="", operands=slice(None))
def mean(x, *, axis: Axis = None, keepdims: bool = False):
    """The arithmetic mean over `axis`; NaN where there is nothing to average."""
    return average(x, axis, keepdims)


@mean.vjp(0)
def _(g, y, x, *, axis=None, keepdims=False):
    return broadcast_to(_restore(g, x, axis, keepdims) / (count_of(x.shape, axis) or 1), shape=x.shape)


@primitive(saves="x", operands=slice(None))
def var(x, *, axis: Axis = None, ddof: int = 0, keepdims: bool = False):
    """The variance over `axis`: the squared distances from the mean, summed and divided by n - ddof."""
    count = count_of(x.shape, axis)
    if count <= ddof:
        raise ShapeError(f"var: {count} values (shape {x.shape}, axis {axis}) are too few for ddof={ddof}")
    return variance(x, axis, ddof, keepdims)


@var.vjp(0)
def _(g, y, x, *, axis=None, ddof=0, keepdims=False):
    g = _restore(g, x, axis, keepdims) / (count_of(x.shape, axis) - ddof)
    return (x - mean(x, axis=axis, keepdims=True)) * (2 * g)


@primitive(saves="x y")
def max(x, *, axis: Axis = None, keepdims: bool = False):
    """The largest value over `axis`; NaN if any is."""
    return x.max(axis=axis, keepdims=keepdims)


@primitive(saves="x y")
def min(x, *, axis: Axis = None, keepdims: bool = False):
    """The smallest value over `axis`; NaN if any is."""
    return x.min(axis=axis, keepdims=keepdims)


@max.vjp(0)
@min.vjp(0)
def _(g, y, x, *, axis=None, keepdims=False):
    hit = equal(x, _restore(y, x, axis, keepdims))
    share = _share(hit, y.dtype, axis=axis)
    g = _restore(g, x, axis, keepdims) * share
    return where(logical_or(hit, isnan(share)), g, g.dtype.type(0))


@nondifferentiable
def _share(hit, dtype, *, axis):
    """The share of the gradient that each extreme value gets; NaN if the extreme is NaN, which equals no value."""
    ties = hit.sum(axis=axis, keepdims=True).astype(dtype)
    return 1 / np.where(ties == 0, dtype.type(np.nan), ties)


@primitive(saves="x y")
def logsumexp(x, *, axis: Axis = None, keepdims: bool = False):
    """log(sum(exp(x))) over `axis`, without overflow; -inf if all values are -inf or there are none."""
    x = floating(x)
    top = _top(x, axis)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    with np.errstate(divide="ignore", over="ignore"):  # log(0) is -inf; beside +inf, which top leaves alone, y is too
        y = np.log(total(np.exp(x - top), axis, keepdims=True)) + top
    return y if keepdims else y.reshape(x.sum(axis=axis).shape)


@logsumexp.vjp(0)
def _(g, y, x, *, axis=None, keepdims=False):
    y = _restore(y, x, axis, keepdims)
    with np.errstate(invalid="ignore"):  # inf - inf: the gradient of +inf is NaN, that of all others 0
        return _restore(g, x, axis, keepdims) * exp(x - where(equal(y, -np.inf), y.dtype.type(0), y))


@primitive(saves="y")
def softmax(x, *, axis: int = -1):
    """exp(x) / sum(exp(x)) along `axis`."""
    x = floating(x)
    if not x.size:
        axes_of(x.shape, axis)  # which refuses one that is not there
        return x.copy()
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / total(e, axis, keepdims=True)


@softmax.vjp(0)
def _(g, y, x, *, axis=-1):
    return y * (g - sum(g * y, axis=axis, keepdims=True))


@primitive(saves="y")
def log_softmax(x, *, axis: int = -1):
    """log(softmax(x)) along `axis`, without underflow."""
    x = floating(x)
    if not x.size:
        axes_of(x.shape, axis)  # which refuses one that is not there
        return x.copy()
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(total(np.exp(shifted), axis, keepdims=True))


@log_softmax.vjp(0)
def _(g, y, x, *, axis=-1):
    return g - exp(y) * sum(g, axis=axis, keepdims=True)


def _top(x, axis):
    """The largest values over `axis`, kept as length 1; 0 if there are no values."""
    if x.size or count_of(x.shape, axis):
        return x.max(axis=axis, keepdims=True)
    return np.zeros_like(x, shape=kept_shape(x.shape, axis))


@nondifferentiable
def argmax(x, *, axis: Axis = None):
    """The index of the largest value, the first if there are several."""
    return x.argmax(axis=axis)
