"""Losses, and the activations that need more than one elementary function; dropout.

Losses are averaged over the batch and everything in it.

The derivative of `relu` and `leaky_relu` at 0 is that of the negative side: 0 and the slope, as in PyTorch.
"""

import functools
import math
from numbers import Number

import numpy as np

from minigan import kernels
from minigan.autograd import primitive
from minigan.autograd.memory import once
from minigan.autograd.operands import FLOATS, floating, integers, operation, outside
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import DtypeError, ShapeError
from minigan.ops.elementwise import abs, broadcast_to, exp, square, where
from minigan.ops.reduce import log_softmax, mean, sum
from minigan.random import Philox


@primitive(saves="x")
def leaky_relu(x, *, slope: float = 0.01):
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
    """leaky_relu_vjp, and its sums over all axes but the last, in one pass: the gradient of the bias before it."""
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
    """g * y * (1 - y). Its rules sum no terms, so that an infinite gradient cannot meet its opposite."""
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

    rng: a Philox draws on x's device; NumPy's generators draw on the CPU, which a captured step cannot do
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


# ------------------------------------------------------------------------------------------ losses


@primitive(saves="logits targets")
def binary_cross_entropy_with_logits(logits, targets):
    """-log of the probability that the logits give the targets; sigmoid(logits) is the probability of 1.

    targets: probabilities in [0, 1], a number or of the logits' shape
    log sigmoid(x) is min(x, 0) - log(1 + exp(-|x|)), which neither overflows for large logits nor loses small losses.
    """
    _same_shape("binary_cross_entropy_with_logits", logits, targets)
    logits = floating(logits)
    targets = _like(targets, logits)
    return kernels.of(logits).binary_cross_entropy_sum(logits, targets) / _count(logits)


@binary_cross_entropy_with_logits.vjp(0)
def _(g, y, logits, targets):
    return _excess(logits, targets) * (g / _count(logits))


@binary_cross_entropy_with_logits.vjp(1)
def _(g, y, logits, targets):
    return -logits * (g / _count(logits))


@primitive(saves="logits")
def _excess(logits, targets):
    """sigmoid(logits) - targets, without cancellation where the targets are 0 or 1."""
    return kernels.of(logits).binary_cross_entropy_excess(logits, _like(targets, logits))


@_excess.vjp(0)
def _(g, y, logits, targets):
    return g * (sigmoid(logits) * sigmoid(-logits))


@_excess.vjp(1)
def _(g, y, logits, targets):
    return -g


@operation
def cross_entropy(logits, labels):
    """-log of the probability of the right class: logits (N, K), integer labels (N,)."""
    labels = integers(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu":
        raise ShapeError(
            f"cross_entropy: logits have shape {logits.shape} and labels {labels.shape} of {labels.dtype}; "
            "they are (N, K) and integers (N,)"
        )
    if found := outside(labels, logits.shape[1]):
        raise ShapeError(
            f"cross_entropy: labels go from {found[0]} to {found[1]}, "
            f"but there are {logits.shape[1]} classes, 0 to {logits.shape[1] - 1}"
        )
    return -mean(log_softmax(logits)[_first(len(labels), device_of(labels)), labels])


@functools.lru_cache(64)
def _first(count, device):
    """np.arange(count) on a device. It is cached: do not write to it."""
    return move(np.arange(count), device)


@operation
def mean_squared_error(predictions, targets):
    """The mean of squared differences."""
    _same_shape("mean_squared_error", predictions, targets)
    return mean(square(_floats(predictions) - targets))


@operation
def mean_absolute_error(predictions, targets):
    """The mean of absolute differences."""
    _same_shape("mean_absolute_error", predictions, targets)
    return mean(abs(_floats(predictions) - targets))


@operation
def standard_normal_divergence(mean, log_variance):
    """The Kullback-Leibler divergence of N(mean, exp(log_variance)) from N(0, 1), in nats.

    mean, log_variance: (N, latent)
    returns: the sum over latent values, averaged over the batch
    source: Kingma & Welling, arXiv:1312.6114, appendix B
    """
    if mean.ndim != 2 or mean.shape != log_variance.shape:
        raise ShapeError(
            f"standard_normal_divergence: mean has shape {mean.shape} and log_variance {log_variance.shape}; "
            "both are (N, latent)"
        )
    terms = square(mean) + exp(log_variance) - log_variance - 1
    return sum(terms) / (2 * len(mean) or math.nan)


def _like(targets, logits):
    """Targets of any dtype as the logits' dtype: an array, or one number for all."""
    dtype = logits.dtype if logits.dtype.kind == "f" else np.dtype(float)
    return targets.astype(dtype, copy=False) if getattr(targets, "ndim", 0) else dtype.type(targets)


def _count(logits):
    """The number of logits, to divide by; NaN if there are none, which have no mean."""
    return logits.size or math.nan


def _floats(predictions):
    """Predictions as floating point numbers: differences of bytes would wrap."""
    return predictions.astype(np.float32) if predictions.dtype.kind in "biu" else predictions


def _same_shape(call, predictions, targets):
    if targets.__class__ in (int, float):
        return
    if targets is None:  # NumPy takes it for NaN
        raise DtypeError(f"{call}: targets are None, but they are an array, a Tensor or a number")
    shape = np.shape(targets)
    if (shape or isinstance(targets, Tensor | np.ndarray)) and shape != predictions.shape:
        raise ShapeError(
            f"{call}: predictions have shape {predictions.shape}, targets {shape}; "
            "broadcasting one against the other is never what a loss means"
        )
