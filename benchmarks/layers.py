"""The convolutions and dense layers of a network, with the shapes that they meet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minigan import nn
from minigan.kernels.geometry import ConvGeometry
from minigan.models import GAN
from minigan.models.rgan import Stage

SHAPING = ("stride", "padding", "dilation", "groups", "output_padding")  # what a layer's geometry follows from


class Convolution(NamedTuple):
    """One layer: a convolution, or where it is transposed, the adjoint of the one with this geometry."""

    number: int
    part: str  # "" or which of the layers that make up one stage
    geometry: ConvGeometry
    transposed: bool

    @property
    def label(self) -> str:
        """What goes in and how: "2 64->128 at 32 4x4/2"."""
        g = self.geometry
        inputs, outputs, at = (g.K, g.C, g.OH) if self.transposed else (g.C, g.K, g.H)
        stride = f"/{g.SH}" if g.SH > 1 else ""
        return f"{self.number}{self.part} {inputs}->{outputs} at {at} {g.KH}x{g.KW}{stride}"

    @property
    def plain_product(self) -> bool:
        """Whether each pixel is read by one output place only: im2col only reshapes, and this is a matrix product."""
        g = self.geometry
        return (g.KH, g.KW) == (1, 1) or (g.KH, g.KW, g.OH, g.OW) == (g.H, g.W, 1, 1)


class Dense(NamedTuple):
    """A dense layer on (rows, inputs)."""

    rows: int
    inputs: int
    outputs: int


def layers(network: nn.Sequential, batch: int, shape: tuple[int, ...]) -> Iterator[Convolution | Dense]:
    """The layers of a network that multiply matrices, in order, for a batch of inputs of this shape."""
    number = 0
    for layer in network:
        if isinstance(layer, nn.Linear | nn.Conv2d | Stage):
            number += 1
        if isinstance(layer, nn.Linear):
            yield Dense(batch, layer.inputs, layer.outputs)
            shape = (layer.outputs,)
        elif isinstance(layer, nn.Conv2d):
            found, shape = _convolution(number, "", layer, batch, shape)
            yield found
        elif isinstance(layer, Stage):
            found, shape = _convolution(number, "", layer.grow, batch, shape)
            yield found
            joined = (*shape[:2], layer.mix.inputs)
            found, shape = _convolution(number, " mix", layer.mix, batch, joined)
            yield found
        elif isinstance(layer, nn.Reshape):
            shape = layer.shape


def _convolution(number, part, layer, batch, shape):
    given, weight = (batch, *shape), layer.weight.shape
    how = {name: setting for name, setting in layer.how.items() if name in SHAPING}
    if layer.transposed:
        geometry = ConvGeometry.of_transpose(given, weight, **how)
    else:
        geometry = ConvGeometry.of_conv(given, weight, **how)
    return Convolution(number, part, geometry, layer.transposed), (
        geometry.image if layer.transposed else geometry.features
    )[1:]


def products(layer: Convolution | Dense) -> int:
    """Floating point operations of one pass: two for each product and its sum, as the definition has them."""
    if isinstance(layer, Dense):
        return 2 * layer.rows * layer.inputs * layer.outputs
    g = layer.geometry
    return 2 * g.N * g.OH * g.OW * g.K * (g.C // g.G) * g.KH * g.KW


def products_of_a_step(gan: GAN, batch: int) -> int:
    """Floating point operations in the products of one training step.

    The generator runs once and the discriminator three times: real, generated, and generated for the generator. In
    the discriminator's update two passes backwards need all gradients but that of the images; the generator's needs
    the discriminator's input gradients, and its own but that of the noise.
    """
    generator = [products(layer) for layer in layers(gan.generator, batch, (gan.latent_size,))]
    discriminator = [products(layer) for layer in layers(gan.discriminator, batch, gan.image_shape)]
    backward = 2 * sum(generator) - generator[0] + 2 * (2 * sum(discriminator) - discriminator[0]) + sum(discriminator)
    return sum(generator) + 3 * sum(discriminator) + backward


def operands(g: ConvGeometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image side, weight and feature side to measure with: float32, the same for every engine."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape, np.float32) for shape in (g.image, g.weight, g.features))
