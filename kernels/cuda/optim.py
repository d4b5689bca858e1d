"""Optimiser updates by PyTorch's formulas (optim.cu): one launch updates all parameters and states in place."""

import math

import numpy as np

from minigan.errors import DtypeError, ShapeError
from minigan.kernels.cuda.graph import supplied
from minigan.kernels.cuda.launch import THREADS, address_of, contiguous, run

BLOCK = 1 << 12  # elements per block of threads, as in optim.cu
SETTINGS = {"sgd": 2, "sgd_momentum": 4, "rmsprop": 5, "adam": 9}  # how many settings each kernel reads from memory


def sgd_update(ps, gs, velocities, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    if momentum:
        update("sgd_momentum", (ps, velocities), gs, lambda: (float(lr), weight_decay, momentum, nesterov))
    else:
        update("sgd", (ps,), gs, lambda: (float(lr), weight_decay))


def rmsprop_update(ps, gs, squares, lr, decay, eps, weight_decay=0.0):
    update("rmsprop", (ps, squares), gs, lambda: (float(lr), decay, 1 - decay, eps, weight_decay))


def adam_update(ps, gs, means, squares, lr, beta1, beta2, eps, weight_decay, decoupled, step):
    def settings():
        return adam_settings(float(lr), beta1, beta2, eps, weight_decay, decoupled, int(step))

    update("adam", (ps, means, squares), gs, settings)


def adam_settings(lr, beta1, beta2, eps, weight_decay, decoupled, step):
    """The settings of the kernel `adam`: the parts of its formula that are the same for all elements."""
    keep, decay = (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
    rate, unbiased = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    return rate, beta1, 1 - beta1, beta2, 1 - beta2, eps, keep, decay, unbiased


def update(kernel, states, gs, settings):
    """Run a kernel on lists of parameters, their states and their gradients.

    settings: returns the numbers that the kernel reads from memory; called now, or before each replay of a capture
    """
    if not gs:
        return
    gs = contiguous(*gs)
    like, dtype = gs[0], gs[0].dtype
    lists = *states, gs
    table, blocks = table_of(lists, dtype)
    if not blocks:
        return

    def addresses(kept=lists):  # the default keeps the arrays alive, so that the addresses stay valid
        return table.ravel()

    addresses = supplied(addresses, table.size, np.int64, like)
    settings = supplied(settings, SETTINGS[kernel], dtype, like)
    run("optim.cu", kernel, (blocks, THREADS), addresses, settings, len(table), real=dtype)


def table_of(lists, dtype):
    """(table, blocks of threads). The table, int64, has a row for each parameter with elements: its first block, its
    number of elements, and the addresses of its arrays, one from each list."""
    table, blocks = [], 0
    for arrays in zip(*lists, strict=True):
        for array in arrays:
            if array.shape != arrays[0].shape:
                raise ShapeError(f"updates: a parameter has shape {arrays[0].shape}, what belongs to it {array.shape}")
            if array.dtype != dtype:
                raise DtypeError(f"updates: all arrays are of the gradients' dtype, {dtype}, but one is {array.dtype}")
            if not array.flags.c_contiguous:
                raise ValueError("updates are in place: a parameter and its state must be contiguous")
        size = arrays[0].size
        if size:
            table.append((blocks, size, *map(address_of, arrays)))
            blocks += -(-size // BLOCK)
    return np.array(table, np.int64), blocks
