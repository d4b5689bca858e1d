"""The convolutions and dense layers of a network, with their shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minigan import nn
from minigan.kernels.geometry import ConvGeometry
from minigan.models import GAN
from minigan.models.rgan import Stage

SHAPING = ("stride", "padding", "dilation", "groups", "output_padding")  # settings that determine a layer's geometry


class Convolution(NamedTuple):
    """One layer: a convolution with this geometry, or its adjoint if `transposed`."""

    number: int
    part: str  # "", or the name of a layer within one stage
    geometry: ConvGeometry
    transposed: bool

    @property
    def label(self) -> str:
        """A short description such as "2 64->128 at 32 4x4/2"."""
        g = self.geometry
        inputs, outputs, at = (g.K, g.C, g.OH) if self.transposed else (g.C, g.K, g.H)
        stride = f"/{g.SH}" if g.SH > 1 else ""
        return f"{self.number}{self.part} {inputs}->{outputs} at {at} {g.KH}x{g.KW}{stride}"

    @property
    def plain_product(self) -> bool:
        """Whether the layer is a plain matrix product: each pixel is in one window, so im2col only reshapes."""
        g = self.geometry
        return (g.KH, g.KW) == (1, 1) or (g.KH, g.KW, g.OH, g.OW) == (g.H, g.W, 1, 1)


class Dense(NamedTuple):
    """A dense layer on (rows, inputs)."""

    rows: int
    inputs: int
    outputs: int


def layers(network: nn.Sequential, batch: int, shape: tuple[int, ...]) -> Iterator[Convolution | Dense]:
    """The convolutions and dense layers of a network, in order, for a batch of inputs of this shape."""
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
    """FLOPs of one pass by the definition, two per multiply-add."""
    if isinstance(layer, Dense):
        return 2 * layer.rows * layer.inputs * layer.outputs
    g = layer.geometry
    return 2 * g.N * g.OH * g.OW * g.K * (g.C // g.G) * g.KH * g.KW


def products_of_a_step(gan: GAN, batch: int) -> int:
    """FLOPs in the products of one training step.

    The generator runs once and the discriminator three times: on real images, on generated ones, and on generated ones
    for the generator's update. The discriminator's two backward passes need all gradients except the images'; the
    generator's needs the discriminator's input gradients, and all of its own except the noise's.
    """
    generator = [products(layer) for layer in layers(gan.generator, batch, (gan.latent_size,))]
    discriminator = [products(layer) for layer in layers(gan.discriminator, batch, gan.image_shape)]
    backward = 2 * sum(generator) - generator[0] + 2 * (2 * sum(discriminator) - discriminator[0]) + sum(discriminator)
    return sum(generator) + 3 * sum(discriminator) + backward


def operands(g: ConvGeometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random image side, weight and feature side: float32, the same for every engine."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape, np.float32) for shape in (g.image, g.weight, g.features))
