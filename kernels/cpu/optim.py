"""Optimiser updates, each in one pass over all parameters and their states, in place, with PyTorch's formulas.

Parameters are many, and most are small. So all of them are one list of blocks: a table has a row for each parameter,
(blocks, elements, the addresses of its arrays), and a task finds its block there.
"""

import math

import numpy as np

from minigan.errors import ShapeError
from minigan.kernels.cpu.arrays import address_of, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.tasks import Tasks, array_at
from minigan.kernels.cpu.threads import share

BLOCK = 1 << 14  # elements of a task


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
    """Do a kernel's tasks for lists of parameters and what belongs to them."""
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
    """(where the row of a task's parameter begins, the number of its block there)."""
    at = 0
    while number >= table[at]:
        number -= table[at]
        at += 2 + arrays
    return at, number


@kernel
def part(table, at, number, array, numbers):
    """The elements that a task has of one of the arrays."""
    whole = array_at(numbers, table[at + 2 + array], table[at + 1])
    return whole[number * BLOCK : (number + 1) * BLOCK]


@Tasks
def sgd(number, table, numbers):
    at, number = find(number, table, 2)
    p, g = part(table, at, number, 0, numbers), part(table, at, number, 1, numbers)
    lr, weight_decay = numbers[0], numbers[1]
    for i in range(p.size):
        p[i] -= lr * (g[i] + weight_decay * p[i])


@Tasks
def sgd_momentum(number, table, numbers):
    at, number = find(number, table, 3)
    p, velocity = part(table, at, number, 0, numbers), part(table, at, number, 1, numbers)
    g = part(table, at, number, 2, numbers)
    lr, weight_decay, momentum, nesterov = numbers[0], numbers[1], numbers[2], numbers[3] != 0
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        speed = momentum * velocity[i] + gradient
        velocity[i] = speed
        p[i] -= lr * (gradient + momentum * speed if nesterov else speed)


@Tasks
def rmsprop(number, table, numbers):
    at, number = find(number, table, 3)
    p, square = part(table, at, number, 0, numbers), part(table, at, number, 1, numbers)
    g = part(table, at, number, 2, numbers)
    lr, decay, rest, eps, weight_decay = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        mean_square = decay * square[i] + rest * gradient * gradient
        square[i] = mean_square
        p[i] -= lr * gradient / (math.sqrt(mean_square) + eps)


@Tasks
def adam(number, table, numbers):
    """numbers: lr / (1 - beta1^step), beta1, 1 - beta1, beta2, 1 - beta2, eps, what decoupled weight decay leaves of
    p, weight decay, (1 - beta2^step)^-0.5"""
    at, number = find(number, table, 4)
    p, m = part(table, at, number, 0, numbers), part(table, at, number, 1, numbers)
    v, g = part(table, at, number, 2, numbers), part(table, at, number, 3, numbers)
    rate, beta1, rest1, beta2, rest2 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    eps, keep, weight_decay, unbiased = numbers[5], numbers[6], numbers[7], numbers[8]
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        mean = beta1 * m[i] + rest1 * gradient
        square = beta2 * v[i] + rest2 * gradient * gradient
        m[i] = mean
        v[i] = square
        p[i] = keep * p[i] - rate * mean / (math.sqrt(square) * unbiased + eps)
