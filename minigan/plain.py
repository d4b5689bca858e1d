"""Reverse-mode automatic differentiation on one page.

This is the idea that `minigan.autograd` works out in full, without what it adds for speed, memory and clear errors.

1. Record. An operation on Tensors returns a Tensor that remembers the operation and its inputs. These links form a
   graph, which leads from a result back to everything it was computed from.
2. Walk back. The gradient of y with respect to itself is 1. From y towards the inputs, the rules of each operation turn
   the gradient g of its result into gradients of its inputs: g times the Jacobian, a vector-Jacobian product.
   The gradients of a value that was used several times add up.
3. Repeat. The rules are made of the same operations, so a gradient has a graph of its own and can be differentiated.

    x = Tensor(2.0)
    y = x * x * x
    (slope,) = grad(y, [x])  # 3 x^2 = 12
    (curvature,) = grad(slope, [x])  # 6 x = 12
"""

import itertools

import numpy as np

now = itertools.count().__next__


class Tensor:
    """A float64 array that remembers how it was computed: by no operation if it is an input."""

    def __init__(self, data, operation=None, inputs=()):
        self.data, self.grad = np.asarray(data, np.float64), None
        self.operation, self.inputs, self.time = operation, inputs, now()

    @property
    def shape(self):
        return self.data.shape

    def backward(self):
        """Add the gradient of this scalar to the `.grad` of each input that it was computed from."""
        inputs = [tensor for tensor in history(self) if tensor.operation is None]
        for tensor, g in zip(inputs, grad(self, inputs), strict=True):
            tensor.grad = g if tensor.grad is None else tensor.grad + g


def history(y):
    """Every Tensor that y was computed from, y included, latest first: each comes before its own inputs."""
    found, waiting = {y}, [y]
    while waiting:
        new = set(waiting.pop().inputs) - found
        found |= new
        waiting += new
    return sorted(found, key=lambda tensor: tensor.time, reverse=True)


def grad(y, xs):
    """The gradients of a scalar y with respect to each of xs, as Tensors with graphs of their own."""
    gradients = {y: Tensor(np.ones(y.shape))}
    for tensor in history(y):
        if tensor.operation is not None:
            for x, rule in zip(tensor.inputs, tensor.operation.rules, strict=True):
                part = rule(gradients[tensor], tensor, *tensor.inputs)
                gradients[x] = gradients[x] + part if x in gradients else part
    return [gradients[x] if x in gradients else Tensor(np.zeros(x.shape)) for x in xs]


def operation(*rules):
    """Make a function of arrays an operation on Tensors.

    rules: for each input the function (g, y, *inputs) that returns its gradient, made of operations
    """

    def decorate(function):
        def record(*inputs, **constants):
            inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
            return Tensor(function(*(x.data for x in inputs), **constants), record, inputs)

        record.rules = rules
        return record

    return decorate


@operation(lambda g, y, a, b: sum_to(g, shape=a.shape), lambda g, y, a, b: sum_to(g, shape=b.shape))
def add(a, b):
    return a + b


@operation(lambda g, y, a, b: sum_to(g * b, shape=a.shape), lambda g, y, a, b: sum_to(g * a, shape=b.shape))
def multiply(a, b):
    return a * b


@operation(lambda g, y, a, b: g @ transpose(b), lambda g, y, a, b: transpose(a) @ g)
def matmul(a, b):
    return a @ b


@operation(lambda g, y, x: g - g * y * y)
def tanh(x):
    return np.tanh(x)


@operation(lambda g, y, x: transpose(g))
def transpose(x):
    return x.T


@operation(lambda g, y, x: broadcast_to(g, shape=x.shape))
def sum_to(x, shape):  # the adjoint of broadcast_to: each element sums what it was copied to
    x = x.sum(axis=tuple(range(x.ndim - len(shape))))
    return x.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


@operation(lambda g, y, x: sum_to(g, shape=x.shape))
def broadcast_to(x, shape):
    return np.broadcast_to(x, shape)


Tensor.__add__ = Tensor.__radd__ = add
Tensor.__mul__ = Tensor.__rmul__ = multiply
Tensor.__matmul__ = matmul
Tensor.__sub__ = lambda a, b: a + b * -1.0
