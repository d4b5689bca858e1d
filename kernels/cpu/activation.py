"""Activations that NumPy would need several passes for. (tanh and its like are quicker in NumPy.)"""

import numpy as np

from minigan.kernels.cpu.arrays import empty, misfit, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.tasks import Tasks
from minigan.kernels.cpu.threads import share

BLOCK = 1 << 14  # elements of a task


def leaky_relu(x, slope):
    (x,) = plain(x)
    y = empty(x.shape, x.dtype)
    share(activate_block, -(-x.size // BLOCK), x.size * 0.6e-9, x, y, x.dtype.type(slope))
    return y


def leaky_relu_vjp(g, x, slope):
    g, x = plain(g, x)
    if g.shape != x.shape:
        misfit("leaky_relu_vjp", g, x)
    gx = empty(x.shape, x.dtype)
    share(activate_vjp_block, -(-x.size // BLOCK), x.size * 0.9e-9, g, x, gx, x.dtype.type(slope))
    return gx


def tanh_vjp(g, y):
    g, y = plain(g, y)
    if g.shape != y.shape:
        misfit("tanh_vjp", g, y)
    gx = empty(y.shape, y.dtype)
    share(tanh_vjp_block, -(-y.size // BLOCK), y.size * 0.6e-9, g, y, gx)
    return gx


@kernel
def part(array, number):
    """The elements of a task."""
    return array[number * BLOCK : (number + 1) * BLOCK]


@kernel
def activate(x, y, slope):
    for i in range(x.size):
        value = x[i]
        # 0 * -inf would be NaN; a NaN itself must pass
        below = slope * value if slope != 0 or np.isnan(value) else slope
        y[i] = value if value > 0 else below


@Tasks
def activate_block(number, x, y, slope):
    activate(part(x, number), part(y, number), slope)


@Tasks
def activate_vjp_block(number, g, x, gx, slope):
    g, x, gx = part(g, number), part(x, number), part(gx, number)
    for i in range(x.size):
        value = x[i]
        below = g[i] * slope if slope != 0 else slope  # 0 * inf would be NaN
        below = value if np.isnan(value) else below
        gx[i] = g[i] if value > 0 else below


@Tasks
def tanh_vjp_block(number, g, y, gx):
    g, y, gx = part(g, number), part(y, number), part(gx, number)
    one = y.dtype.type(1)
    for i in range(y.size):
        gx[i] = g[i] * (one - y[i] * y[i])
