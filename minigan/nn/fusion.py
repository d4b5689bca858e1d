"""Which layers are computed together with the activation after them, in fewer passes over memory: one table.

`Sequential` looks here; the layers know nothing of it. A pair that is not in the table is computed one after the other,
and so are subclasses, whose `forward` may be another. Either way the result is the same to the bit, and so are
gradients but for the order in which a bias's is summed.
"""

from __future__ import annotations

from minigan import ops
from minigan.nn.activations import LeakyReLU, ReLU
from minigan.nn.layers import Conv2d, Linear
from minigan.nn.module import Module
from minigan.nn.norm import BatchNorm
from minigan.nn.spectral import SpectralNorm


def fuses(layer: Module, following: Module) -> bool:
    """Whether `fused` computes following(layer(x))."""
    if type(following) not in (ReLU, LeakyReLU) or following.slope < 0:
        return False
    if type(layer) is SpectralNorm:
        layer = layer.layer
    return type(layer) in FUSED and (layer.training or type(layer) is not BatchNorm)


def fused(layer: Module, following: Module, x):
    """following(layer(x)), for a pair that `fuses`; NaNs are traced to the layer."""
    together, slope = FUSED[type(layer)], following.slope
    return layer.run(lambda x: together(layer, x, slope), x)


def linear(layer, x, slope, weight=None):
    layer.check(x)
    return ops.activated_linear(x, layer.weight if weight is None else weight, layer.bias, slope=slope)


def conv2d(layer, x, slope, weight=None):
    return ops.activated_conv2d(x, layer.weight if weight is None else weight, layer.bias, slope=slope, **layer.how)


def batch_norm(layer, x, slope):
    return layer.normalised(x, layer.scale, layer.shift, slope)


def spectral_norm(layer, x, slope):
    inner, weight = layer.layer, layer.next_weight()
    return inner.run(lambda x: FUSED[type(inner)](inner, x, slope, weight), x)


FUSED = {Linear: linear, Conv2d: conv2d, BatchNorm: batch_norm, SpectralNorm: spectral_norm}
