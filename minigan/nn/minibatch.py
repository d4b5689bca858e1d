"""Minibatch standard deviation: a layer that shows a discriminator how much the samples of a batch differ."""

import numpy as np

from minigan import ops
from minigan.autograd.operands import constructor
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.nn.fusion import Sequential
from minigan.nn.layers import Conv2d, Linear
from minigan.nn.module import Module
from minigan.nn.norm import SpectralNorm

EPS = 1e-8


class MinibatchStd(Module):
    """Append a channel that holds the standard deviation within a group of samples: (N, ..., C) to (N, ..., C + 1).

    The standard deviation of each value over the group is averaged over channels and places, so the new channel is one
    number per group. It gives away a generator whose images are all alike.
    group: the number of samples in a group, which lie N / group apart; if it does not divide N, the largest divisor
        of N below it
    source: Karras et al., arXiv:1710.10196, section 3; groups as in arXiv:1912.04958
    """

    @constructor
    def __init__(self, group: int = 4):
        super().__init__()
        if group < 1:
            raise ShapeError(f"MinibatchStd: a group has {group} samples, but there is at least one in it")
        self.group = group

    def forward(self, x):
        count = x.shape[0]
        group = next((n for n in range(min(self.group, count), 0, -1) if count % n == 0), 1)
        apart = ops.reshape(x, shape=(group, count // group, -1))
        deviation = ops.sqrt(ops.var(apart, axis=0) + EPS)
        each = ops.reshape(ops.mean(deviation, axis=1), shape=(1, count // group) + (1,) * (x.ndim - 1))
        channel = ops.broadcast_to(each, shape=(group, count // group, *x.shape[1:-1], 1))
        return ops.concatenate([x, ops.reshape(channel, shape=(*x.shape[:-1], 1))], axis=-1)

    def describe(self):
        return f"groups of {self.group}"


def minibatch_std(network: Module, group: int = 4) -> Module:
    """Put a MinibatchStd before the last dense or convolutional layer of a network, in place. Returns the network.

    The layer gets one more input, with weights of zero, so that the network computes the same as before at first.
    raises ShapeError if the network contains no such layer
    """
    found = list(_layers_of(network))
    if not found:
        raise ShapeError(f"minibatch_std: {type(network).__name__} has no dense or convolutional layer to stand before")
    parent, name, last = found[-1]
    if isinstance(parent, SpectralNorm):
        raise ShapeError("minibatch_std: the last layer is in a SpectralNorm already; do this before spectral_norm")
    parts = {n: Sequential(MinibatchStd(group), _widened(last)) if n == name else p for n, p in parent._modules.items()}
    for n, part in parts.items():  # all anew, so that they stay in order
        setattr(parent, n, part)
    return network


def _layers_of(module):
    """(parent, name, layer) of the dense and convolutional layers, in order."""
    for name, part in module._modules.items():
        if isinstance(part, Linear | Conv2d):
            yield module, name, part
        else:
            yield from _layers_of(part)


def _widened(layer):
    """The layer with one more input, whose weights are zero."""
    if getattr(layer, "transposed", False) or getattr(layer, "how", {}).get("groups", 1) != 1:
        raise ShapeError("minibatch_std: the last layer is transposed or has groups; it must be plain to get an input")
    weight = layer.weight
    axis = weight.ndim - 2
    more = np.zeros_like(weight.data[..., :1, :])
    layer.weight, layer.bias = Tensor(np.concatenate([weight.data, more], axis=axis), True), layer.bias
    layer.inputs += 1
    return layer
