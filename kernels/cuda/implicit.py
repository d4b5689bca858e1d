"""The three convolutions as implicit matrix products, conv.cu: columns of patches are never written.

numbers: None, or what factors are rounded to, for tensor cores; how: a Plan, which the geometry decides unless given
"""

from minigan.kernels.cuda.launch import run
from minigan.kernels.cuda.tiling import in_parts, plan


def conv2d(x, w, g, bias, slope, *, numbers=None, how=None):
    sizes = g.N * g.OH * g.OW, g.K // g.G
    how = how or plan(*sizes, g.KH * g.KW * (g.C // g.G), g.G, numbers)

    def launch(out, bias, biased, slope):
        blocks = how.grid(*sizes, g.G)
        run("conv.cu", f"conv2d_{how.shape}", blocks, x, w, bias, out, g, biased, slope, how.parts)

    return in_parts(launch, how, g.features, x, bias, slope)


def conv2d_transpose(y, w, g, bias, *, numbers=None, how=None):
    # of each phase; its depth: of the taps that reach it, the most that there are
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
