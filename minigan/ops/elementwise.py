"""Arithmetic and functions of single elements, with NumPy's broadcasting.

Subgradients at kinks: that of `abs` is 0 at 0; `maximum` and `minimum` give each side half at a tie; `clip` passes the
gradient on at its bounds. A value that the result does not depend on gets a gradient of 0, even from an infinite or NaN
gradient, because rules select with `where` and never multiply by a mask.
"""

import numpy as np

from minigan import devices, kernels
from minigan.autograd import is_recording, nondifferentiable, primitive
from minigan.autograd.memory import note_write
from minigan.autograd.operands import FLOATS, floating, operation
from minigan.autograd.tensor import Tensor
from minigan.devices import unmasked
from minigan.errors import DtypeError, GraphError, ShapeError
from minigan.ops.sums import total

ONE = {np.ndarray: np.ones((), np.float32)}  # NumPy subtracts from an array in half the time that a number takes
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
    """The gradient of an argument, from the gradient of a result that the argument was broadcast to."""
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


@primitive(saves="x exponent", operands=slice(None))
def power(x, exponent):
    """x**exponent. At exponent 0 the gradient with respect to x is 0, for every x."""
    return np.power(x, exponent)


@power.vjp(0)
def _(g, y, x, exponent):
    if not hasattr(exponent, "dtype"):
        return g * (exponent * power(x, exponent - 1)) if exponent else None
    flat = _flat(g, x, exponent)
    one = exponent.dtype.type(1)
    steepness = where(flat, one, exponent) * power(where(flat, one, x), where(flat, one, exponent) - 1)
    return unbroadcast(where(flat, _zero(g), g * steepness), x)


@nondifferentiable
def _flat(g, x, exponent):
    """Where the exponent is 0 and g * exponent * x**(exponent - 1) is NaN; elsewhere its derivatives count too."""
    return (exponent == 0) & ((x == 0) | ~np.isfinite(x) | ~np.isfinite(g))


@power.vjp(1)
def _(g, y, x, exponent):
    # where x is 0 the power does not change with an exponent that is not negative
    flat = logical_and(x == 0, exponent >= 0)
    x = where(flat, g.dtype.type(1), x)
    return unbroadcast(where(flat, _zero(g), g * (power(x, exponent) * log(x))), exponent)


square = primitive(np.square, saves="a")
square.vjp(0)(lambda g, y, a: g * (2 * a))


@primitive(saves="y")
def exp(x):
    """e to the power of each element."""
    return np.exp(floating(x))  # NumPy's result for uint8 would be float16, and overflow


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
    return g * (ONE.get(y.__class__, 1) - y * y) if y.size < FEW else tanh_vjp(g, y)


@primitive
def tanh_vjp(g, y):
    """g * (1 - y * y) in one pass, for g and y of one shape."""
    if g.dtype != y.dtype or y.dtype.type not in FLOATS:
        return g * (1 - y * y)
    return kernels.of(y).tanh_vjp(g, y)


@tanh_vjp.vjp(0)
def _(gg, z, g, y):
    return tanh_vjp(gg, y)


@tanh_vjp.vjp(1)
def _(gg, z, g, y):
    return gg * (g * y * -2)


@primitive(saves="x")
def abs(x):
    """The absolute value of each element; its gradient at 0 is 0."""
    return np.abs(x)


@abs.vjp(0)
def _(g, y, x):
    return where(x == 0, _zero(g), g) * sign(x)


sign = nondifferentiable(np.sign)
equal = nondifferentiable(np.equal)
not_equal = nondifferentiable(np.not_equal)
less = nondifferentiable(np.less)
less_equal = nondifferentiable(np.less_equal)
greater = nondifferentiable(np.greater)
greater_equal = nondifferentiable(np.greater_equal)
invert = nondifferentiable(np.invert)
logical_and = nondifferentiable(np.logical_and)
logical_or = nondifferentiable(np.logical_or)
isnan = nondifferentiable(np.isnan)
isinf = nondifferentiable(np.isinf)


@primitive(saves="condition", operands=slice(1, None))
def where(condition, a, b):
    """a where the condition holds, b elsewhere. A NaN in the side not taken never reaches the gradient."""
    return np.where(condition, a, b)


@where.vjp(1)
def _(g, y, condition, a, b):
    return unbroadcast(where(condition, g, _zero(g)), a)


@where.vjp(2)
def _(g, y, condition, a, b):
    return unbroadcast(where(condition, _zero(g), g), b)


@primitive(saves="a b", operands=slice(None))
def maximum(a, b):
    """The larger of the two; NaN if either is."""
    return np.maximum(a, b)


@primitive(saves="a b", operands=slice(None))
def minimum(a, b):
    """The smaller of the two; NaN if either is."""
    return np.minimum(a, b)


def _share(g, a, b):
    """The share of g that a gets in maximum(a, b): none where a is smaller, half at a tie, all beside a NaN."""
    return where(less(a, b), _zero(g), where(equal(a, b), g * 0.5, g))


maximum.vjp(0)(lambda g, y, a, b: unbroadcast(_share(g, a, b), a))
maximum.vjp(1)(lambda g, y, a, b: unbroadcast(_share(g, b, a), b))
minimum.vjp(0)(lambda g, y, a, b: unbroadcast(_share(g, b, a), a))
minimum.vjp(1)(lambda g, y, a, b: unbroadcast(_share(g, a, b), b))


@primitive(saves="x")
def clip(x, *, low=None, high=None):
    """x with values below `low` or above `high` set to that bound; either may be None."""
    low, high = (np.array(bound) if isinstance(bound, tuple) else bound for bound in (low, high))
    if any(isinstance(bound, float) or getattr(bound, "dtype", x.dtype).kind == "f" for bound in (low, high)):
        x = floating(x)
    return np.clip(x, _bound(low, x), _bound(high, x))


def _bound(bound, x):
    """A bound that does not widen what it bounds."""
    return bound.astype(x.dtype) if hasattr(bound, "astype") and x.dtype.kind == "f" else bound


@clip.vjp(0)
def _(g, y, x, *, low=None, high=None):
    return where(within(x, low=low, high=high), g, _zero(g))


@nondifferentiable
def within(x, *, low=None, high=None):
    """Whether low <= x <= high."""
    inside = np.ones_like(x, dtype=bool)
    if low is not None:
        inside &= x >= low
    if high is not None:
        inside &= x <= high
    return inside


@operation
def astype(x, dtype):
    """x as another dtype. A gradient is converted back between floating point dtypes; it ends at integers and booleans,
    which have none."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return _as_float(x, dtype=dtype)
    if dtype.kind not in "biu":
        raise DtypeError(f"astype: {dtype} is not real; it takes floating point numbers, integers and truth values")
    return _truncated(x, dtype=dtype)


@primitive(saves="x")
def _as_float(x, *, dtype):
    return x.astype(dtype)


@_as_float.vjp(0)
def _(g, y, x, *, dtype):
    return _as_float(g, dtype=x.dtype)


_as_float.__name__ = "astype"


@nondifferentiable
def _truncated(x, *, dtype):
    return x.astype(dtype)


def _zero(g):
    return g.dtype.type(0)


@primitive(saves="")
def to_device(x, *, device):
    """x on a device, "cpu", "cuda" or "sim"; x itself if it is there already."""
    return devices.move(x, device)


@to_device.vjp(0)
def _(g, y, x, *, device):
    return to_device(g, device=x.device if isinstance(x, Tensor) else devices.device_of(x))


def in_place(ufunc: np.ufunc, x: Tensor, other) -> Tensor:
    """ufunc(x, other) in x's own memory, which the graph cannot follow: refused where a gradient would be lost."""
    if isinstance(other, Tensor) and other.requires_grad and is_recording():
        raise GraphError(
            f"{ufunc.__name__} in place would lose the gradient of its right side, of shape {other.shape}; "
            "make a new tensor instead (x = x + y)"
        )
    array = written(other)
    try:
        return write(x, lambda memory: ufunc(memory, array, out=memory, casting="same_kind"))
    except GraphError:
        raise
    except TypeError as error:
        raise DtypeError(f"{ufunc.__name__} in place: {error}") from error
    except ValueError as error:
        raise ShapeError(f"{ufunc.__name__} in place: {error}") from error


def write(x: Tensor, change) -> Tensor:
    """x, after change(its array), which is noted so that backward passes can tell."""
    if x.requires_grad and is_recording():
        raise GraphError(
            f"a tensor of shape {x.shape} that requires gradients cannot be changed in place; "
            "make a new one (x = x + y), or change it inside `with mg.no_grad():`"
        )
    change(x.data)
    note_write(x.data)
    return x


def written(new):
    """What is written: the array of a Tensor, and the values of a masked array that masks none."""
    if isinstance(new, np.ma.MaskedArray):
        return unmasked(new)
    return new.data if isinstance(new, Tensor) else new
