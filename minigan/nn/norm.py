"""Normalising layers; the last axis is the channels."""

import math
from numbers import Real

import numpy as np

from minigan import ops
from minigan.autograd import no_grad
from minigan.autograd.recompute import once
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.nn import init
from minigan.nn.layers import parameter
from minigan.nn.module import Module
from minigan.ops.checks import constructor


def _check_eps(name, eps):
    if not isinstance(eps, Real) or not 0 <= eps < math.inf:
        raise ShapeError(f"{name}: eps is {eps!r}, but it is a number from 0 up that is added to a variance")


class BatchNorm(Module):
    """Normalise each channel over the batch and all places: (N, C) or (N, H, W, C).

    In training by the batch's mean and biased variance; otherwise by running ones, which training updates to
    (1 - momentum) * running + momentum * batch's, with the unbiased variance. Both as PyTorch.
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
        """leaky_relu(x normalised * scale + shift, slope); the slope has to be 1 where running statistics are used."""
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

    scale, shift: (classes, channels), rows of which are looked up by label; they begin as a batch norm's
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
    """Normalise each sample over its last axes, of the given shape (an int for one)."""

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
