"""Convolution, its adjoint and its weight gradient as one matrix product each, where no pixel is read twice.

A 1 x 1 kernel of stride 1 multiplies each pixel; a kernel as large as the image is a dense layer.
"""

import numpy as np

from minigan.kernels.cpu.arrays import plain
from minigan.kernels.cpu.matmul import matmul

SUITED = "1 x 1 kernels of stride 1 and kernels as large as the image, without padding and groups"


def suits(g) -> bool:
    """Whether the columns of im2col are the image itself."""
    return (
        g.G == 1
        and (g.PT, g.PB, g.PL, g.PR) == (0, 0, 0, 0)
        and (
            (g.KH, g.KW, g.SH, g.SW) == (1, 1, 1, 1)
            or ((g.KH, g.KW, g.OH, g.OW) == (g.H, g.W, 1, 1) and (g.DH, g.DW) == (1, 1))
        )
    )


def _sizes(g):
    """Rows of columns, and their length."""
    return g.N * g.OH * g.OW, g.KH * g.KW * g.C


def conv2d(x, w, g, bias=None, slope=1.0):
    x, w = plain(x, w)
    rows, depth = _sizes(g)
    return matmul(x.reshape(rows, depth), w.reshape(depth, g.K), bias, slope).reshape(g.features)


def conv2d_transpose(y, w, g, bias=None):
    y, w = plain(y, w)
    rows, depth = _sizes(g)
    if bias is not None:
        bias = np.tile(bias, depth // g.C)
    return matmul(y.reshape(rows, g.K), w.reshape(depth, g.K).T, bias).reshape(g.image)


def conv2d_weight(x, y, g):
    x, y = plain(x, y)
    rows, depth = _sizes(g)
    return matmul(x.reshape(rows, depth).T, y.reshape(rows, g.K)).reshape(g.weight)
