"""The three convolutions: which algorithm does the work.

    product     one matrix product, where no pixel is read twice: 1 x 1 kernels, or kernels as large as the image
    im2col      columns of patches, block by block, times the weights: every geometry
    direct      the same products, read from the padded image where they lie: few channels
    winograd2   minimal filtering, 2 outputs along each axis at a time: some half of the products, and rounds like them
    winograd3   3 at a time
    winograd4   4 at a time: 2.6 to 4 times fewer products, and errors up to 4 times PyTorch's

Each computes all three convolutions. The geometry decides, unless the caller names one.
"""

import functools
from types import ModuleType

import numpy as np

from minigan.errors import ShapeError, UnknownNameError
from minigan.kernels.cpu import blocked, direct, product, winograd
from minigan.kernels.cpu.arrays import misfit

ALGORITHMS = ("product", "im2col", "direct", "winograd2", "winograd3", "winograd4")
FEW_CHANNELS = 4  # up to here columns are copied for more time than they are multiplied
CHANNELS = 32  # from here on transforms cost little beside the products that they save
WORK = 1 << 26  # multiplications from which it pays to transform


def is_empty(g) -> bool:
    """Whether there is nothing to multiply; the fast algorithms count on something."""
    return 0 in (*g.image, *g.weight, *g.features)


@functools.lru_cache(maxsize=1024)
def algorithm_for(g, dtype) -> str:
    """The algorithm that does this convolution, and its two gradients, in the least time."""
    if is_empty(g):
        return "im2col"
    if product.suits(g):
        return "product"
    if g.C <= FEW_CHANNELS and direct.suits(g):
        return "direct"
    multiplications = g.N * g.OH * g.OW * g.K * g.C * g.KH * g.KW
    if (
        dtype == np.float32  # float64 is asked for where precision counts
        and min(g.C, g.K) >= CHANNELS
        and multiplications >= WORK
        and winograd.suits(g)
        and winograd.products(g, 4) < 0.7
    ):
        return "winograd4"
    return "im2col"


def chosen(g, dtype, algorithm: str | None) -> tuple[ModuleType, dict]:
    """The module of an algorithm, and what its functions want to know besides."""
    name = algorithm or algorithm_for(g, dtype)
    if name not in ALGORITHMS:
        raise UnknownNameError("convolution algorithm", name, ALGORITHMS)
    module = {"product": product, "im2col": blocked, "direct": direct}.get(name, winograd)
    if algorithm and module is not blocked and not module.suits(g):
        raise ShapeError(f"algorithm {name!r} is for {module.SUITED}; im2col does every geometry. This is {g}")
    if algorithm and is_empty(g):
        return blocked, {}
    return module, {"tile": int(name[-1])} if module is winograd else {}


def check(call, a, shape, b, other_shape, bias=None, channels=0):
    """Raise ShapeError where arrays are not of the shapes that a geometry has."""
    if a.shape != shape or b.shape != other_shape or not (bias is None or bias.shape == (channels,)):
        misfit(call, *(array for array in (a, b, bias) if array is not None))


def conv2d(x, w, g, bias=None, slope=1.0, algorithm=None):
    check("conv2d", x, g.image, w, g.weight, bias, g.K)
    module, how = chosen(g, x.dtype, algorithm)
    return module.conv2d(x, w, g, bias, slope, **how)


def conv2d_transpose(y, w, g, bias=None, algorithm=None):
    check("conv2d_transpose", y, g.features, w, g.weight, bias, g.C)
    module, how = chosen(g, y.dtype, algorithm)
    return module.conv2d_transpose(y, w, g, bias, **how)


def conv2d_weight(x, y, g, algorithm=None):
    check("conv2d_weight", x, g.image, y, g.features)
    module, how = chosen(g, x.dtype, algorithm)
    return module.conv2d_weight(x, y, g, **how)
