"""The kernels in NumPy alone: convolution as images to columns, one matrix product, columns to images.

This is the form that textbooks show. It trades memory for speed: the columns hold each pixel once for each window
that reads it, and in return the BLAS library computes the product. It trains small networks wherever NumPy runs, and
minigan uses it where Numba is not installed. Everything but convolutions and products is the reference's.

g is a ConvGeometry; see minigan.kernels.geometry for its letters. M = N * OH * OW windows, T = KH * KW taps.
"""

from minigan.errors import MiniganError
from minigan.kernels.reference import *  # noqa: F403
from minigan.kernels.reference import col2im, im2col, leaky_relu


def conv2d(x, w, g, bias=None, slope=1.0, algorithm=None):
    """The product of the windows and the filters, for x (N, H, W, C) and w (KH, KW, C // G, K): (N, OH, OW, K)."""
    products = windows_of(x, g) @ filters_of(w, g)  # (G, M, K // G)
    y = products.transpose(1, 0, 2).reshape(g.features)
    return leaky_relu(y if bias is None else y + bias, slope)


def conv2d_transpose(y, w, g, bias=None, algorithm=None):
    """The adjoint of conv2d in x: what each feature adds to the pixels of its window, for y (N, OH, OW, K)."""
    products = features_of(y, g) @ filters_of(w, g).transpose(0, 2, 1)  # (G, M, T * C // G)
    columns = products.reshape(g.G, g.columns[0], g.KH * g.KW, g.C // g.G).transpose(1, 2, 0, 3)
    x = col2im(columns, g)
    return x if bias is None else x + bias


def conv2d_weight(x, y, g, algorithm=None):
    """The adjoint of conv2d in w, for x (N, H, W, C) and y (N, OH, OW, K): (KH, KW, C // G, K)."""
    products = windows_of(x, g).transpose(0, 2, 1) @ features_of(y, g)  # (G, T * C // G, K // G)
    return products.transpose(1, 0, 2).reshape(g.weight)


def windows_of(x, g):
    """im2col, group by group: (G, M, T * C // G)."""
    columns = im2col(x, g).reshape(-1, g.KH * g.KW, g.G, g.C // g.G)
    return columns.transpose(2, 0, 1, 3).reshape(g.G, len(columns), g.columns[1] // g.G)


def filters_of(w, g):
    """The weights as a matrix for each group: (G, T * C // G, K // G)."""
    return w.reshape(g.KH * g.KW * (g.C // g.G), g.G, g.K // g.G).transpose(1, 0, 2)


def features_of(y, g):
    """The features as a matrix for each group: (G, M, K // G)."""
    return y.reshape(-1, g.G, g.K // g.G).transpose(1, 0, 2)


def matmul(a, b, bias=None, slope=1.0):
    """leaky_relu(a @ b + bias, slope), for a (M, D), b (D, N) and a bias (N,): (M, N)."""
    y = a @ b
    return leaky_relu(y if bias is None else y + bias, slope)


def get_threads():
    return 1


def set_threads(count):
    if count != 1:
        raise MiniganError(
            "set_threads: without Numba only the BLAS library uses several threads; "
            "set OMP_NUM_THREADS before Python starts"
        )
