"""Optimiser updates, each in one pass over the parameter and its state, in place, with PyTorch's formulas."""

import math

from minigan.kernels.cpu.activation import part, share_elements
from minigan.kernels.cpu.arrays import plain
from minigan.kernels.cpu.tasks import Tasks


def sgd_update(p, g, velocity, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    number = p.dtype.type
    if velocity is None:
        update(sgd, (p,), g, number(lr), number(weight_decay))
    else:
        update(sgd_momentum, (p, velocity), g, number(lr), number(weight_decay), number(momentum), bool(nesterov))


def rmsprop_update(p, g, square, lr, decay, eps, weight_decay=0.0):
    numbers = (lr, decay, 1 - decay, eps, weight_decay)
    update(rmsprop, (p, square), g, *map(p.dtype.type, numbers))


def adam_update(p, g, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, step):
    keep, decay = (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    rate, unbiased = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    numbers = (rate, beta1, 1 - beta1, beta2, 1 - beta2, eps, keep, decay, unbiased)
    update(adam, (p, m, v), g, *map(p.dtype.type, numbers))


def update(kernel, states, g, *numbers):
    for state in states:
        if not state.flags.carray:
            raise ValueError("updates are in place: a parameter and its state must be contiguous and writable")
    (g,) = plain(g)
    share_elements(kernel, *states, g, *numbers)


@Tasks
def sgd(number, p, g, lr, weight_decay):
    p, g = part(p, number), part(g, number)
    for i in range(p.size):
        p[i] -= lr * (g[i] + weight_decay * p[i])


@Tasks
def sgd_momentum(number, p, velocity, g, lr, weight_decay, momentum, nesterov):
    p, velocity, g = part(p, number), part(velocity, number), part(g, number)
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        speed = momentum * velocity[i] + gradient
        velocity[i] = speed
        p[i] -= lr * (gradient + momentum * speed if nesterov else speed)


@Tasks
def rmsprop(number, p, square, g, lr, decay, rest, eps, weight_decay):
    p, square, g = part(p, number), part(square, number), part(g, number)
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        mean_square = decay * square[i] + rest * gradient * gradient
        square[i] = mean_square
        p[i] -= lr * gradient / (math.sqrt(mean_square) + eps)


@Tasks
def adam(number, p, m, v, g, rate, beta1, rest1, beta2, rest2, eps, keep, weight_decay, unbiased):
    """rate: lr / (1 - beta1^step); unbiased: (1 - beta2^step)^-0.5; keep: what decoupled weight decay leaves of p."""
    p, m, v, g = part(p, number), part(m, number), part(v, number), part(g, number)
    for i in range(p.size):
        gradient = g[i] + weight_decay * p[i]
        mean = beta1 * m[i] + rest1 * gradient
        square = beta2 * v[i] + rest2 * gradient * gradient
        m[i] = mean
        v[i] = square
        p[i] = keep * p[i] - rate * mean / (math.sqrt(square) * unbiased + eps)
