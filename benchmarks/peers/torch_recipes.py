"""A GAN's training step in PyTorch with any of minigan's recipes: the same networks, random numbers and order."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from benchmarks.peers.torch_gan import networks, parameters_of
from minigan import random
from minigan.data import Batches, to_uint8
from minigan.models import GAN, Recipe


def _entropy(scores, label):
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def _squares(scores, label):
    return F.mse_loss(scores, torch.full_like(scores, label)) / 2


OBJECTIVES = {  # of the discriminator, with the label of real images, and of the generator
    "minimax": (lambda r, f, label: _entropy(r, label) + _entropy(f, 0.0), lambda f: -_entropy(f, 0.0)),
    "non-saturating": (lambda r, f, label: _entropy(r, label) + _entropy(f, 0.0), lambda f: _entropy(f, 1.0)),
    "least-squares": (lambda r, f, label: _squares(r, label) + _squares(f, 0.0), lambda f: _squares(f, 1.0)),
    "hinge": (lambda r, f, _: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda f: -f.mean()),
    "wasserstein": (lambda r, f, _: f.mean() - r.mean(), lambda f: -f.mean()),
}


class RecipeTraining:
    """Two networks in PyTorch with a GAN's weights, trained with a recipe."""

    def __init__(self, gan: GAN, recipe: Recipe, channels_last: bool = False):
        self.recipe, self.layout = recipe, torch.channels_last if channels_last else torch.contiguous_format
        self.generator, self.discriminator = (network.to(memory_format=self.layout) for network in networks(gan))
        self.for_discriminator, self.for_generator = OBJECTIVES[recipe.objective]
        self.optimisers = [
            self._optimiser(network, rate)
            for network, rate in (
                (self.discriminator, recipe.discriminator_rate),
                (self.generator, recipe.generator_rate),
            )
        ]
        self.average, self.steps = None, 0
        if recipe.ema:
            self.average = AveragedModel(self.generator, multi_avg_fn=self._averaged, use_buffers=True)
            self.average.n_averaged += 1  # it begins as what the generator is before the first step

    def _optimiser(self, network, rate):
        if self.recipe.optimiser == "adam":
            return torch.optim.Adam(network.parameters(), rate, betas=self.recipe.betas)
        return torch.optim.RMSprop(network.parameters(), rate)

    @torch.no_grad()
    def _averaged(self, averages, present, _):
        decay = min(self.recipe.ema, (1 + self.steps) / (10 + self.steps))
        for average, now in zip(averages, present, strict=True):
            if average.is_floating_point():  # the others count batches
                average.mul_(decay).add_(now, alpha=1 - decay)

    def images(self, images: np.ndarray) -> torch.Tensor:
        """(N, H, W, C) as PyTorch's (N, C, H, W) in this trainer's layout."""
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=self.layout)

    def step(self, draws: list[dict]) -> tuple[float, float]:
        """Both losses of one step.

        draws: for each step of the discriminator real images, noise and, if the recipe has a gradient penalty,
            mixing: tensors, channels first
        """
        for draw in draws:
            fake = self.generator(draw["noise"])
            loss = self._discriminator_loss(draw, fake.detach())
            self._move(0, loss)
            if self.recipe.clip:
                with torch.no_grad():
                    for parameter in self.discriminator.parameters():
                        parameter.clamp_(-self.recipe.clip, self.recipe.clip)
        generator_loss = self.for_generator(self.discriminator(fake))
        self._move(1, generator_loss)
        if self.average is not None:
            self.average.update_parameters(self.generator)
        self.steps += 1
        return loss.item(), generator_loss.item()

    def _discriminator_loss(self, draw, fake):
        recipe, real = self.recipe, draw["real"].clone().requires_grad_(bool(self.recipe.r1))
        scores = self.discriminator(real)
        loss = self.for_discriminator(scores, self.discriminator(fake), 1 - recipe.label_smoothing)
        if recipe.gradient_penalty:
            points = (draw["mixing"] * real + (1 - draw["mixing"]) * fake).requires_grad_()
            (slopes,) = torch.autograd.grad(self.discriminator(points).sum(), points, create_graph=True)
            loss = loss + recipe.gradient_penalty * ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean()
        if recipe.r1:
            (slopes,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
            loss = loss + recipe.r1 / 2 * slopes.flatten(1).square().sum(1).mean()
        return loss

    def _move(self, player, loss):
        self.optimisers[player].zero_grad()
        loss.backward()
        self.optimisers[player].step()

    def parameters(self) -> dict[str, list[np.ndarray]]:
        """All parameters in PyTorch's layout and minigan's order."""
        players = {"generator": self.generator, "discriminator": self.discriminator}
        if self.average is not None:
            players["average"] = self.average.module
        return {name: [p.detach() for p in parameters_of(network)] for name, network in players.items()}


def trained(gan: GAN, batches: Batches, seed: int, steps: int) -> RecipeTraining:
    """Train with the GAN's own recipe, as `mg.gan.fit` does in minigan with this seed and the same random numbers.

    gan: provides initial weights, noise and recipe, and is not changed
    """
    trainer = RecipeTraining(gan, gan.recipe, channels_last=True)  # the faster layout for these networks
    noise, mixing = random.Philox(seed, "noise"), random.Philox(seed, "mixing")
    for _ in range(steps):
        draws = []
        for _ in range(gan.recipe.critic_steps):
            images, _ = next(batches)
            draws.append(
                {"real": trainer.images(images), "noise": torch.from_numpy(gan.noise(len(images), noise).numpy())}
            )
            if gan.recipe.gradient_penalty:
                draws[-1]["mixing"] = torch.from_numpy(mixing.random((len(images), 1, 1, 1)))
        trainer.step(draws)
    return trainer


@torch.no_grad()
def sampled(trainer: RecipeTraining, gan: GAN, count: int, seed: int) -> np.ndarray:
    """Images (count, H, W, C), uint8, as from `mg.gan.sample`: the same noise, the averaged generator if any."""
    network = trainer.generator if trainer.average is None else trainer.average.module
    network.eval()
    noise = torch.from_numpy(gan.noise(count, random.Philox(seed, "sample")).numpy())
    return to_uint8(np.concatenate([network(part).permute(0, 2, 3, 1).numpy() for part in noise.split(500)]))
