"""Normalisation. The last axis is the channels, as everywhere.

`batch_norm` uses the biased variance of the batch; a layer that keeps running statistics keeps the unbiased one, as
PyTorch does. Its statistics are outputs too and depend on x, so that derivatives of every order are right.
"""

import math

from minigan import kernels
from minigan.autograd import primitive, vjp_of
from minigan.autograd.operands import operation, same_float
from minigan.errors import ShapeError
from minigan.ops.activations_and_losses import leaky_relu_vjp
from minigan.ops.elementwise import broadcast_to, sqrt
from minigan.ops.reduce import mean, sum, var
from minigan.ops.shape import reshape


@primitive
def batch_norm(x, scale, shift, *, eps: float = 1e-5, slope: float = 1.0):
    """Normalise each channel by its mean and variance over all other axes, and apply an activation in the same pass.

    x: (..., C); scale, shift: (C,)
    slope: of the leaky ReLU that follows; 0 is a ReLU, 1 is none
    returns: (y, mean, inverse deviation); y = leaky_relu((x - mean) / sqrt(var + eps) * scale + shift), the others (C,)
    raises ShapeError where scale or shift do not match, there is nothing to average, or the slope is negative
    source: Ioffe & Szegedy, arXiv:1502.03167, algorithm 1
    """
    same_float("batch_norm", x=x, scale=scale, shift=shift)
    channels = x.shape[-1:]
    if x.ndim < 2 or scale.shape != channels or shift.shape != channels:
        raise ShapeError(
            f"batch_norm: x has shape {x.shape}, scale {scale.shape} and shift {shift.shape}; "
            "x is (..., C), the others are (C,)"
        )
    if x.size == 0:
        raise ShapeError(f"batch_norm: x has shape {x.shape}, so there is nothing to average over")
    if slope < 0:
        raise ShapeError(f"batch_norm: slope is {slope}, but must be at least 0, so that y has the sign of its input")
    y, mean, inverse_deviation = kernels.of(x).batch_norm(_rows(x), scale, shift, eps, slope)
    return y.reshape(x.shape), mean, inverse_deviation


@batch_norm.vjp(...)
def _(g, outputs, x, scale, shift, *, eps=1e-5, slope=1.0, wanted):
    g_y, g_mean, g_inverse = g
    _, mean, inverse = outputs
    gradients = (None, None, None)
    if g_y is not None:
        gradients = batch_norm_vjp(g_y, x, scale, shift, mean, inverse, slope=slope)
    if (g_mean is None and g_inverse is None) or not wanted[0]:
        return gradients
    through = 0 if g_mean is None else g_mean
    if g_inverse is not None:
        through = through - g_inverse * inverse**3 * (x - mean)
    gx = broadcast_to(through / _count(x), shape=x.shape)
    return gx if gradients[0] is None else gradients[0] + gx, *gradients[1:]


@primitive
def batch_norm_vjp(g, x, scale, shift, mean, inverse, *, slope):
    """Gradients of batch_norm's y with respect to x, scale and shift, from the statistics that it returned."""
    gx, g_scale, g_shift = kernels.of(x).batch_norm_vjp(_rows(g), _rows(x), scale, shift, mean, inverse, slope)
    return gx.reshape(x.shape), g_scale, g_shift


@batch_norm_vjp.vjp(...)
@vjp_of
def _(g, x, scale, shift, mean, inverse, *, slope):
    axes = tuple(range(x.ndim - 1))
    normal = (x - mean) * inverse
    if slope != 1:
        g = leaky_relu_vjp(g, normal * scale + shift, slope=slope)
    g_shift = sum(g, axis=axes)
    g_scale = sum(g * normal, axis=axes)
    gx = (g - (g_shift + normal * g_scale) / _count(x)) * (scale * inverse)
    return gx, g_scale, g_shift


@operation
def fixed_norm(x, scale, shift, mean, variance, *, eps: float = 1e-5):
    """Normalise by given statistics, as batch norm does when it is not training."""
    factor = scale / sqrt(variance + eps)
    return x * factor + (shift - mean * factor)


@operation
def layer_norm(x, scale, shift, *, eps: float = 1e-5):
    """Normalise each sample over its last axes, the axes that `scale` and `shift` have.

    source: Ba, Kiros & Hinton, arXiv:1607.06450
    """
    axes = tuple(range(x.ndim - scale.ndim, x.ndim))
    if x.shape[x.ndim - scale.ndim :] != scale.shape or scale.shape != shift.shape:
        raise ShapeError(
            f"layer_norm: x has shape {x.shape}, scale {scale.shape} and shift {shift.shape}; "
            "the last axes of x are theirs"
        )
    return _standardise(x, axes, eps) * scale + shift


@operation
def group_norm(x, scale, shift, *, groups, eps: float = 1e-5):
    """Normalise each sample over groups of C // groups channels and all places; x (N, ..., C), scale, shift (C,).

    source: Wu & He, arXiv:1803.08494
    """
    channels = x.shape[-1]
    if groups < 1 or channels % groups or scale.shape != (channels,) or shift.shape != (channels,):
        raise ShapeError(
            f"group_norm: x has shape {x.shape}, scale {scale.shape} and shift {shift.shape}; "
            f"{groups} groups must divide the channels, and scale and shift are (C,)"
        )
    split = reshape(x, shape=(x.shape[0], -1, groups, channels // groups) if x.size else x.shape)
    normal = _standardise(split, (1, 3), eps) if x.size else split
    return reshape(normal, shape=x.shape) * scale + shift


@operation
def instance_norm(x, scale, shift, *, eps: float = 1e-5):
    """Normalise each sample and channel over its places; x (N, ..., C), scale, shift (C,).

    source: Ulyanov, Vedaldi & Lempitsky, arXiv:1607.08022
    """
    return group_norm(x, scale, shift, groups=x.shape[-1], eps=eps)


def _standardise(x, axes, eps):
    return (x - mean(x, axis=axes, keepdims=True)) / sqrt(var(x, axis=axes, keepdims=True) + eps)


def _rows(x):
    return x.reshape(-1, x.shape[-1])


def _count(x):
    return math.prod(x.shape[:-1])
