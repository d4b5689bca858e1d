"""FLOPs and bytes of every kernel for a layer of the DCGAN at 64 pixels, for a roofline.

A FLOP is a sum, difference, product, quotient, root, exponential or logarithm; comparisons are not counted. Bytes count
each array once, including arrays passed between two launches of one operation.
tests/docs/test_lecture_operations.py compares both with what the kernels do on the device sim.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.layers import Convolution, layers, products
from docs.build.lecture.launches import Launch, launches_of, paper
from docs.build.lecture.tiles import all_tiles
from minigan import models
from minigan.kernels import cuda
from minigan.kernels.cuda.conv import ALGORITHMS
from minigan.kernels.cuda.implicit import is_the_image
from minigan.kernels.cuda.tiling import ON_TENSOR_CORES
from minigan.kernels.geometry import ConvGeometry

BATCH, SIZE = 64, 64
DIRECTIONS = ("conv2d", "conv2d_transpose", "conv2d_weight")
EPSILON, SLOPE = 1e-5, 0.2

# Published, not measured, for the H200: bytes per second, FLOP per second (tensor cores without sparsity).
# source: NVIDIA H200 Tensor Core GPU, data sheet, SXM
BANDWIDTH = 4.8e12
CEILINGS = {"fp32": 67e12, "fp64": 34e12, "tf32": 494e12, "bf16": 989e12}


class Sizes(NamedTuple):
    """The shapes that operations are applied to; make(shape) returns an array, make(shape, values) one with values."""

    make: Callable
    maps: tuple[int, ...]  # of the discriminator's first layer, before its activation
    images: tuple[int, ...]  # that the generator makes
    conv: ConvGeometry  # of the discriminator's second layer
    logits: tuple[int, ...]
    noise: tuple[int, ...]
    weights: list[tuple[int, ...]]  # of all parameters

    @property
    def pool(self) -> ConvGeometry:
        """Windows of 2 x 2 over the maps."""
        return ConvGeometry.of_window(self.maps, kernel_size=2, stride=2)

    @property
    def window(self) -> ConvGeometry:
        """The convolution's windows, over each channel separately."""
        return self.conv._replace(K=self.conv.C, G=self.conv.C)


class Operation(NamedTuple):
    """One operation: call(sizes) runs it.

    flops(sizes): without those that combine the runs of a sum, which are few
    bytes(sizes): None for the default, every array of every launch once
    ceiling: the name of its arithmetic ceiling in CEILINGS
    """

    name: str
    layer: str
    call: Callable
    flops: Callable
    bytes: Callable | None
    ceiling: str

    def launches(self, sizes: Sizes) -> list[Launch]:
        """Its launches, for sizes whose arrays are Paper."""
        return launches_of(lambda: self.call(sizes))

    def traffic(self, sizes: Sizes) -> int:
        """Its bytes, for sizes whose arrays are Paper."""
        return self.bytes(sizes) if self.bytes else sum(launch.bytes for launch in self.launches(sizes))


OPERATIONS: dict[str, Operation] = {}


def operation(name: str, layer: str, flops: Callable, bytes: Callable | None = None, ceiling: str = "fp32"):
    """Decorator that adds a call to OPERATIONS."""

    def put(call):
        OPERATIONS[name] = Operation(name, layer, call, flops, bytes, ceiling)
        return call

    return put


def count(shape) -> int:
    return int(np.prod(shape))


@functools.cache
def dcgan() -> models.GAN:
    return models.build("dcgan", (SIZE, SIZE, 3))


def of_the_dcgan() -> Sizes:
    """The layers used in docs/kernels.md, of the DCGAN at 64 pixels with a batch of 64; arrays are Paper."""
    gan, named = dcgan(), dcgan_layers()
    first, second = named["D1"], named["D2"]
    weights = [p.shape for network in (gan.generator, gan.discriminator) for p in network.parameters()]
    images = (BATCH, *gan.image_shape)
    noise = (BATCH, gan.latent_size)
    return Sizes(on_paper, first.geometry.features, images, second.geometry, (BATCH, 1), noise, weights)


def on_paper(shape, values=None):
    return paper(shape) if values is None else paper(shape, values.dtype)


def dcgan_layers() -> dict[str, Convolution]:
    """The DCGAN's convolutions by a short name: G1 to G5, D1 to D5."""
    gan = dcgan()
    generator = layers(gan.generator, BATCH, (gan.latent_size,))
    discriminator = layers(gan.discriminator, BATCH, gan.image_shape)
    return {f"{of}{one.number}": one for of, network in (("G", generator), ("D", discriminator)) for one in network}


def taps_inside(g: ConvGeometry) -> int:
    """The number of elements of im2col's matrix that are pixels, not padding."""

    def along(windows, kernel, size, stride, pad, dilation):
        places = np.arange(windows)[:, None] * stride + np.arange(kernel) * dilation - pad
        return int(((places >= 0) & (places < size)).sum())

    down = along(g.OH, g.KH, g.H, g.SH, g.PT, g.DH)
    return g.N * g.C * down * along(g.OW, g.KW, g.W, g.SW, g.PL, g.DW)


# ------------------------------------------------------------------------------------------ elementwise

D1, D2, G1, IMAGES = "D1's maps, 32 x 32 x 64", "D2, 64->128 at 32, 4x4/2", "G1, 100->512, 4x4", "64 x 64 x 3"
POOLED, ALL, NOISE, LOGITS = "D1's maps, 2x2", "all parameters", "100 per image", "one per image"


@operation("leaky_relu", D1, lambda at: count(at.maps))
def _(at):
    return cuda.leaky_relu(at.make(at.maps), SLOPE)


@operation("leaky_relu_vjp", D1, lambda at: count(at.maps))
def _(at):
    return cuda.leaky_relu_vjp(at.make(at.maps), at.make(at.maps), SLOPE)


@operation("tanh_vjp", IMAGES, lambda at: 3 * count(at.images))
def _(at):
    return cuda.tanh_vjp(at.make(at.images), at.make(at.images))


# ------------------------------------------------------------------------------------------ windows


@operation("im2col", D2, lambda at: 0)
def _(at):
    return cuda.im2col(at.make(at.window.image), at.window)


# elements of im2col's matrix over padding are not read
@operation("col2im", D2, lambda at: taps_inside(at.window), lambda at: 4 * (taps_inside(at.window) + count(at.maps)))
def _(at):
    return cuda.col2im(at.make(at.window.columns), at.window)


@operation("max_pool_indices", POOLED, lambda at: 0)
def _(at):
    return cuda.max_pool_indices(at.make(at.maps), at.pool)


@operation("pool_gather", POOLED, lambda at: 0, lambda at: 3 * 4 * count(at.pool.features))  # one pixel per window
def _(at):
    return cuda.pool_gather(at.make(at.maps), chosen(at), at.pool)


@operation("pool_scatter", POOLED, lambda at: count(at.pool.features))
def _(at):
    return cuda.pool_scatter(at.make(at.pool.features), chosen(at), at.pool)


def chosen(at):
    """The place of the first pixel of each window."""
    g = at.pool
    places = (np.arange(g.OH)[:, None] * g.SH * g.W + np.arange(g.OW) * g.SW)[None, :, :, None]
    return at.make(g.features, np.broadcast_to(places, g.features).astype(np.int32))


@operation("window_sum", POOLED, lambda at: taps_inside(at.pool))
def _(at):
    return cuda.window_sum(at.make(at.maps), at.pool)


@operation("window_spread", POOLED, lambda at: taps_inside(at.pool))
def _(at):
    return cuda.window_spread(at.make(at.pool.features), at.pool)


# ------------------------------------------------------------------------------------------ sums of columns


@operation("bias_sum", D1, lambda at: count(at.maps), ceiling="fp64")
def _(at):
    return cuda.bias_sum(rows(at, at.maps))


@operation("leaky_relu_vjp_sum", D1, lambda at: 2 * count(at.maps), ceiling="fp64")
def _(at):
    return cuda.leaky_relu_vjp_sum(rows(at, at.maps), rows(at, at.maps), SLOPE)


@operation("batch_norm", D2, lambda at: 8 * count(at.conv.features), ceiling="fp64")
def _(at):
    return cuda.batch_norm(rows(at, at.conv.features), at.make(at.conv.K), at.make(at.conv.K), EPSILON, SLOPE)


@operation("batch_norm_vjp", D2, lambda at: 19 * count(at.conv.features), ceiling="fp64")
def _(at):
    g, x = rows(at, at.conv.features), rows(at, at.conv.features)
    return cuda.batch_norm_vjp(g, x, *(at.make(at.conv.K) for _ in range(4)), SLOPE)


@operation("binary_cross_entropy_sum", LOGITS, lambda at: 7 * count(at.logits))
def _(at):
    return cuda.binary_cross_entropy_sum(at.make(at.logits), 1.0)


@operation("binary_cross_entropy_excess", LOGITS, lambda at: 6 * count(at.logits))
def _(at):
    return cuda.binary_cross_entropy_excess(at.make(at.logits), 1.0)


def rows(at, shape):
    """An array of images reshaped to (pixels, channels)."""
    return at.make(shape).reshape(-1, shape[-1])


# ------------------------------------------------------------------------------------------ products


@operation("matmul", G1, lambda at: 2 * at.noise[0] * count(at.weights[0]))
def _(at):
    images, depth = at.noise
    return cuda.matmul(at.make((images, depth)), at.make((depth, count(at.weights[0]) // depth)))


def of_a_convolution(g: ConvGeometry, direction: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of its two arguments."""
    return {
        "conv2d": (g.image, g.weight),
        "conv2d_transpose": (g.features, g.weight),
        "conv2d_weight": (g.image, g.features),
    }[direction]


def multiplied(g: ConvGeometry, direction: str, shape: str) -> int:
    """FLOPs of an implicit product in whole tiles of this shape: two per multiplication, including those by zeros."""
    tile = all_tiles()[shape]

    def of_product(rows, columns, depth):
        whole = [-(-size // by) * by for size, by in ((rows, tile.rows), (columns, tile.columns), (depth, tile.depth))]
        return 2 * g.G * count(whole)

    c, k = g.C // g.G, g.K // g.G
    if direction == "conv2d":
        return of_product(g.N * g.OH * g.OW, k, g.KH * g.KW * c)
    if direction == "conv2d_weight":
        return of_product(g.KH * g.KW * c, k, g.N * g.OH * g.OW)
    if is_the_image(g):
        return of_product(g.N, g.KH * g.KW * c, k)
    down, along = phases(g.H, g.KH, g.SH, g.PT, g.DH), phases(g.W, g.KW, g.SW, g.PL, g.DW)
    each = [(p, q) for p in down for q in along]
    return sum(of_product(g.N * len(p.pixels) * len(q.pixels), c, len(p.taps) * len(q.taps) * k) for p, q in each)


class Phase(NamedTuple):
    """Along one axis, the pixels with one residue, and the taps that reach them."""

    pixels: list[int]
    taps: list[int]


def phases(size: int, kernel: int, stride: int, padding: int, dilation: int) -> list[Phase]:
    """The phases of a transposed convolution along one axis, by residue of the place in the padded image."""

    def having(residue, count, place):
        return [number for number in range(count) if place(number) % stride == residue]

    return [
        Phase(having(residue, size, lambda pixel: pixel + padding), having(residue, kernel, lambda tap: tap * dilation))
        for residue in range(stride)
    ]


def convolution(at, g, direction, algorithm):
    first, second = of_a_convolution(g, direction)
    return getattr(cuda, direction)(at.make(first), at.make(second), g, algorithm=algorithm)


for _direction in DIRECTIONS:
    for _algorithm in ALGORITHMS:
        operation(
            f"{_direction}, {_algorithm}",
            D2,
            lambda at: products(Convolution(2, "", at.conv, False)),
            ceiling=_algorithm if _algorithm in ON_TENSOR_CORES else "fp32",
        )(lambda at, how=(_direction, _algorithm): convolution(at, at.conv, *how))


# ------------------------------------------------------------------------------------------ optimisers, random numbers


def updated(kernel, states, *settings):
    """A call of an optimiser that keeps this number of states per parameter."""

    def call(at):
        parameters, gradients, *others = ([at.make(shape) for shape in at.weights] for _ in range(2 + states))
        return getattr(cuda, kernel)(parameters, gradients, *others, *settings)

    return call


def of_all(factor):
    return lambda at: factor * sum(map(count, at.weights))


# bytes: without the table and the settings, which are tiny
operation("sgd_update", ALL, of_all(4), of_all(3 * 4))(updated("sgd_update", 1, 2e-4))
operation("sgd_update, momentum", ALL, of_all(6), of_all(5 * 4))(updated("sgd_update", 1, 2e-4, 0.9))
operation("rmsprop_update", ALL, of_all(11), of_all(5 * 4))(updated("rmsprop_update", 1, 2e-4, 0.99, 1e-8))
operation("adam_update", ALL, of_all(16), of_all(7 * 4))(
    updated("adam_update", 2, 2e-4, 0.5, 0.999, 1e-8, 0.0, False, 1)
)


@operation("standard_normal", NOISE, lambda at: 78 * (count(at.noise) // 4))
def _(at):
    return cuda.standard_normal(at.make(at.noise), 1, 0)


@operation("uniform", NOISE, lambda at: count(at.noise))
def _(at):
    return cuda.uniform(at.make(at.noise), 1, 0)
