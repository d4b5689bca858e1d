"""Activations as layers."""

from minigan import ops
from minigan.nn.module import Module
from minigan.ops.checks import constructor


class ReLU(Module):
    """x where positive, else 0."""

    slope = 0.0

    def forward(self, x):
        return ops.relu(x)


class LeakyReLU(Module):
    """x where positive, else slope * x."""

    @constructor
    def __init__(self, slope: float = 0.01):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return ops.leaky_relu(x, slope=self.slope)

    def describe(self):
        return f"{self.slope}"


class Tanh(Module):
    def forward(self, x):
        return ops.tanh(x)


class Sigmoid(Module):
    def forward(self, x):
        return ops.sigmoid(x)


class Softplus(Module):
    """log(1 + exp(x))."""

    def forward(self, x):
        return ops.softplus(x)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along an axis."""

    @constructor
    def __init__(self, axis: int = -1):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        return ops.softmax(x, axis=self.axis)

    def describe(self):
        return f"axis={self.axis}"
