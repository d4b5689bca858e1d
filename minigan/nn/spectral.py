"""Spectral normalisation: layers whose weights are divided by their largest singular value."""

from __future__ import annotations

import numpy as np

from minigan import devices, ops, random
from minigan.autograd import no_grad
from minigan.autograd.recompute import once
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.nn.layers import Conv2d, Embedding, Linear
from minigan.nn.module import Module
from minigan.ops.checks import constructor

LAYERS = Linear, Conv2d, Embedding
FIRST = 15  # power iterations when the layer is made
TINY = 1e-12  # a vector shorter than this is not lengthened to 1


class SpectralNorm(Module):
    """A Linear, Conv2d, ConvTranspose2d or Embedding that computes with weight / sigma, bias as it is.

    sigma: an estimate of the largest singular value of the weight as a matrix, outputs by everything else, u W v. Each
        call in training improves u and v by a power iteration; in use they stay. Gradients flow through W in sigma and
        take u and v for constants.
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
        """A random direction, where the weight is."""
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
        """`normal_weight`, in training after a power iteration."""
        if self.training:
            once(self._iterate)
        return self.normal_weight()

    def forward(self, x, **how):
        return self.layer(x, weight=self.next_weight(), **how)


def _unit(vector):
    return vector / np.maximum(np.sqrt((vector * vector).sum()), TINY)


def spectral_norm(network: Module, rng=None) -> Module:
    """Put every dense or convolutional layer and embedding of a network into a SpectralNorm, in place.

    A layer that is one already stays. Returns the network; a single layer comes back in its SpectralNorm.
    """
    if isinstance(network, SpectralNorm):
        return network
    if isinstance(network, LAYERS):
        return SpectralNorm(network, rng=rng)
    for name, part in list(network._modules.items()):
        setattr(network, name, spectral_norm(part, rng))  # all anew, so that they stay in order
    return network
