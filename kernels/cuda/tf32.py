"""The implicit products of float32 on tensor cores: factors are rounded to TF32, 10 bits after the point, sums not."""

import numpy as np

from minigan.errors import DtypeError
from minigan.kernels.cuda import implicit


def conv2d(x, w, g, bias, slope):
    check(x)
    return implicit.conv2d(x, w, g, bias, slope, tensor=True)


def conv2d_transpose(y, w, g, bias):
    check(y)
    return implicit.conv2d_transpose(y, w, g, bias, tensor=True)


def conv2d_weight(x, y, g):
    check(x)
    return implicit.conv2d_weight(x, y, g, tensor=True)


def check(array):
    if array.dtype != np.float32:
        raise DtypeError(f"algorithm 'tf32' is for float32, not {array.dtype}; convert with astype, or use 'implicit'")
