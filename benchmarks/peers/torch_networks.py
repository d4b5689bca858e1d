"""The networks of the training steps in PyTorch, as its users would write them, without importing minigan.

Processes whose memory or start is measured use these. tests/parity shows that they match minigan's layer for layer.
"same" for a 5 x 5 kernel and stride 2 puts one row or column of zeros before an even image and two after it, which
PyTorch's layers do not support: images are padded first, and a transposed convolution's last row and column are
cropped.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.cases import GanCase

LATENT = 100
HALVE = {"stride": 2, "padding": 1, "bias": False}  # with a 4 x 4 kernel


class SameConv2d(nn.Conv2d):
    """A 5 x 5 convolution with stride 2 and padding "same", for images of even size."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 5, stride=2)

    def forward(self, x):
        return super().forward(F.pad(x, (1, 2, 1, 2)))


class SameConvTranspose2d(nn.ConvTranspose2d):
    """The adjoint of `SameConv2d`: twice the size."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 5, stride=2, padding=1)

    def forward(self, y):
        return super().forward(y)[..., :-1, :-1]


class Stage(nn.Module):
    """One stage of the R-GAN's generator, which doubles the size, with its skip."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.grow = SameConvTranspose2d(inputs, outputs)
        self.mix = nn.Conv2d(inputs + outputs, outputs, 1)

    def forward(self, x):
        both = torch.cat([self.grow(x), F.interpolate(x, scale_factor=2)], 1)
        return F.leaky_relu(self.mix(both), 0.2, inplace=True)


def build(case: GanCase) -> tuple[nn.Sequential, nn.Sequential]:
    """The generator, noise (N, 100) to images (N, C, H, W), and the discriminator, images to logits (N, 1)."""
    if case.model == "mlp-gan":
        return _mlp_gan(case)
    if case.model == "rgan":
        return _rgan(case)
    return _dcgan_28(case) if case.size == 28 else _dcgan(case)


def _leaky():
    return nn.LeakyReLU(0.2, inplace=True)


def _mlp_gan(case):
    pixels = math.prod(case.shape)
    return (
        nn.Sequential(
            *(nn.Linear(LATENT, 128), _leaky(), nn.Linear(128, 128), _leaky(), nn.Linear(128, pixels), nn.Tanh()),
            nn.Unflatten(1, (case.channels, case.size, case.size)),
        ),
        nn.Sequential(
            *(nn.Flatten(), nn.Linear(pixels, 128), _leaky(), nn.Linear(128, 128), _leaky(), nn.Linear(128, 1))
        ),
    )


def _dcgan_28(case):
    return (
        nn.Sequential(
            *(nn.Linear(LATENT, 7 * 7 * 128, bias=False), nn.BatchNorm1d(7 * 7 * 128), nn.ReLU(inplace=True)),
            nn.Unflatten(1, (128, 7, 7)),
            *(nn.ConvTranspose2d(128, 64, 4, **HALVE), nn.BatchNorm2d(64), nn.ReLU(inplace=True)),
            *(nn.ConvTranspose2d(64, case.channels, 4, stride=2, padding=1), nn.Tanh()),
        ),
        nn.Sequential(
            *(nn.Conv2d(case.channels, 64, 4, stride=2, padding=1), _leaky()),
            *(nn.Conv2d(64, 128, 4, **HALVE), nn.BatchNorm2d(128), _leaky()),
            *(nn.Flatten(), nn.Linear(7 * 7 * 128, 1)),
        ),
    )


def _dcgan(case, maps=512):
    generator = [nn.Unflatten(1, (LATENT, 1, 1)), nn.ConvTranspose2d(LATENT, maps, 4, bias=False)]
    at = 4
    while at < case.size // 2:
        generator += [nn.BatchNorm2d(maps), nn.ReLU(inplace=True), nn.ConvTranspose2d(maps, maps // 2, 4, **HALVE)]
        maps, at = maps // 2, at * 2
    generator += [nn.BatchNorm2d(maps), nn.ReLU(inplace=True)]
    generator += [nn.ConvTranspose2d(maps, case.channels, 4, **HALVE), nn.Tanh()]
    discriminator = [nn.Conv2d(case.channels, maps, 4, **HALVE), _leaky()]
    while at > 4:
        discriminator += [nn.Conv2d(maps, maps * 2, 4, **HALVE), nn.BatchNorm2d(maps * 2), _leaky()]
        maps, at = maps * 2, at // 2
    discriminator += [nn.Conv2d(maps, 1, 4, bias=False), nn.Flatten()]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


def _rgan(case):
    generator, at, maps = [nn.Linear(LATENT, 4 * 4 * 512), _leaky(), nn.Unflatten(1, (512, 4, 4))], 4, 512
    while at < case.size // 2:
        generator.append(Stage(maps, maps // 2))
        at, maps = at * 2, maps // 2
    generator += [SameConvTranspose2d(maps, case.channels), nn.Tanh()]
    discriminator = nn.Sequential(
        *(SameConv2d(case.channels, 64), _leaky(), SameConv2d(64, 128), _leaky(), SameConv2d(128, 256), _leaky()),
        *(nn.Flatten(), nn.Linear((case.size // 8) ** 2 * 256, 1024), _leaky(), nn.Linear(1024, 1)),
    )
    return nn.Sequential(*generator), discriminator
