"""One training step of a GAN in PyTorch, without importing minigan."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.cases import GanCase
from benchmarks.peers import torch_networks


class Training:
    """Two networks and their optimisers: minigan.gan.Trainer.train_step in idiomatic PyTorch."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        channels_last: bool = False,
    ):
        self.generator, self.discriminator = generator, discriminator
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        if channels_last:
            self.generator.to(memory_format=self.layout)
            self.discriminator.to(memory_format=self.layout)
        adam = {"lr": learning_rate, "betas": betas}
        self.generator_optimiser = torch.optim.Adam(self.generator.parameters(), **adam)
        self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), **adam)

    def images(self, images: np.ndarray) -> torch.Tensor:
        """(N, H, W, C) as PyTorch's (N, C, H, W) in this trainer's layout."""
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=self.layout)

    def step(self, real: torch.Tensor, noise: torch.Tensor) -> tuple[float, float]:
        """Both losses of one step; the discriminator first, then the generator on the same fakes."""
        fake = self.generator(noise)
        self.discriminator_optimiser.zero_grad()
        discriminator_loss = _cross_entropy(self.discriminator(real), 1) + _cross_entropy(
            self.discriminator(fake.detach()), 0
        )
        discriminator_loss.backward()
        self.discriminator_optimiser.step()

        self.generator_optimiser.zero_grad()
        self.discriminator.requires_grad_(False)
        generator_loss = _cross_entropy(self.discriminator(fake), 1)
        generator_loss.backward()
        self.generator_optimiser.step()
        self.discriminator.requires_grad_(True)
        return discriminator_loss.item(), generator_loss.item()


def first_step(case: GanCase, channels_last: bool):
    """A function without arguments that takes one step of a case, with new weights and random images."""
    training = Training(*torch_networks.build(case), channels_last=channels_last)
    real = torch.rand(case.batch, case.channels, case.size, case.size) * 2 - 1
    real = real.contiguous(memory_format=training.layout)
    return lambda: training.step(real, torch.randn(case.batch, torch_networks.LATENT))


def _cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
