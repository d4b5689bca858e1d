"""Layers that compute with the statistics of their input or weight, channels last.

Normalisations of the input; SpectralNorm, which normalises the weight of another layer; and MinibatchStd, which shows a
discriminator how much the samples of a batch differ.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from minigan import devices, ops, random
from minigan.autograd import no_grad
from minigan.autograd.memory import once
from minigan.autograd.operands import constructor
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.nn import init
from minigan.nn.layers import Conv2d, Embedding, Linear, parameter
from minigan.nn.module import Module

LAYERS = Linear, Conv2d, Embedding  # whose weights SpectralNorm normalises
FIRST = 15  # power iterations when the layer is made
TINY = 1e-12  # a vector shorter than this is not lengthened to 1


def _check_eps(name, eps):
    if not isinstance(eps, Real) or not 0 <= eps < math.inf:
        raise ShapeError(f"{name}: eps is {eps!r}, but it is a number from 0 up that is added to a variance")


class BatchNorm(Module):
    """Normalise each channel over the batch and all places: (N, C) or (N, H, W, C).

    In training, by the mean and the biased variance of the batch. Otherwise by running statistics, which training
    updates to (1 - momentum) * running + momentum * batch, with the unbiased variance; as in PyTorch.
    """

    @constructor
    def __init__(self, channels: int, *, eps: float = 1e-5, momentum: float = 0.1, scale_init=None, rng=None):
        super().__init__()
        _check_eps("BatchNorm", eps)
        if not isinstance(momentum, Real) or not 0 <= momentum <= 1:
            raise ShapeError(f"BatchNorm: momentum is {momentum!r}, but it is the batch's share, from 0 to 1")
        self.channels, self.eps, self.momentum = channels, eps, momentum
        self.scale = parameter(scale_init or init.constant(1), rng, (channels,))
        self.shift = parameter(init.constant(0), rng, (channels,))
        self.running_mean = Tensor(np.zeros(channels, np.float32))
        self.running_variance = Tensor(np.ones(channels, np.float32))

    def forward(self, x):
        return self.normalised(x, self.scale, self.shift)

    def normalised(self, x, scale, shift, slope=1.0):
        """leaky_relu(normalised x * scale + shift, slope); with running statistics the slope must be 1."""
        if x.shape[-1:] != (self.channels,):
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, but the last axis must be {self.channels} channels"
            )
        if not self.training:
            return ops.fixed_norm(x, scale, shift, self.running_mean, self.running_variance, eps=self.eps)
        count = math.prod(x.shape[:-1])
        if count < 2:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}, one value a channel, which has no variance; "
                "train with more samples, or call eval() first"
            )
        y, mean, inverse_deviation = ops.batch_norm(x, scale, shift, eps=self.eps, slope=slope)
        once(lambda: self._update(mean.detach(), inverse_deviation.detach(), count))
        return y

    @no_grad()
    def _update(self, mean, inverse_deviation, count):
        variance = ops.maximum(inverse_deviation**-2 - self.eps, 0) * (count / (count - 1))  # never below 0 by rounding
        for running, batch in ((self.running_mean, mean), (self.running_variance, variance)):
            running *= 1 - self.momentum
            running += self.momentum * batch

    def describe(self):
        return f"{self.channels}"


class ConditionalBatchNorm(BatchNorm):
    """Batch norm whose scale and shift depend on each sample's class: (x, labels (N,)) to x's shape.

    scale, shift: (classes, channels), one row for each label; initialised as in BatchNorm
    source: de Vries et al., arXiv:1707.00683; in a generator: Miyato & Koyama, arXiv:1802.05637
    """

    @constructor
    def __init__(self, classes: int, channels: int, *, eps: float = 1e-5, momentum: float = 0.1, rng=None):
        super().__init__(channels, eps=eps, momentum=momentum)
        self.classes = classes
        self.scale = parameter(init.constant(1), rng, (classes, channels))
        self.shift = parameter(init.constant(0), rng, (classes, channels))

    def forward(self, x, labels):
        if np.shape(labels) != x.shape[:1]:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape} and labels {np.shape(labels)}; each sample has one"
            )
        mean = self.running_mean.data
        normal = self.normalised(x, Tensor(np.ones_like(mean)), Tensor(np.zeros_like(mean)))
        places = (len(x), *(1,) * (x.ndim - 2), self.channels)
        scale, shift = (ops.reshape(ops.embedding(t, labels), shape=places) for t in (self.scale, self.shift))
        return normal * scale + shift

    def describe(self):
        return f"{self.channels}, {self.classes} classes"


class LayerNorm(Module):
    """Normalise each sample over its last axes, which have this shape (an int for one axis)."""

    @constructor
    def __init__(self, shape, *, eps: float = 1e-5):
        super().__init__()
        _check_eps("LayerNorm", eps)
        self.shape, self.eps = (shape,) if isinstance(shape, int) else tuple(shape), eps
        self.scale = parameter(init.constant(1), None, self.shape)
        self.shift = parameter(init.constant(0), None, self.shape)

    def forward(self, x):
        return ops.layer_norm(x, self.scale, self.shift, eps=self.eps)

    def describe(self):
        return ", ".join(map(str, self.shape))


class GroupNorm(Module):
    """Normalise each sample over groups of channels and all places."""

    @constructor
    def __init__(self, groups: int, channels: int, *, eps: float = 1e-5):
        super().__init__()
        _check_eps(type(self).__name__, eps)
        if groups < 1 or channels % groups:
            raise ShapeError(f"{type(self).__name__}: {groups} groups do not divide {channels} channels")
        self.groups, self.eps = groups, eps
        self.scale = parameter(init.constant(1), None, (channels,))
        self.shift = parameter(init.constant(0), None, (channels,))

    def forward(self, x):
        return ops.group_norm(x, self.scale, self.shift, groups=self.groups, eps=self.eps)

    def describe(self):
        return f"{self.groups} groups of {self.scale.size} channels"


class InstanceNorm(GroupNorm):
    """Normalise each sample and channel over all places, with a learned scale and shift."""

    @constructor
    def __init__(self, channels: int, *, eps: float = 1e-5):
        super().__init__(channels, channels, eps=eps)

    def describe(self):
        return f"{self.groups}"


class SpectralNorm(Module):
    """A Linear, Conv2d, ConvTranspose2d or Embedding that computes with weight / sigma and its bias.

    sigma: u W v, an estimate of the largest singular value of the weight as a matrix, outputs by everything else. Each
        call in training improves u and v by a power iteration; in inference they stay. Gradients flow through W in
        sigma and treat u and v as constants.
    left, right: u (outputs,) and v (the other side,), buffers
    raises ShapeError for a layer of another kind
    source: Miyato et al., arXiv:1802.05957, algorithm 1
    """

    @constructor
    def __init__(self, layer: Linear | Conv2d | Embedding, *, rng=None):
        super().__init__()
        if not isinstance(layer, LAYERS):
            raise ShapeError(
                f"SpectralNorm: {type(layer).__name__} has no weight; dense and convolutional ones have, and embeddings"
            )
        self.layer = layer
        rng = random.stream("init") if rng is None else rng
        columns, outputs = self._matrix(layer.weight.detach()).shape
        self.left, self.right = (self._drawn(rng, size) for size in (outputs, columns))
        for _ in range(FIRST):
            self._iterate()

    def _drawn(self, rng, size):
        """A random unit vector, on the weight's device."""
        weight = self.layer.weight
        return Tensor(devices.move(_unit(rng.standard_normal(size)).astype(weight.dtype), weight.device))

    def _matrix(self, weight):
        """The weight as (everything else, outputs)."""
        if getattr(self.layer, "transposed", False):  # (KH, KW, outputs, inputs)
            weight = ops.swapaxes(weight, 2, 3)
        return ops.reshape(weight, shape=(-1, weight.shape[-1]))

    @no_grad()
    def _iterate(self):
        matrix = self._matrix(self.layer.weight.detach())
        left = _unit(ops.matmul(self.right.data, matrix.data))
        right = _unit(ops.matmul(matrix.data, left))
        for vector, better in ((self.left, left), (self.right, right)):
            vector[...] = better

    def normal_weight(self) -> Tensor:
        """weight / sigma, with the present u and v."""
        weight = self.layer.weight
        left, right = (np.copy(v.data) for v in (self.left, self.right))  # the next call changes them
        sigma = ops.matmul(ops.matmul(right, self._matrix(weight)), left)
        return weight / sigma

    def next_weight(self) -> Tensor:
        """`normal_weight`, preceded in training by a power iteration."""
        if self.training:
            once(self._iterate)
        return self.normal_weight()

    def forward(self, x, **how):
        return self.layer(x, weight=self.next_weight(), **how)


def _unit(vector):
    return vector / np.maximum(np.sqrt((vector * vector).sum()), TINY)


def spectral_norm(network: Module, rng=None) -> Module:
    """Put every dense or convolutional layer and embedding of a network into a SpectralNorm, in place.

    Layers that are in one already stay. Returns the network, or for a single layer its SpectralNorm.
    """
    if isinstance(network, SpectralNorm):
        return network
    if isinstance(network, LAYERS):
        return SpectralNorm(network, rng=rng)
    for name, part in list(network._modules.items()):
        setattr(network, name, spectral_norm(part, rng))  # all anew, so that they stay in order
    return network


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
        deviation = ops.sqrt(ops.var(apart, axis=0) + 1e-8)
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
    from minigan.nn.fusion import Sequential  # which imports this file

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
