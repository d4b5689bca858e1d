"""The computations of a GAN's step: losses and gradients from networks, a batch and noise. No weights change here."""

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
    """The inputs of an update, on the networks' device.

    real: images (N, H, W, C), with the recipe's instance noise added
    labels: (N,), used for both real and generated images; None if there are no classes
    noise: the generator's input, (N, latent_size)
    mixing: (N, 1, 1, 1), for the gradient penalty, or None
    fake_noise: instance noise for the generated images, (N, H, W, C), or None
    """

    real: Tensor
    labels: np.ndarray | None
    noise: Tensor
    mixing: np.ndarray | None = None
    fake_noise: Tensor | None = None


@dataclass
class Update:
    """A player's loss, its gradients with respect to the optimiser's parameters, and other measurements."""

    loss: Tensor
    gradients: list
    real_scores: Tensor | None = None
    fake_scores: Tensor | None = None
    penalty: Tensor | None = None


def discriminator_update(
    gan: GAN, recipe: Recipe, objective: Objective, drawn: Drawn, fake: Tensor, parameters: Sequence[Tensor]
) -> Update:
    """Compute the discriminator's loss on real and generated images, and its gradients.

    fake: detached generated images, (N, H, W, C)
    parameters: the discriminator's
    """
    real, fake = drawn.real, as_seen(fake, drawn)
    real.requires_grad = bool(recipe.r1)

    # Separate passes, because batch norm must not mix the statistics of real and generated images.
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
    """Compute the generator's loss on its images, and its gradients.

    fake: generated images with their graph, (N, H, W, C)
    parameters: the generator's, so that the discriminator's gradients are not computed
    """
    loss = objective.generator(gan.scores(as_seen(fake, drawn), drawn.labels))
    return Update(loss, autograd.grad(loss, parameters))


def as_seen(fake: Tensor, drawn: Drawn) -> Tensor:
    """Add the recipe's instance noise, if any, to generated images."""
    return fake if drawn.fake_noise is None else fake + drawn.fake_noise
