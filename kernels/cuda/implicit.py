"""The three convolutions as implicit matrix products (conv.cu): the columns of patches are never written to memory.

If the window is the whole image, each image has one output pixel, and the transposed convolution is a plain matrix
product. The implicit product would be slow: a single tap reaches each pixel, but it would try all KH * KW of them.

numbers: the type that factors are rounded to for tensor cores, or None; how: a Plan, by default chosen by geometry
"""

from minigan.kernels.cuda.launch import run
from minigan.kernels.cuda.matmul import matmul
from minigan.kernels.cuda.tiling import finish, in_parts, plan


def conv2d(x, w, g, bias, slope, *, numbers=None, how=None):
    sizes = g.N * g.OH * g.OW, g.K // g.G
    how = how or plan(*sizes, g.KH * g.KW * (g.C // g.G), g.G, numbers)

    def launch(out, bias, biased, slope):
        blocks = how.grid(*sizes, g.G)
        run("conv.cu", f"conv2d_{how.shape}", blocks, x, w, bias, out, g, biased, slope, how.parts)

    return in_parts(launch, how, g.features, x, bias, slope)


def conv2d_transpose(y, w, g, bias, *, numbers=None, how=None):
    if how is None and is_the_image(g):
        return product(y, w, g, bias, numbers)
    # the sizes of one phase; its depth counts the largest number of taps that reach a phase
    sizes, phases = (g.N * -(-g.H // g.SH) * -(-g.W // g.SW), g.C // g.G), g.SH * g.SW
    how = how or plan(*sizes, -(-g.KH // g.SH) * -(-g.KW // g.SW) * (g.K // g.G), phases * g.G, numbers)

    def launch(out, bias, biased, slope):
        blocks = how.grid(*sizes, phases * g.G)
        run("conv.cu", f"transpose_{how.shape}", blocks, y, w, bias, out, g, biased, slope, how.parts)

    return in_parts(launch, how, g.image, y, bias)


def conv2d_weight(x, y, g, *, numbers=None, how=None):
    sizes = g.KH * g.KW * (g.C // g.G), g.K // g.G
    how = how or plan(*sizes, g.N * g.OH * g.OW, g.G, numbers)

    def launch(out, *_):
        run("conv.cu", f"weight_{how.shape}", how.grid(*sizes, g.G), x, y, out, g, how.parts)

    return in_parts(launch, how, g.weight, x)


def is_the_image(g):
    """Whether the window covers exactly the image, in one group."""
    return (g.OH, g.OW, g.G) == (1, 1, 1) and (g.H, g.W) == (g.KH, g.KW) and (g.PT, g.PL, g.DH, g.DW) == (0, 0, 1, 1)


def product(y, w, g, bias, numbers):
    """The transposed convolution if the window is the image: (N, K) @ (K, KH * KW * C), then a bias per channel."""
    columns = g.KH * g.KW * g.C
    x = matmul(y.reshape(g.N, g.K), w.reshape(columns, g.K).T, how=plan(g.N, columns, g.K, numbers=numbers))
    x = x.reshape(g.image)
    if bias is not None:
        finish(x, x, bias=bias)
    return x
