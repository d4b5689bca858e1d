"""A GAN's steps as CUDA graphs: the kernels of a step are captured once, then replayed together.

A step with several critic steps uses two graphs: one for a discriminator update alone, and one for the last
discriminator update together with the generator's. Losses are read after a graph has run.
"""

from __future__ import annotations

import numpy as np

from minigan import devices
from minigan.autograd import no_grad
from minigan.replay import captured


class Replays:
    """A trainer's captured steps. Each of the two graphs runs uncaptured the first time."""

    def __init__(self, trainer):
        self.trainer = trainer
        self._alone, self._with_generator = captured(self._critic), captured(self._both)

    def train_step(self, images: np.ndarray, labels: np.ndarray | None):
        """Train both players for one step, as `Trainer.train_step` does. Returns (drawn, critic, update)."""
        for _ in range(self.trainer.recipe.critic_steps - 1):
            self._alone(*self._inputs(images, labels))
            images, labels = next(self.trainer.batches)
        return self._with_generator(*self._inputs(images, labels))

    def _inputs(self, images, labels):
        """Return a step's inputs on the device: images and, if used, labels and the strength of the instance noise."""
        gan = self.trainer.gan
        given = [images]
        if gan.classes is not None and labels is not None:
            given.append(np.asarray(labels))
        if self.trainer.recipe.instance_noise:
            given.append(np.array([self.trainer.noise_strength()], images.dtype))
        return [devices.move(array, gan.device) for array in given]

    def _draw(self, images, *others):
        """Draw a step's noise, given the inputs from `_inputs`."""
        others = [tensor.data for tensor in others]
        strength = others.pop() if self.trainer.recipe.instance_noise else None
        (labels,) = others or [None]
        return self.trainer.drawn(images.data, labels, strength)

    def _critic(self, *given):
        trainer = self.trainer
        drawn = self._draw(*given)
        with no_grad():
            fake = trainer.generated(drawn)
        critic = trainer.discriminator_update(drawn, fake)
        trainer.move_discriminator(critic.gradients)

    def _both(self, *given):
        trainer = self.trainer
        drawn = self._draw(*given)
        fake = trainer.generated(drawn)
        critic = trainer.discriminator_update(drawn, fake.detach())
        trainer.move_discriminator(critic.gradients)
        update = trainer.generator_update(drawn, fake)
        trainer.move_generator(update.gradients)
        return drawn, critic, update
