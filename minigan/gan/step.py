"""What a step of a GAN computes: networks, a batch and noise in; losses and gradients out. It changes no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minigan import autograd
from minigan.autograd.tensor import Tensor
from minigan.gan.objectives import Objective, gradient_penalty, r1
from minigan.models import GAN, Recipe


@dataclass
class Drawn:
    """All that an update of the discriminator starts from, where the networks are.

    real: images (N, H, W, C), with noise on them where the recipe has some
    labels: (N,), of the real images and of those that are generated; None where there are no classes
    noise: of the generator, (N, latent_size)
    mixing: (N, 1, 1, 1) of the gradient penalty, or None
    fake_noise: of the shape of real, to add to generated images, or None
    """

    real: Tensor
    labels: np.ndarray | None
    noise: Tensor
    mixing: np.ndarray | None = None
    fake_noise: Tensor | None = None


@dataclass
class Update:
    """What an update would do: the loss, its gradients for the optimiser's parameters, and other measurements."""

    loss: Tensor
    gradients: list
    real_scores: Tensor | None = None
    fake_scores: Tensor | None = None
    penalty: Tensor | None = None


def discriminator_update(
    gan: GAN, recipe: Recipe, objective: Objective, drawn: Drawn, fake: Tensor, parameters: Sequence[Tensor]
) -> Update:
    """The discriminator's loss on a batch and on generated images, and its gradients.

    fake: images of the generator without their graph, (N, H, W, C)
    parameters: what to differentiate with respect to, the discriminator's
    """
    real, fake = drawn.real, as_seen(fake, drawn)
    real.requires_grad = bool(recipe.r1)

    # Real and generated images go through separately: batch norm must not mix their statistics.
    real_scores = gan.scores(real, drawn.labels)
    fake_scores = gan.scores(fake, drawn.labels)
    label = (1 - recipe.label_smoothing,) if recipe.label_smoothing else ()
    loss, penalty = objective.discriminator(real_scores, fake_scores, *label), None
    if recipe.gradient_penalty:
        penalty = gradient_penalty(lambda points: gan.scores(points, drawn.labels), real, fake, drawn.mixing)
        loss = loss + recipe.gradient_penalty * penalty
    elif recipe.r1:
        penalty = r1(real_scores, real)
        loss = loss + recipe.r1 / 2 * penalty
    return Update(loss, autograd.grad(loss, parameters), real_scores, fake_scores, penalty)


def generator_update(
    gan: GAN, objective: Objective, drawn: Drawn, fake: Tensor, parameters: Sequence[Tensor]
) -> Update:
    """The generator's loss on its images, and its gradients through them.

    fake: images of the generator with their graph, (N, H, W, C)
    parameters: the generator's; naming them keeps the discriminator's gradients from being computed at all
    """
    loss = objective.generator(gan.scores(as_seen(fake, drawn), drawn.labels))
    return Update(loss, autograd.grad(loss, parameters))


def as_seen(fake: Tensor, drawn: Drawn) -> Tensor:
    """Generated images as the discriminator sees them: with noise, where the recipe has some."""
    return fake if drawn.fake_noise is None else fake + drawn.fake_noise
