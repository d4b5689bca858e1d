"""Which layers are computed together with the activation after them, in fewer passes over memory: one table.

`Sequential` looks here; the layers know nothing of it. Pairs that are not in the table are computed in turn, and so are
subclasses, which may override `forward`. Either way the result is the same to the bit, and so are gradients, except
that a bias's gradient may be summed in another order.
"""

from __future__ import annotations

from functools import partial

from minigan import ops
from minigan.nn.layers import Conv2d, LeakyReLU, Linear, ReLU
from minigan.nn.module import Module, ModuleList
from minigan.nn.norm import BatchNorm, SpectralNorm


class Sequential(ModuleList):
    """Modules applied one after another; indexing and slicing as a list."""

    def __init__(self, *modules: Module):
        super().__init__(modules)

    def forward(self, x):
        modules = list(self)
        while modules:
            module = modules.pop(0)
            if modules and fuses(module, modules[0]):
                x = fused(module, modules.pop(0), x)
            else:
                x = module(x)
        return x

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return Sequential(*found) if isinstance(index, slice) else found


def fuses(layer: Module, following: Module) -> bool:
    """Whether `fused` computes following(layer(x))."""
    if type(following) not in (ReLU, LeakyReLU) or following.slope < 0:
        return False
    if type(layer) is SpectralNorm:
        layer = layer.layer
    return type(layer) in FUSED and (layer.training or type(layer) is not BatchNorm)


def fused(layer: Module, following: Module, x):
    """following(layer(x)), for a pair that `fuses`; NaNs are traced to the layer."""
    return layer.run(partial(FUSED[type(layer)], layer, slope=following.slope), x)


def linear(layer, x, slope, weight=None):
    layer.check(x)
    return ops.activated_linear(x, layer.weight if weight is None else weight, layer.bias, slope=slope)


def conv2d(layer, x, slope, weight=None):
    return ops.activated_conv2d(x, layer.weight if weight is None else weight, layer.bias, slope=slope, **layer.how)


def batch_norm(layer, x, slope):
    return layer.normalised(x, layer.scale, layer.shift, slope)


def spectral_norm(layer, x, slope):
    inner, weight = layer.layer, layer.next_weight()
    return inner.run(partial(FUSED[type(inner)], inner, slope=slope, weight=weight), x)


FUSED = {Linear: linear, Conv2d: conv2d, BatchNorm: batch_norm, SpectralNorm: spectral_norm}
