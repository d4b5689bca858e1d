"""The three convolutions by im2col, a product by the device's own library, and col2im: the textbook form, and the
baseline for timing the implicit products. The columns are KH * KW times as large as the image."""

from minigan.kernels.cuda.launch import empty, launcher_of
from minigan.kernels.cuda.tiling import finish
from minigan.kernels.cuda.window import col2im, im2col


def conv2d(x, w, g, bias, slope):
    y = empty(g.features, x)
    alone = of_one_group(g)
    for of_c, of_k in groups(g):
        columns = im2col(x[..., of_c], alone)
        y[..., of_k] = product(columns, matrix(w[..., of_k])).reshape(alone.features)
    if bias is not None or slope != 1:
        finish(y, y, bias=bias, slope=slope)
    return y


def conv2d_transpose(y, w, g, bias):
    x = empty(g.image, y)
    alone = of_one_group(g)
    for of_c, of_k in groups(g):
        columns = product(matrix(y[..., of_k]), matrix(w[..., of_k]).T)
        x[..., of_c] = col2im(columns, alone)
    if bias is not None:
        finish(x, x, bias=bias)
    return x


def conv2d_weight(x, y, g):
    w = empty(g.weight, x)
    alone = of_one_group(g)
    for of_c, of_k in groups(g):
        columns = im2col(x[..., of_c], alone)
        w[..., of_k] = product(columns.T, matrix(y[..., of_k])).reshape(alone.weight)
    return w


def groups(g):
    """Each group's channels on the image side and on the feature side, as two slices."""
    c, k = g.C // g.G, g.K // g.G
    return [(slice(n * c, (n + 1) * c), slice(n * k, (n + 1) * k)) for n in range(g.G)]


def of_one_group(g):
    return g._replace(C=g.C // g.G, K=g.K // g.G, G=1)


def matrix(array):
    """The array as a matrix (rows, size of the last axis)."""
    return array.reshape(-1, array.shape[-1])


def product(a, b):
    return launcher_of(a).matmul(a, b)
