"""Arithmetic and functions of single elements, with NumPy's broadcasting.

Subgradients, where a function has a kink: `abs` has 0 at 0; `maximum` and `minimum` give each side half at a tie;
`clip` passes the gradient on at its bounds, as inside.
"""

import numpy as np

from minigan import kernels
from minigan.autograd import nondifferentiable, primitive
from minigan.ops.checks import FLOATS
from minigan.ops.sums import total

FEW = 1 << 12  # elements, for which a kernel's call takes longer than a pass or two more


@primitive(saves="")
def broadcast_to(x, *, shape):
    """x repeated along the dimensions that `shape` adds or widens; a read-only view."""
    return np.broadcast_to(x, shape)


@primitive(saves="")
def sum_to(x, *, shape):
    """x summed over the dimensions along which `shape` was broadcast to x.shape: the adjoint of `broadcast_to`."""
    added = x.ndim - len(shape)
    widened = (i + added for i, n in enumerate(shape) if n == 1 and x.shape[i + added] != 1)
    return total(x, (*range(added), *widened)).reshape(shape)


@broadcast_to.vjp(0)
def _(g, y, x, *, shape):
    return sum_to(g, shape=x.shape)


@sum_to.vjp(0)
def _(g, y, x, *, shape):
    return broadcast_to(g, shape=x.shape)


def unbroadcast(g, like):
    """The gradient of an argument of this shape, from the gradient of a result that it was broadcast to."""
    return g if g.shape == like.shape else sum_to(g, shape=like.shape)


add = primitive(np.add, saves="")
add.vjp(0)(lambda g, y, a, b: g if g.shape == a.shape else sum_to(g, shape=a.shape))
add.vjp(1)(lambda g, y, a, b: g if g.shape == b.shape else sum_to(g, shape=b.shape))

subtract = primitive(np.subtract, saves="")
subtract.vjp(0)(lambda g, y, a, b: unbroadcast(g, a))
subtract.vjp(1)(lambda g, y, a, b: unbroadcast(negative(g), b))

multiply = primitive(np.multiply, saves="a b")


@multiply.vjp(0)
def _(g, y, a, b):
    g = g * b
    return g if g.shape == a.shape else sum_to(g, shape=a.shape)


@multiply.vjp(1)
def _(g, y, a, b):
    g = g * a
    return g if g.shape == b.shape else sum_to(g, shape=b.shape)


divide = primitive(np.divide, saves="b y")
divide.vjp(0)(lambda g, y, a, b: unbroadcast(g / b, a))
divide.vjp(1)(lambda g, y, a, b: unbroadcast(-g * y / b, b))

negative = primitive(np.negative, saves="")
negative.vjp(0)(lambda g, y, a: -g)


@primitive(saves="x exponent")
def power(x, exponent):
    """x**exponent. At exponent 0 the gradient with respect to x is 0, also where x is 0."""
    return np.power(x, exponent)


@power.vjp(0)
def _(g, y, x, exponent):
    is_zero = exponent == 0
    lowered = where(is_zero, 1.0, exponent - 1) if hasattr(exponent, "dtype") else (1 if is_zero else exponent - 1)
    return unbroadcast(g * exponent * power(x, lowered), x)


@power.vjp(1)
def _(g, y, x, exponent):
    # where x is 0 the power does not change with a positive exponent
    log_x = log(where(x == 0, 1.0, x)) if hasattr(x, "dtype") else float(np.log(x or 1.0))
    return unbroadcast(g * power(x, exponent) * log_x, exponent)


square = primitive(np.square, saves="a")
square.vjp(0)(lambda g, y, a: g * (2 * a))

exp = primitive(np.exp, saves="y")
exp.vjp(0)(lambda g, y, a: g * y)

log = primitive(np.log, saves="a")
log.vjp(0)(lambda g, y, a: g / a)

log1p = primitive(np.log1p, saves="a")
log1p.vjp(0)(lambda g, y, a: g / (1 + a))

sqrt = primitive(np.sqrt, saves="y")
sqrt.vjp(0)(lambda g, y, a: g / (2 * y))

sin = primitive(np.sin, saves="a")
sin.vjp(0)(lambda g, y, a: g * cos(a))

cos = primitive(np.cos, saves="a")
cos.vjp(0)(lambda g, y, a: -g * sin(a))

tanh = primitive(np.tanh, saves="y")


@tanh.vjp(0)
def _(g, y, a):
    return g - g * (y * y) if y.size < FEW else tanh_vjp(g, y)


@primitive
def tanh_vjp(g, y):
    """g * (1 - y * y) in one pass, for g and y of one shape."""
    if g.dtype != y.dtype or y.dtype.type not in FLOATS:
        return g - g * (y * y)
    return kernels.of(y).tanh_vjp(g, y)


@tanh_vjp.vjp(0)
def _(gg, z, g, y):
    return tanh_vjp(gg, y)


@tanh_vjp.vjp(1)
def _(gg, z, g, y):
    return gg * g * y * -2


@primitive(saves="x")
def abs(x):
    return np.abs(x)


@abs.vjp(0)
def _(g, y, x):
    return g * sign(x)


sign = nondifferentiable(np.sign)
equal = nondifferentiable(np.equal)
not_equal = nondifferentiable(np.not_equal)
less = nondifferentiable(np.less)
less_equal = nondifferentiable(np.less_equal)
greater = nondifferentiable(np.greater)
greater_equal = nondifferentiable(np.greater_equal)
logical_not = nondifferentiable(np.logical_not)
isnan = nondifferentiable(np.isnan)
isinf = nondifferentiable(np.isinf)


@nondifferentiable
def like(condition, x):
    """The truth values of `condition` as numbers of x's dtype."""
    return condition.astype(x.dtype) if hasattr(condition, "astype") else x.dtype.type(condition)


@primitive(saves="condition")
def where(condition, a, b):
    """a where the condition holds, b elsewhere. A NaN in the side not taken never reaches the gradient."""
    return np.where(condition, a, b)


@where.vjp(1)
def _(g, y, condition, a, b):
    return unbroadcast(where(condition, g, _zero(g)), a)


@where.vjp(2)
def _(g, y, condition, a, b):
    return unbroadcast(where(condition, _zero(g), g), b)


@primitive(saves="a b")
def maximum(a, b):
    """The larger of the two; NaN if either is."""
    return np.maximum(a, b)


@primitive(saves="a b")
def minimum(a, b):
    """The smaller of the two; NaN if either is."""
    return np.minimum(a, b)


@nondifferentiable
def _share(a, b, g):
    """How much of a maximum's gradient goes to a: all where a is larger, half at a tie."""
    return np.where(a == b, 0.5, a > b).astype(g.dtype)


maximum.vjp(0)(lambda g, y, a, b: unbroadcast(g * _share(a, b, g), a))
maximum.vjp(1)(lambda g, y, a, b: unbroadcast(g * _share(b, a, g), b))
minimum.vjp(0)(lambda g, y, a, b: unbroadcast(g * _share(b, a, g), a))
minimum.vjp(1)(lambda g, y, a, b: unbroadcast(g * _share(a, b, g), b))


@primitive(saves="x")
def clip(x, *, low=None, high=None):
    """x with what is below `low` or above `high` moved to the bound; either may be None."""
    return np.clip(x, low, high)


@clip.vjp(0)
def _(g, y, x, *, low, high):
    inside = like(within(x, low=low, high=high), x)
    return g * inside


@nondifferentiable
def within(x, *, low=None, high=None):
    """Whether low <= x <= high."""
    inside = np.ones_like(x, dtype=bool)
    if low is not None:
        inside &= x >= low
    if high is not None:
        inside &= x <= high
    return inside


@primitive(saves="x")
def astype(x, *, dtype):
    """x as another floating point dtype; its gradient comes back as x's."""
    return x.astype(dtype)


@astype.vjp(0)
def _(g, y, x, *, dtype):
    return astype(g, dtype=x.dtype)


def _zero(g):
    return g.dtype.type(0)
