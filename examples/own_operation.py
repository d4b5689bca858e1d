"""A custom operation, its rules, and a check that the rules are right.

    python examples/own_operation.py

The rule of an argument takes the gradient g of the result, the result y and the arguments, and returns the gradient of
the argument. Rules use minigan's operations, so they can be differentiated again: check_grads compares the first and
second derivatives with finite differences, and names the argument and the order if one is wrong.
"""

import numpy as np

import minigan as mg
from minigan.testing import check_grads


@mg.primitive
def gaussian(x, width):
    """exp(-(x / width)^2 / 2), elementwise; width has x's shape or broadcasts to it."""
    return np.exp(-((x / width) ** 2) / 2)


@gaussian.vjp(0)
def _(g, y, x, width):
    return mg.sum_to(-g * y * x / width**2, shape=x.shape)


@gaussian.vjp(1)
def _(g, y, x, width):
    return mg.sum_to(g * y * x**2 / width**3, shape=width.shape)


def main():
    rng = np.random.default_rng(0)
    check_grads(gaussian, [rng.standard_normal((3, 4)), rng.uniform(0.5, 2, 4)], order=2)
    print("the gradients of gaussian are right, first and second order")

    x = mg.tensor(np.linspace(-2, 2, 5), requires_grad=True)
    y = gaussian(x, np.array([1.0], np.float32))
    print("gaussian ", y.numpy().round(3))
    print("its slope", mg.grad(y.sum(), x).round(3))


if __name__ == "__main__":
    main()
