"""Activations that need more than one elementary function, and dropout.

The derivative of `relu` and `leaky_relu` at 0 is that of the negative side: 0 and the slope, as in PyTorch.
"""

from numbers import Number

import numpy as np

from minigan import kernels
from minigan.autograd import primitive
from minigan.autograd.memory import once
from minigan.autograd.operands import FLOATS, floating, operation
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import DtypeError, ShapeError
from minigan.ops.elementwise import broadcast_to, where
from minigan.random import Philox


@primitive(saves="x")
def leaky_relu(x, *, slope=0.01):
    """x where it is positive, slope * x elsewhere."""
    x = x if x.dtype.type in FLOATS else floating(x)
    return kernels.of(x).leaky_relu(x, slope)


@leaky_relu.vjp(0)
def _(g, y, x, *, slope=0.01):
    return leaky_relu_vjp(g, x, slope=slope)


@primitive(saves="x")
def leaky_relu_vjp(g, x, *, slope):
    """g where x is positive, slope * g elsewhere: linear in g."""
    return kernels.of(x).leaky_relu_vjp(g, x, slope)


@leaky_relu_vjp.vjp(0)
def _(gg, y, g, x, *, slope):
    return leaky_relu_vjp(gg, x, slope=slope)


@leaky_relu_vjp.vjp(1)
def _(gg, y, g, x, *, slope):
    return None  # piecewise constant in x


@primitive(saves="x")
def leaky_relu_vjp_sum(g, x, *, slope):
    """leaky_relu_vjp, and its sums over all axes but the last, in one pass: the gradient of a bias before it."""
    rows = -1, x.shape[-1]
    gx, sums = kernels.of(x).leaky_relu_vjp_sum(g.reshape(rows), x.reshape(rows), slope)
    return gx.reshape(x.shape), sums


@leaky_relu_vjp_sum.vjp(0)
def _(gg, outputs, g, x, *, slope):
    total, of_sums = gg
    if of_sums is not None:
        spread = broadcast_to(of_sums, shape=x.shape)
        total = spread if total is None else total + spread
    return leaky_relu_vjp(total, x, slope=slope)


@leaky_relu_vjp_sum.vjp(1)
def _(gg, outputs, g, x, *, slope):
    return None  # piecewise constant in x


def relu(x):
    """x where it is positive, 0 elsewhere."""
    return leaky_relu(x, slope=0.0)


@primitive(saves="y")
def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    x = floating(x)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@sigmoid.vjp(0)
def _(g, y, x):
    return sigmoid_vjp(g, y)


@primitive
def sigmoid_vjp(g, y):
    """g * y * (1 - y). Its own rules add nothing up, where an infinite gradient would meet its opposite."""
    return g * (y * (1 - y))


sigmoid_vjp.vjp(0)(lambda gg, z, g, y: sigmoid_vjp(gg, y))
sigmoid_vjp.vjp(1)(lambda gg, z, g, y: gg * (g * (1 - 2 * y)))


@primitive(saves="x")
def softplus(x):
    """log(1 + exp(x)), without overflow."""
    x = floating(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@softplus.vjp(0)
def _(g, y, x):
    return g * sigmoid(x)


@operation
def dropout(x, rate: float, rng: Philox | np.random.Generator):
    """Each value 0 with probability `rate`, and the others divided by 1 - rate so that the mean stays.

    rng: a Philox draws where x is; NumPy's generators draw on the CPU, which a captured step cannot do
    source: Srivastava et al., Dropout, JMLR 15 (2014)
    """
    if not isinstance(rng, Philox | np.random.Generator):
        raise DtypeError(
            f"dropout: rng is a {type(rng).__name__}, but it is a generator: mg.random.Philox(seed) or one of NumPy's"
        )
    if not isinstance(rate, Number) or not 0 <= rate < 1:
        raise ShapeError(f"dropout: rate is {rate}, but it is a probability from 0 to below 1")
    if rate == 0:
        return x
    x = x.astype(np.float32) if x.dtype.kind in "biu" else x
    device = x.device if isinstance(x, Tensor) else device_of(x)
    kept = once(lambda: _uniform(x.shape, rng, device) >= rate)
    one = x.dtype.type(1)
    return where(kept, x, x.dtype.type(0)) * (one / x.dtype.type(1 - rate))


def _uniform(shape, rng, device):
    if isinstance(rng, Philox):
        return rng.random(shape, np.float32, device)
    return move(rng.random(shape, np.float32), device)
