"""Activations that NumPy would need several passes for. (tanh and its like are quicker in NumPy.)"""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run

BLOCK = 1 << 16  # elements of a task


def leaky_relu(x, slope):
    (x,) = plain(x)
    y = np.empty_like(x)
    run_flat(activate, (x, y), x.dtype.type(slope))
    return y


def leaky_relu_vjp(g, x, slope):
    g, x = plain(g, x)
    gx = np.empty_like(x)
    run_flat(activate_vjp, (g, x, gx), x.dtype.type(slope))
    return gx


def run_flat(function, arrays, *numbers):
    """Call function(*pieces of the arrays, *numbers) on pieces that lie at the same places, in parallel."""
    flat = [array.reshape(-1) for array in arrays]
    if flat[0].size <= BLOCK:
        function(*flat, *numbers)
        return

    def piece(block):
        function(*(array[slice(*block)] for array in flat), *numbers)

    run(piece, blocks(flat[0].size, BLOCK), flat[0].size * len(flat) * 0.3e-9)


@kernel
def activate(x, y, slope):
    for i in range(x.size):
        value = x[i]
        # 0 * -inf would be NaN; a NaN itself must pass
        below = slope * value if slope != 0 or np.isnan(value) else slope
        y[i] = value if value > 0 else below


@kernel
def activate_vjp(g, x, gx, slope):
    for i in range(x.size):
        value = x[i]
        below = value if np.isnan(value) else g[i] * slope
        gx[i] = g[i] if value > 0 else below
