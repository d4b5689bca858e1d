"""The size of a model: its parameters, their bytes, and the multiply-adds for one image."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import numpy as np

from minigan import devices
from minigan.autograd import graph, no_grad
from minigan.autograd.tensor import Tensor
from minigan.models.model import Model
from minigan.nn import Module, SpectralNorm, as_in_use


@dataclass(frozen=True)
class Size:
    """The size of one network.

    parameters: the number of learned numbers
    bytes: the size of parameters and buffers, which a weights file holds
    multiply_adds: multiply-adds of its dense layers and convolutions for one image, see `size`
    """

    parameters: int
    bytes: int
    multiply_adds: int


def size(model: Model) -> dict[str, Size]:
    """Measure each of a model's networks. Returns sizes by name.

        mg.models.size(mg.models.build("dcgan"))["generator"].multiply_adds  # 7,250,432

    Multiply-adds are counted while one image passes through. A convolution counts KH KW (C / groups) K for each pixel
    of its feature side, including taps on padding; a dense layer counts inputs times outputs, and matrix products count
    likewise. These are the counts of the definition, even if the kernel's algorithm needs fewer. Biases, norms,
    activations and pooling are not counted, nor is spectral norm's work on weights, which does not depend on the batch.
    """
    sizes = {}
    for name, network in model.networks().items():
        state = (*network.named_parameters(), *network.named_buffers())
        taken = sum(tensor.size * tensor.dtype.itemsize for _, tensor in state)
        sizes[name] = Size(network.parameter_count(), taken, multiply_adds(network, *_one(model, name)))
    return sizes


@no_grad()
def multiply_adds(network: Module, *given: np.ndarray) -> int:
    """Count a network's multiply-adds, in evaluation mode, for these arguments, arrays on the network's device."""
    before = graph.watch
    graph.watch = counter = _Counter()
    try:
        with as_in_use():
            network(*(Tensor(array) if array.dtype.kind == "f" else array for array in given))
    finally:
        graph.watch = before
    return counter.count


def _one(model, player):
    """Return the arguments of a network for one image, all zeros."""
    dtype = next((parameter.dtype for _, parameter in model.networks()[player].named_parameters()), np.float32)
    given = [devices.move(np.zeros((1, *model.input_shape(player)), dtype), model.device)]
    return [*given, np.zeros(1, np.int64)] if model.conditional else given


class _Counter:
    """Counts multiply-adds as autograd reports each primitive; see `graph.watch`."""

    def __init__(self):
        self.count, self.layers = 0, []

    def forward(self, op, arrays, out):
        rule = COUNTS.get(op.__name__)
        if rule and not (self.layers and isinstance(self.layers[-1], SpectralNorm)):
            self.count += rule(*arrays[:2], out)
        return out

    @contextlib.contextmanager
    def layer(self, module):
        self.layers.append(module)
        try:
            yield
        finally:
            self.layers.pop()


def _of_conv2d(x, w, out):
    return out.size * math.prod(w.shape[:3])


def _of_conv2d_transpose(y, w, out):
    return y.size * math.prod(w.shape[:3])


def _of_product(a, b, out):
    return out.size * a.shape[-1]


COUNTS = {
    "conv2d": _of_conv2d,
    "activated_conv2d": _of_conv2d,
    "conv2d_transpose": _of_conv2d_transpose,
    "linear": _of_product,
    "activated_linear": _of_product,
    "matmul": _of_product,
}
