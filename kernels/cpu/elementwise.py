"""Elementwise kernels: activations, losses, and the optimisers' updates.

NumPy would need several passes for these. Functions such as tanh are faster in NumPy.
"""

import math

import numpy as np

from minigan.errors import ShapeError
from minigan.kernels.cpu.runtime.compile import kernel
from minigan.kernels.cpu.runtime.crew import array_at
from minigan.kernels.cpu.runtime.threads import Tasks, address_of, empty, misfit, plain, share

BLOCK = 1 << 14  # elements per task


# ------------------------------------------------------------------------------------------ activations


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
    """The elements of this task."""
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


# ------------------------------------------------------------------------------------------ losses

# NumPy computes these: there is one logit for each image, and little to do.


def binary_cross_entropy_sum(logits, targets):
    """The sum of binary cross-entropies with logits."""
    losses = np.log1p(np.exp(-np.abs(logits)))
    losses += np.maximum((1 - targets) * logits, targets * -logits)  # the first term if the logit is positive
    return losses.dtype.type(losses.sum(dtype=np.float64))


def binary_cross_entropy_excess(logits, targets):
    """The gradient of that sum: sigmoid(logits) - targets."""
    e = np.exp(-np.abs(logits))
    return np.where(logits > 0, 1 - targets - targets * e, e * (1 - targets) - targets) / (1 + e)


# ------------------------------------------------------------------------------------------ optimisers

# Each update is one pass over all parameters and their states, in place, with PyTorch's formulas. There are many
# parameters, and most are small. So all of them form one list of blocks: a table has a row for each parameter,
# (blocks, elements, the addresses of its arrays), in which a task finds its block.


def sgd_update(ps, gs, velocities, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    if momentum:
        update(sgd_momentum, (ps, velocities), gs, (lr, weight_decay, momentum, nesterov))
    else:
        update(sgd, (ps,), gs, (lr, weight_decay))


def rmsprop_update(ps, gs, squares, lr, decay, eps, weight_decay=0.0):
    update(rmsprop, (ps, squares), gs, (lr, decay, 1 - decay, eps, weight_decay))


def adam_update(ps, gs, means, squares, lr, beta1, beta2, eps, weight_decay, decoupled, step):
    keep, decay = (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    rate, unbiased = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    update(adam, (ps, means, squares), gs, (rate, beta1, 1 - beta1, beta2, 1 - beta2, eps, keep, decay, unbiased))


def update(kernel, states, gs, numbers):
    """Run an update's tasks for lists of parameters, their states and their gradients."""
    table, tasks, elements = [], 0, 0
    gs = plain(*gs)
    dtype = gs[0].dtype
    for arrays in zip(*states, gs, strict=True):
        shape = arrays[0].shape
        for array in arrays:
            if not array.flags.carray:
                raise ValueError("updates are in place: a parameter and its state must be contiguous and writable")
            if array.dtype != dtype or array.shape != shape:
                found = ", ".join(f"{one.dtype} of shape {one.shape}" for one in arrays)
                raise ShapeError(f"an update takes a parameter, its state and its gradient of one kind, not {found}")
        size = arrays[0].size
        if size:
            blocks = -(-size // BLOCK)
            table += (blocks, size, *map(address_of, arrays))
            tasks, elements = tasks + blocks, elements + size * len(arrays)
    share(kernel, tasks, elements * 0.3e-9, np.array(table, np.int64), np.array(numbers, dtype))


@kernel
def find(number, table, arrays):
    """(the offset of the table row of a task's parameter, the task's block within that parameter)."""
    at = 0
    while number >= table[at]:
        number -= table[at]
        at += 2 + arrays
    return at, number


@kernel
def block_at(table, at, number, array, numbers):
    """A task's elements of one of the arrays."""
    whole = array_at(numbers, table[at + 2 + array], table[at + 1])
    return whole[number * BLOCK : (number + 1) * BLOCK]


@Tasks
def sgd(number, table, numbers):
    at, number = find(number, table, 2)
    p, g = block_at(table, at, number, 0, numbers), block_at(table, at, number, 1, numbers)
    lr, weight_decay = numbers[0], numbers[1]
    for i in range(p.size):
        p[i] -= lr * (g[i] + weight_decay * p[i])


@Tasks
def sgd_momentum(number, table, numbers):
    at, number = find(number, table, 3)
    p, velocity = block_at(table, at, number, 0, numbers), block_at(table, at, number, 1, numbers)
    g = block_at(table, at, number, 2, numbers)
    lr, weight_decay, momentum, nesterov = numbers[0], numbers[1], numbers[2], numbers[3] != 0
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        speed = momentum * velocity[i] + gradient
        velocity[i] = speed
        p[i] -= lr * (gradient + momentum * speed if nesterov else speed)


@Tasks
def rmsprop(number, table, numbers):
    at, number = find(number, table, 3)
    p, square = block_at(table, at, number, 0, numbers), block_at(table, at, number, 1, numbers)
    g = block_at(table, at, number, 2, numbers)
    lr, decay, rest, eps, weight_decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        mean_square = decay * square[i] + rest * gradient * gradient
        square[i] = mean_square
        p[i] -= lr * gradient / (math.sqrt(mean_square) + eps)


@Tasks
def adam(number, table, numbers):
    """numbers: lr / (1 - beta1^step), beta1, 1 - beta1, beta2, 1 - beta2, eps, factor of p by decoupled weight
    decay, weight decay that is not decoupled, (1 - beta2^step)^-0.5"""
    at, number = find(number, table, 4)
    p, m = block_at(table, at, number, 0, numbers), block_at(table, at, number, 1, numbers)
    v, g = block_at(table, at, number, 2, numbers), block_at(table, at, number, 3, numbers)
    rate, beta1, rest1, beta2, rest2 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    eps, keep, weight_decay, unbiased = numbers[5], numbers[6], numbers[7], numbers[8]
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        mean = beta1 * m[i] + rest1 * gradient
        square = beta2 * v[i] + rest2 * gradient * gradient
        m[i] = mean
        v[i] = square
        p[i] = keep * p[i] - rate * mean / (math.sqrt(square) * unbiased + eps)
