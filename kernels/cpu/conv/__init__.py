"""The three convolutions: which algorithm computes them.

    product     one matrix product, where no pixel is read twice: 1 x 1 kernels, or kernels as large as the image
    direct      products read directly from the padded image: few channels
    im2col      columns of patches, block by block, times the weights: every geometry
    winograd2   minimal filtering, 2 outputs along each axis at a time: about half of the products, similar rounding
    winograd3   3 at a time
    winograd4   4 at a time: 2.6 to 4 times fewer products, and errors up to 4 times PyTorch's

Each computes all three convolutions. The geometry decides, unless the caller names an algorithm.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigan.errors import ShapeError, UnknownNameError
from minigan.kernels.cpu.conv import direct, im2col, winograd
from minigan.kernels.cpu.products import matmul
from minigan.kernels.cpu.runtime.threads import misfit, plain
from minigan.kernels.geometry import ConvGeometry

FEW_CHANNELS = 4  # up to here copying columns takes longer than multiplying them
CHANNELS = 32  # from here on transforms cost little compared with the products they save
WORK = 1 << 26  # multiplications; from here on transforms pay


def conv2d(x, w, g, bias=None, slope=1.0, algorithm=None):
    check("conv2d", x, g.image, w, g.weight, bias, g.K)
    return chosen(g, x.dtype, algorithm).conv2d(x, w, g, bias, slope)


def conv2d_transpose(y, w, g, bias=None, algorithm=None):
    check("conv2d_transpose", y, g.features, w, g.weight, bias, g.C)
    return chosen(g, y.dtype, algorithm).conv2d_transpose(y, w, g, bias)


def conv2d_weight(x, y, g, algorithm=None):
    check("conv2d_weight", x, g.image, y, g.features)
    return chosen(g, x.dtype, algorithm).conv2d_weight(x, y, g)


def check(call, a, shape, b, other_shape, bias=None, channels=0):
    """Raise ShapeError if arrays do not have the shapes that the geometry gives."""
    if a.shape != shape or b.shape != other_shape or not (bias is None or bias.shape == (channels,)):
        misfit(call, *(array for array in (a, b, bias) if array is not None))


# ------------------------------------------------------------------------------------------ the choice


@functools.lru_cache(maxsize=1024)
def algorithm_for(g: ConvGeometry, dtype: np.dtype) -> str:
    """The algorithm that computes this convolution and its two gradients in the least time."""
    if is_empty(g):
        return "im2col"
    if is_one_product(g):
        return "product"
    if g.C <= FEW_CHANNELS and direct.suits(g):
        return "direct"
    multiplications = g.N * g.OH * g.OW * g.K * g.C * g.KH * g.KW
    if (
        dtype == np.float32  # users of float64 need its precision
        and min(g.C, g.K) >= CHANNELS
        and multiplications >= WORK
        and winograd.suits(g)
        and winograd.products(g, 4) < 0.7
    ):
        return "winograd4"
    return "im2col"


def chosen(g: ConvGeometry, dtype: np.dtype, name: str | None) -> "Algorithm":
    """The algorithm of this name, or the best one."""
    if name is None:
        return ALGORITHMS[algorithm_for(g, dtype)]
    if name not in ALGORITHMS:
        raise UnknownNameError("convolution algorithm", name, ALGORITHMS)
    algorithm = ALGORITHMS[name]
    if not algorithm.suits(g):
        raise ShapeError(f"algorithm {name!r} is for {algorithm.suited}; im2col does every geometry. This is {g}")
    return ALGORITHMS["im2col"] if is_empty(g) else algorithm


def is_empty(g: ConvGeometry) -> bool:
    """Whether there is nothing to multiply; only im2col supports that."""
    return 0 in (*g.image, *g.weight, *g.features)


# ------------------------------------------------------------------------------------------ one product


def is_one_product(g: ConvGeometry) -> bool:
    """Whether the columns of im2col are the image itself.

    A 1 x 1 kernel of stride 1 multiplies each pixel; a kernel as large as the image is a dense layer.
    """
    return (
        g.G == 1
        and (g.PT, g.PB, g.PL, g.PR) == (0, 0, 0, 0)
        and (
            (g.KH, g.KW, g.SH, g.SW) == (1, 1, 1, 1)
            or ((g.KH, g.KW, g.OH, g.OW) == (g.H, g.W, 1, 1) and (g.DH, g.DW) == (1, 1))
        )
    )


def as_product(x, w, g, bias=None, slope=1.0):
    x, w = plain(x, w)
    rows, depth = columns_of(g)
    return matmul(x.reshape(rows, depth), w.reshape(depth, g.K), bias, slope).reshape(g.features)


def transpose_as_product(y, w, g, bias=None):
    y, w = plain(y, w)
    rows, depth = columns_of(g)
    if bias is not None:
        bias = np.tile(bias, depth // g.C)
    return matmul(y.reshape(rows, g.K), w.reshape(depth, g.K).T, bias).reshape(g.image)


def weight_as_product(x, y, g):
    x, y = plain(x, y)
    rows, depth = columns_of(g)
    return matmul(x.reshape(rows, depth).T, y.reshape(rows, g.K)).reshape(g.weight)


def columns_of(g):
    """The shape of im2col's columns: (output pixels, elements of a patch)."""
    return g.N * g.OH * g.OW, g.KH * g.KW * g.C


# ------------------------------------------------------------------------------------------ all algorithms


class Algorithm(NamedTuple):
    """The three convolutions by one algorithm, and the geometries that it supports."""

    suits: Callable[[ConvGeometry], bool]
    suited: str  # the supported geometries in words
    conv2d: Callable[..., np.ndarray]
    conv2d_transpose: Callable[..., np.ndarray]
    conv2d_weight: Callable[..., np.ndarray]


def _winograd(tile):
    functions = winograd.conv2d, winograd.conv2d_transpose, winograd.conv2d_weight
    return Algorithm(winograd.suits, winograd.SUITED, *(functools.partial(each, tile=tile) for each in functions))


ALGORITHMS = {
    "product": Algorithm(
        is_one_product,
        "1 x 1 kernels of stride 1 and kernels as large as the image, without padding and groups",
        as_product,
        transpose_as_product,
        weight_as_product,
    ),
    "im2col": Algorithm(lambda g: True, "all", im2col.conv2d, im2col.conv2d_transpose, im2col.conv2d_weight),
    "direct": Algorithm(direct.suits, direct.SUITED, direct.conv2d, direct.conv2d_transpose, direct.conv2d_weight),
    "winograd2": _winograd(2),
    "winograd3": _winograd(3),
    "winograd4": _winograd(4),
}
